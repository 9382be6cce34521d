//! Runs what is measured, and counts what other programs took of the machine meanwhile.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::serve::processes::{Tree, machine_s};
use crate::shell::words;

/// How often the machine is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What a program printed, and how many cores others kept busy.
pub(super) struct Watched {
    pub(super) printed: Value,
    pub(super) others: f64,
}

/// Runs a program that prints one JSON object. Everything below this process (the box, the program) is no other.
pub(super) fn run(command: &mut Command) -> Result<Watched> {
    let words = words(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{words}`"))?;
    let own = Tree(std::process::id());
    let look = || (Instant::now(), machine_s() - own.cpu_s());
    let (mut first, mut last) = (None, None);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let now = look();
        // Processes that only start are not yet counted; those that end are not any more.
        first = first.or(last);
        last = Some(now);
        std::thread::sleep(LOOK);
    };
    let mut printed = String::new();
    child.stdout.take().context("the output was asked for")?.read_to_string(&mut printed)?;
    if !status.success() {
        bail!("`{words}` failed ({status})");
    }
    let others = match (first, last) {
        (Some((began, from)), Some((ended, to))) if ended > began => {
            ((to - from) / (ended - began).as_secs_f64()).max(0.0)
        }
        _ => f64::NAN,
    };
    let last_line = printed.trim().lines().last().unwrap_or_default();
    let printed =
        serde_json::from_str(last_line).with_context(|| format!("`{words}` printed {printed:?}"))?;
    Ok(Watched { printed, others })
}

/// A number out of what was printed; not a number where it is absent.
pub(super) fn number(printed: &Value, pointer: &str) -> f64 {
    printed.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
