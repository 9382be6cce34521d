//! `banyan model profile`: a decode step taken apart, for those who make it faster.

use anyhow::{Result, bail};
use banyan_inference::EngineConfig;
use banyan_inference::profile::{StepProfile, step_profile};
use banyan_modelpack::{Kind, Store};
use serde_json::json;

use crate::paths::Paths;
use crate::profile;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    name: String,
    /// Answers that are made at the same time
    #[arg(long, default_value_t = 32)]
    rows: usize,
    /// Tokens that each conversation has
    #[arg(long, default_value_t = 512)]
    past: usize,
    /// Steps that are measured
    #[arg(long, default_value_t = 8)]
    steps: usize,
    /// Threads; 0 takes all
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn command(paths: &Paths, store: &Store, args: &Args) -> Result<()> {
    // As the engine runs.
    crate::huge_pages::ensure();
    let pack = store.open(&args.name)?;
    if pack.manifest().kind != Kind::Decoder {
        bail!("{} has no steps; only models that answer are taken apart", args.name);
    }
    let board = profile::load(&paths.profile)?.engine;
    let config = EngineConfig {
        ort_library: paths.ort_library()?,
        threads: if args.threads == 0 { board.threads } else { args.threads },
        spin: board.spin,
        ..EngineConfig::default()
    };
    let step = step_profile(pack.dir(), &config, args.rows, args.past, args.steps)?;
    if args.json {
        println!("{}", as_json(&step));
    } else {
        print(&step);
    }
    Ok(())
}

fn print(step: &StepProfile) {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    println!(
        "a step of {} rows with {} tokens each: {:.1} ms, {:.1} ms of processor time",
        step.rows,
        step.past,
        ms(step.wall),
        ms(step.cpu)
    );
    println!("  graph {:.1} ms, sampling {:.1} ms", ms(step.run), ms(step.sampling));
    for (kind, time) in &step.nodes {
        println!("  {kind:<28} {:>8.2} ms", ms(*time));
    }
    println!(
        "  the memory brings {:.1} GB/s; for {:.1} MB it would take {:.1} ms",
        step.bandwidth / 1e9,
        (step.weight_bytes + step.kv_bytes) as f64 / 1e6,
        ms(step.memory_limit())
    );
}

fn as_json(step: &StepProfile) -> serde_json::Value {
    let nodes: serde_json::Map<String, serde_json::Value> =
        step.nodes.iter().map(|(kind, time)| (kind.clone(), json!(time.as_secs_f64()))).collect();
    json!({
        "rows": step.rows,
        "past": step.past,
        "wall_s": step.wall.as_secs_f64(),
        "cpu_s": step.cpu.as_secs_f64(),
        "graph_s": step.run.as_secs_f64(),
        "sampling_s": step.sampling.as_secs_f64(),
        "nodes_s": nodes,
        "weight_bytes": step.weight_bytes,
        "kv_bytes": step.kv_bytes,
        "bandwidth": step.bandwidth,
        "memory_limit_s": step.memory_limit().as_secs_f64(),
    })
}
