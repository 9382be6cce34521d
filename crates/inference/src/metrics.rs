//! What the engine counts, as Prometheus text.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Upper bounds of the time histograms, in seconds: from a small model's token to a long queue.
const SECONDS: [f64; 16] =
    [0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

/// Counters, gauges and histograms of one engine.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(crate) requests: Counter,
    pub(crate) refused: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) failed_steps: Counter,
    pub(crate) running: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) embedded: Counter,
    pub(crate) preempted: Counter,
    pub(crate) held_tokens: Gauge,
    pub(crate) pool_blocks: Gauge,
    admitted_tokens: Counter,
    restored_tokens: Counter,
    guessed_tokens: Counter,
    right_guesses: Counter,
    completed: Counter,
    prompt_tokens: Counter,
    completion_tokens: Counter,
    prefilled_tokens: Counter,
    first_token: Histogram,
    next_token: Histogram,
    prefill_step: Histogram,
    decode_step: Histogram,
    decode_rows: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("banyan_engine");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let requests = counter("requests", "Requests taken in");
        let refused = counter("refused", "Requests refused because the queue was full");
        let cancelled = counter("cancelled", "Requests whose client went away");
        let failed_steps = counter("failed_steps", "Steps that the runtime could not compute");
        let embedded = counter("embedded_texts", "Texts turned into vectors");
        let completed = counter("completed", "Answers that ended well");
        let prompt_tokens = counter("prompt_tokens", "Prompt tokens of completed answers");
        let completion_tokens = counter("completion_tokens", "Generated tokens of completed answers");
        let prefilled_tokens = counter("prefilled_tokens", "Prompt tokens computed");
        let preempted =
            counter("preempted", "Sequences that lost their row for lack of memory and were computed again");
        let admitted_tokens = counter("admitted_tokens", "Prompt tokens of sequences that got a row");
        let restored_tokens = counter("restored_tokens", "Prompt tokens that came out of the prefix pool");
        let guessed_tokens = counter("guessed_tokens", "Tokens guessed ahead");
        let right_guesses = counter("right_guesses", "Guessed tokens that turned out right");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let running = gauge("running", "Sequences in a slot");
        let waiting = gauge("waiting", "Requests waiting for a slot");
        let held_tokens = gauge("held_tokens", "Tokens whose keys and values the rows hold");
        let pool_blocks = gauge("pool_blocks", "Blocks in the prefix pool");
        let mut histogram = |name: &str, help: &str, buckets: &[f64]| {
            let histogram = Histogram::new(buckets.iter().copied());
            registry.register(name, help, histogram.clone());
            histogram
        };
        let first_token = histogram("first_token_seconds", "From arrival to the first token", &SECONDS);
        let next_token = histogram("next_token_seconds", "Between two tokens of an answer", &SECONDS);
        let prefill_step = histogram("prefill_step_seconds", "One chunk of a prompt", &SECONDS);
        let decode_step = histogram("decode_step_seconds", "One token in every decoding row", &SECONDS);
        let decode_rows =
            histogram("decode_rows", "Rows of a decode step", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
        Metrics {
            registry,
            requests,
            refused,
            cancelled,
            failed_steps,
            running,
            waiting,
            embedded,
            preempted,
            held_tokens,
            pool_blocks,
            admitted_tokens,
            restored_tokens,
            guessed_tokens,
            right_guesses,
            completed,
            prompt_tokens,
            completion_tokens,
            prefilled_tokens,
            first_token,
            next_token,
            prefill_step,
            decode_step,
            decode_rows,
        }
    }
}

impl Metrics {
    /// Everything as Prometheus (OpenMetrics) text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn prefill_step(&self, tokens: usize, time: Duration) {
        self.prefilled_tokens.inc_by(tokens as u64);
        self.prefill_step.observe(time.as_secs_f64());
    }

    pub(crate) fn decode_step(&self, rows: usize, time: Duration) {
        self.decode_rows.observe(rows as f64);
        self.decode_step.observe(time.as_secs_f64());
    }

    pub(crate) fn first_token(&self, since_arrival: Duration) {
        self.first_token.observe(since_arrival.as_secs_f64());
    }

    /// `count` tokens came at once, so long after the one before.
    pub(crate) fn next_tokens(&self, count: usize, since_last: Duration) {
        (0..count).for_each(|_| self.next_token.observe(since_last.as_secs_f64() / count as f64));
    }

    pub(crate) fn prompt_admitted(&self, tokens: usize, restored: usize) {
        self.admitted_tokens.inc_by(tokens as u64);
        self.restored_tokens.inc_by(restored as u64);
    }

    pub(crate) fn guessed(&self, tokens: usize, right: usize) {
        self.guessed_tokens.inc_by(tokens as u64);
        self.right_guesses.inc_by(right as u64);
    }

    pub(crate) fn finished(&self, prompt: usize, generated: usize) {
        self.completed.inc();
        self.prompt_tokens.inc_by(prompt as u64);
        self.completion_tokens.inc_by(generated as u64);
    }
}
