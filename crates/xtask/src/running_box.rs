//! A real box for tests and benches: the supervisor and its workers as processes, on a free port, with a data folder of
//! its own that goes away with it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell::capture;

/// How long a box may take until its engine is ready; a loaded machine with two cores needs some ten seconds.
const READY_WITHIN: Duration = Duration::from_secs(180);

pub(crate) struct RunningBox {
    supervisor: Child,
    banyan: PathBuf,
    data: tempfile::TempDir,
    ort_lib: PathBuf,
    address: String,
}

impl RunningBox {
    /// Starts a box over the packs in `models` and waits until it answers. Its log goes to `log`.
    pub(crate) fn start(banyan: &Path, models: &Path, ort_lib: &Path, log: &Path) -> Result<RunningBox> {
        RunningBox::start_as(banyan, models, ort_lib, log, None)
    }

    /// As [`RunningBox::start`], on a board of another profile.
    pub(crate) fn start_as(
        banyan: &Path,
        models: &Path,
        ort_lib: &Path,
        log: &Path,
        profile: Option<&Path>,
    ) -> Result<RunningBox> {
        // Short on purpose: a Unix socket's path may have 107 bytes.
        let data = tempfile::Builder::new().prefix("banyan-").tempdir()?;
        symlink(models, data.path().join("models"))?;
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let output = File::create(log).with_context(|| format!("could not write {}", log.display()))?;
        let supervisor = Command::new(banyan)
            .arg("--data")
            .arg(data.path())
            .args(["run", "--listen", "127.0.0.1:0", "--ort-lib"])
            .arg(ort_lib)
            .args(profile.iter().flat_map(|file| [OsStr::new("--profile"), file.as_os_str()]))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("could not start {}", banyan.display()))?;
        let mut started = RunningBox {
            supervisor,
            banyan: banyan.to_owned(),
            data,
            ort_lib: ort_lib.to_owned(),
            address: String::new(),
        };
        let status = started.wait_until_ready(log)?;
        started.address = status["address"].as_str().context("the status names no address")?.to_owned();
        Ok(started)
    }

    fn wait_until_ready(&mut self, log: &Path) -> Result<Value> {
        let started = Instant::now();
        while started.elapsed() < READY_WITHIN {
            if let Some(status) = self.supervisor.try_wait()? {
                bail!("the box ended at once ({status}); its log is {}", log.display());
            }
            if let Ok(status) = self.status()
                && status["workers"].as_array().is_some_and(|all| all.iter().all(|w| w["state"] == "ready"))
            {
                return Ok(status);
            }
            // Polled from outside on purpose: this is the way a steward's script would do it.
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!("the box was not ready after {} s; its log is {}", READY_WITHIN.as_secs(), log.display());
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The supervisor's process number; its workers are below it.
    pub(crate) fn pid(&self) -> u32 {
        self.supervisor.id()
    }

    /// The folder with the sockets, for tests that kill a worker.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.data.path().join("run")
    }

    pub(crate) fn status(&self) -> Result<Value> {
        let text = capture(self.banyan().args(["status", "--json"]))?;
        serde_json::from_str(&text).context("`banyan status --json` printed something else than JSON")
    }

    /// An API key for programs.
    pub(crate) fn add_key(&self, name: &str) -> Result<String> {
        Ok(capture(self.banyan().args(["key", "add", name]))?.trim().to_owned())
    }

    /// The process number of a worker.
    pub(crate) fn pid_of(&self, worker: &str) -> Result<u64> {
        let status = self.status()?;
        let workers = status["workers"].as_array().context("the status lists no workers")?;
        workers
            .iter()
            .find(|entry| entry["name"] == worker)
            .and_then(|entry| entry["pid"].as_u64())
            .with_context(|| format!("the worker {worker} does not run"))
    }

    /// The box's own command on this box's data folder.
    pub(crate) fn banyan(&self) -> Command {
        let mut command = Command::new(&self.banyan);
        command.arg("--data").arg(self.data.path()).env("BANYAN_ORT_LIB", &self.ort_lib);
        command
    }
}

impl Drop for RunningBox {
    fn drop(&mut self) {
        // A clean stop by the command that a steward has; if that fails, the process is ended, and its children with it.
        let stopped = capture(self.banyan().arg("stop")).is_ok();
        if !stopped {
            let _ = self.supervisor.kill();
        }
        let _ = self.supervisor.wait();
    }
}
