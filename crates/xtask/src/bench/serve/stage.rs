//! The servers of the bench: the box that people get, on a board of a wanted size, and llama.cpp's server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::client::{Server, Wire};
use super::processes::Tree;
use super::workload::Texts;
use crate::bench::engine;
use crate::bench::llama_server::{self, LlamaServer, Serve};
use crate::running_box::RunningBox;
use crate::setup::{self, Ready};
use crate::shell::{capture, note, root, say, target_dir};
use crate::{cache, packs, run, web};

/// Tokens of each conversation in the comparison, for both.
pub(super) const CONTEXT: usize = 1536;
/// Memory for conversations, enough for a hundred of them.
const KV_MIB: usize = 8192;

pub(super) struct Stage {
    pub(super) texts: Texts,
    pub(super) seed: u64,
    banyan: PathBuf,
    models: PathBuf,
    ready: Ready,
    threads: usize,
    peer: Option<Peer>,
}

/// llama.cpp's server and the fastest form of the model for it.
struct Peer {
    program: PathBuf,
    fastest: PathBuf,
}

/// A server under load.
pub(super) struct Running {
    pub(super) server: Server,
    pub(super) tree: Tree,
    /// Ends with this value.
    _process: Process,
}

enum Process {
    Own { _running: RunningBox },
    Theirs { _running: LlamaServer },
}

/// Which form of the model llama.cpp serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    SameFile,
    Fastest,
}

impl Stage {
    pub(super) fn set(seed: u64, given: Option<&Path>) -> Result<Stage> {
        let ready = setup::for_run()?;
        let (banyan, models) = match given {
            Some(banyan) => (
                std::path::absolute(banyan)?,
                packs_of(banyan, &ready, &target_dir().join("xtask/bench-serve/packs"))?,
            ),
            None => {
                web::build(&ready.node)?;
                let banyan = run::build_release()?;
                let models = packs::for_tests(&banyan, &ready)?;
                (banyan, models)
            }
        };
        let threads = std::thread::available_parallelism()?.get();
        Ok(Stage { texts: Texts::read()?, seed, banyan, models, ready, threads, peer: None })
    }

    /// Builds the peer; fails where there is no compiler or no network.
    pub(super) fn with_peer(&mut self) -> Result<()> {
        if self.peer.is_none() {
            let program = llama_server::ensure()?;
            self.peer = Some(Peer { program, fastest: engine::fastest_form(&self.ready)? });
        }
        Ok(())
    }

    /// `banyan model …`, which prints JSON.
    pub(super) fn model(&self, words: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.banyan);
        let data = self.models.parent().context("the models folder lies in a data folder")?;
        command.arg("--data").arg(data).arg("--ort-lib").arg(&self.ready.ort_lib).arg("model").args(words);
        let output = capture(&mut command)?;
        serde_json::from_str(&output).with_context(|| format!("`banyan model` printed {output:?}"))
    }

    /// The box through its door for programs, on a board of this size.
    pub(super) fn own(&self, slots: usize, context: usize) -> Result<Running> {
        let sizes = [("slots", slots), ("context", context), ("kv_mib", KV_MIB), ("threads", self.threads)];
        self.own_on(&sizes, Wire::OpenAi)
    }

    /// The box on the board that people get, but for these sizes.
    pub(super) fn own_on(&self, sizes: &[(&str, usize)], wire: Wire) -> Result<Running> {
        say("Starting the box");
        let folder = target_dir().join("xtask/bench-serve");
        fs::create_dir_all(&folder)?;
        let board = folder.join("board.toml");
        fs::write(&board, resized(&fs::read_to_string(root().join("hardware/desk.toml"))?, sizes)?)?;
        let log = folder.join("box.log");
        let running =
            RunningBox::start_as(&self.banyan, &self.models, &self.ready.ort_lib, &log, Some(&board))?;
        let server =
            Server { base: running.address().to_owned(), key: Some(running.add_key("bench")?), wire };
        let tree = Tree(running.pid());
        Ok(Running { server, tree, _process: Process::Own { _running: running } })
    }

    /// llama.cpp's server with the same number of slots, threads and tokens.
    pub(super) fn theirs(&self, form: Form, slots: usize) -> Result<Running> {
        let peer = self.peer.as_ref().context("llama.cpp's server is not built")?;
        let (model, log) = match form {
            Form::SameFile => (&self.ready.chat_model, "bench-serve/llama.log"),
            Form::Fastest => (&peer.fastest, "bench-serve/llama-q4_0.log"),
        };
        say("Starting llama.cpp's server");
        let serve = Serve { model, slots, context: CONTEXT, threads: self.threads };
        let running = LlamaServer::start(&peer.program, serve, log)?;
        let server = Server { base: running.base().to_owned(), key: None, wire: Wire::OpenAi };
        let tree = Tree(running.pid());
        note(&format!("it has {slots} slots of {CONTEXT} tokens"));
        Ok(Running { server, tree, _process: Process::Theirs { _running: running } })
    }
}

/// Packs in `data` as a given program makes them; those of the one given before give way.
pub(crate) fn packs_of(banyan: &Path, ready: &Ready, data: &Path) -> Result<PathBuf> {
    let (stamp, hash) = (data.join("made-by"), cache::sha256_of_file(banyan)?);
    if !cache::is_stamped(&stamp, &hash) {
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        fs::create_dir_all(data)?;
        packs::import_into(data, banyan, ready)?;
        cache::write_stamp(&stamp, &hash)?;
    }
    Ok(data.join("models"))
}

/// A profile with other values for some of its keys.
pub(crate) fn resized(profile: &str, sizes: &[(&str, usize)]) -> Result<String> {
    let mut lines: Vec<String> = profile.lines().map(str::to_owned).collect();
    for (key, value) in sizes {
        let found = lines.iter_mut().find(|line| line.split('=').next().is_some_and(|k| k.trim() == *key));
        match found {
            Some(line) => *line = format!("{key} = {value}"),
            None => bail!("the profile has no {key}"),
        }
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_of_another_size_differs_in_nothing_else() {
        let desk = "name = \"desk\"\nslots = 8\n# slots of old\nspin = false";
        let other = resized(desk, &[("slots", 100)]).unwrap();
        assert_eq!(other, desk.replace("slots = 8", "slots = 100"));
        assert!(resized(desk, &[("slot", 1)]).is_err());
    }
}
