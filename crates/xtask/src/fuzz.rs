//! `cargo xtask fuzz`: the same property tests as in `test`, with many more cases.
//!
//! The tests that feed hostile bytes (model files, templates, requests, streams) are properties on stable Rust: what is
//! found is shrunk and written into `proptest-regressions/`, which is committed and tried first from then on.

use anyhow::Result;

use crate::shell::{cargo, run, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cases per property (the ordinary tests take 256)
    #[arg(long, default_value_t = 20_000)]
    cases: u32,
    /// Only this crate
    #[arg(long)]
    package: Option<String>,
    /// Only tests whose names contain this
    filter: Option<String>,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    say(&format!("Running every property with {} cases", args.cases));
    let mut command = cargo();
    command.args(["test", "--locked", "--lib", "--bins"]);
    match &args.package {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    command.args(args.filter.iter());
    run(command.env("PROPTEST_CASES", args.cases.to_string()))
}
