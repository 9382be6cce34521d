//! How well documents fit a question: a cross-encoder on ONNX Runtime, graph contract version 1.
//!
//! Question and document are read together, so a score sees more than the angle of two vectors, and costs a run for
//! each document. Pairs are computed in batches, sorted by length; a document that is too long is cut, never the question.

use crate::error::EngineError;
use crate::forward::ForwardError;
use banyan_modelpack::graph::contract;
use ort::session::Session;
use ort::value::Tensor;
use tokenizers::{Encoding, Tokenizer, TruncationParams, TruncationStrategy};

/// Pairs of a batch.
const BATCH: usize = 16;

/// Most tokens of a batch with its padding: bounds the memory of one run.
const BATCH_TOKENS: usize = 4096;

/// A loaded cross-encoder.
pub struct Reranker {
    session: Session,
    tokenizer: Tokenizer,
    max_tokens: usize,
}

/// What [`Reranker::score`] gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// One score a document, in the order of the documents: 0 has nothing to do with the question, 1 answers it.
    pub scores: Vec<f32>,
    /// Tokens that were read.
    pub tokens: usize,
}

impl Reranker {
    /// Puts a session and its tokenizer together. `max_tokens` is what the model can read.
    pub fn new(
        session: Session,
        mut tokenizer: Tokenizer,
        model: &str,
        max_tokens: usize,
    ) -> Result<Reranker, EngineError> {
        let missing = |what: &str, name: &str| EngineError::Contract {
            model: model.to_owned(),
            reason: format!("its graph has no {what} \"{name}\""),
        };
        for name in [contract::INPUT_IDS, contract::ATTENTION_MASK, contract::TOKEN_TYPES] {
            if !session.inputs().iter().any(|i| i.name() == name) {
                return Err(missing("input", name));
            }
        }
        if !session.outputs().iter().any(|o| o.name() == contract::SCORE) {
            return Err(missing("output", contract::SCORE));
        }
        let failed = |e: tokenizers::Error| EngineError::Tokenizer(e.to_string());
        let truncation = TruncationParams {
            max_length: max_tokens,
            strategy: TruncationStrategy::OnlySecond,
            ..TruncationParams::default()
        };
        tokenizer.with_truncation(Some(truncation)).map_err(failed)?.with_padding(None);
        Ok(Reranker { session, tokenizer, max_tokens })
    }

    /// Scores every document against the question. `go_on` is asked between batches; when it says no, what is done is
    /// thrown away.
    pub fn score(
        &mut self,
        query: &str,
        documents: &[String],
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Scored>, EngineError> {
        let pairs = self.pairs(query, documents)?;
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by_key(|i| pairs[*i].len());
        let mut scores = vec![0.0; pairs.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            if !go_on() {
                return Ok(None);
            }
            let most = rest.len().min(BATCH);
            let fits = |n: &usize| *n == 1 || n * pairs[rest[n - 1]].len() <= BATCH_TOKENS;
            let (batch, later) = rest.split_at((1..=most).take_while(fits).last().unwrap_or(1));
            self.run(batch, &pairs, &mut scores)?;
            rest = later;
        }
        Ok(Some(Scored { scores, tokens: pairs.iter().map(Encoding::len).sum() }))
    }

    fn pairs(&self, query: &str, documents: &[String]) -> Result<Vec<Encoding>, EngineError> {
        // The tokenizer's own cutting fails on a question that leaves no room; that deserves better words.
        let bare = self.tokenizer.encode_fast(query, false);
        let question = bare.map_err(|e| EngineError::Tokenizer(e.to_string()))?.len();
        if question + 8 > self.max_tokens {
            return Err(EngineError::Tokenizer(format!(
                "the question has {question} tokens, and this model reads {} of question and document together; \
                 shorten the question",
                self.max_tokens
            )));
        }
        let encode = |document: &String| {
            self.tokenizer
                .encode((query, document.as_str()), true)
                .map_err(|e| EngineError::Tokenizer(e.to_string()))
        };
        documents.iter().map(encode).collect()
    }

    fn run(&mut self, batch: &[usize], pairs: &[Encoding], out: &mut [f32]) -> Result<(), EngineError> {
        let failed = |e: ort::Error| EngineError::Forward(ForwardError::Run(e.to_string()));
        let (rows, width) = (batch.len(), batch.iter().map(|i| pairs[*i].len()).max().unwrap_or(0).max(1));
        let mut tensors = [const { Vec::new() }; 3];
        for tensor in &mut tensors {
            *tensor = vec![0i64; rows * width];
        }
        let [tokens, types, mask] = &mut tensors;
        for (row, i) in batch.iter().enumerate() {
            let pair = &pairs[*i];
            for (at, (id, kind)) in pair.get_ids().iter().zip(pair.get_type_ids()).enumerate() {
                tokens[row * width + at] = i64::from(*id);
                types[row * width + at] = i64::from(*kind);
                mask[row * width + at] = 1;
            }
        }
        let [tokens, types, mask] = tensors.map(|values| Tensor::from_array(([rows, width], values)));
        let inputs = ort::inputs![
            contract::INPUT_IDS => tokens.map_err(failed)?,
            contract::TOKEN_TYPES => types.map_err(failed)?,
            contract::ATTENTION_MASK => mask.map_err(failed)?,
        ];
        let outputs = self.session.run(inputs).map_err(failed)?;
        let (_, logits) = outputs[contract::SCORE].try_extract_tensor::<f32>().map_err(failed)?;
        for (i, logit) in batch.iter().zip(logits) {
            out[*i] = 1.0 / (1.0 + (-logit).exp());
        }
        Ok(())
    }
}
