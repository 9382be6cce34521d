//! `banyan model import`: a bar while it works, a line when it is done.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use banyan_modelpack::graph::Bits;
use banyan_modelpack::import::{ImportOptions, Progress, import};
use banyan_modelpack::{Kind, Store};
use indicatif::{ProgressBar, ProgressStyle};

use crate::paths::Paths;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A .gguf file, or a folder with config.json, tokenizer.json and *.safetensors
    source: PathBuf,
    /// What the model is to be called here [default: what its file is called]
    #[arg(long)]
    name: Option<String>,
    /// Bits for weights that the source keeps as floats
    #[arg(long, value_enum, default_value_t)]
    bits: BitsArg,
    /// Longest conversation that the pack will allow, in tokens [default: what it was trained for, at most 32768]
    #[arg(long)]
    max_positions: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum BitsArg {
    /// Four where the measured error is small, eight elsewhere
    #[default]
    Auto,
    /// Smallest and fastest
    Four,
    /// Truest to the source
    Eight,
}

impl From<BitsArg> for Bits {
    fn from(bits: BitsArg) -> Bits {
        match bits {
            BitsArg::Auto => Bits::Auto,
            BitsArg::Four => Bits::Four,
            BitsArg::Eight => Bits::Eight,
        }
    }
}

pub(crate) fn command(paths: &Paths, store: &Store, args: Args) -> Result<()> {
    paths.prepare()?;
    let options =
        ImportOptions { name: args.name, bits: args.bits.into(), max_positions: args.max_positions };
    let started = Instant::now();
    let bar = bar();
    let pack = import(&args.source, store, &options, &mut |progress| show(&bar, progress))?;
    bar.finish_and_clear();
    let manifest = pack.manifest();
    let size = super::megabytes(super::bytes(&pack));
    println!("{} is imported: {size} in {:.1} s.", manifest.name, started.elapsed().as_secs_f64());
    if let Some(worst) = &manifest.quality.worst {
        println!(
            "  The tensor that lost most: {} ({:.2} % of its strength).",
            worst.tensor,
            worst.rmse * 100.0
        );
    }
    let does = match manifest.kind {
        Kind::Decoder => "answer",
        Kind::Encoder => "make embeddings",
        Kind::Reranker => "re-rank",
    };
    println!("  Let it {does} with: banyan model use {}", manifest.name);
    Ok(())
}

/// Nothing is drawn when the output is no terminal.
pub(crate) fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("  {msg:<28} {wide_bar} {percent:>3} %  {eta}");
    let bar = ProgressBar::new(0);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (words, done, total) = match progress {
        Progress::Reading => ("reading and checking", 0, 0),
        Progress::Hashing { done, total } => ("taking its fingerprint", done, total),
        Progress::Building { done, total } => ("converting weights", done, total),
        Progress::Finishing => ("writing to the disk", 0, 0),
    };
    bar.set_message(words);
    bar.set_length(total);
    bar.set_position(done);
}
