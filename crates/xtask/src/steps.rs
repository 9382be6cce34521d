//! A list of steps with their times, for commands that do many things: goes on after a failure and tells at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::shell::say;

#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration, Option<String>)>,
}

impl Steps {
    /// Does a step whose failure is kept for the end, so that one red suite does not hide another.
    pub(crate) fn attempt(&mut self, name: &str, step: impl FnOnce() -> Result<()>) {
        // The table at the end carries the failure.
        let _ = self.need(name, step);
    }

    /// Does a step without whose result the later ones make no sense.
    pub(crate) fn need<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        say(name);
        let started = Instant::now();
        let result = step();
        let failure = result.as_ref().err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            eprintln!("  \x1b[31mfailed:\x1b[0m {failure}");
        }
        self.done.push((name.to_owned(), started.elapsed(), failure));
        result
    }

    /// Prints the table; an error when any step failed.
    pub(crate) fn finish(self) -> Result<()> {
        println!();
        for (name, time, failure) in &self.done {
            let mark = if failure.is_some() { "FAILED" } else { "ok" };
            println!("{mark:>7} {:>7.1} s  {name}", time.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|(_, time, _)| *time).sum();
        let failed = self.done.iter().filter(|(_, _, failure)| failure.is_some()).count();
        println!(
            "steps: {} passed, {failed} failed in {:.1} s",
            self.done.len() - failed,
            total.as_secs_f64()
        );
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.done.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_does_not_stop_the_next_one_but_fails_the_whole() {
        let mut steps = Steps::default();
        let mut second = false;
        steps.attempt("first", || bail!("broken"));
        steps.attempt("second", || {
            second = true;
            Ok(())
        });
        assert!(second);
        assert!(steps.finish().is_err());
    }
}
