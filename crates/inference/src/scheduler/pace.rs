//! How much of a step goes to prompts.
//!
//! A *long* prompt gets no more of a step than the decode run takes, so one member's long text slows the others to half their
//! pace at most. *Short* ones get more, since they are over soon. Where more wait than run, prompts get as much more as they are
//! more: each sequence has the same share of the machine, and a hundred who come at once are not held up by one who came before
//! them. What a run costs is learnt from the runs before.

use super::Limits;

/// Fewer tokens are not worth a run of their own, as each run reads all weights.
pub(super) const LEAST_CHUNK: usize = 8;

/// A prompt with no more tokens to compute is short: a question, a turn of a conversation, a passage or two.
pub(super) const SHORT: usize = 384;

/// While others decode, long prompts get this share of the decode run's time. Under one, so that with the cost of cutting a
/// prompt into chunks a stream keeps half its pace.
const LONG_SHARE: f64 = 0.8;

/// Short prompts get this share: they are over in a step or two, whoever asks sees the first word soon, and rows that decode
/// are cheaper together.
const SHORT_SHARE: f64 = 3.0;

/// Prompt tokens of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    /// For short prompts.
    pub(super) short: usize,
    /// Of these, for long ones.
    pub(super) long: usize,
}

impl Grant {
    /// What a prompt with so many tokens to compute at its beginning may have.
    pub(super) fn of(self, fresh: usize) -> usize {
        if fresh <= SHORT { self.short } else { self.long }
    }
}

/// Weight of the newest measurement in the moving means.
const NEWEST: f64 = 0.25;

/// Costs of runs, learnt.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Microseconds of a decode run, and of how many rows it was.
    decode: Option<(f64, f64)>,
    /// Microseconds of a chunk, and of how many tokens it was.
    prefill: Option<(f64, f64)>,
    /// Microseconds of a verification run, and of how many tokens it was.
    verify: Option<(f64, f64)>,
    /// Microseconds that prompts have been granted and have not used: less than what is worth a run.
    credit: f64,
}

impl Pace {
    pub(super) fn decode_took(&mut self, rows: usize, micros: u64) {
        learn(&mut self.decode, rows, micros);
    }

    pub(super) fn prefill_took(&mut self, tokens: usize, micros: u64) {
        learn(&mut self.prefill, tokens, micros);
    }

    pub(super) fn verify_took(&mut self, tokens: usize, micros: u64) {
        learn(&mut self.verify, tokens, micros);
    }

    pub(super) fn decode_cost(&self, rows: usize) -> Option<f64> {
        predict(self.decode, rows)
    }

    /// Until the first one has run, like a decode run over as many rows.
    pub(super) fn verify_cost(&self, tokens: usize) -> Option<f64> {
        predict(self.verify.or(self.decode), tokens)
    }

    /// Prompt tokens of the next step; to be asked once a step.
    pub(super) fn grant(&mut self, decoding: usize, waiting: usize, limits: &Limits) -> Grant {
        if decoding == 0 || waiting == 0 {
            self.credit = 0.0;
            return Grant { short: limits.chunk, long: limits.chunk };
        }
        let least = LEAST_CHUNK.min(limits.chunk);
        let (Some(decode), Some((micros, tokens))) = (self.decode_cost(decoding), self.prefill) else {
            return Grant { short: least, long: least };
        };
        let by_token = (micros / tokens).max(f64::MIN_POSITIVE);
        let crowd = waiting as f64 / decoding as f64;
        let tokens = |time: f64| (time.min(limits.longest_stall as f64) / by_token) as usize;
        let short = tokens(decode * SHORT_SHARE.max(crowd)).max(least);
        let granted = decode * LONG_SHARE.max(crowd) + self.credit;
        let mut long = tokens(granted);
        self.credit = 0.0;
        if long < least {
            self.credit = granted;
            long = 0;
        }
        Grant { short, long: long.min(short) }
    }
}

fn learn(mean: &mut Option<(f64, f64)>, count: usize, micros: u64) {
    let (count, micros) = (count.max(1) as f64, micros as f64);
    *mean = Some(match *mean {
        None => (micros, count),
        Some((m, c)) => (m + NEWEST * (micros - m), c + NEWEST * (count - c)),
    });
}

/// A run costs a read of the weights, whatever its size, and then by the token; taken half and half at the size that was
/// seen, which is right within a third from a half to twice of it.
fn predict(mean: Option<(f64, f64)>, count: usize) -> Option<f64> {
    let (micros, seen) = mean?;
    Some(micros * (0.5 + 0.5 * count as f64 / seen).max(0.25))
}
