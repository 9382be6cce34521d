//! llama.cpp's own server, built here from the sources that the pinned bindings carry: the peer of `bench serve`, and a
//! second engine for `lab engines`.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::pins::{CMAKE, LLAMA_CPP_PYTHON, LLAMA_CPP_PYTHON_SHA256, NINJA};
use crate::setup::apt;
use crate::shell::{run, say, target_dir};

/// Everything but the server off; the processor's own instructions on.
const OPTIONS: [&str; 11] = [
    "-GNinja",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_CURL=OFF",
    "-DBUILD_SHARED_LIBS=OFF",
];

/// How long it may take to read a model.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// The program, built unless it is in the cache.
pub(crate) fn ensure() -> Result<PathBuf> {
    let place = cache::dir()?.join(format!("llama-server-{LLAMA_CPP_PYTHON}"));
    let (program, stamp) = (place.join("llama-server"), place.join("banyan-stamp"));
    let made_from = format!("{LLAMA_CPP_PYTHON_SHA256} {}", OPTIONS.join(" "));
    if program.is_file() && cache::is_stamped(&stamp, &made_from) {
        return Ok(program);
    }
    apt::ensure(&[apt::PYTHON, apt::PIP, apt::VENV, apt::COMPILER])?;
    say("Building llama.cpp's server for the comparison (five to ten minutes, once)");
    let scratch = tempfile::Builder::new().prefix(".llama-server-").tempdir_in(cache::dir()?)?;
    let built = build(scratch.path())?;
    fs::create_dir_all(&place).with_context(|| format!("could not create {}", place.display()))?;
    fs::copy(&built, &program).with_context(|| format!("could not write {}", program.display()))?;
    cache::write_stamp(&stamp, &made_from)?;
    Ok(program)
}

/// In `scratch`: the sources, the tools, the build.
fn build(scratch: &Path) -> Result<PathBuf> {
    let (tools, wanted) = (scratch.join("tools"), scratch.join("requirements.txt"));
    run(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
    let pip = || {
        let mut pip = Command::new(tools.join("bin/python"));
        pip.args(["-m", "pip", "--disable-pip-version-check"]);
        pip
    };
    run(pip().arg("install").arg(format!("cmake=={CMAKE}")).arg(format!("ninja=={NINJA}")))?;
    fs::write(
        &wanted,
        format!("llama-cpp-python=={LLAMA_CPP_PYTHON} --hash=sha256:{LLAMA_CPP_PYTHON_SHA256}\n"),
    )?;
    let mut download = pip();
    // Only this package as sources: its build tools may come built.
    download.args(["download", "--no-deps", "--no-binary=llama-cpp-python", "--require-hashes"]);
    run(download.arg("--dest").arg(scratch).arg("--requirement").arg(&wanted))?;
    let archive = scratch.join(format!("llama_cpp_python-{LLAMA_CPP_PYTHON}.tar.gz"));
    run(Command::new("tar").args(["--strip-components=1", "-xzf"]).arg(&archive).arg("-C").arg(scratch))?;
    let (sources, target) = (scratch.join("vendor/llama.cpp"), scratch.join("build"));
    let cmake = || {
        let mut cmake = Command::new(tools.join("bin/cmake"));
        // Ninja lies beside it.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(tools.join("bin")).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(paths) {
            cmake.env("PATH", path);
        }
        cmake
    };
    run(cmake().arg("-S").arg(&sources).arg("-B").arg(&target).args(OPTIONS))?;
    run(cmake().arg("--build").arg(&target).args(["--target", "llama-server"]))?;
    Ok(target.join("bin/llama-server"))
}

/// One that runs; ends with this value.
pub(crate) struct LlamaServer {
    process: Child,
    base: String,
}

/// What it serves, and how much of it.
#[derive(Clone, Copy)]
pub(crate) struct Serve<'a> {
    /// A GGUF file.
    pub(crate) model: &'a Path,
    /// Answers at the same time.
    pub(crate) slots: usize,
    /// Tokens of each conversation.
    pub(crate) context: usize,
    pub(crate) threads: usize,
}

impl LlamaServer {
    /// Starts it on a free port of this machine, and waits until it answers. Prompts are cached, as is its default.
    pub(crate) fn start(program: &Path, serve: Serve<'_>, log: &str) -> Result<LlamaServer> {
        LlamaServer::start_on(LlamaServer::free_port()?, program, serve, log)
    }

    pub(crate) fn free_port() -> Result<u16> {
        Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
    }

    /// The same on a port that is known, where it has been before.
    pub(crate) fn start_on(port: u16, program: &Path, serve: Serve<'_>, log: &str) -> Result<LlamaServer> {
        let log = target_dir().join("xtask").join(log);
        fs::create_dir_all(log.parent().context("a log lies in a folder")?)?;
        let output = File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let process = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--no-webui", "--model"])
            .arg(serve.model)
            .args(["--parallel", &serve.slots.to_string()])
            .args(["--ctx-size", &(serve.slots * serve.context).to_string()])
            .args(["--threads", &serve.threads.to_string()])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("could not start {}", program.display()))?;
        let mut started = LlamaServer { process, base: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while ureq::get(format!("{}/health", started.base)).call().is_err() {
            if let Some(status) = started.process.try_wait()? {
                bail!("llama.cpp's server ended at once ({status}); its log is {}", log.display());
            }
            if began.elapsed() > READY_WITHIN {
                bail!("llama.cpp's server did not answer; its log is {}", log.display());
            }
            // It has no other sign of being ready than its answer.
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(started)
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
