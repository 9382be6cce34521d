//! The model's vocabulary as llguidance sees it: a tree of bytes.

use llguidance::toktrie::{INVALID_TOKEN, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use std::sync::Arc;
use tokenizers::{DecoderWrapper, Tokenizer};

/// How a tokenizer writes bytes as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Each byte as a printable character, as GPT-2's.
    ByteLevel,
    /// Text with a sign for the space, and `<0x0A>` for bytes that are no text, as SentencePiece's.
    ByteFallback(char),
}

/// Tokens as bytes, and the tokenizer to write forced texts as the model is used to see them.
pub(super) struct Vocabulary {
    tokenizer: Arc<Tokenizer>,
    trie: TokTrie,
}

impl Vocabulary {
    /// The reason is for an error's text.
    pub(super) fn new(tokenizer: Arc<Tokenizer>, eos: &[u32]) -> Result<Vocabulary, String> {
        let writing = tokenizer.get_decoder().and_then(writing).ok_or("its decoder is of an unknown kind")?;
        let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id + 1);
        let added = tokenizer.get_added_tokens_decoder();
        let characters = Characters::new();
        let words = (0..size).map(|id| {
            let Some(text) = tokenizer.id_to_token(id) else { return Vec::new() };
            match added.get(&id) {
                Some(token) if token.special => {
                    [&[TokTrie::SPECIAL_TOKEN_MARKER], token.content.as_bytes()].concat()
                }
                Some(token) => token.content.clone().into_bytes(),
                None => characters.bytes(&text, writing),
            }
        });
        let words: Vec<Vec<u8>> = words.collect();
        let eos: Vec<u32> = eos.iter().copied().filter(|id| *id < size).collect();
        let info = TokRxInfo::new(size, eos.first().copied().unwrap_or(INVALID_TOKEN));
        let trie = TokTrie::from(&info, &words);
        let trie = if eos.len() > 1 { trie.with_eos_tokens(&eos) } else { trie };
        Ok(Vocabulary { tokenizer, trie })
    }

    pub(super) fn into_env(self) -> TokEnv {
        Arc::new(self)
    }
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        let usual =
            std::str::from_utf8(bytes).ok().and_then(|text| self.tokenizer.encode_fast(text, false).ok());
        match usual {
            // A tokenizer may put a space before a text or read a special token into it: then it is not this text.
            Some(encoding)
                if encoding.get_ids().iter().all(|id| !self.trie.is_special_token(*id))
                    && self.trie.decode_raw(encoding.get_ids()) == bytes =>
            {
                encoding.get_ids().to_vec()
            }
            _ => self.trie.greedy_tokenize(bytes),
        }
    }
}

fn writing(decoder: &DecoderWrapper) -> Option<Writing> {
    match decoder {
        DecoderWrapper::ByteLevel(_) => Some(Writing::ByteLevel),
        DecoderWrapper::ByteFallback(_) => Some(Writing::ByteFallback('▁')),
        DecoderWrapper::Sequence(parts) => {
            let parts = parts.get_decoders();
            let kind = parts.iter().find_map(writing)?;
            let sign = parts.iter().find_map(space_sign);
            Some(match (kind, sign) {
                (Writing::ByteFallback(_), Some(sign)) => Writing::ByteFallback(sign),
                (kind, _) => kind,
            })
        }
        _ => None,
    }
}

/// What a decoder replaces by a space.
fn space_sign(decoder: &DecoderWrapper) -> Option<char> {
    let DecoderWrapper::Replace(replace) = decoder else { return None };
    let json = serde_json::to_value(replace).ok().filter(|json| json["content"] == " ")?;
    let mut pattern = json["pattern"]["String"].as_str()?.chars();
    pattern.next().filter(|_| pattern.next().is_none())
}

/// GPT-2's characters for bytes.
struct Characters([char; 256]);

impl Characters {
    fn new() -> Characters {
        let mut other = 0x100;
        Characters(std::array::from_fn(|byte| {
            let byte = byte as u8;
            if matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) {
                return char::from(byte);
            }
            other += 1;
            char::from_u32(other - 1).unwrap_or_default()
        }))
    }

    /// The bytes of a token; none when it is not written in its vocabulary's way, and then it is never allowed.
    fn bytes(&self, text: &str, writing: Writing) -> Vec<u8> {
        match writing {
            Writing::ByteLevel => {
                let byte = |c: char| match c {
                    '!'..='~' | '\u{A1}'..='\u{AC}' | '\u{AE}'..='\u{FF}' => u8::try_from(u32::from(c)).ok(),
                    _ => self.0.iter().position(|known| *known == c).and_then(|at| u8::try_from(at).ok()),
                };
                text.chars().map(byte).collect::<Option<_>>().unwrap_or_default()
            }
            Writing::ByteFallback(space) => {
                let hex = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
                match hex.filter(|hex| hex.len() == 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    Some(byte) => vec![byte],
                    None => text.replace(space, " ").into_bytes(),
                }
            }
        }
    }
}
