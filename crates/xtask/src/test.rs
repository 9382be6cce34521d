//! `cargo xtask test`: every suite, each in its own runner, over the real models; any failure makes it fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::running_box::RunningBox;
use crate::setup::{Node, Ready};
use crate::shell::{capture, cargo, root, run, target_dir};
use crate::steps::Steps;
use crate::{cache, packs, python, setup, web};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these suites [default: all]
    suites: Vec<Suite>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    /// Units, properties, and the real binary as a process
    Rust,
    /// The web app's own tests
    Web,
    /// Chromium against a running box
    Browser,
    /// The OpenAI SDKs of Python and JavaScript against a running box
    Sdk,
    /// Thousands of elections, counted again by Python packages
    Tally,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let wanted = |suite| args.suites.is_empty() || args.suites.contains(&suite);
    let mut steps = Steps::default();
    let outcome = suites(&mut steps, &wanted);
    // The table comes also when a step that all others need has failed.
    let finish = steps.finish();
    outcome.and(finish)
}

fn suites(steps: &mut Steps, wanted: &dyn Fn(Suite) -> bool) -> Result<()> {
    let ready = steps.need("Set-up", setup::for_run)?;
    let extra = steps.need("Set-up for tests", || setup::for_test(&ready))?;
    if wanted(Suite::Tally) {
        steps.attempt("Elections counted again in Python", tally_tests);
    }
    if ![Suite::Web, Suite::Rust, Suite::Browser, Suite::Sdk].into_iter().any(wanted) {
        return Ok(());
    }
    steps.need("Web build", || web::build(&ready.node))?;
    if wanted(Suite::Web) {
        steps.attempt("Web tests", || run(ready.node.npm().current_dir(root().join("web")).arg("test")));
    }
    if ![Suite::Rust, Suite::Browser, Suite::Sdk].into_iter().any(wanted) {
        return Ok(());
    }
    let banyan = steps.need("Rust build", || build(wanted(Suite::Rust)))?;
    let models = steps.need("Model packs for the tests", || packs::for_tests(&banyan, &ready))?;
    if wanted(Suite::Rust) {
        let archives = steps.need("ZIM archives by libzim", zim_archives)?;
        steps.attempt("Rust tests", || rust_tests(&ready, &models, &archives));
        steps.attempt("Examples in the documentation", || {
            run(cargo().args(["test", "--workspace", "--locked", "--doc"]))
        });
    }
    if !wanted(Suite::Browser) && !wanted(Suite::Sdk) {
        return Ok(());
    }
    let log = root().join("tests/output/box.log");
    let running =
        steps.need("Starting a real box", || RunningBox::start(&banyan, &models, &ready.ort_lib, &log))?;
    let key = running.add_key("tests")?;
    let visit = |mut command: Command| {
        command.env("BANYAN_URL", running.address()).env("BANYAN_API_KEY", &key);
        run(&mut command)
    };
    if wanted(Suite::Browser) {
        steps.attempt("Browser tests", || {
            let mut command = node_tests(&ready.node, &root().join("tests/browser"))?;
            command.env("BANYAN_CHROMIUM", &extra.chromium).env("BANYAN_RUN_DIR", running.run_dir());
            // For a box of its own, which the tests of the assembly found a community on.
            command
                .env("BANYAN_BIN", &banyan)
                .env("BANYAN_ORT_LIB", &ready.ort_lib)
                .env("BANYAN_MODELS", &models);
            visit(command)
        });
    }
    if wanted(Suite::Sdk) {
        steps.attempt("OpenAI SDK for JavaScript", || {
            visit(node_tests(&ready.node, &root().join("tests/sdk"))?)
        });
        steps.attempt("OpenAI SDK for Python", || visit(python_tests("sdk", "test_openai_sdk.py")?));
    }
    Ok(())
}

/// Builds what is tested, and with it the binary that the suites start. One build for all: the same features, compiled
/// once.
fn build(with_tests: bool) -> Result<PathBuf> {
    let mut command = cargo();
    match (with_tests, has_nextest()) {
        (true, true) => command.args(["nextest", "run", "--workspace", "--locked", "--no-run"]),
        (true, false) => command.args(["test", "--workspace", "--locked", "--no-run"]),
        (false, _) => command.args(["build", "--locked", "--package", "banyan"]),
    };
    run(&mut command)?;
    Ok(target_dir().join("debug/banyan"))
}

fn rust_tests(ready: &Ready, models: &Path, archives: &Path) -> Result<()> {
    let mut command = cargo();
    if has_nextest() {
        command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    } else {
        command.args(["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    command
        .env("BANYAN_ORT_LIB", &ready.ort_lib)
        .env("BANYAN_TEST_PACKS", models)
        .env("BANYAN_TEST_ZIM", archives)
        .env("BANYAN_TEST_GGUF", &ready.chat_model)
        .env("BANYAN_TEST_ENCODER", &ready.embedding_model);
    run(&mut command)
}

/// Archives for the tests of the reader, made once for each version of the script.
fn zim_archives() -> Result<PathBuf> {
    let tests = root().join("tests/data/zim");
    let (python, make) = (python::venv(&tests)?, tests.join("make.py"));
    let folder = cache::dir()?.join("zim");
    let (stamp, hash) = (folder.join("made"), cache::sha256_of_file(&make)?);
    if !cache::is_stamped(&stamp, &hash) {
        fs::create_dir_all(&folder)?;
        for (name, more) in
            [("villages.zim", &["--xapian"][..]), ("plain.zim", &["--articles", "300", "--plain"])]
        {
            run(Command::new(&python).arg(&make).arg(folder.join(name)).args(more))?;
        }
        cache::write_stamp(&stamp, &hash)?;
    }
    Ok(folder)
}

fn has_nextest() -> bool {
    crate::shell::works("cargo", &["nextest", "--version"])
}

fn node_tests(node: &Node, folder: &Path) -> Result<Command> {
    web::npm_ci(node, folder)?;
    let mut command = node.npm();
    command.current_dir(folder).arg("test");
    Ok(command)
}

/// So many elections, the same ones every time: a failure can be looked at again. One in twenty is tied and shows only a
/// part; the others are compared whole.
const ELECTIONS: &str = "6000";
const ELECTIONS_SEED: &str = "4";

/// Counts made-up elections with the box's own code, and has others' programs count them again.
fn tally_tests() -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--package", "banyan-governance", "--example", "elections"]);
    let counted = capture(command.args(["--", ELECTIONS, ELECTIONS_SEED]))?;
    let folder = target_dir().join("xtask");
    fs::create_dir_all(&folder)?;
    let elections = folder.join("elections.jsonl");
    fs::write(&elections, counted)?;
    let mut command = python_tests("tally", "test_tally.py")?;
    run(command.arg("-rP").env("BANYAN_ELECTIONS", &elections))
}

/// pytest over one file of `tests/SUITE`, in the virtual environment of that folder.
fn python_tests(suite: &str, file: &str) -> Result<Command> {
    let folder = root().join("tests").join(suite);
    let mut command = Command::new(python::venv(&folder)?);
    command.current_dir(&folder).args(["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]);
    command.arg(folder.join(file).canonicalize().with_context(|| format!("tests/{suite}/{file}"))?);
    Ok(command)
}
