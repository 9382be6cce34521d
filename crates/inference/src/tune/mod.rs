//! What a model costs on this machine, and what follows for threads, rows and chunks: `banyan model tune`.
//!
//! Each kind of step is timed on the real model: decoding with several numbers of rows and two lengths of conversations,
//! and prompts in chunks of several sizes, for several numbers of threads. Each figure is the least of a few runs: what
//! else the machine does can only add to it. [`cost`] fits a formula to the figures, and [`pick`] chooses by stated
//! rules. Nothing is guessed from the processor's name.

pub mod cost;
pub mod pick;

use crate::bench::Clock;
use crate::config::{EngineConfig, Tuned};
use crate::decoder;
use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward as _, LogitsWanted};
use crate::runner::OrtRunner;
use crate::{load, providers, runtime};
use cost::CostModel;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// Rows of the decode steps that are timed, and sizes of the prompt chunks.
const ROWS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 100];
const CHUNKS: [usize; 7] = [8, 16, 32, 64, 128, 256, 512];
/// Tokens that conversations have in these steps: a short question, and one in the middle of a talk.
const PASTS: [usize; 2] = [64, 768];
/// Runs of which the fastest counts.
const RUNS: usize = 4;

/// The same for the quick form.
const QUICK_ROWS: [usize; 3] = [1, 8, 24];
const QUICK_CHUNKS: [usize; 3] = [32, 64, 128];
const QUICK_PASTS: [usize; 2] = [32, 320];
const QUICK_RUNS: usize = 2;

/// One kind of step, timed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Threads of the run.
    pub threads: usize,
    /// Decoding rows, or a chunk of one prompt.
    pub step: Step,
    /// Rows, or tokens of the chunk.
    pub count: usize,
    /// Tokens that each row held before.
    pub past: usize,
    /// Microseconds that passed.
    pub wall_us: f64,
    /// Microseconds of all processors together.
    pub processor_us: f64,
}

/// Kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// One token in each row.
    Decode,
    /// A chunk of one prompt.
    Prefill,
}

/// How a model is tuned.
#[derive(Debug, Clone)]
pub struct TuneOptions {
    /// The engine's configuration: its library, spinning, key/value memory; threads, rows and chunks are what is sought.
    pub config: EngineConfig,
    /// Fewer figures, in some seconds.
    pub quick: bool,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Figures that are there.
    pub done: usize,
    /// Figures in all.
    pub total: usize,
    /// What is timed now.
    pub now: String,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneReport {
    /// The choice.
    pub tuned: Tuned,
    /// The formula for the chosen threads.
    pub costs: CostModel,
    /// Whether keys and values were kept in 8 bits.
    pub kv8: bool,
    /// All figures.
    pub samples: Vec<Sample>,
}

/// What is timed for one number of threads.
struct Grid {
    rows: Vec<usize>,
    chunks: Vec<usize>,
    pasts: [usize; 2],
    runs: usize,
}

impl Grid {
    fn new(quick: bool) -> Grid {
        match quick {
            true => Grid {
                rows: QUICK_ROWS.to_vec(),
                chunks: QUICK_CHUNKS.to_vec(),
                pasts: QUICK_PASTS,
                runs: QUICK_RUNS,
            },
            false => Grid { rows: ROWS.to_vec(), chunks: CHUNKS.to_vec(), pasts: PASTS, runs: RUNS },
        }
    }

    fn longest(&self) -> usize {
        self.pasts[1] + self.chunks.iter().max().unwrap_or(&0)
    }

    /// The chunks after so many tokens; of the quick form only the largest is computed far into a talk.
    fn chunks(&self, past: usize) -> &[usize] {
        let few = self.runs == QUICK_RUNS && past == self.pasts[1];
        if few { &self.chunks[self.chunks.len() - 1..] } else { &self.chunks }
    }

