//! GGUF's tokenizer metadata → `tokenizer.json`.
//!
//! Two kinds: `gpt2` (byte-level BPE, whose pre-tokenizer `tokenizer.ggml.pre` names) and `llama` (SentencePiece BPE
//! with scores and byte fallback, converted as Hugging Face converts it).

use super::{TURN_ENDS, TokenizerError, TokenizerParts};
use crate::source::WeightSource;
use crate::source::gguf::{Gguf, reader::Value};
use serde_json::{Value as Json, json};
use std::collections::HashMap;

/// Bytes of one token. The longest honest tokens are runs of 128 spaces; SentencePiece merges are found in time
/// square to this.
const MAX_TOKEN_BYTES: usize = 512;
/// Merges; the largest vocabulary in use has 514 906.
const MAX_MERGES: usize = 1 << 20;

/// ggml's token types.
const UNKNOWN: u8 = 2;
const CONTROL: u8 = 3;
const USER_DEFINED: u8 = 4;

/// Converts the tokenizer of a GGUF file.
pub fn from_gguf(gguf: &Gguf) -> Result<TokenizerParts, TokenizerError> {
    let tokens = Tokens::read(gguf)?;
    let kind = gguf.text("tokenizer.ggml.model").unwrap_or("none");
    let (json, bos_by_default) = match kind {
        "gpt2" => byte_level(gguf, &tokens)?,
        "llama" => (sentence_piece(gguf, &tokens)?, true),
        other => {
            return Err(unsupported(
                gguf,
                format!(
                    "its tokenizer is of the kind `{}`; Banyan converts `gpt2` and `llama`",
                    other.escape_debug()
                ),
            ));
        }
    };
    let bos = tokens.special(gguf, "bos_token_id")?;
    let eos = tokens.special(gguf, "eos_token_id")?;
    let add_bos = gguf.bool("tokenizer.ggml.add_bos_token").unwrap_or(bos_by_default) && bos.is_some();
    let mut ends: Vec<u32> = tokens.turn_ends();
    for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        ends.extend(tokens.special(gguf, key)?.map(|(id, _)| id));
    }
    ends.sort_unstable();
    ends.dedup();
    let mut json = json;
    if let Some((id, text)) = bos.as_ref().filter(|_| add_bos) {
        json["post_processor"] = begin_with(*id, text);
    }
    let parts = TokenizerParts {
        json: json.to_string(),
        eos_text: eos.map(|(_, text)| text).unwrap_or_default(),
        bos,
        eos: ends,
        add_bos,
        chat_template: gguf.text("tokenizer.chat_template").map(str::to_owned),
    };
    let rows = gguf.info("token_embd.weight").map_or(0, |info| info.rows);
    super::check_vocab(&parts, rows, &gguf.describe())?;
    Ok(parts)
}

/// The vocabulary, checked: bounded texts, no text twice, a type for each.
struct Tokens<'a> {
    texts: &'a [String],
    types: Vec<u8>,
    ids: HashMap<&'a str, u32>,
}

impl<'a> Tokens<'a> {
    fn read(gguf: &'a Gguf) -> Result<Self, TokenizerError> {
        let Some(Value::Texts(texts)) = gguf.value("tokenizer.ggml.tokens") else {
            return Err(malformed(gguf, "it has no `tokenizer.ggml.tokens`"));
        };
        let mut ids = HashMap::with_capacity(texts.len());
        for (id, text) in texts.iter().enumerate() {
            if text.len() > MAX_TOKEN_BYTES {
                let what = format!(
                    "token {id} is {} bytes long; at most {MAX_TOKEN_BYTES} are accepted",
                    text.len()
                );
                return Err(malformed(gguf, what));
            }
            if let Some(first) = ids.insert(text.as_str(), id as u32) {
                return Err(malformed(
                    gguf,
                    format!("tokens {first} and {id} are both `{}`", text.escape_debug()),
                ));
            }
        }
        let types = match gguf.value("tokenizer.ggml.token_type") {
            Some(Value::Numbers(types)) if types.len() == texts.len() => {
                types.iter().map(|&t| t as u8).collect()
            }
            None => vec![1; texts.len()],
            Some(_) => {
                return Err(malformed(
                    gguf,
                    "`tokenizer.ggml.token_type` does not have one number for each token",
                ));
            }
        };
        Ok(Self { texts, types, ids })
    }

