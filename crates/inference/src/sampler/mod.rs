//! From a row of logits to the next token: pure, and reproducible from a seed.
//!
//! First an answer's form bans the tokens that cannot follow ([`Sampler::pick_within`]). Then the order is that of vLLM and
//! Hugging Face: logit bias, repetition, presence and frequency penalty on the logits;
//! then temperature; then min-p, top-k and top-p, each on what the one before left; then the draw. Log probabilities are those of the
//! model itself, before any of this, as OpenAI reports them.
//!
//! Speed matters here: this runs for each token of each member, over a vocabulary of 50 000 to 150 000. Greedy
//! decoding is one scan (3 µs for 49 152 logits); sampling makes a second one that turns logits into weights with
//! vector instructions; filters look only at the tokens that can pass. Nothing is allocated but the first time.

#[cfg(test)]
mod tests;
mod weights;

use crate::constraint::{Constraint, ConstraintError};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::cmp::Ordering;
use std::collections::HashMap;
use weights::Weights;

/// How tokens are picked. [`Settings::check`] says what is allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// 0 picks the likeliest token.
    pub temperature: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens whose probability sums to this; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens at least this fraction as likely as the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens seen in prompt or answer; 1 changes nothing.
    pub repetition_penalty: f32,
    /// Subtracted from the logit of each token of the answer so far.
    pub presence_penalty: f32,
    /// Subtracted from a token's logit once for each time it stands in the answer so far.
    pub frequency_penalty: f32,
    /// Added to the logits of these tokens.
    pub logit_bias: Vec<(u32, f32)>,
    /// Where the draws start; the same seed, prompt and model give the same answer when it is computed alone.
    pub seed: u64,
    /// `Some(n)` reports each picked token's log probability and its `n` likeliest alternatives.
    pub logprobs: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
            logprobs: None,
        }
    }
}

/// A setting out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} must be {range}, not {value}")]
pub struct SettingError {
    /// The field's name on the wire.
    pub name: &'static str,
    /// What is allowed.
    pub range: &'static str,
    /// What came.
    pub value: f64,
}

/// Most entries of a `logit_bias`, OpenAI's own limit.
pub const MAX_BIASED: usize = 300;
/// Most alternatives a request may ask for, OpenAI's own limit.
pub const MAX_LOGPROBS: usize = 20;

impl Settings {
    /// Refuses values that make no sense, naming the field.
    pub fn check(&self) -> Result<(), SettingError> {
        let rules = [
            ("temperature", "between 0 and 2", self.temperature, 0.0..=2.0),
            ("top_p", "between 0 and 1", self.top_p, 0.0..=1.0),
            ("min_p", "between 0 and 1", self.min_p, 0.0..=1.0),
            ("repetition_penalty", "between 0.01 and 10", self.repetition_penalty, 0.01..=10.0),
            ("presence_penalty", "between -2 and 2", self.presence_penalty, -2.0..=2.0),
            ("frequency_penalty", "between -2 and 2", self.frequency_penalty, -2.0..=2.0),
        ];
        for (name, range, value, allowed) in rules {
            if !allowed.contains(&value) {
                return Err(SettingError { name, range, value: value.into() });
            }
        }
        if let Some(n) = self.logprobs.filter(|n| *n > MAX_LOGPROBS) {
            return Err(SettingError { name: "top_logprobs", range: "between 0 and 20", value: n as f64 });
        }
        if self.logit_bias.len() > MAX_BIASED {
            let value = self.logit_bias.len() as f64;
            return Err(SettingError { name: "logit_bias", range: "at most 300 entries", value });
        }
        if let Some((_, bias)) = self.logit_bias.iter().find(|(_, bias)| !(-100.0..=100.0).contains(bias)) {
            return Err(SettingError {
                name: "logit_bias",
                range: "between -100 and 100",
                value: (*bias).into(),
            });
        }
        Ok(())
    }
}

/// The token that was picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    /// The token.
    pub token: u32,
    /// Its log probability and alternatives, when asked for.
    pub logprob: Option<Logprob>,
}

/// Log probabilities at one position.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprob {
    /// Of the picked token.
    pub picked: f32,
    /// Of the likeliest tokens, likeliest first.
    pub top: Vec<(u32, f32)>,
}

