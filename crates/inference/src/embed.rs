//! Texts to vectors: an encoder on ONNX Runtime, graph contract version 1.
//!
//! Texts are cut to what the model can read (as every embedding service does; the cut is reported), sorted by length
//! and computed in batches, so that short texts do not pay for a long one beside them.

use crate::error::EngineError;
use banyan_modelpack::graph::contract;
use ort::session::Session;
use ort::value::Tensor;
use tokenizers::{Tokenizer, TruncationParams};

/// Texts of a batch.
const BATCH: usize = 16;

/// Most tokens of a batch with its padding: bounds the memory of one run.
const BATCH_TOKENS: usize = 4096;

/// A loaded encoder.
pub struct Embedder {
    session: Session,
    tokenizer: Tokenizer,
    max_tokens: usize,
    vocab: u32,
}

/// What [`Embedder::embed`] gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One vector a text, in the order of the texts, each of length 1.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that were read.
    pub tokens: usize,
}

/// What to embed.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbedInput {
    /// A text.
    Text(String),
    /// Token ids, as they are.
    Tokens(Vec<u32>),
}

impl Embedder {
    /// Puts a session and its tokenizer together. `max_tokens` is what the model can read.
    pub fn new(
        session: Session,
        mut tokenizer: Tokenizer,
        model: &str,
        max_tokens: usize,
    ) -> Result<Embedder, EngineError> {
        let missing = |what: &str, name: &str| EngineError::Contract {
            model: model.to_owned(),
            reason: format!("its graph has no {what} \"{name}\""),
        };
        for name in [contract::INPUT_IDS, contract::ATTENTION_MASK] {
            if !session.inputs().iter().any(|i| i.name() == name) {
                return Err(missing("input", name));
            }
        }
        if !session.outputs().iter().any(|o| o.name() == contract::EMBEDDING) {
            return Err(missing("output", contract::EMBEDDING));
        }
        let truncation = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|e| EngineError::Tokenizer(e.to_string()))?
            .with_padding(None);
        let vocab = tokenizer.get_vocab_size(true) as u32;
        Ok(Embedder { session, tokenizer, max_tokens, vocab })
    }

    /// Embeds the inputs. `go_on` is asked between batches; when it says no, what is done is thrown away.
    pub fn embed(
        &mut self,
        inputs: &[EmbedInput],
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Embedded>, EngineError> {
        let ids = inputs.iter().map(|input| self.tokens(input)).collect::<Result<Vec<_>, _>>()?;
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|i| ids[*i].len());
        let mut vectors = vec![Vec::new(); ids.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            if !go_on() {
                return Ok(None);
            }
            let (batch, later) = rest.split_at(batch_len(rest, &ids));
            self.run(batch, &ids, &mut vectors)?;
            rest = later;
        }
        Ok(Some(Embedded { vectors, tokens: ids.iter().map(Vec::len).sum() }))
    }

    fn tokens(&self, input: &EmbedInput) -> Result<Vec<u32>, EngineError> {
        match input {
            EmbedInput::Text(text) => {
                let encoding = self
                    .tokenizer
                    .encode_fast(text.as_str(), true)
                    .map_err(|e| EngineError::Tokenizer(e.to_string()))?;
                Ok(encoding.get_ids().to_vec())
            }
            EmbedInput::Tokens(tokens) => match tokens.iter().find(|token| **token >= self.vocab) {
                Some(token) => Err(EngineError::Tokenizer(format!(
                    "the model has no token {token}; its tokens go from 0 to {}",
                    self.vocab - 1
                ))),
                None => Ok(tokens[..tokens.len().min(self.max_tokens)].to_vec()),
            },
        }
    }

    fn run(&mut self, batch: &[usize], ids: &[Vec<u32>], out: &mut [Vec<f32>]) -> Result<(), EngineError> {
        let failed = |e: ort::Error| EngineError::Forward(crate::forward::ForwardError::Run(e.to_string()));
        let (rows, width) = (batch.len(), batch.iter().map(|i| ids[*i].len()).max().unwrap_or(0).max(1));
        let mut tokens = vec![0i64; rows * width];
        let mut mask = vec![0i64; rows * width];
        for (row, i) in batch.iter().enumerate() {
            for (at, token) in ids[*i].iter().enumerate() {
                tokens[row * width + at] = i64::from(*token);
                mask[row * width + at] = 1;
            }
        }
        let tokens = Tensor::from_array(([rows, width], tokens)).map_err(failed)?;
        let mask = Tensor::from_array(([rows, width], mask)).map_err(failed)?;
        let outputs = self
            .session
            .run(ort::inputs![contract::INPUT_IDS => tokens, contract::ATTENTION_MASK => mask])
            .map_err(failed)?;
        let (_, vectors) = outputs[contract::EMBEDDING].try_extract_tensor::<f32>().map_err(failed)?;
        for (i, vector) in batch.iter().zip(vectors.chunks_exact(vectors.len() / rows)) {
            out[*i] = vector.to_vec();
        }
        Ok(())
    }
}

/// How many of the texts that come next, sorted by length, go into one batch.
fn batch_len(order: &[usize], ids: &[Vec<u32>]) -> usize {
    (1..order.len().min(BATCH))
        .find(|n| (n + 1) * ids[order[*n]].len() > BATCH_TOKENS)
        .unwrap_or(order.len().min(BATCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_at_its_number_of_texts_or_of_tokens() {
        let lens = |lens: &[usize]| lens.iter().map(|n| vec![0; *n]).collect::<Vec<_>>();
        let order: Vec<usize> = (0..40).collect();
        assert_eq!(batch_len(&order, &lens(&[8; 40])), BATCH);
        assert_eq!(batch_len(&order[..3], &lens(&[8; 40])), 3);
        assert_eq!(batch_len(&order, &lens(&[2000; 40])), 2);
        assert_eq!(batch_len(&order, &lens(&[9000; 40])), 1, "one text always goes");
    }
}