    /// The token that `tokenizer.ggml.<key>` names.
    fn special(&self, gguf: &Gguf, key: &str) -> Result<Option<(u32, String)>, TokenizerError> {
        let key = format!("tokenizer.ggml.{key}");
        let Some(id) = gguf.int(&key)? else { return Ok(None) };
        match usize::try_from(id).ok().and_then(|id| self.texts.get(id)) {
            Some(text) => Ok(Some((id as u32, text.clone()))),
            None => Err(malformed(gguf, format!("`{key}` is {id}, beyond its {} tokens", self.texts.len()))),
        }
    }

    fn turn_ends(&self) -> Vec<u32> {
        let ids = TURN_ENDS.iter().filter_map(|text| self.ids.get(text).copied());
        ids.filter(|&id| self.types[id as usize] == CONTROL).collect()
    }

    /// Control, unknown and user-defined tokens are matched in the text before anything else.
    fn added(&self) -> Vec<Json> {
        let added = |(id, (text, kind)): (usize, (&String, &u8))| {
            let special = matches!(*kind, UNKNOWN | CONTROL);
            (special || *kind == USER_DEFINED).then(|| {
                json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": special})
            })
        };
        self.texts
            .iter()
            .zip(&self.types)
            .enumerate()
            .filter_map(added)
            .filter(|token| token["content"] != "")
            .collect()
    }

    fn vocab(&self) -> Json {
        self.texts
            .iter()
            .enumerate()
            .map(|(id, text)| (text.clone(), Json::from(id)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// GPT-2's own pattern, which several families use behind their splitting of digits.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How the models that share a `tokenizer.ggml.pre` split text before BPE.
struct Pre {
    /// Patterns that cut the text one after the other, each piece and each rest on its own.
    patterns: &'static [&'static str],
    /// Unicode composition first, as Qwen's tokenizer does.
    compose: bool,
    /// A word that is itself a token is not merged anew.
    whole_words: bool,
    /// The begin token is added unless the file says otherwise.
    add_bos: bool,
}

fn pre(name: &str) -> Option<Pre> {
    let plain = Pre { patterns: &[GPT2], compose: false, whole_words: false, add_bos: false };
    Some(match name {
        "gpt-2" | "gpt2" | "olmo" | "phi-2" | "jina-en" => plain,
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" => {
            Pre { patterns: &[r"\p{N}", GPT2], ..plain }
        }
        "llama3" | "llama-v3" | "llama-bpe" => {
            Pre { patterns: &[LLAMA3], whole_words: true, add_bos: true, ..plain }
        }
        "qwen2" | "deepseek-r1-qwen" | "megrez" => Pre { patterns: &[QWEN2], compose: true, ..plain },
        "tekken" => Pre { patterns: &[TEKKEN], whole_words: true, add_bos: true, ..plain },
        // What llama.cpp does for files that do not say.
        "default" => Pre {
            patterns: &[
                r"[\p{P}\$\+<=>\^~\|]+",
                r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
                r"\p{N}+",
                r"[0-9][0-9][0-9]",
            ],
            ..plain
        },
        _ => return None,
    })
}

fn byte_level(gguf: &Gguf, tokens: &Tokens<'_>) -> Result<(Json, bool), TokenizerError> {
    let name = gguf.text("tokenizer.ggml.pre").unwrap_or("default");
    let pre = pre(name).ok_or_else(|| {
        unsupported(gguf, format!(
            "its pre-tokenizer is `{}`, which Banyan does not know; a guess would split words wrongly. Take the model \
             as a Hugging Face folder, which carries its own tokenizer.json",
            name.escape_debug()
        ))
    })?;
    let Some(Value::Texts(merges)) = gguf.value("tokenizer.ggml.merges") else {
        return Err(malformed(gguf, "it has no `tokenizer.ggml.merges`"));
    };
    let pairs = merges.iter().enumerate().map(|(i, merge)| match merge.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok(json!([left, right])),
        _ => Err(malformed(gguf, format!("merge {i} is `{}`, not two tokens", merge.escape_debug()))),
    });
    let pairs: Vec<Json> = pairs.collect::<Result<_, _>>()?;
    let mut steps: Vec<Json> = Vec::new();
    for pattern in pre.patterns {
        steps.push(
            json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}),
        );
    }
    steps.push(
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}),
    );
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": tokens.added(),
        "normalizer": pre.compose.then(|| json!({"type": "NFC"})),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": pre.whole_words, "vocab": tokens.vocab(), "merges": pairs},
    });
    Ok((json, pre.add_bos))
}

