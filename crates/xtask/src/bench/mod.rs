//! `cargo xtask bench …`: figures about the real box, beside those of others where they can be had.

mod report;
mod restart;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use report::Report;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Kill the engine under load and count the seconds until the box answers again
    Restart(restart::Args),
}

pub(crate) fn command(bench: Bench) -> Result<()> {
    match bench {
        Bench::Restart(args) => restart::command(&args),
    }
}
