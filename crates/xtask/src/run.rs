//! `cargo xtask run`: from a clean clone to an address that answers; the second time in seconds, without a network.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{cargo, root, run, target_dir};
use crate::{packs, setup, starter, web};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port of the page
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The folder that keeps models and settings [default: ~/.local/share/banyan]
    #[arg(long, env = "BANYAN_DATA")]
    data: Option<PathBuf>,
    /// More words for `banyan run`, after `--`
    #[arg(last = true)]
    more: Vec<String>,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let ready = setup::for_run()?;
    web::build(&ready.node)?;
    let banyan = build_release()?;
    let data = match &args.data {
        Some(data) => std::path::absolute(data)?,
        None => default_data()?,
    };
    packs::import_into(&data, &banyan, &ready)?;
    link_library(&data, &ready.ort_lib)?;
    starter::fill(&data, &banyan)?;
    let mut command = Command::new(&banyan);
    command.arg("--data").arg(&data).arg("run").arg("--listen").arg(format!("0.0.0.0:{}", args.port));
    command.args(&args.more);
    // From here on this process is the box, so that Ctrl-C and signals reach it directly.
    Err(command.exec()).with_context(|| format!("could not start {}", banyan.display()))
}

/// Puts ONNX Runtime where every `banyan` command looks for it by itself.
fn link_library(data: &Path, library: &Path) -> Result<()> {
    let place = data.join("lib/libonnxruntime.so");
    if std::fs::read_link(&place).is_ok_and(|target| target == library) {
        return Ok(());
    }
    std::fs::create_dir_all(data.join("lib"))?;
    // An older link, or none.
    let _ = std::fs::remove_file(&place);
    symlink(library, &place).with_context(|| format!("could not create {}", place.display()))
}

/// The binary that people get.
pub(crate) fn build_release() -> Result<PathBuf> {
    let banyan = target_dir().join("release/banyan");
    if !banyan.is_file() {
        crate::shell::say("Building the box (some minutes the first time)");
    }
    run(cargo().current_dir(root()).args(["build", "--release", "--locked", "--package", "banyan"]))?;
    Ok(banyan)
}

fn default_data() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_DATA_HOME nor HOME is set")?)
            .join(".local/share"),
    };
    Ok(base.join("banyan"))
}
