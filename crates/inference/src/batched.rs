//! Answers that are computed beside each other: are they as good as computed alone?
//!
//! With 8-bit activations the logits of a row are rounded a little differently beside other rows, so texts are not
//! compared but what the model thinks of each next word, and how well it foresees a text.

use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward as _, LogitsWanted};
use crate::kv::BLOCK;
use crate::profile::LEAST;
use crate::sampler::{LogSumExp, argmax};
use crate::score::kl_divergence;
use crate::{decoder, load, providers, runtime};
use std::path::Path;

/// Tokens of a row that are there before the comparison begins, as a prompt is.
const PROMPT: usize = 48;

/// How rows of a batch differ from the same rows alone; means over all tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Together {
    /// Rows in the batch.
    pub rows: usize,
    /// Tokens compared.
    pub tokens: usize,
    /// Perplexity of the text, each row alone.
    pub perplexity_alone: f64,
    /// Perplexity of the text, the rows together.
    pub perplexity: f64,
    /// Divergence from alone to together, in nats.
    pub kl: f64,
    /// How often the likeliest next token is the same.
    pub same_first: f64,
}

/// Computes `steps` tokens in each of `rows` rows, the rows together and each alone, as the engine of `config` would. The
/// rows begin at different places of `text`, which is read in circles.
pub fn together(
    dir: &Path,
    config: &EngineConfig,
    text: &str,
    rows: usize,
    steps: usize,
) -> Result<Together, EngineError> {
    let pack = load::open_pack(dir)?;
    let environment = runtime::load(&config.ort_library)?;
    let tokenizer = load::tokenizer(&pack)?;
    let text = tokenizer.encode_fast(text, false).map_err(|e| EngineError::Tokenizer(e.to_string()))?;
    let text = text.get_ids();
    if text.len() < PROMPT || rows == 0 || steps == 0 {
        return Err(EngineError::Missing(format!(
            "a comparison needs rows, steps, and a text of at least {PROMPT} tokens"
        )));
    }
    // The second half of the rows computes alone.
    let capacity = (PROMPT + steps + 1).next_multiple_of(BLOCK).max(LEAST);
    let config = EngineConfig { slots: 2 * rows, capacity, ..config.clone() };
    let mut runner = decoder::open(&environment, &pack, &config, providers::CPU, &tokenizer)?.runner;
    let at = |row: usize, position: usize| text[(row * text.len() / rows + position) % text.len()];
    for row in 0..rows {
        let prompt: Vec<u32> = (0..PROMPT).map(|i| at(row, i)).collect();
        for slot in [row, rows + row] {
            runner.prefill(slot, 0, &prompt, 0, LogitsWanted::None)?;
        }
    }
    let vocab = runner.vocab();
    let (mut alone, mut beside) = (0.0, 0.0);
    let mut result = Together { rows, tokens: rows * steps, ..Together::default() };
    for position in PROMPT..PROMPT + steps {
        let inputs: Vec<_> =
            (0..rows).map(|row| Some(DecodeInput::base(at(row, position), position))).collect();
        let batch = runner.decode(&inputs)?.to_vec();
        for (row, together) in batch.chunks_exact(vocab).enumerate() {
            let token = [at(row, position)];
            let single = runner.prefill(rows + row, position, &token, 0, LogitsWanted::Last)?;
            let next = at(row, position + 1) as usize;
            alone -= foreseen(single, next);
            beside -= foreseen(together, next);
            result.kl += kl_divergence(single, together);
            result.same_first += f64::from(u8::from(argmax(single) == argmax(together)));
        }
    }
    let count = result.tokens as f64;
    result.perplexity_alone = (alone / count).exp();
    result.perplexity = (beside / count).exp();
    result.kl /= count;
    result.same_first /= count;
    Ok(result)
}

fn foreseen(logits: &[f32], token: usize) -> f64 {
    let logit = logits.get(token).copied().unwrap_or(f32::NEG_INFINITY);
    f64::from(LogSumExp::of(logits).log_probability(logit))
}
