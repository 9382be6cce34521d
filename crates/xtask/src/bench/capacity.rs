//! `cargo xtask bench capacity`: how many members machines of some classes would serve, computed by the engine's own
//! scheduler from what steps cost here. Prints the table of docs/specification.md.

use std::process::Command;

use anyhow::{Context, Result};

use crate::pins::CHAT_PACK;
use crate::shell::{run, say};
use crate::{packs, run as build, setup, web};

pub(crate) fn command() -> Result<()> {
    let ready = setup::for_run()?;
    web::build(&ready.node)?;
    let banyan = build::build_release()?;
    let models = packs::for_tests(&banyan, &ready)?;
    let data = models.parent().context("the models folder lies in a data folder")?;
    say("Measuring steps here and computing what other machines would serve (some minutes)");
    let mut command = Command::new(&banyan);
    command.arg("--data").arg(data).arg("--ort-lib").arg(&ready.ort_lib);
    run(command.args(["model", "capacity", CHAT_PACK]))
}
