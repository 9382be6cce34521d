//! A real box as processes, for the integration tests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary under test.
pub(crate) const BANYAN: &str = env!("CARGO_BIN_EXE_banyan");

/// Longer than anything here takes on a loaded machine; shorter than a runner's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The packs and the library that `cargo xtask test` names; without them tests of answers have nothing to run.
pub(crate) struct Parts {
    pub(crate) models: PathBuf,
    pub(crate) ort_lib: PathBuf,
}

/// `None`, with a word, when the tests were started without the parts.
pub(crate) fn parts() -> Option<Parts> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let parts = named("BANYAN_TEST_PACKS")
        .zip(named("BANYAN_ORT_LIB"))
        .map(|(models, ort_lib)| Parts { models, ort_lib });
    if parts.is_none() {
        eprintln!("skipped: `cargo xtask test` sets BANYAN_TEST_PACKS and BANYAN_ORT_LIB");
    }
    parts
}

/// A running box. Dropping it ends everything.
pub(crate) struct TestBox {
    pub(crate) supervisor: Child,
    pub(crate) data: tempfile::TempDir,
    ort_lib: Option<PathBuf>,
}

impl TestBox {
    /// Without models: the page works, the engine says what it lacks.
    pub(crate) fn empty() -> TestBox {
        TestBox::start(Path::new(BANYAN), None)
    }

    /// Without models, run from another file than the usual one.
    pub(crate) fn of_program(program: &Path) -> TestBox {
        TestBox::start(program, None)
    }

    /// With the real models.
    pub(crate) fn with_models(parts: &Parts) -> TestBox {
        let running = TestBox::start(Path::new(BANYAN), Some(parts));
        running.wait_until("the engine is ready", |status| state(status, "infer") == "ready");
        running
    }

    fn start(program: &Path, parts: Option<&Parts>) -> TestBox {
        let data = tempfile::Builder::new().prefix("bt-").tempdir().unwrap();
        if let Some(parts) = parts {
            symlink(&parts.models, data.path().join("models")).unwrap();
        }
        let ort_lib = parts.map(|parts| parts.ort_lib.clone());
        let supervisor = start_supervisor(program, data.path(), ort_lib.as_deref());
        let running = TestBox { supervisor, data, ort_lib };
        running.wait_until("the page is served", |status| state(status, "node") == "ready");
        running
    }

    /// Starts the supervisor anew on the same data folder.
    pub(crate) fn start_again(&mut self) {
        self.supervisor = start_supervisor(Path::new(BANYAN), self.data.path(), self.ort_lib.as_deref());
        self.wait_until("the page is served", |status| state(status, "node") == "ready");
    }

    /// `banyan …` on this box's data folder.
    pub(crate) fn banyan(&self, words: &[&str]) -> Output {
        command(self.data.path(), self.ort_lib.as_deref()).args(words).output().unwrap()
    }

    /// `banyan …`, started.
    pub(crate) fn start_banyan(&self, words: &[&str]) -> Child {
        let mut command = command(self.data.path(), self.ort_lib.as_deref());
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn status(&self) -> Option<Value> {
        let output = self.banyan(&["status", "--json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    pub(crate) fn pid(&self, worker: &str) -> u64 {
        worker_of(&self.status().unwrap(), worker)["pid"].as_u64().unwrap()
    }

    /// Asks for the status until it is as wanted; gives that status and how long it took.
    pub(crate) fn wait_until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> (Value, Duration) {
        let started = Instant::now();
        loop {
            let status = self.status();
            if let Some(status) = status.filter(&wanted) {
                return (status, started.elapsed());
            }
            assert!(started.elapsed() < PATIENCE, "waited too long until {what}: {:?}", self.status());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The page's address without `http://`.
    pub(crate) fn host(&self) -> String {
        let status = self.status().unwrap();
        status["address"].as_str().unwrap().trim_start_matches("http://").to_owned()
    }

    /// A GET by hand: status line and the rest.
    pub(crate) fn get(&self, path: &str, headers: &str) -> String {
        get(&self.host(), path, headers)
    }
}

impl Drop for TestBox {
    fn drop(&mut self) {
        // In order when it can: a killed engine takes a moment to give its memory back, and the next test wants it.
        if !self.banyan(&["stop"]).status.success() {
            let _ = self.supervisor.kill();
        }
        let _ = self.supervisor.wait();
    }
}

pub(crate) fn get(host: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn command(data: &Path, ort_lib: Option<&Path>) -> Command {
    command_of(Path::new(BANYAN), data, ort_lib)
}

fn command_of(program: &Path, data: &Path, ort_lib: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--data")
        .arg(data)
        .env_remove("BANYAN_ORT_LIB")
        .env_remove("BANYAN_DATA")
        .stdin(Stdio::null());
    if let Some(ort_lib) = ort_lib {
        command.env("BANYAN_ORT_LIB", ort_lib);
    }
    command
}

fn start_supervisor(program: &Path, data: &Path, ort_lib: Option<&Path>) -> Child {
    let mut command = command_of(program, data, ort_lib);
    command.args(["run", "--listen", "127.0.0.1:0"]).stdout(Stdio::null()).spawn().unwrap()
}

pub(crate) fn worker_of<'a>(status: &'a Value, name: &str) -> &'a Value {
    let workers = status["workers"].as_array().unwrap();
    workers.iter().find(|worker| worker["name"] == name).unwrap()
}

pub(crate) fn state<'a>(status: &'a Value, worker: &str) -> &'a str {
    worker_of(status, worker)["state"].as_str().unwrap()
}

pub(crate) fn signal(pid: u64, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

pub(crate) fn is_alive(pid: u64) -> bool {
    // A process that nobody has collected yet is dead all the same.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
