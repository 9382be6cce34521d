//! `cargo xtask lab …`: the real box in situations that no single machine has by itself. What is promised for them is
//! checked; a promise that does not hold fails the command.

mod engines;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Lab {
    /// The box with llama.cpp's server as a second engine, which is killed under load
    Engines(engines::Args),
}

pub(crate) fn command(lab: Lab) -> Result<()> {
    match lab {
        Lab::Engines(args) => engines::command(&args),
    }
}
