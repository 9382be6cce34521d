//! Running other programs, and saying what runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Says what a step does and why, before it is done.
pub(crate) fn say(what: &str) {
    eprintln!("\x1b[1m▸ {what}\x1b[0m");
}

/// A small remark under a step.
pub(crate) fn note(what: &str) {
    eprintln!("  {what}");
}

/// `cargo`, the one that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Cargo's output folder.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// How a person would type the command.
pub(crate) fn words(command: &Command) -> String {
    let quote = |word: &OsStr| {
        let word = word.to_string_lossy();
        if word.contains(|c: char| c.is_whitespace() || "\"'$;&|<>*".contains(c)) {
            format!("'{}'", word.replace('\'', r"'\''"))
        } else {
            word.into_owned()
        }
    };
    std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect::<Vec<_>>().join(" ")
}

/// Runs a program with its output shown, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let words = words(command);
    note(&format!("$ {words}"));
    let status = command.status().with_context(|| format!("could not start `{words}`"))?;
    if !status.success() {
        bail!("`{words}` failed ({status})");
    }
    Ok(())
}

/// Runs a program quietly and gives back its standard output; its errors become part of the error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let words = words(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("could not start `{words}`"))?;
    if !output.status.success() {
        bail!("`{words}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program runs and ends well, with nothing shown.
pub(crate) fn works(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("sudo");
        command.args(["sh", "-c", "a && b"]);
        assert_eq!(words(&command), "sudo sh -c 'a && b'");
    }
}
