//! `cargo xtask bench serve`: a hundred members at once, beside llama.cpp's server with the same file.
//!
//! Map: [`workload`] is what members ask, [`client`] asks one question, [`members`] are the loops, [`stretch`] measures
//! one of them, [`figures`] and [`processes`] are what comes out. [`compare`], [`soak`], [`flood`], [`prefix`],
//! [`quality`] and [`steps`] are the parts of the bench; [`stage`] starts the servers.
//!
//! What can be judged in processor time is: other work on the machine does not disturb it. Wall time stands beside it.

pub(crate) mod client;
mod compare;
pub(crate) mod figures;
mod flood;
pub(crate) mod members;
mod prefix;
pub(crate) mod processes;
mod quality;
mod soak;
pub(crate) mod stage;
mod steps;
pub(crate) mod stretch;
pub(crate) mod workload;

use std::path::PathBuf;

use anyhow::Result;

use super::Report;
use stage::Stage;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Rounds of the comparison; each measures every server once, and medians count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many members ask at once in the comparison
    #[arg(long, value_delimiter = ',', default_value = "8,32,100")]
    levels: Vec<usize>,
    /// Minutes that the hundred members ask for
    #[arg(long, default_value_t = 10.0)]
    soak: f64,
    /// Members of the soak
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Answers at the same time in the soak; 0 takes the profile's
    #[arg(long, default_value_t = 0)]
    slots: usize,
    /// Seconds of each measured stretch at 8 members; more members are measured for longer
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// What members ask and when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measure this program instead of building the one of this tree
    #[arg(long, value_name = "FILE")]
    banyan: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Tokens a second at each level, beside llama.cpp's server
    Throughput,
    /// Time to the first token at the same offered load
    Ttft,
    /// A hundred members for minutes: errors, memory, fairness, "received"
    Soak,
    /// One member with long prompts, and what the others notice
    Flood,
    /// What a shared policy costs once it is computed
    Prefix,
    /// Whether answers beside others are as good as alone
    Quality,
    /// Where the time of a step goes
    Profile,
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let mut stage = Stage::set(args.seed, args.banyan.as_deref())?;
    let mut report = Report::default();
    if args.wants(Part::Prefix) {
        prefix::measure(&stage, &mut report)?;
    }
    if args.wants(Part::Profile) {
        steps::measure(&stage, &args.levels, &mut report)?;
    }
    if args.wants(Part::Quality) {
        quality::measure(&stage, &args.levels, &mut report)?;
    }
    if args.wants(Part::Throughput) || args.wants(Part::Ttft) {
        for &level in &args.levels {
            compare::measure(&mut stage, args, level, &mut report)?;
        }
    }
    if args.wants(Part::Flood) {
        flood::measure(&stage, &mut report)?;
    }
    if args.wants(Part::Soak) {
        soak::measure(&stage, args, &mut report)?;
    }
    report.finish()
}
