//! `banyan`: the one binary. Parses, logs, dispatches; each command is a module.

mod adapter;
mod address;
mod ask;
mod backup;
mod cli;
mod countersign;
mod doctor;
mod engine;
mod extract;
mod extractor;
mod huge_pages;
mod infer;
mod key;
mod ledger;
mod library;
mod lifeline;
mod model;
mod node;
mod paths;
mod profile;
mod recover;
mod rights;
mod run;
mod settings;
mod shares;
mod status;
mod supervisor;
mod tuning;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::paths::Paths;

/// What is logged when BANYAN_LOG says nothing else: the box's own events, and only troubles of the libraries. Not each
/// request: nobody needs to know who asked when, and a box writes onto flash memory.
const LOG: &str = "warn,banyan=info,banyan_inference=info,banyan_portal=info,banyan_portal::guard=warn";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("BANYAN_LOG").unwrap_or_else(|_| EnvFilter::new(LOG));
    let color = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(color).init();
    match cli.places.resolve().map_err(Into::into).and_then(|paths| dispatch(&paths, cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("banyan: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(paths: &Paths, command: Command) -> Result<ExitCode> {
    match command {
        Command::Run { listen } => on_one_thread(run::command(paths, listen))?,
        Command::Stop => on_one_thread(status::stop(paths))?,
        Command::Status { json } => on_one_thread(status::show(paths, json))?,
        Command::Doctor => return doctor::command(paths),
        Command::Ask(args) => on_one_thread(ask::command(paths, args))?,
        Command::Model(command) => model::command(paths, command)?,
        Command::Adapter(command) => adapter::command(paths, command)?,
        Command::Key(command) => key::command(paths, &command)?,
        Command::Engine(command) => engine::command(paths, command)?,
        Command::Ledger(command) => ledger::command(paths, command)?,
        Command::Library(command) => on_one_thread(library::command(paths, command))?,
        Command::Recover(args) => recover::command(paths, &args)?,
        Command::Shares(args) => shares::command(paths, &args)?,
        Command::Backup(args) => backup::backup(paths, &args)?,
        Command::Restore(args) => backup::restore(paths, &args)?,
        Command::Restart { worker } => on_one_thread(status::restart_command(paths, &worker))?,
        Command::Node { listen, supervised_by } => {
            tie(supervised_by, c"banyan-node")?;
            on_many_threads(node::serve(paths, listen))?;
        }
        Command::Infer { supervised_by } => {
            huge_pages::ensure();
            tie(supervised_by, c"banyan-infer")?;
            on_many_threads(infer::serve(paths))?;
        }
        Command::Extract(args) => extract::command(&args)?,
        Command::Openapi => print!("{}", node::openapi()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Commands, and the supervisor: all on the main thread (see [`supervisor`] why).
fn on_one_thread<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime =
        Builder::new_current_thread().enable_all().build().context("no runtime could be started")?;
    LocalSet::new().block_on(&runtime, future)
}

/// Workers.
fn on_many_threads(future: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build().context("no runtime could be started")?;
    runtime.block_on(future)
}

fn tie(supervised_by: Option<u32>, name: &std::ffi::CStr) -> Result<()> {
    let tied = supervised_by.map_or(Ok(()), |supervisor| lifeline::tie_to(supervisor, name));
    tied.context("a worker without its supervisor is of no use")
}
