//! Where the time of a decode step goes, and how far it is from what the machine's memory allows.
//!
//! A step reads all weights once, and the keys and values of every row; no machine is faster than its memory brings
//! them. So the memory is measured in the same run as the step.

use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward, LogitsWanted};
use crate::kv::{BLOCK, KvPlan};
use crate::runner::{OrtRunner, RunnerOptions};
use crate::sampler::{Sampler, Scratch, Settings};
use crate::{bench::Clock, decoder, load, providers, runtime};
use banyan_modelpack::Pack;
use banyan_modelpack::graph::{Variant, WEIGHTS_FILE};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Fewer tokens of a conversation are refused.
pub(crate) const LEAST: usize = 256;

/// Bytes that the measurement of the memory reads: far more than any cache holds.
const SWEEP_BYTES: usize = 1 << 30;

/// A decode step, taken apart. Times are means of a step.
#[derive(Debug, Clone)]
pub struct StepProfile {
    /// Rows that decode.
    pub rows: usize,
    /// Tokens that each row holds.
    pub past: usize,
    /// Wall time of a step: the run of the graph and the sampling.
    pub wall: Duration,
    /// Processor time of a step.
    pub cpu: Duration,
    /// Of it, the run of the graph; what of this is in no node is the runtime's own.
    pub run: Duration,
    /// Of it, picking the tokens.
    pub sampling: Duration,
    /// Time in nodes by kind, the largest first; measured in steps of their own, as the measuring costs a little.
    pub nodes: Vec<(String, Duration)>,
    /// Bytes of weights, and of keys and values, that a step reads.
    pub weight_bytes: u64,
    /// As [`StepProfile::weight_bytes`], of keys and values.
    pub kv_bytes: u64,
    /// Bytes a second that this machine's memory brings to all threads together.
    pub bandwidth: f64,
}

impl StepProfile {
    /// What the memory alone would take.
    pub fn memory_limit(&self) -> Duration {
        Duration::from_secs_f64((self.weight_bytes + self.kv_bytes) as f64 / self.bandwidth)
    }
}

