//! The worker that reads one file, as a process: what it keeps of its limits, what it cannot reach, and what a librarian
//! is told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod documents;
mod fuzz;
mod pictures;
mod worker;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The command for people, which starts a worker as the library does.
fn banyan(arguments: &[&str], file: &Path) -> Output {
    command(arguments, file).output().unwrap()
}

fn command(arguments: &[&str], file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banyan"));
    command.arg("extract").args(arguments).arg(file);
    command
}

fn text(file: &Path) -> String {
    let output = banyan(&[], file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", file.display());
    String::from_utf8(output.stdout).unwrap()
}

fn reason(arguments: &[&str], file: &Path) -> String {
    let output = banyan(arguments, file);
    assert!(!output.status.success(), "{} was read", file.display());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

fn hostile(name: &str) -> PathBuf {
    data("hostile").join(name)
}

fn written(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