    fn figures(&self) -> usize {
        self.pasts.iter().map(|past| self.rows.len() + self.chunks(*past).len()).sum()
    }
}

/// Measures the pack in `dir` and chooses. `progress` is told before each figure.
pub fn tune(
    dir: &Path,
    options: &TuneOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<TuneReport, EngineError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = thread_counts(cores, options.quick);
    let grid = Grid::new(options.quick);
    let mut measured =
        Measured { samples: Vec::new(), total: threads.len() * grid.figures(), kv8: false, tokens: 0 };
    for threads in threads {
        measured.with_threads(dir, options, threads, &grid, progress)?;
    }
    let Measured { samples, kv8, tokens, .. } = measured;
    let threads = pick::threads(&samples);
    let costs = CostModel::fit(samples.iter().filter(|sample| sample.threads == threads));
    let tuned = Tuned { threads, slots: pick::slots(&costs, tokens), chunk: pick::chunk(&samples, threads) };
    Ok(TuneReport { tuned, costs, kv8, samples })
}

/// Every number up to four, then every step of about a half; of the quick form only one, half and all.
fn thread_counts(cores: usize, quick: bool) -> Vec<usize> {
    let mut counts =
        if quick { vec![1, cores / 2, cores] } else { vec![1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, cores] };
    counts.retain(|n| (1..=cores).contains(n));
    counts.sort_unstable();
    counts.dedup();
    counts
}

struct Measured {
    samples: Vec<Sample>,
    total: usize,
    kv8: bool,
    /// Tokens that the memory holds in all rows.
    tokens: usize,
}

impl Measured {
    fn with_threads(
        &mut self,
        dir: &Path,
        options: &TuneOptions,
        threads: usize,
        grid: &Grid,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), EngineError> {
        let pack = load::open_pack(dir)?;
        let environment = runtime::load(&options.config.ort_library)?;
        let tokenizer = load::tokenizer(&pack)?;
        let most = grid.rows.iter().copied().max().unwrap_or(1);
        let config = EngineConfig {
            threads,
            slots: most,
            capacity: (grid.longest() + 1).next_multiple_of(64),
            ..options.config.clone()
        };
        self.tell(progress, &format!("loading with {}", count(threads, "thread")));
        let opened = decoder::open(&environment, &pack, &config, providers::CPU, &tokenizer)?;
        let (mut runner, plan) = (opened.runner, opened.plan);
        self.kv8 = plan.layout.element == crate::kv::Element::I8;
        self.tokens = plan.row_tokens;
        if grid.longest() >= plan.layout.capacity {
            return Err(EngineError::Missing(format!(
                "tuning needs conversations of {} tokens, and this model and this memory hold {}; give it more memory, \
                 or measure with --quick",
                grid.longest() + 1,
                plan.layout.capacity
            )));
        }
        for past in grid.pasts {
            fill(&mut runner, 0, past)?;
            for count_of in grid.chunks(past) {
                self.tell(progress, &format!("a chunk of {count_of} tokens, {}", count(threads, "thread")));
                let tokens = tokens(*count_of, runner.vocab());
                let sample = Sample {
                    threads,
                    step: Step::Prefill,
                    count: *count_of,
                    past,
                    wall_us: 0.0,
                    processor_us: 0.0,
                };
                self.time(sample, grid.runs, || {
                    runner.prefill(0, past, &tokens, 0, LogitsWanted::Last).map(drop)
                })?;
            }
            let rows = grid.rows.iter().copied().filter(|n| *n <= plan.layout.slots);
            let mut filled = 1;
            for rows in rows.filter(|n| n * (past + 1) <= plan.row_tokens) {
                for row in filled..rows {
                    runner.move_row(0, row, past)?;
                }
                filled = filled.max(rows);
                self.tell(progress, &format!("{}, {}", count(rows, "answer"), count(threads, "thread")));
                let inputs: Vec<_> =
                    (0..rows).map(|row| Some(DecodeInput::base(row as u32 % 64, past))).collect();
                let sample = Sample {
                    threads,
                    step: Step::Decode,
                    count: rows,
                    past,
                    wall_us: 0.0,
                    processor_us: 0.0,
                };
                self.time(sample, grid.runs, || runner.decode(&inputs).map(drop))?;
            }
        }
        Ok(())
    }

    /// The fastest of so many runs, after one that does not count.
    fn time(
        &mut self,
        mut sample: Sample,
        runs: usize,
        mut run: impl FnMut() -> Result<(), crate::forward::ForwardError>,
    ) -> Result<(), EngineError> {
        run()?;
        let (mut wall, mut processor) = (Duration::MAX, Duration::MAX);
        for _ in 0..runs {
            let clock = Clock::start();
            run()?;
            let rate = clock.stop(1);
            wall = wall.min(rate.wall);
            processor = processor.min(rate.cpu);
        }
        sample.wall_us = wall.as_micros() as f64;
        sample.processor_us = processor.as_micros() as f64;
        self.samples.push(sample);
        Ok(())
    }

    fn tell(&self, progress: &mut dyn FnMut(&Progress), now: &str) {
        progress(&Progress { done: self.samples.len(), total: self.total, now: now.to_owned() });
    }
}

/// Gives a row its first `past` tokens.
fn fill(runner: &mut OrtRunner, row: usize, past: usize) -> Result<(), EngineError> {
    let tokens = tokens(past, runner.vocab());
    for (n, chunk) in tokens.chunks(128).enumerate() {
        runner.prefill(row, n * 128, chunk, 0, LogitsWanted::None)?;
    }
    Ok(())
}

/// Tokens all over the vocabulary: speed does not depend on what they mean.
fn tokens(len: usize, vocab: usize) -> Vec<u32> {
    (0..len).map(|i| ((i * 7919 + 13) % vocab.max(1)) as u32).collect()
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_machines_are_tried_with_every_number_of_threads_and_large_ones_with_some() {
        assert_eq!(thread_counts(1, false), [1]);
        assert_eq!(thread_counts(2, true), [1, 2]);
        assert_eq!(thread_counts(6, false), [1, 2, 3, 4, 6]);
        assert_eq!(thread_counts(20, false), [1, 2, 3, 4, 6, 8, 12, 16, 20]);
        assert_eq!(thread_counts(16, true), [1, 8, 16]);
    }
}
