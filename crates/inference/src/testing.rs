//! What tests of several modules share: a tokenizer of bytes and a simulated model.

use crate::forward::{DecodeInput, Forward, ForwardError, LogitsWanted, VerifyInput};
use crate::kv::BLOCK;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

/// Ends a turn in the byte vocabulary.
pub(crate) const EOS: u32 = 256;
/// Tokens of the byte vocabulary: 256 bytes and one that ends a turn.
pub(crate) const VOCAB: usize = 257;

/// A tokenizer whose tokens are bytes, token `n` being byte `n`.
pub(crate) fn byte_tokenizer() -> Arc<Tokenizer> {
    let printable = |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || (174..=255).contains(&b);
    let mut other = 256;
    let vocab: [(String, u32); 256] = std::array::from_fn(|byte| {
        let byte = byte as u32;
        let code = if printable(byte) { byte } else { other };
        other += u32::from(!printable(byte));
        (char::from_u32(code).unwrap().to_string(), byte)
    });
    let bpe = BPE::builder().vocab_and_merges(vocab, vec![]).build().unwrap();
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, false)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer.add_special_tokens([AddedToken::from("<end>", true)]).unwrap();
    assert_eq!(tokenizer.token_to_id("<end>"), Some(EOS));
    Arc::new(tokenizer)
}

/// What a [`ScriptedModel`] was asked to do, for tests to look at.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) runs: usize,
    pub(crate) moves: usize,
    pub(crate) widest: usize,
    /// Prompt tokens computed, blocks restored, rows given back, and guessed tokens verified.
    pub(crate) prefilled: usize,
    pub(crate) restored: usize,
    pub(crate) released: usize,
    pub(crate) verified: usize,
}

/// A model of paper. Its rows remember which tokens they hold, so a wrong row, position or move is an error and not
/// just another text. It continues a prompt `…\nX` with the answer its script has for `X`, else repeats the alphabet.
pub(crate) struct ScriptedModel {
    rows: Vec<Vec<u32>>,
    prompts: Vec<usize>,
    capacity: usize,
    script: BTreeMap<String, Vec<u8>>,
    blocks: BTreeMap<usize, Vec<u32>>,
    verify_tokens: usize,
    logits: Vec<f32>,
    pub(crate) record: Arc<Mutex<Record>>,
    pub(crate) step_time: Duration,
    pub(crate) fail_at_run: Option<usize>,
}

impl ScriptedModel {
    pub(crate) fn new(slots: usize, capacity: usize, script: &[(&str, &str)]) -> ScriptedModel {
        ScriptedModel {
            rows: vec![Vec::new(); slots],
            prompts: vec![0; slots],
            capacity,
            script: script.iter().map(|(q, a)| ((*q).to_owned(), a.as_bytes().to_vec())).collect(),
            blocks: BTreeMap::new(),
            verify_tokens: 0,
            logits: Vec::new(),
            record: Arc::default(),
            step_time: Duration::ZERO,
            fail_at_run: None,
        }
    }

    /// The same model, which verifies up to `tokens` tokens at once.
    pub(crate) fn verifying(self, tokens: usize) -> ScriptedModel {
        ScriptedModel { verify_tokens: tokens, ..self }
    }

    fn next(&self, row: usize) -> u32 {
        let text: Vec<u8> = self.rows[row].iter().map(|t| *t as u8).collect();
        // The question and as much of its answer as there is may stand in a row that was computed at once.
        for (question, answer) in &self.script {
            for at in (0..=answer.len()).rev() {
                let said = [question.as_bytes(), &answer[..at]].concat();
                let before = text.strip_suffix(said.as_slice());
                if before.is_some_and(|before| before.is_empty() || before.ends_with(b"\n")) {
                    return answer.get(at).map_or(EOS, |b| u32::from(*b));
                }
            }
        }
        let at = self.rows[row].len() - self.prompts[row];
        u32::from(b'a') + (at % 26) as u32
    }

    fn count(&mut self, rows: usize) -> Result<(), ForwardError> {
        std::thread::sleep(self.step_time);
        let mut record = self.record.lock().unwrap();
        record.runs += 1;
        record.widest = record.widest.max(rows);
        match self.fail_at_run {
            Some(n) if n == record.runs => Err(ForwardError::Run("the paper tore".into())),
            _ => Ok(()),
        }
    }
}

impl Forward for ScriptedModel {
    fn vocab(&self) -> usize {
        VOCAB
    }

    fn prefill(
        &mut self,
        slot: usize,
        past: usize,
        tokens: &[u32],
        _adapter: u32,
        wanted: LogitsWanted,
    ) -> Result<&mut [f32], ForwardError> {
        self.count(1)?;
        self.rows[slot].truncate(past);
        assert_eq!(self.rows[slot].len(), past, "a chunk continues where the last one ended");
        self.rows[slot].extend(tokens);
        self.record.lock().unwrap().prefilled += tokens.len();
        self.prompts[slot] = self.rows[slot].len();
        assert!(self.rows[slot].len() <= self.capacity);
        self.logits = vec![0.0; VOCAB];
        if wanted == LogitsWanted::Last {
            let next = self.next(slot);
            self.logits[next as usize] = 20.0;
        }
        Ok(&mut self.logits)
    }

    fn decode(&mut self, rows: &[Option<DecodeInput>]) -> Result<&mut [f32], ForwardError> {
        self.count(rows.iter().flatten().count())?;
        self.logits = vec![0.0; VOCAB * rows.len()];
        for (slot, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            self.rows[slot].truncate(row.past);
            assert_eq!(self.rows[slot].len(), row.past, "a row decodes over its own past");
            self.rows[slot].push(row.token);
            assert!(self.rows[slot].len() <= self.capacity);
            let next = self.next(slot);
            self.logits[slot * VOCAB + next as usize] = 20.0;
        }
        Ok(&mut self.logits)
    }

    fn move_row(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ForwardError> {
        self.record.lock().unwrap().moves += 1;
        self.rows[to] = self.rows[from][..tokens].to_vec();
        self.prompts[to] = self.prompts[from];
        Ok(())
    }

    fn verify(&mut self, rows: &[Option<VerifyInput<'_>>]) -> Result<&mut [f32], ForwardError> {
        self.count(rows.iter().flatten().count())?;
        self.logits.clear();
        for (slot, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            self.rows[slot].truncate(row.past);
            assert_eq!(self.rows[slot].len(), row.past, "a row decodes over its own past");
            for token in row.tokens {
                self.rows[slot].push(*token);
                let next = self.next(slot);
                self.logits.extend((0..VOCAB as u32).map(|t| if t == next { 20.0 } else { 0.0 }));
            }
            assert!(self.rows[slot].len() <= self.capacity);
            self.record.lock().unwrap().verified += row.tokens.len() - 1;
        }
        Ok(&mut self.logits)
    }

    fn verify_tokens(&self) -> usize {
        self.verify_tokens
    }

    fn save(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError> {
        self.blocks.insert(block, self.rows[slot][..start + BLOCK].to_vec());
        Ok(())
    }

    fn restore(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError> {
        if start == 0 {
            self.rows[slot].clear();
        }
        self.rows[slot].truncate(start);
        let kept = &self.blocks[&block];
        assert_eq!(self.rows[slot], kept[..start], "a block continues the text it was computed after");
        self.rows[slot].extend(&kept[start..]);
        self.record.lock().unwrap().restored += 1;
        Ok(())
    }

    fn release(&mut self, slot: usize) {
        self.rows[slot].clear();
        self.record.lock().unwrap().released += 1;
    }
}
