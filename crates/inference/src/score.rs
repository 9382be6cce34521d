//! A model without sampling: all positions' logits of a text, for parity, KL divergence and perplexity.

use crate::config::EngineConfig;
use crate::decoder::{self, Decoder};
use crate::error::EngineError;
use crate::forward::{Forward as _, LogitsWanted};
use crate::runner::OrtRunner;
use crate::sampler::LogSumExp;
use crate::{load, providers};
use std::path::Path;
use tokenizers::Tokenizer;

/// Positions computed at a time: bounds the logits in memory (64 × 49 152 × 4 bytes = 12 MiB for the starter model).
const CHUNK: usize = 64;

/// How a model is opened for measuring.
#[derive(Debug, Clone)]
pub struct ScoreOptions<'a> {
    /// ONNX Runtime's shared library.
    pub ort_library: &'a Path,
    /// Threads of a run.
    pub threads: usize,
    /// Tokens of a window; 0 takes the model's own context, up to 2048.
    pub window: usize,
    /// Whether keys and values are kept in 8 bits where the pack can, as the engine keeps them when memory is short.
    pub kv8: bool,
}

/// A decoder opened for measuring.
pub struct Scorer {
    runner: OrtRunner,
    tokenizer: Tokenizer,
    bos: Option<u32>,
    /// Positions computed at a time.
    chunk: usize,
    window: usize,
}

/// How well a model foresees a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perplexity {
    /// The exponential of the mean negative log probability of a token.
    pub perplexity: f64,
    /// Tokens that were foreseen.
    pub tokens: usize,
}

impl Scorer {
    /// Opens the pack in `dir` on the CPU.
    pub fn open(dir: &Path, options: &ScoreOptions<'_>) -> Result<Scorer, EngineError> {
        let pack = load::open_pack(dir)?;
        let environment = crate::runtime::load(options.ort_library)?;
        let window = if options.window == 0 { 2048 } else { options.window };
        let tokenizer = load::tokenizer(&pack)?;
        // As many rows as positions of a chunk: the logits of both have the same room.
        let config = EngineConfig {
            threads: options.threads.max(1),
            spin: true,
            slots: CHUNK,
            capacity: window,
            kv8: Some(options.kv8),
            ..EngineConfig::default()
        };
        let Decoder { runner, plan, .. } =
            decoder::open(&environment, &pack, &config, providers::CPU, &tokenizer)?;
        let manifest = pack.manifest();
        let bos = manifest.tokenizer.bos.filter(|_| manifest.tokenizer.add_bos);
        let (chunk, window) = (plan.layout.slots, plan.layout.capacity);
        Ok(Scorer { runner, tokenizer, bos, chunk, window })
    }

    /// The tokens of a text, without a begin token.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let encoding =
            self.tokenizer.encode_fast(text, false).map_err(|e| EngineError::Tokenizer(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The logits after each of `tokens`, which must fit one window; row `i` foresees token `i + 1`. `each` gets them
    /// one after the other.
    pub fn each_logits(
        &mut self,
        tokens: &[u32],
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        let vocab = self.runner.vocab();
        for (n, chunk) in tokens.chunks(self.chunk).enumerate() {
            let logits = self.runner.prefill(0, n * self.chunk, chunk, 0, LogitsWanted::All)?;
            for (i, row) in logits.chunks_exact(vocab).enumerate() {
                each(n * self.chunk + i, row);
            }
        }
        Ok(())
    }

    /// [`Scorer::each_logits`] as one matrix `[tokens, vocab]`.
    pub fn logits_for(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        let mut all = Vec::with_capacity(tokens.len() * self.runner.vocab());
        self.each_logits(tokens, |_, row| all.extend_from_slice(row))?;
        Ok(all)
    }

    /// Perplexity of a text, in windows that do not overlap. Within a window each token but the first is foreseen
    /// from all before it; a model that wants a begin token gets one in each window.
    pub fn perplexity(&mut self, text: &str) -> Result<Perplexity, EngineError> {
        let tokens = self.tokens(text)?;
        let bos = self.bos;
        let (mut sum, mut count) = (0.0f64, 0usize);
        for part in tokens.chunks((self.window - 1).max(2)) {
            let window: Vec<u32> = bos.iter().chain(part).copied().collect();
            let rows = window.len() - 1;
            self.each_logits(&window[..rows], |i, row| {
                let logit = row.get(window[i + 1] as usize).copied().unwrap_or(f32::NEG_INFINITY);
                sum -= f64::from(LogSumExp::of(row).log_probability(logit));
                count += 1;
            })?;
        }
        if count == 0 {
            return Err(EngineError::Missing("a perplexity needs a text of at least two tokens".into()));
        }
        Ok(Perplexity { perplexity: (sum / count as f64).exp(), tokens: count })
    }
}

/// Perplexity of a text under the pack in `dir`; see [`Scorer::perplexity`].
pub fn perplexity(dir: &Path, options: &ScoreOptions<'_>, text: &str) -> Result<Perplexity, EngineError> {
    Scorer::open(dir, options)?.perplexity(text)
}

/// The Kullback-Leibler divergence, in nats, of two rows of logits: how much is lost by using `other` for `truth`.
pub fn kl_divergence(truth: &[f32], other: &[f32]) -> f64 {
    let (p_norm, q_norm) = (LogSumExp::of(truth), LogSumExp::of(other));
    truth
        .iter()
        .zip(other)
        .map(|(p, q)| {
            let (p, q) = (f64::from(p_norm.log_probability(*p)), f64::from(q_norm.log_probability(*q)));
            p.exp() * (p - q)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_nothing_between_equals_and_more_the_farther_apart() {
        let p = [1.0, 2.0, 3.0];
        assert!(kl_divergence(&p, &p).abs() < 1e-9);
        assert!(kl_divergence(&p, &[2.0, 3.0, 4.0]).abs() < 1e-6, "a shift of all logits changes nothing");
        let near = kl_divergence(&p, &[1.1, 2.0, 3.0]);
        let far = kl_divergence(&p, &[3.0, 2.0, 1.0]);
        assert!(near > 0.0 && far > near);
    }
}
