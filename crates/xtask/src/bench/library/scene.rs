//! What the parts of the bench share: the box that people get, the library's own program, Python, and real texts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::packages;
use crate::bench::serve::stage::packs_of;
use crate::pins::EMBEDDING_PACK;
use crate::running_box::RunningBox;
use crate::setup::{self, Ready, apt};
use crate::shell::{capture, cargo, note, root, run, say, target_dir};
use crate::{cache, packs, python, run as build, web};

const CORPUS: &str = include_str!("corpus.py");
const PEERS: &str = include_str!("peers.py");

/// The program that measures the library itself.
const MEASURE: [&str; 6] =
    ["--release", "--locked", "--package", "banyan-knowledge", "--example", "library_measure"];

pub(super) struct Scene {
    banyan: PathBuf,
    models: PathBuf,
    ready: Ready,
    measure: PathBuf,
    python: PathBuf,
    /// The unpacked packages.
    pub(super) packages: PathBuf,
    /// Everything that the bench makes.
    pub(super) folder: PathBuf,
    /// Documents, one JSON object a line.
    pub(super) corpus: PathBuf,
    /// Vectors that the engine has given before.
    pub(super) kept: PathBuf,
}

impl Scene {
    pub(super) fn set(given: Option<&Path>, measure: Option<&Path>) -> Result<Scene> {
        let ready = setup::for_run()?;
        let folder = target_dir().join("xtask/bench-library");
        fs::create_dir_all(&folder)?;
        let (banyan, models) = match given {
            Some(banyan) => (std::path::absolute(banyan)?, packs_of(banyan, &ready, &folder.join("packs"))?),
            None => {
                web::build(&ready.node)?;
                let banyan = build::build_release()?;
                let models = packs::for_tests(&banyan, &ready)?;
                (banyan, models)
            }
        };
        let measure = match measure {
            Some(measure) => std::path::absolute(measure)?,
            None => {
                say("The library's own program, optimized");
                run(cargo().arg("build").args(MEASURE))?;
                target_dir().join("release/examples/library_measure")
            }
        };
        apt::ensure(&[apt::PYTHON, apt::VENV])?;
        let python = python::venv(&root().join("tests/library"))?;
        let packages = packages::ensure()?;
        fs::write(folder.join("corpus.py"), CORPUS)?;
        fs::write(folder.join("peers.py"), PEERS)?;
        let corpus = folder.join("corpus.jsonl");
        let scene = Scene {
            banyan,
            models,
            ready,
            measure,
            python,
            corpus,
            kept: folder.join(format!("{EMBEDDING_PACK}.vectors")),
            packages,
            folder,
        };
        scene.read_packages()?;
        Ok(scene)
    }

    /// Writes the corpus anew where the packages or the reader changed; the libraries made of it go with it.
    fn read_packages(&self) -> Result<()> {
        let versions = packages::versions(&self.packages);
        note(&format!("texts: {versions}"));
        let stamp = self.folder.join("corpus.made-of");
        let made_of = format!("{versions} {}", cache::sha256_of_file(&self.folder.join("corpus.py"))?);
        if cache::is_stamped(&stamp, &made_of) {
            return Ok(());
        }
        say("Reading the packages");
        let script = self.folder.join("corpus.py");
        let counted = capture(
            Command::new(&self.python).arg(script).arg("documents").args([&self.packages, &self.corpus]),
        )?;
        note(counted.trim());
        for made in ["growing", "quality"] {
            let made = self.folder.join(made);
            if made.exists() {
                fs::remove_dir_all(&made)?;
            }
        }
        cache::write_stamp(&stamp, &made_of)
    }

    /// A box with an empty library.
    pub(super) fn start_box(&self) -> Result<RunningBox> {
        say("Starting the box");
        RunningBox::start(&self.banyan, &self.models, &self.ready.ort_lib, &self.folder.join("box.log"))
    }

    /// Where that box's engine answers.
    pub(super) fn engine(running: &RunningBox) -> Result<String> {
        let socket = running.run_dir().join("infer.sock");
        Ok(socket.to_str().context("the run folder's name is not UTF-8")?.to_owned())
    }

    /// `library_measure …`
    pub(super) fn measure(&self) -> Command {
        Command::new(&self.measure)
    }

    /// `peers.py …` in the environment with the pinned packages.
    pub(super) fn peers(&self) -> Command {
        self.peers_of(&self.python)
    }

    /// `peers.py …` with the system's own Python, which sees Debian's packages.
    pub(super) fn system_peers(&self) -> Command {
        self.peers_of(Path::new("/usr/bin/python3"))
    }

    fn peers_of(&self, python: &Path) -> Command {
        let mut command = Command::new(python);
        command.arg(self.folder.join("peers.py"));
        command
    }

    /// A library of at least so many passages (0: only the real ones), in a folder that grows with the sizes asked for.
    pub(super) fn fill(
        &self,
        folder: &str,
        passages: usize,
        socket: &str,
    ) -> Result<(PathBuf, serde_json::Value)> {
        let place = self.folder.join(folder);
        // A fill that was cut off may have left half a corpus.
        let whole = self.folder.join(format!("{folder}.whole"));
        if place.exists() && !whole.is_file() {
            fs::remove_dir_all(&place)?;
        }
        let _ = fs::remove_file(&whole);
        let mut command = self.measure();
        command.arg("fill").args([&place, &self.corpus, &self.kept]).arg(socket).arg(passages.to_string());
        let filled = super::watched::run(&mut command)?.printed;
        fs::write(whole, "")?;
        Ok((place, filled))
    }
}