/// SentencePiece's BPE merges whichever neighbours give the piece with the best score; as ranked merges that is every
/// split of every piece into two pieces, the best piece first.
fn sentence_piece(gguf: &Gguf, tokens: &Tokens<'_>) -> Result<Json, TokenizerError> {
    let scores = match gguf.value("tokenizer.ggml.scores") {
        Some(Value::Numbers(scores)) if scores.len() == tokens.texts.len() => scores,
        _ => return Err(malformed(gguf, "`tokenizer.ggml.scores` does not have one number for each token")),
    };
    if let Some(id) = scores.iter().position(|score| score.is_nan()) {
        return Err(malformed(gguf, format!("the score of token {id} is not a number")));
    }
    let mut merges: Vec<(f32, usize, &str, &str)> = Vec::new();
    for (text, score) in tokens.texts.iter().zip(scores) {
        let mut own: Vec<(u32, u32, usize)> = Vec::new();
        for (at, _) in text.char_indices().skip(1) {
            if let (Some(&left), Some(&right)) = (tokens.ids.get(&text[..at]), tokens.ids.get(&text[at..])) {
                own.push((left, right, at));
            }
        }
        own.sort_unstable();
        merges.extend(
            own.into_iter().map(|(.., at)| (*score, text[..at].chars().count(), &text[..at], &text[at..])),
        );
        if merges.len() > MAX_MERGES {
            return Err(malformed(gguf, format!("its tokens give more than {MAX_MERGES} merges")));
        }
    }
    // As Hugging Face's converter orders them: score, then the length of the left and of the right part, all falling.
    merges.sort_by(|a, b| {
        let right = |merge: &(f32, usize, &str, &str)| merge.3.chars().count();
        b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then_with(|| right(b).cmp(&right(a)))
    });
    let merges: Vec<Json> = merges.into_iter().map(|(.., left, right)| json!([left, right])).collect();
    let unknown = match tokens.special(gguf, "unknown_token_id")? {
        Some((_, text)) => Some(text),
        None => tokens.types.iter().position(|&kind| kind == UNKNOWN).map(|id| tokens.texts[id].clone()),
    };
    let space = "▁";
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": space});
    let prefix = gguf.bool("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let (normalizer, strip) = if prefix {
        (json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": space}, replace]}), 1)
    } else {
        (replace, 0)
    };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": tokens.added(),
        "normalizer": normalizer,
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": space}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": strip, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": tokens.vocab(), "merges": merges},
    }))
}

/// The post-processor that puts `bos` before every text.
fn begin_with(id: u32, bos: &str) -> Json {
    let begin = json!({"SpecialToken": {"id": bos, "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    json!({"type": "TemplateProcessing", "single": [begin, text("A")], "pair": [begin, text("A"), text("B")],
        "special_tokens": {bos: {"id": bos, "ids": [id], "tokens": [bos]}}})
}

fn malformed(gguf: &Gguf, what: impl Into<String>) -> TokenizerError {
    TokenizerError::Malformed { path: gguf.describe(), what: what.into() }
}

fn unsupported(gguf: &Gguf, what: impl Into<String>) -> TokenizerError {
    TokenizerError::Unsupported { path: gguf.describe(), what: what.into() }
}
