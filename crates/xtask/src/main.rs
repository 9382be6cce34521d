//! `cargo xtask …`: everything a developer runs, in Rust, with nothing to install before it.
//!
//! Map: [`setup`] fetches what the box needs, pinned by hash ([`pins`]); [`web`], [`packs`] and [`starter`] prepare the
//! page, the models and the first texts of the library; [`run`], [`mod@test`], [`check`], [`lab`] and [`mod@bench`] are
//! the commands; [`running_box`] is a real box started for tests and benches.
//!
//! What it does not do: it holds no rule of the product. Deleting this crate would change no answer of the box.

mod bench;
mod cache;
mod check;
mod fetch;
mod fuzz;
mod lab;
mod openapi;
mod packs;
mod pins;
mod python;
mod run;
mod running_box;
mod setup;
mod shell;
mod starter;
mod steps;
mod test;
mod tidy;
mod web;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Set up, run, test and measure Banyan",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch and build what the box needs, without starting it (`run` and `test` do this by themselves)
    Setup(setup::Args),
    /// Build the box, give it a model, start it, and print the address to open
    Run(run::Args),
    /// Run every test: Rust, web, the real box in a browser, and the OpenAI SDKs
    Test(test::Args),
    /// Formatting, lints, licences, documentation, translations: what needs no model
    Check,
    /// Measure, and compare with others: prints RESULT lines
    #[command(subcommand)]
    Bench(bench::Bench),
    /// The real box in situations that no single machine has by itself
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Run the property tests that feed hostile input for longer
    Fuzz(fuzz::Args),
    /// Write api/openapi.json from the Rust types and the web client's types from it
    Openapi,
    /// Delete everything that set-up fetched
    CleanCache,
}

fn main() -> std::process::ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::command(&args),
        Command::Run(args) => run::command(&args),
        Command::Test(args) => test::command(&args),
        Command::Check => check::command(),
        Command::Bench(bench) => bench::command(bench),
        Command::Lab(lab) => lab::command(lab),
        Command::Fuzz(args) => fuzz::command(&args),
        Command::Openapi => openapi::command(),
        Command::CleanCache => cache::clean(),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
