//! Small rules about the sources that no other tool knows.

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{capture, root};

/// A longer file holds more than one matter and is hard to keep in the head; the median should be under 220.
const LINES_AT_MOST: usize = 800;
/// What people write and read; lock files and schemas that programs write may be long.
const WRITTEN_BY_PEOPLE: [&str; 8] = [".rs", ".ts", ".vue", ".css", ".mjs", ".py", ".sh", ".md"];
/// Files written by a program.
const GENERATED: [&str; 1] = ["schema.d.ts"];
/// Folders of a developer's machine. Split so that this file does not find itself.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/ro", "ot/"), concat!("/work", "/main"), concat!("/home/", "user")];

pub(crate) fn command() -> Result<()> {
    let listing = capture(Command::new("git").current_dir(root()).args(["ls-files", "-z"]))?;
    let mut problems = Vec::new();
    for name in listing.split('\0').filter(|name| !name.is_empty()) {
        // Binary files and files deleted but not yet committed say nothing here.
        if let Ok(text) = fs::read_to_string(root().join(name)) {
            problems.extend(problems_of(name, &text));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}", problems.join("\n         "));
}

fn problems_of(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let counts = WRITTEN_BY_PEOPLE.iter().any(|end| name.ends_with(end))
        && !GENERATED.iter().any(|end| name.ends_with(end));
    let lines = text.lines().count();
    if counts && lines > LINES_AT_MOST {
        problems.push(format!("{name} has {lines} lines; more than {LINES_AT_MOST} want to be two files"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(**path)) {
            problems.push(format!("{name}:{} names a folder of one machine ({path})", number + 1));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_machine_paths_are_named_with_their_place() {
        let long = "x\n".repeat(LINES_AT_MOST + 1);
        assert_eq!(problems_of("a.rs", &long).len(), 1);
        assert!(problems_of("Cargo.lock", &long).is_empty());
        assert!(problems_of("web/src/api/schema.d.ts", &long).is_empty());
        let found = problems_of("a.rs", &format!("\n{}x", MACHINE_PATHS[0]));
        assert!(found[0].starts_with("a.rs:2 "), "{found:?}");
    }
}
