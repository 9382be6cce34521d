//! `banyan model tune`: measures what a model costs on this machine, and keeps what follows for the next start.

use std::time::Instant;

use anyhow::{Result, bail};
use banyan_inference::EngineConfig;
use banyan_inference::tune::{Progress, Step, TuneOptions, TuneReport, pick, tune};
use banyan_modelpack::{Kind, Pack, Store};
use indicatif::{ProgressBar, ProgressStyle};

use super::choose;
use crate::paths::Paths;
use crate::profile;
use crate::settings::Settings;
use crate::tuning::{Machine, Tuning};

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The model [default: the one that answers]
    name: Option<String>,
    /// Fewer figures, in some seconds for a small model
    #[arg(long)]
    quick: bool,
    /// For programs: everything that was measured
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
The figures are only as good as the quiet around them: tune while nobody asks (`banyan stop` first).
They are kept in the data folder, under tuning/, and used from the next start on wherever the hardware profile says 0.
`banyan doctor` says when they belong to another machine or to another ONNX Runtime.

Examples:
  banyan model tune                    the model that answers, thoroughly (minutes)
  banyan model tune qwen3-4b --quick   another one, roughly";

pub(crate) fn command(paths: &Paths, store: &Store, args: &Args) -> Result<()> {
    // As the engine runs.
    crate::huge_pages::ensure();
    paths.prepare()?;
    let pack = pack(paths, store, args.name.as_deref())?;
    let name = pack.manifest().name.clone();
    let board = profile::load(&paths.profile)?.engine;
    let library = paths.ort_library()?;
    let machine = Machine::this(&library);
    let config = EngineConfig {
        ort_library: library,
        kv_budget: board.kv_mib << 20,
        spin: board.spin,
        memory_dir: Some(paths.tuning()),
        ..EngineConfig::default()
    };
    let began = Instant::now();
    let bar = bar();
    let options = TuneOptions { config, quick: args.quick };
    let report = tune(pack.dir(), &options, &mut |progress| show(&bar, progress))?;
    bar.finish_and_clear();
    let tuning = Tuning::new(machine, &pack, args.quick, &report);
    let path = tuning.save(&paths.tuning(), &name)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&tuning)?);
        return Ok(());
    }
    print(&name, &report);
    println!("  measured in {:.0} s, kept in {}", began.elapsed().as_secs_f64(), path.display());
    println!("  A running engine takes it at its next start: banyan restart infer");
    Ok(())
}

/// The named model, else the one that answers.
fn pack(paths: &Paths, store: &Store, name: Option<&str>) -> Result<Pack> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            let all = store.list();
            let packs: Vec<&Pack> = all.iter().flatten().collect();
            let settings = Settings::load(&paths.settings())?;
            choose(&packs, &settings.models).chat.map(str::to_owned).map_err(anyhow::Error::msg)?
        }
    };
    let pack = store.open(&name)?;
    if pack.manifest().kind != Kind::Decoder {
        bail!("{name} has no steps to tune; only models that answer are tuned");
    }
    Ok(pack)
}

fn print(name: &str, report: &TuneReport) {
    let tuned = &report.tuned;
    let ms = |us: f64| us / 1e3;
    println!("{name} on this machine:");
    println!("  threads {:>4}", tuned.threads);
    println!("  rows    {:>4}   answers at the same time", tuned.slots);
    println!("  chunk   {:>4}   tokens of a prompt at a time", tuned.chunk);
    println!("By these rules:\n  {}", pick::RULES.replace('\n', "\n  "));
    let costs = &report.costs;
    println!(
        "A step after {} tokens takes (by the formula, {:.0} % off in the middle):",
        pick::TALK,
        costs.error * 100.0
    );
    for rows in [1, 8, 32, 100] {
        let us = costs.decode(rows, pick::TALK);
        println!(
            "  {rows:>4} answers {:>9.1} ms  {:>8.1} tokens/s together",
            ms(us),
            rows as f64 / us.max(1e-9) * 1e6
        );
    }
    for tokens in [tuned.chunk, 512] {
        let us = costs.prefill(tokens, 0);
        println!(
            "  {tokens:>4} tokens of a prompt {:>9.1} ms  {:>8.1} tokens/s",
            ms(us),
            tokens as f64 / us.max(1e-9) * 1e6
        );
    }
    let figures = |step| report.samples.iter().filter(|sample| sample.step == step).count();
    println!(
        "  {} figures of answers and {} of prompts; keys and values in {} bits",
        figures(Step::Decode),
        figures(Step::Prefill),
        if report.kv8 { 8 } else { 32 }
    );
}

/// Nothing is drawn when the output is no terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("  {msg:<36} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.total as u64);
    bar.set_position(progress.done as u64);
    bar.set_message(progress.now.clone());
}
