//! From figures to a choice, by rules that can be said in a sentence each.

use super::cost::CostModel;
use super::{Sample, Step};
use crate::config::DEFAULT_CHUNK;
use std::collections::BTreeSet;

/// Threads: the fewest whose steps take at most a tenth longer than the best ones', in the geometric mean. A thread that
/// gains less is better left to the rest of the box.
pub const THREADS_WITHIN: f64 = 1.10;

/// Rows: as many as keep a step, in the middle of a talk, within a quarter of a second: four tokens are three words, and
/// slower than that nobody reads. Who comes later waits in the queue and is told so.
pub const STEP_US: f64 = 250_000.0;
/// Where even a single row is slower, as many as double its time.
pub const STEP_TIMES: f64 = 2.0;
/// Tokens of a conversation in the middle of a talk.
pub const TALK: usize = 512;
/// Rows at most: what a step's small work for each row stays small beside.
pub const MOST_ROWS: usize = 128;

/// Chunks: the smallest that computes prompts at no less than 19 twentieths of the best speed. Small ones keep others'
/// streams steady.
pub const CHUNK_WITHIN: f64 = 0.95;

/// The rules for people.
pub const RULES: &str = "\
threads: the fewest whose steps take at most a tenth longer than the best ones'
rows: as many as keep a step within a quarter of a second after 512 tokens, or within twice that of one row
chunk: the smallest that computes prompts at 95 % of the best speed";

/// How many threads.
pub fn threads(samples: &[Sample]) -> usize {
    let counts: BTreeSet<usize> = samples.iter().map(|sample| sample.threads).collect();
    let same = |a: &Sample, b: &Sample| (a.step, a.count, a.past) == (b.step, b.count, b.past);
    // Only what was timed with every number of threads can be compared.
    let shared = |sample: &&Sample| {
        counts
            .iter()
            .all(|threads| samples.iter().any(|other| other.threads == *threads && same(sample, other)))
    };
    let mean = |threads: usize| {
        let times: Vec<f64> =
            samples.iter().filter(|s| s.threads == threads).filter(shared).map(|s| s.wall_us.ln()).collect();
        (times.iter().sum::<f64>() / times.len().max(1) as f64).exp()
    };
    let best = counts.iter().map(|threads| mean(*threads)).fold(f64::INFINITY, f64::min);
    counts.iter().copied().find(|threads| mean(*threads) <= best * THREADS_WITHIN).unwrap_or(1)
}

/// How many rows, where the memory holds `tokens` of all of them together.
pub fn slots(costs: &CostModel, tokens: usize) -> usize {
    let limit = STEP_US.max(STEP_TIMES * costs.decode(1, TALK));
    let fit = |rows: &usize| costs.decode(*rows, TALK) <= limit && rows * TALK <= tokens;
    (1..=MOST_ROWS).take_while(fit).last().unwrap_or(1)
}

/// How large a chunk.
pub fn chunk(samples: &[Sample], threads: usize) -> usize {
    let prompts = samples.iter().filter(|s| s.step == Step::Prefill && s.threads == threads);
    let shortest = prompts.clone().map(|s| s.past).min();
    let mut speeds: Vec<(usize, f64)> =
        prompts.filter(|s| Some(s.past) == shortest).map(|s| (s.count, s.count as f64 / s.wall_us)).collect();
    speeds.sort_by_key(|(count, _)| *count);
    let best = speeds.iter().map(|(_, speed)| *speed).fold(0.0, f64::max);
    let first = speeds.iter().find(|(_, speed)| *speed >= best * CHUNK_WITHIN);
    first.map_or(DEFAULT_CHUNK, |(count, _)| *count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::cost::{Cost, StepCosts};

    fn sample(threads: usize, step: Step, count: usize, ms: f64) -> Sample {
        Sample { threads, step, count, past: 64, wall_us: ms * 1e3, processor_us: ms * 1e3 }
    }

    #[test]
    fn a_thread_that_gains_less_than_a_tenth_is_not_taken() {
        let of = |times: [f64; 3]| {
            let times = [1, 2, 4].into_iter().zip(times);
            threads(&times.map(|(n, ms)| sample(n, Step::Decode, 8, ms)).collect::<Vec<_>>())
        };
        assert_eq!(of([100.0, 60.0, 57.0]), 2);
        assert_eq!(of([100.0, 60.0, 40.0]), 4);
        assert_eq!(of([100.0, 95.0, 130.0]), 1);
    }

    #[test]
    fn only_steps_that_every_number_of_threads_was_timed_with_are_compared() {
        let samples = [
            sample(1, Step::Decode, 8, 10.0),
            sample(2, Step::Decode, 8, 6.0),
            sample(2, Step::Decode, 100, 900.0),
        ];
        assert_eq!(threads(&samples), 2);
    }

    #[test]
    fn rows_are_as_many_as_people_can_read_along_with_and_as_the_memory_holds() {
        let of = |base: f64, each: f64| {
            let decode = Cost { base, each, past: 0.0 };
            let costs = StepCosts { decode, prefill: decode };
            CostModel { wall: costs, processor: costs, error: 0.0 }
        };
        let plenty = 1 << 20;
        assert_eq!(slots(&of(50_000.0, 5_000.0), plenty), 40, "40 rows make a quarter of a second");
        assert_eq!(slots(&of(50_000.0, 5_000.0), 10 * TALK), 10);
        assert_eq!(slots(&of(100.0, 10.0), plenty), MOST_ROWS);
        assert_eq!(slots(&of(900_000.0, 100_000.0), plenty), 11, "2 s a step, twice that of one row");
        assert_eq!(slots(&of(0.0, 1e9), plenty), 2);
    }

    #[test]
    fn the_smallest_chunk_that_is_nearly_as_fast_as_the_best_is_taken() {
        let speeds = [(16, 0.60), (64, 0.93), (128, 0.96), (256, 1.0), (512, 0.98)];
        let samples: Vec<Sample> =
            speeds.iter().map(|(n, speed)| sample(2, Step::Prefill, *n, *n as f64 / speed)).collect();
        assert_eq!(chunk(&samples, 2), 128);
        assert_eq!(chunk(&samples, 1), DEFAULT_CHUNK, "nothing was measured with one thread");
    }
}
