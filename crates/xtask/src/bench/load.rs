//! `cargo xtask bench load`: members against any server that speaks the OpenAI wire, for whoever tunes one.

use std::time::Duration;

use anyhow::Result;

use super::serve::client::{Server, Wire};
use super::serve::figures::slope;
use super::serve::processes::Tree;
use super::serve::stretch::{Load, Stretch};
use super::serve::workload::Texts;
use crate::shell::note;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server, such as http://127.0.0.1:8080
    base: String,
    /// Its API key
    #[arg(long)]
    key: Option<String>,
    /// Members of the closed loop
    #[arg(long, default_value_t = 8)]
    streams: usize,
    /// Instead of a closed loop: questions a second, at random times
    #[arg(long)]
    rate: Option<f64>,
    /// Mean seconds that a member thinks before the next question
    #[arg(long, default_value_t = 0.0)]
    think: f64,
    /// Seconds to measure
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Most seconds before that, until each member has had an answer
    #[arg(long, default_value_t = 300.0)]
    run_in: f64,
    /// The server's process; its processor time and memory are counted with those of its children
    #[arg(long)]
    pid: Option<u32>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ask as members' phones do, at /api/chat
    #[arg(long)]
    portal: bool,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let texts = Texts::read()?;
    let wire = if args.portal { Wire::Portal } else { Wire::OpenAi };
    let server = Server { base: args.base.trim_end_matches('/').into(), key: args.key.clone(), wire };
    let stretch = Stretch {
        load: match args.rate {
            Some(rate) => Load::Open { rate },
            None => Load::Closed { members: args.streams, think: Duration::from_secs_f64(args.think) },
        },
        seed: args.seed,
        run_in: Duration::from_secs_f64(args.run_in),
        settle: Duration::ZERO,
        measured: Duration::from_secs_f64(args.seconds),
        drained: false,
    };
    let measured = stretch.measure(&server, args.pid.map(Tree), &texts);
    println!("{}", measured.window.line());
    if let Some(peak) = measured.memory.total.iter().map(|sample| sample.1).reduce(f64::max) {
        let growth = slope(&measured.memory.total) * 60.0;
        println!("memory: at most {:.0} MiB, {:+.1} MiB a minute", peak / 1048576.0, growth / 1048576.0);
    }
    for failure in measured.window.failed.iter().take(5) {
        note(failure);
    }
    Ok(())
}
