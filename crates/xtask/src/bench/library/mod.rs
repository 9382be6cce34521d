//! `cargo xtask bench library`: how fast the library finds, how well, and how fast it takes in, beside others in the
//! same run.
//!
//! Map: [`packages`] brings real texts, [`scene`] a library of them and a running box; [`speed`], [`quality`],
//! [`ingest`] and [`zim`] are the parts. [`judge`] scores what was found, [`generation`] keeps the model at work,
//! [`watched`] runs what is measured and says what else the machine did.

mod generation;
mod ingest;
mod judge;
mod packages;
mod quality;
mod scene;
mod speed;
mod watched;
mod zim;

use std::path::PathBuf;

use anyhow::Result;

use super::Report;
use scene::Scene;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Passages that are searched among
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    passages: Vec<usize>,
    /// Who search at the same time
    #[arg(long, default_value_t = 20)]
    searchers: usize,
    /// Seconds between two searches of one searcher, on average
    #[arg(long, default_value_t = 1.0)]
    pause: f64,
    /// Seconds of each measured stretch
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Members who ask the model meanwhile, one question after another
    #[arg(long, default_value_t = 4)]
    members: usize,
    /// Articles of the ZIM archive
    #[arg(long, default_value_t = 5000)]
    articles: usize,
    /// Which half of the judged questions; who tunes the search reads the first only
    #[arg(long, value_enum, default_value_t = Half::HeldOut)]
    set: Half,
    /// Measure with this program instead of building the one of this tree
    #[arg(long, value_name = "FILE")]
    banyan: Option<PathBuf>,
    /// Measure with this build of crates/knowledge/examples/library_measure instead of making it
    #[arg(long, value_name = "FILE")]
    measure: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Milliseconds until passages are there, while the model generates
    Speed,
    /// Pages a second that come in
    Ingest,
    /// What is found for judged questions, beside a reference in Python
    Quality,
    /// Seconds until a ZIM archive can be searched, and what is found beside libzim's own search
    Zim,
}

/// The halves of the judged questions.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Half {
    Tuning,
    HeldOut,
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let scene = Scene::set(args.banyan.as_deref(), args.measure.as_deref())?;
    let mut report = Report::default();
    if args.wants(Part::Quality) {
        quality::measure(&scene, args.set, &mut report)?;
    }
    if args.wants(Part::Ingest) {
        ingest::measure(&scene, &mut report)?;
    }
    if args.wants(Part::Zim) {
        zim::measure(&scene, args.articles, &mut report)?;
    }
    if args.wants(Part::Speed) {
        for &passages in &args.passages {
            speed::measure(&scene, args, passages, &mut report)?;
        }
    }
    report.finish()
}
