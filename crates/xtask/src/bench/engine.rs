//! `cargo xtask bench engine`: one stream on the starter model, beside llama.cpp on the same file in the same run.
//!
//! The shape is llama-bench's: a prompt of 512 tokens, 128 generated. Runs alternate, ours and theirs, each a process
//! of its own after a warm-up; every figure is a median. Speed is taken per second of processor time, which other
//! work on the machine does not disturb, and per second of wall time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Report;
use crate::pins::{CHAT_PACK, LLAMA_CPP_PYTHON};
use crate::setup::{self, Ready, apt};
use crate::shell::{capture, note, root, say, target_dir};
use crate::{cache, packs, run, web};

/// The peer's program.
const PEER: &str = include_str!("llama_peer.py");
/// On the very same file llama.cpp has no repacked kernels for Q4_1: twice its prefill, and no slower at decoding.
const PREFILL_SAME_FILE: f64 = 2.0;
const DECODE_SAME_FILE: f64 = 1.0;
/// Against its fastest form of the same weights.
const PREFILL_FASTEST: f64 = 1.0;
const DECODE_FASTEST: f64 = 0.85;
/// Perplexity may differ by so much of llama.cpp's.
const PERPLEXITY_WITHIN: f64 = 0.02;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; each measures every program once
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 512)]
    prompt: usize,
    /// Tokens to generate
    #[arg(long, default_value_t = 128)]
    generate: usize,
}

struct Bench<'a> {
    args: &'a Args,
    banyan: PathBuf,
    data: PathBuf,
    ready: Ready,
    peer: Option<Peer>,
    scratch: PathBuf,
}

/// llama.cpp and its two forms of the model.
struct Peer {
    python: PathBuf,
    script: PathBuf,
    q4_0: PathBuf,
    f32: PathBuf,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let ready = setup::for_run()?;
    web::build(&ready.node)?;
    let banyan = run::build_release()?;
    let models = packs::for_tests(&banyan, &ready)?;
    let data = models.parent().context("the models folder lies in a data folder")?.to_owned();
    let scratch = target_dir().join("xtask/bench-engine");
    fs::create_dir_all(&scratch)?;
    let peer = match Peer::ensure(&ready, &scratch) {
        Ok(peer) => Some(peer),
        Err(error) => {
            note(&format!("llama.cpp cannot be had here: {error:#}"));
            None
        }
    };
    let bench = Bench { args, banyan, data, ready, peer, scratch };
    let mut report = Report::default();
    bench.quality(&mut report)?;
    let all = std::thread::available_parallelism()?.get();
    let mut counts = vec![1];
    if all > 1 {
        counts.push(all);
    }
    for threads in counts {
        bench.speed(threads, &mut report)?;
    }
    report.finish()
}

/// The fastest 4-bit form of the starter model for llama.cpp, made by itself.
pub(super) fn fastest_form(ready: &Ready) -> Result<PathBuf> {
    let scratch = target_dir().join("xtask/bench-engine");
    fs::create_dir_all(&scratch)?;
    Ok(Peer::ensure(ready, &scratch)?.q4_0)
}