/// Memory that one engine thread lends to the sampler of each sequence in turn.
#[derive(Debug, Default)]
pub struct Scratch {
    weights: Weights,
    candidates: Vec<(u32, f32)>,
}

/// What is kept of the model's own logits for log probabilities.
struct Before {
    norm: LogSumExp,
    top: Vec<(u32, f32)>,
    touched: Vec<(u32, f32)>,
}

/// The state of one sequence: what it has seen and where its draws stand.
#[derive(Debug)]
pub struct Sampler {
    settings: Settings,
    rng: StdRng,
    /// Times each token stands in the answer; prompt tokens are there with 0 when the repetition penalty needs them.
    seen: HashMap<u32, u32>,
}

impl Sampler {
    /// A sampler for an answer to `prompt`.
    pub fn new(settings: Settings, prompt: &[u32]) -> Sampler {
        let rng = StdRng::seed_from_u64(settings.seed);
        let mut seen = HashMap::new();
        if settings.repetition_penalty != 1.0 {
            seen.extend(prompt.iter().map(|token| (*token, 0)));
        }
        Sampler { settings, rng, seen }
    }

    /// Picks the next token. `logits` is changed by bias and penalties and must not be used again.
    pub fn pick(&mut self, logits: &mut [f32], scratch: &mut Scratch) -> Picked {
        let before = self.before(logits, scratch);
        self.pick_from(logits, before, scratch)
    }

    /// Picks the next token among those that a form allows.
    pub fn pick_within(
        &mut self,
        constraint: &mut Constraint,
        logits: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<Picked, ConstraintError> {
        let before = self.before(logits, scratch);
        constraint.mask(logits)?;
        Ok(self.pick_from(logits, before, scratch))
    }

    fn before(&self, logits: &[f32], scratch: &mut Scratch) -> Option<Before> {
        let n = self.settings.logprobs?;
        Some(Before {
            norm: LogSumExp::of(logits),
            top: top_n(logits, n, scratch),
            touched: self.touched(logits),
        })
    }

    fn pick_from(&mut self, logits: &mut [f32], before: Option<Before>, scratch: &mut Scratch) -> Picked {
        self.shape(logits);
        let token = match argmax(logits) {
            best if self.settings.temperature <= 0.0 => best,
            best => self.draw(logits, best, scratch),
        };
        if self.tracks() {
            *self.seen.entry(token).or_insert(0) += 1;
        }
        let logprob = before.map(|Before { norm, top, touched }| {
            let before = touched.into_iter().find(|(id, _)| *id == token);
            let logit = before.map_or_else(|| logits[token as usize], |(_, logit)| logit);
            Logprob {
                picked: norm.log_probability(logit),
                top: top.into_iter().map(|(id, logit)| (id, norm.log_probability(logit))).collect(),
            }
        });
        Picked { token, logprob }
    }

    /// Logits, before they are shaped, of the tokens that shaping may change.
    fn touched(&self, logits: &[f32]) -> Vec<(u32, f32)> {
        let ids = self.seen.keys().copied().chain(self.settings.logit_bias.iter().map(|(id, _)| *id));
        ids.filter_map(|id| logits.get(id as usize).map(|logit| (id, *logit))).collect()
    }

    fn tracks(&self) -> bool {
        let s = &self.settings;
        s.repetition_penalty != 1.0 || s.presence_penalty != 0.0 || s.frequency_penalty != 0.0
    }

    /// Applies bias and penalties in place.
    fn shape(&self, logits: &mut [f32]) {
        let s = &self.settings;
        for (token, bias) in &s.logit_bias {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit += bias;
            }
        }
        for (token, count) in &self.seen {
            let Some(logit) = logits.get_mut(*token as usize) else { continue };
            if s.repetition_penalty != 1.0 {
                *logit =
                    if *logit > 0.0 { *logit / s.repetition_penalty } else { *logit * s.repetition_penalty };
            }
            if *count > 0 {
                *logit -= s.presence_penalty + s.frequency_penalty * *count as f32;
            }
        }
    }

