//! The tokenizer of a Hugging Face folder: its own `tokenizer.json`, without limits on length, and what the files
//! beside it say of begin, end and chat template.

use super::{TURN_ENDS, TokenizerError, TokenizerParts};
use crate::source::{WeightSource, hf::HfFolder};
use serde_json::Value;
use tokenizers::Tokenizer;

/// Reads the tokenizer of `folder`.
pub fn from_folder(folder: &HfFolder) -> Result<TokenizerParts, TokenizerError> {
    let path = format!("{}/tokenizer.json", folder.describe());
    let Some(bytes) = folder.bytes("tokenizer.json")? else {
        let what = "the folder has no tokenizer.json; write one with transformers: \
                    AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)";
        return Err(TokenizerError::Unsupported { path, what: what.into() });
    };
    let mut tokenizer = super::parse(&bytes, &path)?;
    let malformed = |what: String| TokenizerError::Malformed { path: path.clone(), what };
    // Published encoders truncate and pad to a length of their training; the engine decides on both itself.
    tokenizer.with_truncation(None).map_err(|e| malformed(e.to_string()))?;
    tokenizer.with_padding(None);
    let config = folder.json("tokenizer_config.json")?.unwrap_or(Value::Null);
    let generation = folder.json("generation_config.json")?.unwrap_or(Value::Null);

    let named =
        |key: &str| token_text(&config[key]).and_then(|text| Some((tokenizer.token_to_id(&text)?, text)));
    let (bos, eos) = (named("bos_token"), named("eos_token"));
    let first = tokenizer.encode("a", true).map_err(|e| malformed(e.to_string()))?.get_ids().first().copied();
    let add_bos = bos.as_ref().is_some_and(|(id, _)| first == Some(*id));

    let mut ends = ids(&generation["eos_token_id"]);
    ends.extend(folder.config_eos().map(ids).unwrap_or_default());
    ends.extend(eos.as_ref().map(|(id, _)| *id));
    if !ends.is_empty() {
        ends.extend(turn_ends(&tokenizer));
    }
    ends.sort_unstable();
    ends.dedup();
    let parts = TokenizerParts {
        json: tokenizer.to_string(false).map_err(|e| malformed(e.to_string()))?,
        bos,
        eos_text: eos.map(|(_, text)| text).unwrap_or_default(),
        eos: ends,
        add_bos,
        chat_template: chat_template(folder, &config)?,
    };
    let rows = folder.info("token_embd.weight").map_or(0, |info| info.rows);
    super::check_vocab(&parts, rows, &path)?;
    Ok(parts)
}

/// A token is written as its text or as an object with its text.
fn token_text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content").and_then(Value::as_str)).map(str::to_owned)
}

fn ids(value: &Value) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    value
        .as_array()
        .map_or_else(|| one(value).into_iter().collect(), |list| list.iter().filter_map(one).collect())
}

fn turn_ends(tokenizer: &Tokenizer) -> Vec<u32> {
    let added = tokenizer.get_added_tokens_decoder();
    let ends = added.iter().filter(|(_, token)| token.special && TURN_ENDS.contains(&token.content.as_str()));
    ends.map(|(id, _)| *id).collect()
}

/// `chat_template.jinja`, else `tokenizer_config.json`'s text, else the `default` of its list of templates.
fn chat_template(folder: &HfFolder, config: &Value) -> Result<Option<String>, TokenizerError> {
    if let Some(bytes) = folder.bytes("chat_template.jinja")? {
        return String::from_utf8(bytes).map(Some).map_err(|_| TokenizerError::Malformed {
            path: folder.describe(),
            what: "chat_template.jinja is not valid UTF-8".into(),
        });
    }
    let template = &config["chat_template"];
    let named = template.as_array().and_then(|list| list.iter().find(|entry| entry["name"] == "default"));
    let text = template.as_str().or_else(|| named.and_then(|entry| entry["template"].as_str()));
    Ok(text.map(str::to_owned))
}