impl Peer {
    fn ensure(ready: &Ready, scratch: &Path) -> Result<Self> {
        let python = cache::dir()?.join(format!("llama-cpp-python-{LLAMA_CPP_PYTHON}/bin/python"));
        let stamp = cache::dir()?.join(format!("llama-cpp-python-{LLAMA_CPP_PYTHON}/banyan-stamp"));
        if !cache::is_stamped(&stamp, LLAMA_CPP_PYTHON) {
            apt::ensure(&[apt::PYTHON, apt::PIP, apt::VENV, apt::COMPILER])?;
            say("Building llama.cpp for the comparison (ten minutes, once)");
            let venv = python.ancestors().nth(2).context("python lies in a virtual environment")?;
            crate::shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "--disable-pip-version-check", "install"]);
            crate::shell::run(pip.arg(format!("llama-cpp-python=={LLAMA_CPP_PYTHON}")))?;
            cache::write_stamp(&stamp, LLAMA_CPP_PYTHON)?;
        }
        let script = scratch.join("llama_peer.py");
        fs::write(&script, PEER)?;
        let peer = Self { python, script, q4_0: scratch.join("q4_0.gguf"), f32: scratch.join("f32.gguf") };
        for (form, target) in [("q4_0", &peer.q4_0), ("f32", &peer.f32)] {
            if !target.is_file() {
                let target = target.to_str().context("the build folder's name is not UTF-8")?;
                peer.run(&["quantize", text(&ready.chat_model)?, target, form])?;
            }
        }
        Ok(peer)
    }

    fn run(&self, words: &[&str]) -> Result<Value> {
        let output = capture(Command::new(&self.python).arg(&self.script).args(words))?;
        serde_json::from_str(&output).with_context(|| format!("llama.cpp's side printed {output:?}"))
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// A program's figures over the rounds.
#[derive(Default)]
struct Series(Vec<Value>);

impl Series {
    fn median(&self, pointer: &str) -> f64 {
        let mut values: Vec<f64> = self.0.iter().filter_map(|v| v.pointer(pointer)?.as_f64()).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl Bench<'_> {
    fn model(&self, words: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.banyan);
        command
            .arg("--data")
            .arg(&self.data)
            .arg("--ort-lib")
            .arg(&self.ready.ort_lib)
            .arg("model")
            .args(words);
        let output = capture(&mut command)?;
        serde_json::from_str(&output).with_context(|| format!("`banyan model` printed {output:?}"))
    }

    fn speed(&self, threads: usize, report: &mut Report) -> Result<()> {
        let (count, prompt, generate) =
            (threads.to_string(), self.args.prompt.to_string(), self.args.generate.to_string());
        let (mut ours, mut same, mut fastest) = (Series::default(), Series::default(), Series::default());
        for round in 1..=self.args.rounds {
            say(&format!("{threads} threads, round {round} of {}", self.args.rounds));
            ours.0.push(self.model(&[
                "bench",
                CHAT_PACK,
                "--json",
                "--repeats",
                "1",
                "--threads",
                &count,
                "--prompt",
                &prompt,
                "--generate",
                &generate,
            ])?);
            if let Some(peer) = &self.peer {
                let speed = |model: &Path| peer.run(&["speed", text(model)?, &count, &prompt, &generate]);
                same.0.push(speed(&self.ready.chat_model)?);
                fastest.0.push(speed(&peer.q4_0)?);
            }
        }
        let suffix = if threads == 1 { String::new() } else { format!(".threads_{threads}") };
        let Some(_) = &self.peer else {
            for (what, pointer) in
                [("decode", "/decode/tokens_per_cpu_s"), ("prefill", "/prefill/tokens_per_cpu_s")]
            {
                report.result(&format!("engine.{what}{suffix}"), ours.median(pointer), "tok/cpu-s");
            }
            report.result(&format!("engine.ttft{suffix}"), ours.median("/ttft_s"), "s");
            report.skipped(&format!("engine.decode_vs_q4_0{suffix}"), "llama.cpp could not be built");
            report.skipped(&format!("engine.prefill_vs_q4_0{suffix}"), "llama.cpp could not be built");
            return Ok(());
        };
        for (unit, key) in [("tok/cpu-s", "tokens_per_cpu_s"), ("tok/s", "tokens_per_s")] {
            // Processor time is judged; wall time is shown beside it, since other work on the machine changes it.
            let judged = unit == "tok/cpu-s";
            let suffix = if judged { suffix.clone() } else { format!(".wall{suffix}") };
            for (peer, series, ending, limits) in [
                ("llama.cpp", &same, "", [DECODE_SAME_FILE, PREFILL_SAME_FILE]),
                ("llama.cpp-q4_0", &fastest, "_vs_q4_0", [DECODE_FASTEST, PREFILL_FASTEST]),
            ] {
                for (what, limit) in ["decode", "prefill"].into_iter().zip(limits) {
                    let pointer = format!("/{what}/{key}");
                    let (own, theirs) = (ours.median(&pointer), series.median(&pointer));
                    let name = format!("engine.{what}{ending}{suffix}");
                    report.against(&name, own, unit, peer, theirs);
                    if judged {
                        report.at_least(&name, own / theirs, limit);
                    }
                }
            }
        }
        report.against_lower(
            &format!("engine.ttft{suffix}"),
            ours.median("/ttft_s"),
            "s",
            "llama.cpp",
            same.median("/ttft_s"),
        );
        Ok(())
    }

    /// Perplexity beside llama.cpp's on the same file, and the divergence of both from the weights in f32.
    fn quality(&self, report: &mut Report) -> Result<()> {
        let prose = root().join("tests/data/human-rights.txt");
        let (logits, tokens) = (self.scratch.join("banyan.logits"), self.scratch.join("tokens.json"));
        let ours = self.model(&["score", CHAT_PACK, text(&prose)?, "--json", "--logits", text(&logits)?])?;
        let own = ours["perplexity"].as_f64().unwrap_or(f64::NAN);
        fs::write(&tokens, ours["tokens"].to_string())?;
        let Some(peer) = &self.peer else {
            report.result("engine.perplexity", own, "ppl");
            return Ok(());
        };
        let score = |model: &Path, name: &str| -> Result<(Value, PathBuf)> {
            let logits = self.scratch.join(name);
            Ok((peer.run(&["score", text(model)?, text(&prose)?, text(&tokens)?, text(&logits)?])?, logits))
        };
        let (_, truth) = score(&peer.f32, "f32.logits")?;
        let (same, same_logits) = score(&self.ready.chat_model, "same.logits")?;
        let (_, q4_0_logits) = score(&peer.q4_0, "q4_0.logits")?;
        note(&format!("both tokenizers agree on the text: {}", same["same_tokens"]));
        let theirs = same["perplexity"].as_f64().unwrap_or(f64::NAN);
        report.against_lower("engine.perplexity", own, "ppl", "llama.cpp", theirs);
        report.at_most("engine.perplexity over llama.cpp's", own / theirs, 1.0 + PERPLEXITY_WITHIN);
        let count = ours["tokens"].as_array().map_or(1, Vec::len) as u64;
        let vocab = (fs::metadata(&logits)?.len() / 4 / count).to_string();
        let against = |other: &Path| peer.run(&["compare", text(&truth)?, text(other)?, &vocab]);
        let (mine, same, fastest) = (against(&logits)?, against(&same_logits)?, against(&q4_0_logits)?);
        let figure = |value: &Value, key: &str| value[key].as_f64().unwrap_or(f64::NAN);
        report.against_lower(
            "engine.kl_to_f32",
            figure(&mine, "kl"),
            "nats",
            "llama.cpp",
            figure(&same, "kl"),
        );
        report.against_lower(
            "engine.kl_to_f32_vs_q4_0",
            figure(&mine, "kl"),
            "nats",
            "llama.cpp-q4_0",
            figure(&fastest, "kl"),
        );
        report.at_most("engine.kl_to_f32", figure(&mine, "kl"), figure(&fastest, "kl"));
        report.against(
            "engine.top1_with_f32",
            figure(&mine, "top1"),
            "share",
            "llama.cpp",
            figure(&same, "top1"),
        );
        Ok(())
    }
}
