//! `cargo xtask bench ledger`: how fast the community's record is written, and how long a member waits for
//! "verify now".

use std::fs;

use anyhow::{Context, Result};

use super::Report;
use crate::shell::{capture, cargo, run, say, target_dir};

/// Seconds that verifying 100,000 entries may take: as long as somebody looks at a progress bar.
const VERIFY_AT_MOST_S: f64 = 10.0;

const MEASURE: [&str; 5] = ["--release", "--package", "banyan-ledger", "--example", "measure"];

pub(crate) fn command() -> Result<()> {
    say("the ledger with optimization");
    run(cargo().arg("build").args(MEASURE))?;
    // On the disk where the box's data would be, not in memory.
    let scratch = target_dir().join("xtask/bench-ledger");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("cannot empty {}", scratch.display()))?;
    }
    say("appending one by one, then verifying 100,000 entries");
    let printed = capture(cargo().arg("run").args(MEASURE).arg("--").arg(&scratch))?;
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    let mut report = Report::default();
    report.result("ledger.append", figure(&printed, "append_per_s"), "entries/s");
    for (name, printed_as) in
        [("ledger.verify_100k", "verify_s"), ("ledger.verify_file_100k", "verify_file_s")]
    {
        let seconds = figure(&printed, printed_as);
        report.result(name, seconds, "s");
        report.at_most(name, seconds, VERIFY_AT_MOST_S);
    }
    report.finish()
}

/// The figure of this name; not a number, which counts as missed, when it was not printed.
fn figure(printed: &str, name: &str) -> f64 {
    let of_line = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    printed.lines().find_map(of_line).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_whole_name_and_an_absent_one_is_no_number() {
        let printed = "append_per_s 812.5\nverify_s 3.25\nverify_file_s 4.5\n";
        assert_eq!(figure(printed, "verify_s"), 3.25);
        assert_eq!(figure(printed, "verify_file_s"), 4.5);
        assert!(figure(printed, "verify").is_nan());
        assert!(figure(printed, "nothing").is_nan());
    }
}
