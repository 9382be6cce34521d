//! Speed of one stream: what `banyan model bench` and `cargo xtask bench engine` report.
//!
//! Wall time says what a member feels, processor time says what it costs; on a machine with other work only the second
//! can be compared. The model is driven as the engine drives it, through [`Forward`](crate::forward::Forward) and the sampler, but without the
//! channel and the socket.

use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward as _, LogitsWanted};
use crate::kv::{Element, KvPlan};
use crate::load;
use crate::runner::{OrtRunner, RunnerOptions};
use crate::sampler::{Sampler, Scratch, Settings};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchOptions<'a> {
    /// ONNX Runtime's shared library.
    pub ort_library: &'a Path,
    /// Threads of a run.
    pub threads: usize,
    /// Whether they spin while they wait for each other.
    pub spin: bool,
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Tokens of a prefill run; 0 computes the prompt in one.
    pub chunk: usize,
    /// Tokens to generate, greedily.
    pub generate: usize,
    /// How often; each figure is the median.
    pub repeats: usize,
}

/// A number of tokens and what they took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens.
    pub tokens: usize,
    /// Time that passed.
    pub wall: Duration,
    /// Time of all processors together.
    pub cpu: Duration,
}

impl Rate {
    /// Tokens a second of wall time.
    pub fn per_second(&self) -> f64 {
        self.tokens as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// Tokens a second of processor time.
    pub fn per_cpu_second(&self) -> f64 {
        self.tokens as f64 / self.cpu.as_secs_f64().max(1e-9)
    }
}

/// What came out.
#[derive(Debug, Clone)]
pub struct BenchReport {
    /// The pack.
    pub model: String,
    /// Threads of a run.
    pub threads: usize,
    /// The prompt.
    pub prefill: Rate,
    /// The answer but its first token, which is the prompt's work.
    pub decode: Rate,
    /// From the prompt's tokens to the answer's first one.
    pub ttft: Rate,
    /// From opening the pack to the first run.
    pub load: Duration,
    /// Most memory the process has had, in bytes.
    pub peak_memory: u64,
}

/// Measures the pack in `dir`.
pub fn bench(dir: &Path, options: &BenchOptions<'_>) -> Result<BenchReport, EngineError> {
    let began = Instant::now();
    let pack = load::open_pack(dir)?;
    let environment = crate::runtime::load(options.ort_library)?;
    let manifest = pack.manifest();
    let (prompt_len, generate) = (options.prompt.max(1), options.generate.max(2));
    let layout = crate::decoder::layout(&pack, 1, prompt_len + generate + 1, Element::F32);
    if prompt_len + generate > layout.capacity {
        return Err(EngineError::Missing(format!(
            "{prompt_len} + {generate} tokens do not fit the {} that this model and this memory hold; measure fewer",
            layout.capacity
        )));
    }
    let runner_options = RunnerOptions {
        provider: crate::providers::CPU.into(),
        threads: options.threads.max(1),
        spin: options.spin,
        plan: KvPlan::exact(layout),
        scales: None,
        device_slab: false,
        vocab: manifest.architecture.vocab,
        scored: 1,
    };
    let mut runner = OrtRunner::open(&environment, &manifest.name, &pack.graph_path(), &runner_options)?;
    let prompt = synthetic_prompt(prompt_len, manifest.architecture.vocab);
    // Weights are packed and pages touched in the first run; no answer ever pays for that.
    runner.prefill(0, 0, &prompt[..prompt_len.min(8)], 0, LogitsWanted::Last)?;
    runner.decode(&[Some(DecodeInput::base(1, 1))])?;
    let load = began.elapsed();
    let rounds = (0..options.repeats.max(1))
        .map(|_| round(&mut runner, &prompt, options.chunk, generate))
        .collect::<Result<Vec<_>, _>>()?;
    let prefill = median(rounds.iter().map(|(prefill, _)| *prefill).collect());
    let decode = median(rounds.iter().map(|(_, decode)| *decode).collect());
    Ok(BenchReport {
        model: manifest.name.clone(),
        threads: options.threads.max(1),
        ttft: Rate { tokens: 1, ..prefill },
        prefill,
        decode,
        load,
        peak_memory: usage().map_or(0, |u| u.1),
    })
}

fn round(
    runner: &mut OrtRunner,
    prompt: &[u32],
    chunk: usize,
    generate: usize,
) -> Result<(Rate, Rate), EngineError> {
    let mut sampler = Sampler::new(Settings { temperature: 0.0, ..Settings::default() }, prompt);
    let mut scratch = Scratch::default();
    let start = Clock::start();
    let chunk = if chunk == 0 { prompt.len() } else { chunk };
    let (mut past, mut token) = (0, 0);
    for part in prompt.chunks(chunk) {
        let last = past + part.len() == prompt.len();
        let wanted = if last { LogitsWanted::Last } else { LogitsWanted::None };
        let logits = runner.prefill(0, past, part, 0, wanted)?;
        past += part.len();
        if last {
            token = sampler.pick(logits, &mut scratch).token;
        }
    }
    let prefill = start.stop(prompt.len());
    let start = Clock::start();
    for _ in 1..generate {
        let logits = runner.decode(&[Some(DecodeInput::base(token, past))])?;
        token = sampler.pick(logits, &mut scratch).token;
        past += 1;
    }
    Ok((prefill, start.stop(generate - 1)))
}

/// Tokens all over the vocabulary: speed does not depend on what they mean.
fn synthetic_prompt(len: usize, vocab: usize) -> Vec<u32> {
    (0..len).map(|i| ((i * 7919 + 13) % vocab.max(1)) as u32).collect()
}

/// The middle one by processor time.
fn median(mut rates: Vec<Rate>) -> Rate {
    rates.sort_by_key(|rate| rate.cpu);
    rates[rates.len() / 2]
}

pub(crate) struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { wall: Instant::now(), cpu: usage().map_or(Duration::ZERO, |u| u.0) }
    }

    pub(crate) fn stop(self, tokens: usize) -> Rate {
        let cpu = usage().map_or(Duration::ZERO, |u| u.0);
        Rate { tokens, wall: self.wall.elapsed(), cpu: cpu.saturating_sub(self.cpu) }
    }
}

/// Processor time of this process so far (all threads, user and system), and its largest memory in bytes.
fn usage() -> Option<(Duration, u64)> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let time = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Some((Duration::from_micros(u64::try_from(time).ok()?), u64::try_from(usage.max_rss()).ok()? * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_work_and_not_waiting() {
        let clock = Clock::start();
        std::thread::sleep(Duration::from_millis(60));
        let rate = clock.stop(10);
        assert!(rate.wall >= Duration::from_millis(60));
        assert!(rate.cpu < rate.wall, "sleeping costs no processor time: {rate:?}");
        assert!(rate.per_second() < 170.0);
    }
}
