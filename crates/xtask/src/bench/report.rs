//! The lines that benches print, for people and for programs:
//! `RESULT <name> <value> <unit>[ peer <peer> <value> ratio <r>]` and `SKIPPED <name> <reason>`.

use anyhow::{Result, bail};

/// Collects the figures of one run; a missed target makes the command fail, after everything was printed.
#[derive(Default)]
pub(crate) struct Report {
    missed: Vec<String>,
}

impl Report {
    /// A figure on its own.
    pub(crate) fn result(&mut self, name: &str, value: f64, unit: &str) {
        println!("{}", line(name, value, unit, None));
    }

    /// A figure beside the same figure of another program, taken in the same run.
    pub(crate) fn against(&mut self, name: &str, value: f64, unit: &str, peer: &str, theirs: f64) {
        println!("{}", line(name, value, unit, Some((peer, theirs))));
    }

    /// As [`Report::against`], of a figure that is better when it is lower.
    pub(crate) fn against_lower(&mut self, name: &str, value: f64, unit: &str, peer: &str, theirs: f64) {
        let (own, theirs_text) = (number(value), number(theirs));
        println!("RESULT {name} {own} {unit} peer {peer} {theirs_text} ratio {}", number(theirs / value));
    }

    /// A figure that could not be taken here.
    pub(crate) fn skipped(&mut self, name: &str, reason: &str) {
        println!("SKIPPED {name} {reason}");
    }

    /// Says that a figure must not be below `limit`.
    pub(crate) fn at_least(&mut self, name: &str, value: f64, limit: f64) {
        if value.is_nan() || value < limit {
            self.missed.push(format!("{name} is {}, wanted are {}", number(value), number(limit)));
        }
    }

    /// Says that a figure must not be above `limit`.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, limit: f64) {
        if value.is_nan() || value > limit {
            self.missed.push(format!("{name} is {}, allowed are {}", number(value), number(limit)));
        }
    }

    /// Fails when a target was missed.
    pub(crate) fn finish(self) -> Result<()> {
        if self.missed.is_empty() {
            return Ok(());
        }
        bail!("targets missed: {}", self.missed.join("; "));
    }
}

fn line(name: &str, value: f64, unit: &str, peer: Option<(&str, f64)>) -> String {
    let own = format!("RESULT {name} {} {unit}", number(value));
    match peer {
        None => own,
        Some((peer, theirs)) => {
            format!("{own} peer {peer} {} ratio {}", number(theirs), number(value / theirs))
        }
    }
}

/// Three significant digits say what a measurement can; integers stay whole.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_has_a_fixed_form() {
        assert_eq!(line("engine.restart_s", 1.234, "s", None), "RESULT engine.restart_s 1.23 s");
        assert_eq!(
            line("engine.decode", 75.0, "tok/s", Some(("llama.cpp", 60.0))),
            "RESULT engine.decode 75.0 tok/s peer llama.cpp 60.0 ratio 1.25"
        );
    }

    #[test]
    fn a_missed_target_fails_the_run_and_an_absent_figure_counts_as_missed() {
        for (value, fails) in [(1.0, false), (3.0, true), (f64::NAN, true)] {
            let mut report = Report::default();
            report.at_most("x", value, 2.0);
            assert_eq!(report.finish().is_err(), fails, "{value}");
        }
    }
}