/// Measures `steps` decode steps of `rows` rows with `past` tokens each, as the engine of `config` runs them.
pub fn step_profile(
    dir: &Path,
    config: &EngineConfig,
    rows: usize,
    past: usize,
    steps: usize,
) -> Result<StepProfile, EngineError> {
    let (rows, past, steps) = (rows.max(1), past.max(1), steps.max(1));
    let pack = load::open_pack(dir)?;
    let environment = runtime::load(&config.ort_library)?;
    let tokenizer = load::tokenizer(&pack)?;
    // Rows hold whole blocks.
    let capacity = (past + steps + 2).next_multiple_of(BLOCK).max(LEAST);
    let config = EngineConfig { slots: rows, capacity, ..config.clone() };
    let bandwidth = bandwidth(config.resolved_threads());
    let decoder::Decoder { mut runner, plan, scales, .. } =
        decoder::open(&environment, &pack, &config, providers::CPU, &tokenizer)?;
    fill(&mut runner, rows, past)?;
    let (timed, sampling, clock) = timed_steps(&mut runner, rows, past, steps)?;
    drop(runner);

    let folder = std::env::temp_dir().join(format!("banyan-profile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| unwritten(&folder, &e))?;
    let options = RunnerOptions {
        provider: providers::CPU.into(),
        threads: config.resolved_threads(),
        spin: config.spin,
        plan,
        scales,
        device_slab: false,
        vocab: pack.manifest().architecture.vocab,
        scored: 1,
    };
    let graph = graph(&pack, &options.plan);
    let mut runner = OrtRunner::open_profiled(
        &environment,
        &pack.manifest().name,
        &graph,
        &options,
        Some(&folder.join("step")),
    )?;
    fill(&mut runner, rows, past)?;
    timed_steps(&mut runner, rows, past, steps)?;
    drop(runner);
    let nodes = read_profile(&folder, steps + 1);
    let _ = std::fs::remove_dir_all(&folder);
    let weights = pack.manifest().file(WEIGHTS_FILE).map_or(0, |entry| entry.bytes);
    Ok(StepProfile {
        rows,
        past,
        wall: clock.0 / steps as u32,
        cpu: clock.1 / steps as u32,
        run: timed / steps as u32,
        sampling: sampling / steps as u32,
        nodes: nodes?,
        weight_bytes: weights,
        kv_bytes: options.plan.layout.bytes_per_token() * (rows * past) as u64,
        bandwidth,
    })
}

fn graph(pack: &Pack, plan: &KvPlan) -> PathBuf {
    let kv8 = plan.layout.element == crate::kv::Element::I8;
    pack.variant_path(Variant { adapters: false, kv8 }).unwrap_or_else(|| pack.graph_path())
}

/// Gives each row `past` tokens.
fn fill(runner: &mut OrtRunner, rows: usize, past: usize) -> Result<(), EngineError> {
    let vocab = runner.vocab();
    for row in 0..rows {
        let tokens: Vec<u32> = (0..past).map(|i| ((row * 977 + i * 7919 + 13) % vocab) as u32).collect();
        for (n, chunk) in tokens.chunks(128).enumerate() {
            runner.prefill(row, n * 128, chunk, 0, LogitsWanted::None)?;
        }
    }
    Ok(())
}

/// Runs one step to warm up and then `steps`; the time in the graph and in sampling, and wall and processor time of all.
fn timed_steps(
    runner: &mut OrtRunner,
    rows: usize,
    past: usize,
    steps: usize,
) -> Result<(Duration, Duration, (Duration, Duration)), EngineError> {
    let vocab = runner.vocab();
    let mut samplers: Vec<Sampler> = (0..rows)
        .map(|row| Sampler::new(Settings { seed: row as u64, ..Settings::default() }, &[]))
        .collect();
    let mut scratch = Scratch::default();
    let mut tokens: Vec<u32> = (0..rows as u32).collect();
    let (mut in_graph, mut in_sampler) = (Duration::ZERO, Duration::ZERO);
    let mut clock = Clock::start();
    for step in 0..=steps {
        if step == 1 {
            (in_graph, in_sampler, clock) = (Duration::ZERO, Duration::ZERO, Clock::start());
        }
        let inputs: Vec<_> =
            tokens.iter().map(|token| Some(DecodeInput::base(*token, past + step))).collect();
        let began = Instant::now();
        let logits = runner.decode(&inputs)?;
        in_graph += began.elapsed();
        let began = Instant::now();
        for ((row, sampler), token) in logits.chunks_exact_mut(vocab).zip(&mut samplers).zip(&mut tokens) {
            *token = sampler.pick(row, &mut scratch).token;
        }
        in_sampler += began.elapsed();
    }
    let rate = clock.stop(rows * steps);
    Ok((in_graph, in_sampler, (rate.wall, rate.cpu)))
}

/// Adds up the nodes of decode steps in the file that ONNX Runtime has written. The runs of the prompts come first in
/// it and are told apart by their number.
fn read_profile(folder: &Path, runs: usize) -> Result<Vec<(String, Duration)>, EngineError> {
    let file = std::fs::read_dir(folder)
        .map_err(|e| unwritten(folder, &e))?
        .flatten()
        .next()
        .ok_or_else(|| EngineError::Missing("ONNX Runtime has written no profile".into()))?;
    let text = std::fs::read(file.path()).map_err(|e| unwritten(&file.path(), &e))?;
    let events: Vec<serde_json::Value> = serde_json::from_slice(&text)
        .map_err(|e| EngineError::Missing(format!("ONNX Runtime's profile: {e}")))?;
    // A run's own event comes after those of its nodes.
    let ends: Vec<usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event["name"] == "model_run")
        .map(|(at, _)| at)
        .collect();
    let after = ends.len().checked_sub(runs).and_then(|before| ends.get(before)).map_or(0, |at| at + 1);
    let mut nodes: BTreeMap<&str, f64> = BTreeMap::new();
    for event in &events[after..] {
        let is_kernel = event["name"].as_str().is_some_and(|name| name.ends_with("_kernel_time"));
        if let Some(op) = event["args"]["op_name"].as_str().filter(|_| is_kernel) {
            *nodes.entry(op).or_default() += event["dur"].as_f64().unwrap_or(0.0);
        }
    }
    let steps = (runs - 1).max(1) as f64;
    let mut nodes: Vec<(String, Duration)> = nodes
        .into_iter()
        .map(|(op, micros)| (op.to_owned(), Duration::from_secs_f64(micros / 1e6 / steps)))
        .collect();
    nodes.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    Ok(nodes)
}

fn unwritten(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::Missing(format!("{} could not be used for a profile: {error}", path.display()))
}

/// Bytes a second that `threads` threads read out of memory together: the best of some sweeps.
fn bandwidth(threads: usize) -> f64 {
    let threads = threads.max(1);
    let memory = vec![1u64; SWEEP_BYTES / size_of::<u64>()];
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let began = Instant::now();
        std::thread::scope(|scope| {
            for part in memory.chunks(memory.len().div_ceil(threads)) {
                scope.spawn(move || {
                    // Eight sums at a time, so that the additions are not what is measured.
                    let mut sums = [0u64; 8];
                    for eight in part.chunks_exact(8) {
                        for (sum, x) in sums.iter_mut().zip(eight) {
                            *sum = sum.wrapping_add(*x);
                        }
                    }
                    std::hint::black_box(sums);
                });
            }
        });
        best = best.min(began.elapsed().as_secs_f64());
    }
    SWEEP_BYTES as f64 / best
}
