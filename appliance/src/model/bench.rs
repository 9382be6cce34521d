//! `banyan model bench`: the speed of one stream on this machine.

use anyhow::{Result, bail};
use banyan_inference::{BenchOptions, BenchReport, EngineConfig, Rate, bench};
use banyan_modelpack::{Kind, Store};
use serde_json::json;

use crate::paths::Paths;
use crate::profile;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    name: String,
    /// Threads; 0 takes all
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Tokens of the question
    #[arg(long, default_value_t = 256)]
    prompt: usize,
    /// Tokens of the answer
    #[arg(long, default_value_t = 64)]
    generate: usize,
    /// Each figure is the middle one of so many
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Tokens of the question computed in one run; 0 takes the engine's own
    #[arg(long, default_value_t = 0)]
    chunk: usize,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn command(paths: &Paths, store: &Store, args: &Args) -> Result<()> {
    // As the engine runs.
    crate::huge_pages::ensure();
    let pack = store.open(&args.name)?;
    if pack.manifest().kind != Kind::Decoder {
        bail!("{} makes embeddings; only models that answer are measured", args.name);
    }
    let profile = profile::load(&paths.profile)?.engine;
    let threads = if args.threads == 0 { profile.threads } else { args.threads };
    let config = EngineConfig { threads, ..EngineConfig::default() };
    let report = bench(
        pack.dir(),
        &BenchOptions {
            ort_library: &paths.ort_library()?,
            threads: config.resolved_threads(),
            spin: profile.spin,
            prompt: args.prompt,
            chunk: if args.chunk == 0 { config.chunk } else { args.chunk },
            generate: args.generate,
            repeats: args.repeats,
        },
    )?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&report))?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &BenchReport) {
    let line = |what: &str, rate: &Rate| {
        println!(
            "  {what:<22} {:>8.1} tokens/s  {:>8.1} tokens per CPU second",
            rate.per_second(),
            rate.per_cpu_second()
        );
    };
    println!("{} with {} threads", report.model, report.threads);
    line("reading the question", &report.prefill);
    line("writing the answer", &report.decode);
    println!(
        "  first word after       {:>8.2} s for {} tokens",
        report.ttft.wall.as_secs_f64(),
        report.prefill.tokens
    );
    println!("  loading took           {:>8.2} s", report.load.as_secs_f64());
    println!("  most memory            {:>8}", super::megabytes(report.peak_memory));
}

fn as_json(report: &BenchReport) -> serde_json::Value {
    let rate = |rate: &Rate| {
        json!({
            "tokens": rate.tokens,
            "wall_s": rate.wall.as_secs_f64(),
            "cpu_s": rate.cpu.as_secs_f64(),
            "tokens_per_s": rate.per_second(),
            "tokens_per_cpu_s": rate.per_cpu_second(),
        })
    };
    json!({
        "model": report.model,
        "threads": report.threads,
        "prefill": rate(&report.prefill),
        "decode": rate(&report.decode),
        "ttft_s": report.ttft.wall.as_secs_f64(),
        "load_s": report.load.as_secs_f64(),
        "peak_memory_bytes": report.peak_memory,
    })
}
