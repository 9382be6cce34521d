//! Tokenizers as Hugging Face's `tokenizer.json`, whatever form the source had.
//!
//! A pack's tokenizer is used in two ways: `encode(text, true)` for bare text (adds the begin token exactly when
//! [`TokenizerInfo::add_bos`](crate::manifest::TokenizerInfo::add_bos) says so) and `encode(rendered, false)` for a
//! chat template's output, which writes its own begin token.

mod gguf;
mod hf;

pub use gguf::from_gguf;
pub use hf::from_folder;

use std::panic::AssertUnwindSafe;
use thiserror::Error;
use tokenizers::Tokenizer;

/// Tokens that end a turn in the published chat formats. They count only where the model marks them as control
/// tokens, so that a word of the vocabulary cannot end an answer.
const TURN_ENDS: [&str; 11] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|eot|>",
    "<end_of_turn>",
    "<EOT>",
    "<｜end▁of▁sentence｜>",
    "<|end_of_turn|>",
];

/// Ids are below this; the largest vocabularies in use have 262 144 tokens. The tokenizers library keeps a list of all
/// ids that lie between those of a vocabulary, however far apart they are.
const MAX_TOKENS: u32 = 1 << 20;

/// Why a tokenizer was refused.
#[derive(Debug, Error)]
pub enum TokenizerError {
    /// The data contradicts itself.
    #[error("the tokenizer of {path} is damaged: {what}. Fetch the model again and compare its checksum")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// A kind of tokenizer that Banyan cannot convert.
    #[error("{path}: {what}")]
    Unsupported {
        /// The file.
        path: String,
        /// What is not supported, and the remedy.
        what: String,
    },
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] crate::source::SourceError),
}

/// A tokenizer ready to be written into a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenizerParts {
    /// The contents of `tokenizer.json`.
    pub json: String,
    /// The token that begins a text, when the model has one: id and text.
    pub bos: Option<(u32, String)>,
    /// The token that ends a text, as chat templates spell it.
    pub eos_text: String,
    /// Every id that ends a turn, in rising order.
    pub eos: Vec<u32>,
    /// Whether bare text gets the begin token.
    pub add_bos: bool,
    /// The chat template, when the model has one.
    pub chat_template: Option<String>,
}

/// Parses a `tokenizer.json`.
///
/// The tokenizers library checks most of what it reads and panics on some of the rest (its data is untrusted here,
/// a panic is not acceptable): such a panic is a refusal.
pub(crate) fn parse(json: &[u8], path: &str) -> Result<Tokenizer, TokenizerError> {
    let malformed = |what| TokenizerError::Malformed { path: path.into(), what };
    let tokenizer = std::panic::catch_unwind(AssertUnwindSafe(|| Tokenizer::from_bytes(json)))
        .map_err(|_| malformed("the tokenizers library cannot make sense of it".into()))?
        .map_err(|e| malformed(e.to_string()))?;
    match tokenizer.get_vocab(true).into_iter().find(|(_, id)| *id >= MAX_TOKENS) {
        Some((token, id)) => {
            let token: String = token.escape_debug().take(40).collect();
            Err(malformed(format!(
                "the token `{token}` has the id {id}; ids below {MAX_TOKENS} are accepted"
            )))
        }
        None => Ok(tokenizer),
    }
}

/// Refuses a tokenizer that gives ids beyond the rows of the embedding.
pub(crate) fn check_vocab(parts: &TokenizerParts, rows: usize, path: &str) -> Result<(), TokenizerError> {
    let tokenizer = parse(parts.json.as_bytes(), path)?;
    let highest = tokenizer.get_vocab(true).into_values().chain(parts.eos.iter().copied()).max().unwrap_or(0);
    if highest as usize >= rows {
        let what = format!("its highest token is {highest}, but the model has only {rows} embeddings");
        return Err(TokenizerError::Malformed { path: path.into(), what });
    }
    Ok(())
}
