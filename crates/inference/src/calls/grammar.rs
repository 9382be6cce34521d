//! The grammar of an answer that may hold calls.

use super::CallForm;
use crate::constraint::{ConstraintError, prepare};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Calls in one answer. A small model would go on for ever.
const MAX_CALLS: usize = 16;

/// What an answer may be instead of calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Otherwise {
    /// Nothing: it is a call.
    Nothing,
    /// Free text, which may also stand before calls.
    Text,
    /// JSON of this schema.
    Json(Value),
}

/// The calls that an answer may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Calls {
    /// How they are written.
    pub form: CallForm,
    /// The functions, and the schemas of their arguments; `None` for a function without any.
    pub functions: Vec<(String, Option<Value>)>,
    /// Whether one answer may hold several.
    pub several: bool,
    /// What else it may be.
    pub otherwise: Otherwise,
}

impl Calls {
    pub(crate) fn to_lark(&self) -> Result<String, ConstraintError> {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut lark = self.start();
        let open = match (self.form, &self.otherwise) {
            // The text before has swallowed the mark.
            (CallForm::Tagged, Otherwise::Text) => self.form.head().trim_start_matches(super::reader::MARK),
            _ => self.form.head(),
        };
        let names: Vec<String> = (0..self.functions.len()).map(|i| format!("f{i}")).collect();
        let _ = write!(
            lark,
            "\nfirst: {} any {}\nmore: {} any {}\nany: {}\n",
            quoted(open),
            quoted(self.form.tail()),
            quoted(&format!("\n{}", self.form.head())),
            quoted(self.form.tail()),
            names.join(" | ")
        );
        for (i, (name, parameters)) in self.functions.iter().enumerate() {
            let schema = arguments(name, parameters.as_ref())?;
            let _ = write!(
                lark,
                "f{i}: {} a{i}\na{i}: %json {schema}\n",
                quoted(&format!("{name}{}", self.form.middle()))
            );
        }
        Ok(lark)
    }

    fn start(&self) -> String {
        let calls = if self.several && self.form == CallForm::Tagged {
            format!("first more{{0,{}}}", MAX_CALLS - 1)
        } else {
            "first".into()
        };
        match (&self.otherwise, self.form) {
            (Otherwise::Nothing, _) => format!("start: {calls}"),
            (Otherwise::Json(schema), _) => format!("start: {calls} | json\njson: %json {}", prepare(schema)),
            (Otherwise::Text, CallForm::Bare) => {
                format!("start: {calls} | TEXT\nTEXT: /[^{{](?s:.*)/")
            }
            (Otherwise::Text, CallForm::Tagged) => {
                let mark = super::reader::MARK;
                format!(
                    "start: open {calls} | TEXT\nopen[lazy]: /(?s:.*){mark}/\nTEXT: /(?s:.+)/ & ~/(?s:.*){mark}(?s:.*)/"
                )
            }
        }
    }
}

/// The schema that arguments are held to: always an object.
fn arguments(name: &str, parameters: Option<&Value>) -> Result<Value, ConstraintError> {
    let none = json!({"type": "object", "additionalProperties": false});
    let mut schema = parameters.filter(|schema| !schema.is_null()).cloned().unwrap_or(none);
    let Some(map) = schema.as_object_mut() else {
        return Err(ConstraintError::Form(format!("the parameters of the tool `{name}` are no JSON schema")));
    };
    let kind = map.entry("type").or_insert_with(|| "object".into());
    if kind != "object" {
        return Err(ConstraintError::Form(format!(
            "the parameters of the tool `{name}` must be of type \"object\""
        )));
    }
    Ok(prepare(&schema))
}
