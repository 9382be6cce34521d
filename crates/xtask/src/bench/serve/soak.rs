//! A hundred members as they really come: through the page's own door, each with a phone of its own and time to think.

use std::time::Duration;

use anyhow::Result;

use super::Args;
use super::client::Wire;
use super::figures::{jain, median, percentile, slope};
use super::stage::Stage;
use super::stretch::{Load, Stretch};
use crate::bench::Report;
use crate::shell::{note, say};

/// Mean time that a member reads and thinks.
const THINK: Duration = Duration::from_secs(5);
/// What a small box has for conversations. Everything that has a bound (rows, prefix pool) reaches it in the first
/// minutes, so that what still grows afterwards has none.
const KV_MIB: usize = 2048;
/// The box keeps answers for ten minutes after their end, and 1,024 of them at most, which a hundred members make in less
/// than eight minutes; before that, memory grows with every one.
const SETTLE: Duration = Duration::from_secs(480);
const FAIRNESS: f64 = 0.95;
const RECEIVED_MS: f64 = 200.0;
/// "Flat": so many MiB a minute are what allocators do in a run of minutes; more would fill a small box in a week.
const GROWTH_MIB: f64 = 2.0;

pub(super) fn measure(stage: &Stage, args: &Args, report: &mut Report) -> Result<()> {
    let mut sizes = vec![("kv_mib", KV_MIB)];
    sizes.extend((args.slots > 0).then_some(("slots", args.slots)));
    let running = stage.own_on(&sizes, Wire::Portal)?;
    say(&format!("{} members for {} minutes", args.members, args.soak));
    let stretch = Stretch {
        load: Load::Closed { members: args.members, think: THINK },
        seed: stage.seed,
        run_in: SETTLE + Duration::from_secs(300),
        settle: SETTLE,
        measured: Duration::from_secs_f64(args.soak * 60.0),
        drained: true,
    };
    let measured = stretch.measure(&running.server, Some(running.tree), &stage.texts);
    let window = &measured.window;
    note(&window.line());
    for failure in window.failed.iter().take(5) {
        note(failure);
    }
    let received = percentile(&window.received, 0.95) * 1e3;
    let fairness = jain(&window.tokens_of);
    let failed = window.failed.len() + window.refused + window.cut_off;
    let mib = |bytes: f64| bytes / 1_048_576.0;
    let growth = |samples: &[(f64, f64)]| mib(slope(samples)) * 60.0;
    let eighths = |samples: &[(f64, f64)]| {
        let last = samples.len().saturating_sub(1);
        let course = (0..=8_usize).filter_map(|eighth| samples.get(last * eighth / 8));
        course.map(|sample| format!("{:.0}", mib(sample.1))).collect::<Vec<_>>().join(", ")
    };
    for (process, samples) in &measured.memory.processes {
        note(&format!(
            "memory of {process} in eighths of the time, from the start on: {} MiB; {:+.2} MiB a minute",
            eighths(samples),
            growth(samples)
        ));
    }
    let growth = growth(&measured.memory.total);
    let peak = mib(measured.memory.total.iter().map(|sample| sample.1).fold(0.0, f64::max));
    report.result("serve.errors", failed as f64, "answers");
    report.result("serve.answers", window.ended as f64, "answers");
    report.result("serve.fairness", fairness, "jain");
    report.result("serve.received_p95_ms", received, "ms");
    report.result("serve.soak_ttft_p50", median(&window.ttft), "s");
    report.result("serve.soak_ttft_p95", percentile(&window.ttft, 0.95), "s");
    report.result("serve.soak_gap_p95", percentile(&window.gaps, 0.95), "s");
    report.result("serve.soak_throughput", window.per_cpu_second(), "tok/cpu-s");
    report.result("serve.memory_peak", peak, "MiB");
    report.result("serve.memory_growth", growth, "MiB/min");
    report.at_most("serve.errors", failed as f64, 0.0);
    report.at_least("serve.fairness", fairness, FAIRNESS);
    report.at_most("serve.received_p95_ms", received, RECEIVED_MS);
    report.at_most("serve.memory_growth", growth, GROWTH_MIB);
    Ok(())
}
