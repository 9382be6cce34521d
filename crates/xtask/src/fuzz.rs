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
    /// Seconds of mutated model files, manifests, tokenizers and templates, and as many of mutated documents (the ordinary
    /// tests take 5)
    #[arg(long, default_value_t = 120)]
    seconds: u32,
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
    run(command.env("PROPTEST_CASES", args.cases.to_string()))?;
    if args.filter.is_some() {
        return Ok(());
    }
    let wanted = |package| args.package.as_deref().is_none_or(|wanted| wanted == package);
    if wanted("banyan-modelpack") {
        say(&format!("Mutating untrusted model files for {} s, with memory counted", args.seconds));
        mutate("banyan-modelpack", "fuzz", None, args.seconds)?;
    }
    if wanted("banyan") {
        say(&format!(
            "Mutating PDFs and office files for {} s, each read by a process of its own",
            args.seconds
        ));
        mutate("banyan", "extract", Some("fuzz::"), args.seconds)?;
    }
    Ok(())
}

/// Tests of mutated files, which go by time and not by cases.
fn mutate(package: &str, test: &str, filter: Option<&str>, seconds: u32) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--locked", "--package", package, "--test", test]).args(filter);
    run(command.env("BANYAN_FUZZ_SECONDS", seconds.to_string()))
}
