//! A decode step taken apart, and its distance from what this machine's memory allows.

use anyhow::Result;

use super::stage::Stage;
use crate::bench::Report;
use crate::pins::CHAT_PACK;
use crate::shell::say;

/// Tokens that each conversation has: a policy and some turns.
const PAST: &str = "700";
/// Kinds of nodes that read weights, and those that read conversations.
const MATMUL: [&str; 4] = ["MatMulNBits", "MatMul", "Gemm", "FusedMatMul"];
const ATTENTION: [&str; 1] = ["GroupQueryAttention"];

pub(super) fn measure(stage: &Stage, levels: &[usize], report: &mut Report) -> Result<()> {
    for level in levels {
        say(&format!("A step of {level} rows with {PAST} tokens each"));
        let rows = level.to_string();
        let step = stage.model(&["profile", CHAT_PACK, "--rows", &rows, "--past", PAST, "--json"])?;
        let figure = |key: &str| step[key].as_f64().unwrap_or(f64::NAN);
        let (wall, graph) = (figure("wall_s"), figure("graph_s"));
        let nodes = |kinds: Option<&[&str]>| -> f64 {
            let all = step["nodes_s"].as_object().into_iter().flatten();
            all.filter(|(kind, _)| kinds.is_none_or(|kinds| kinds.contains(&kind.as_str())))
                .filter_map(|(_, seconds)| seconds.as_f64())
                .sum()
        };
        let all = nodes(None);
        // Shares of the nodes' time, taken with the profiler, are shares of the graph's time without it.
        let share = |seconds: f64| seconds / all * graph / wall;
        let (matmul, attention) = (nodes(Some(&MATMUL)), nodes(Some(&ATTENTION)));
        let name = |what: &str| format!("serve.step_{what}_{level}");
        report.result(&name("ms"), wall * 1e3, "ms");
        report.result(&name("cpu_ms"), figure("cpu_s") * 1e3, "ms");
        report.result(&name("matmul"), share(matmul), "share");
        report.result(&name("attention"), share(attention), "share");
        report.result(&name("other_nodes"), share(all - matmul - attention), "share");
        report.result(&name("sampling"), figure("sampling_s") / wall, "share");
        report.result(&name("host"), 1.0 - (graph + figure("sampling_s")) / wall, "share");
        report.result(&name("memory_limit"), figure("memory_limit_s") * 1e3, "ms");
        report.result(&name("from_memory_limit"), wall / figure("memory_limit_s"), "x");
        report.result("serve.memory_bandwidth", figure("bandwidth") / 1e9, "GB/s");
    }
    Ok(())
}
