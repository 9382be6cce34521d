//! The box and llama.cpp's server beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::llama_server::{self, LlamaServer, Serve};
use crate::bench::serve::client::{Server, Wire};
use crate::bench::serve::stage;
use crate::bench::serve::workload::Texts;
use crate::running_box::RunningBox;
use crate::setup::{self, Ready};
use crate::shell::{capture, note, root, target_dir};
use crate::{packs, run, web};

/// Answers at the same time. Not the same number, so that a share by head would show.
pub(super) const OWN_SLOTS: usize = 6;
pub(super) const OTHER_SLOTS: usize = 3;
/// Tokens of each conversation, for both.
const CONTEXT: usize = 1536;
/// After this the lab gives up waiting for what it waits for.
const GIVE_UP: Duration = Duration::from_secs(120);
/// What the box's steward calls the other engine.
pub(super) const NAME: &str = "llama";

pub(super) struct Two {
    running: RunningBox,
    server: Server,
    texts: Texts,
    ready: Ready,
    program: PathBuf,
    port: u16,
    other: Option<LlamaServer>,
}

impl Two {
    /// Starts both, and tells the box of the other by its own command.
    pub(super) fn start(given: Option<&Path>) -> Result<Two> {
        let program = llama_server::ensure()?;
        let ready = setup::for_run()?;
        let folder = target_dir().join("xtask/lab-engines");
        let (banyan, models) = match given {
            Some(banyan) => {
                (std::path::absolute(banyan)?, stage::packs_of(banyan, &ready, &folder.join("packs"))?)
            }
            None => {
                web::build(&ready.node)?;
                let banyan = run::build_release()?;
                let models = packs::for_tests(&banyan, &ready)?;
                (banyan, models)
            }
        };
        fs::create_dir_all(&folder)?;
        let desk = fs::read_to_string(root().join("hardware/desk.toml"))?;
        let board = folder.join("board.toml");
        fs::write(&board, stage::resized(&desk, &[("slots", OWN_SLOTS), ("context", CONTEXT)])?)?;
        let log = folder.join("box.log");
        let running = RunningBox::start_as(&banyan, &models, &ready.ort_lib, &log, Some(&board))?;
        let server = Server { base: running.address().to_owned(), key: None, wire: Wire::Portal };
        let port = LlamaServer::free_port()?;
        let mut two = Two { running, server, texts: Texts::read()?, ready, program, port, other: None };
        let base = two.start_other()?;
        let told = capture(two.running.banyan().args(["engine", "add", NAME, &base]))?;
        note(told.trim());
        Ok(two)
    }

    /// Gives its address once it answers.
    pub(super) fn start_other(&mut self) -> Result<String> {
        let serve = Serve { model: &self.ready.chat_model, slots: OTHER_SLOTS, context: CONTEXT, threads: 1 };
        let other = LlamaServer::start_on(self.port, &self.program, serve, "lab-engines/llama.log")?;
        Ok(self.other.insert(other).base().to_owned())
    }

    /// As a power cut would: at once, and without a word.
    pub(super) fn kill_other(&mut self) {
        self.other = None;
    }

    /// Where members ask.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Questions in the box's own engine and in the other one.
    pub(super) fn under_way(&self) -> Result<(u64, u64)> {
        let engines = self.engines()?;
        let count = |at: usize| engines[at]["in_flight"].as_u64().context("the status counts no questions");
        Ok((count(0)?, count(1)?))
    }

    /// Waits until the engines are as wanted, and gives them.
    pub(super) fn wait_until(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        let began = Instant::now();
        loop {
            // Asked while the page is started afresh, the status lacks them.
            let engines = self.engines();
            match engines {
                Ok(engines) if wanted(&engines) => return Ok(engines),
                engines if began.elapsed() > GIVE_UP => bail!("waited in vain until {what}: {engines:?}"),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn engines(&self) -> Result<Vec<Value>> {
        let status = self.running.status()?;
        let engines = status["engines"].as_array().filter(|engines| engines.len() == 2);
        engines.cloned().context("the status does not list two engines")
    }
}