    /// Draws by the weights of what the filters leave.
    fn draw(&mut self, logits: &[f32], best: u32, scratch: &mut Scratch) -> u32 {
        let s = &self.settings;
        let max = logits[best as usize];
        if !max.is_finite() {
            return best;
        }
        let total = scratch.weights.fill(logits, max, s.temperature);
        let point: f64 = self.rng.random();
        if s.min_p <= 0.0 && s.top_k == 0 && s.top_p >= 1.0 {
            return scratch.weights.at(point * total).unwrap_or(best);
        }
        // Tokens lighter than this weigh less than 1 - top_p even all together, so no nucleus needs them.
        let needless = (1.0 - s.top_p) * total as f32 / logits.len() as f32;
        let floor = if s.min_p > 0.0 || s.top_k > 0 { s.min_p } else { needless };
        let kept = &mut scratch.candidates;
        kept.clear();
        kept.extend((0u32..).zip(scratch.weights.all()).filter(|(_, w)| *w >= floor && *w > 0.0));
        if s.top_k > 0 && s.top_k < kept.len() {
            kept.select_nth_unstable_by(s.top_k - 1, by_weight);
            kept.truncate(s.top_k);
        }
        if s.top_p < 1.0 {
            let of =
                if s.min_p > 0.0 || s.top_k > 0 { kept.iter().map(|(_, w)| w).sum() } else { total as f32 };
            keep_nucleus(kept, s.top_p * of);
        }
        let mut left = point * kept.iter().map(|(_, w)| f64::from(*w)).sum::<f64>();
        for (id, weight) in kept.iter() {
            left -= f64::from(*weight);
            if left < 0.0 {
                return *id;
            }
        }
        kept.last().map_or(best, |(id, _)| *id)
    }
}

/// Larger weights first, and the lower token among equals.
fn by_weight(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Keeps the fewest likeliest candidates whose weights make up `goal`. Usually a few dozen do, so the likeliest are
/// picked out and sorted in growing portions, and the long tail never is.
fn keep_nucleus(kept: &mut Vec<(u32, f32)>, goal: f32) {
    let mut portion = 64;
    loop {
        let n = portion.min(kept.len());
        if n < kept.len() {
            kept.select_nth_unstable_by(n, by_weight);
        }
        kept[..n].sort_unstable_by(by_weight);
        let mut sum = 0.0;
        let enough = kept[..n].iter().position(|(_, w)| {
            sum += w;
            sum >= goal
        });
        match enough {
            Some(last) => return kept.truncate(last + 1),
            None if n == kept.len() => return,
            None => portion *= 8,
        }
    }
}

/// The index of the largest value, the first one among equals. Values that are not numbers never win.
pub fn argmax(logits: &[f32]) -> u32 {
    // Eight running maxima let the compiler use vector registers; finding the place is a second, short scan.
    const LANES: usize = 8;
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = logits.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    let max = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    logits.iter().position(|value| *value == max).unwrap_or(0) as u32
}

/// The `n` largest logits, largest first.
fn top_n(logits: &[f32], n: usize, scratch: &mut Scratch) -> Vec<(u32, f32)> {
    if n == 0 {
        return Vec::new();
    }
    let all = &mut scratch.candidates;
    all.clear();
    all.extend((0u32..).zip(logits.iter().copied()));
    if n < all.len() {
        all.select_nth_unstable_by(n - 1, by_weight);
        all.truncate(n);
    }
    all.sort_unstable_by(by_weight);
    all.clone()
}

/// The logarithm of the sum of exponentials: turns logits into log probabilities.
#[derive(Debug, Clone, Copy)]
pub struct LogSumExp(f64);

impl LogSumExp {
    /// Of one row of logits.
    pub fn of(logits: &[f32]) -> LogSumExp {
        let max = logits.get(argmax(logits) as usize).copied().unwrap_or(0.0);
        let sum: f64 = logits.iter().map(|logit| f64::from((logit - max).exp())).sum();
        LogSumExp(f64::from(max) + sum.ln())
    }

    /// The log probability of a token with this logit.
    pub fn log_probability(self, logit: f32) -> f32 {
        (f64::from(logit) - self.0) as f32
    }
}
