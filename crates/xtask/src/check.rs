//! `cargo xtask check`: everything that can be said about the sources without running a model.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell::{cargo, root, run, works};
use crate::steps::Steps;
use crate::{cache, pins, setup, tidy, web};

pub(crate) fn command() -> Result<()> {
    let mut steps = Steps::default();
    let outcome = all(&mut steps);
    let finish = steps.finish();
    outcome.and(finish)
}

fn all(steps: &mut Steps) -> Result<()> {
    steps.attempt("Tidy: file lengths, no path of a developer's machine", tidy::command);
    steps.attempt("Format", || run(cargo().args(["fmt", "--all", "--check"])));
    let ready = steps.need("Set-up", setup::for_run)?;
    steps.attempt("Web: types, components, translations", || {
        web::npm_ci(&ready.node, &root().join("web"))?;
        run(ready.node.npm().current_dir(root().join("web")).args(["run", "check"]))
    });
    steps.need("Web build", || web::build(&ready.node))?;
    steps.attempt("Lints", || {
        let mut clippy = cargo();
        run(clippy.args(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
    });
    steps.attempt("Documentation", || {
        let mut doc = cargo();
        doc.args(["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"]);
        run(doc.env("RUSTDOCFLAGS", "--deny warnings"))
    });
    steps.attempt("Licences, sources and banned crates", || {
        let mut deny = Command::new(cargo_deny()?);
        deny.current_dir(root()).args(["--all-features", "check", "bans", "licenses", "sources"]);
        run(&mut deny)
    });
    Ok(())
}

/// cargo-deny: the machine's own, else the pinned one, built once into the cache.
fn cargo_deny() -> Result<PathBuf> {
    if works("cargo-deny", &["--version"]) {
        return Ok("cargo-deny".into());
    }
    let folder = cache::dir()?.join(format!("cargo-deny-{}", pins::CARGO_DENY));
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        crate::shell::say(
            "Building cargo-deny (some minutes, once): checks licences and where crates come from",
        );
        let mut install = cargo();
        install.args(["install", "cargo-deny", "--locked", "--version", pins::CARGO_DENY, "--root"]);
        // Outside of this workspace's output folder, so that neither build throws away the other's work.
        run(install.arg(&folder).env("CARGO_TARGET_DIR", folder.join("build")))?;
        std::fs::remove_dir_all(folder.join("build"))?;
    }
    Ok(program)
}
