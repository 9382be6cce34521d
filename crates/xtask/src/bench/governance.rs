//! `cargo xtask bench governance`: how long counting takes, with delegation, in the box's own code, optimized.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Report;
use crate::shell::{capture, cargo, note, say};

/// A community as large as Banyan is made for.
const MEMBERS: &str = "500";
/// Milliseconds. A vote is counted within the transaction that closes it, while other writers wait; on a board ten times as
/// slow as a desk machine too they should not notice.
const AT_MOST: f64 = 5.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Counts of each method; the median is told
    #[arg(long, default_value_t = 200)]
    rounds: u32,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    say("Building the count, optimized");
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "--locked", "--package", "banyan-governance"]);
    command.args(["--example", "tally_speed", "--", MEMBERS, &args.rounds.to_string()]);
    let output = capture(&mut command)?;
    let figures: Value =
        serde_json::from_str(&output).with_context(|| format!("tally_speed printed {output:?}"))?;
    note(&format!("of {MEMBERS} members {} vote through others", figures["ranked_choice"]["delegated"]));
    let mut report = Report::default();
    let median = |method: &str| figures[method]["median_ms"].as_f64().unwrap_or(f64::NAN);
    // Ranked choice has the most to do; it is the figure that is judged.
    for (method, name) in [
        ("ranked_choice", "governance.tally_500"),
        ("score", "governance.tally_500.score"),
        ("majority", "governance.tally_500.majority"),
    ] {
        report.result(name, median(method), "ms");
    }
    report.at_most("governance.tally_500", median("ranked_choice"), AT_MOST);
    report.finish()
}
