//! `cargo xtask bench …`: figures about the real box, beside those of others where they can be had.

mod capacity;
mod engine;
mod governance;
mod ledger;
mod library;
pub(crate) mod llama_server;
mod load;
mod report;
mod restart;
pub(crate) mod serve;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use report::Report;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// One stream beside llama.cpp on the same file: speed at one thread and at all, perplexity, divergence
    Engine(engine::Args),
    /// A hundred members at once, beside llama.cpp's server on the same file
    Serve(serve::Args),
    /// How many members machines of some classes would serve, computed from steps measured here
    Capacity,
    /// Members against any server that speaks the OpenAI wire
    Load(load::Args),
    /// Count votes of 500 members with delegation
    Governance(governance::Args),
    /// Kill the engine under load and count the seconds until the box answers again
    Restart(restart::Args),
    /// The library: how fast it finds while the model generates, how well, how fast it takes in; beside others
    Library(library::Args),
    /// The community's record: entries appended a second, and the time to verify 100,000
    Ledger,
}

pub(crate) fn command(bench: Bench) -> Result<()> {
    match bench {
        Bench::Engine(args) => engine::command(&args),
        Bench::Serve(args) => serve::command(&args),
        Bench::Capacity => capacity::command(),
        Bench::Load(args) => load::command(&args),
        Bench::Governance(args) => governance::command(&args),
        Bench::Restart(args) => restart::command(&args),
        Bench::Library(args) => library::command(&args),
        Bench::Ledger => ledger::command(),
    }
}
