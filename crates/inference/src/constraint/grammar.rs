//! The forms an answer can be held to, as a request names them, and their translation for llguidance.

use super::{ConstraintError, schema};
use crate::calls::Calls;
use llguidance::api::TopLevelGrammar;
use llguidance::regex_to_lark;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Bytes of a JSON schema. OpenAI accepts about as many.
const MAX_SCHEMA_BYTES: usize = 128 << 10;
/// Bytes of a grammar, and of all texts to choose from together.
const MAX_GRAMMAR_BYTES: usize = 64 << 10;
/// Bytes of a regular expression.
const MAX_REGEX_BYTES: usize = 8 << 10;

/// What an answer is held to.
#[derive(Debug, Clone, PartialEq)]
pub enum Grammar {
    /// Some JSON object.
    JsonObject,
    /// JSON that is valid by this schema.
    JsonSchema(Value),
    /// A text that this regular expression (Rust's syntax) matches as a whole.
    Regex(String),
    /// One of these texts.
    Choice(Vec<String>),
    /// A text of this grammar, in llguidance's form of Lark.
    Lark(String),
    /// Calls of tools, and what else the answer may be.
    Calls(Calls),
}

impl Grammar {
    pub(super) fn to_llguidance(&self) -> Result<TopLevelGrammar, ConstraintError> {
        match self {
            Grammar::JsonObject => {
                Ok(TopLevelGrammar::from_json_schema(schema::prepare(&json!({"type": "object"}))))
            }
            Grammar::JsonSchema(schema) => {
                bounded(schema.to_string().len(), MAX_SCHEMA_BYTES)?;
                if !schema.is_object() {
                    return Err(ConstraintError::Form("a schema must be a JSON object".into()));
                }
                Ok(TopLevelGrammar::from_json_schema(schema::prepare(schema)))
            }
            Grammar::Regex(regex) => {
                bounded(regex.len(), MAX_REGEX_BYTES)?;
                Ok(TopLevelGrammar::from_lark(format!("start: /{}/", regex_to_lark(regex, ""))))
            }
            Grammar::Choice(texts) => choice(texts),
            Grammar::Lark(grammar) => {
                bounded(grammar.len(), MAX_GRAMMAR_BYTES)?;
                Ok(TopLevelGrammar::from_lark(grammar.clone()))
            }
            Grammar::Calls(calls) => {
                let lark = calls.to_lark()?;
                bounded(lark.len(), 2 * MAX_SCHEMA_BYTES)?;
                Ok(TopLevelGrammar::from_lark(lark))
            }
        }
    }
}

fn choice(texts: &[String]) -> Result<TopLevelGrammar, ConstraintError> {
    bounded(texts.iter().map(|text| text.len() + 4).sum(), MAX_GRAMMAR_BYTES)?;
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err(ConstraintError::Form("the texts to choose from must not be empty".into()));
    }
    let mut lark = String::from("start: ");
    for (i, text) in texts.iter().enumerate() {
        // A text as JSON is a literal of Lark, too.
        let _ = write!(lark, "{}{}", if i == 0 { "" } else { " | " }, Value::from(text.as_str()));
    }
    Ok(TopLevelGrammar::from_lark(lark))
}

fn bounded(bytes: usize, most: usize) -> Result<(), ConstraintError> {
    if bytes <= most { Ok(()) } else { Err(ConstraintError::TooLong { bytes, most }) }
}
