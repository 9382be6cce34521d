//! A browser for the tests: one that is there, Debian's own, or the one that Playwright brings.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Node, apt};
use crate::shell::{capture, root, run, say, works};

/// Names under which a Chromium that takes orders is installed.
const NAMES: [&str; 4] = ["chromium", "google-chrome-stable", "google-chrome", "chromium-browser"];

/// Prints where the browser that Playwright fetches lies.
const PLAYWRIGHTS: &str = "process.stdout.write(require('playwright-core').chromium.executablePath())";

pub(crate) fn ensure(node: &Node) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("BANYAN_CHROMIUM") {
        return Ok(path.into());
    }
    if let Some(path) = installed() {
        return Ok(path);
    }
    if apt::offers_chromium() {
        apt::ensure(&[apt::CHROMIUM, apt::FONTS])?;
        return installed().context("chromium was installed but is not in PATH");
    }
    // Ubuntu has Chromium only as a snap, which tests in containers cannot use.
    let tests = root().join("tests/browser");
    crate::web::npm_ci(node, &tests)?;
    let path = PathBuf::from(capture(node.node().current_dir(&tests).args(["-e", PLAYWRIGHTS]))?);
    if !path.is_file() {
        say("Fetching a Chromium with Playwright: the browser tests look at the page with it");
        let mut command = node.node();
        command.current_dir(&tests).arg("node_modules/playwright-core/cli.js");
        run(command.args(["install", "--with-deps", "--no-shell", "chromium"]))?;
    }
    if !path.is_file() {
        bail!("no Chromium was found; install one, or name it in the variable BANYAN_CHROMIUM");
    }
    Ok(path)
}

fn installed() -> Option<PathBuf> {
    // `--version` too: Ubuntu's chromium-browser is a script that only points to a snap.
    let name = NAMES.into_iter().find(|name| works(name, &["--version"]))?;
    let path = capture(Command::new("sh").args(["-c", "command -v \"$1\"", "sh", name])).ok()?;
    Some(PathBuf::from(path.trim()))
}
