//! The form an answer is held to: OpenAI's `response_format`, and the names that vLLM has for more.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What an answer is held to, whatever the model would rather say. At most one of these; absent means free text.
///
/// The `guided_…` fields are not OpenAI's; vLLM accepts them under these names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Form {
    /// OpenAI's own: text, some JSON object, or JSON of a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// A JSON schema, as an object or as its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_json: Option<Value>,
    /// A regular expression (Rust's syntax) that the whole answer matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_regex: Option<String>,
    /// The answer is one of these texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_choice: Option<Vec<String>>,
    /// A grammar in llguidance's form of Lark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_grammar: Option<String>,
}

/// OpenAI's `response_format`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Free text.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that is valid by a schema.
    JsonSchema {
        /// The schema and its name.
        json_schema: JsonSchemaFormat,
    },
}

/// A schema with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JsonSchemaFormat {
    /// What the form is called.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema; absent means any JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Whether the answer must be valid. Banyan's always is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_format_is_read_as_the_sdks_write_it() {
        let form: Form = serde_json::from_str(
            r#"{"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}}}"#,
        )
        .unwrap();
        let Some(ResponseFormat::JsonSchema { json_schema }) = form.response_format else { panic!() };
        assert_eq!((json_schema.name.as_str(), json_schema.strict), ("n", Some(true)));
        let form: Form =
            serde_json::from_str(r#"{"response_format":{"type":"text"},"guided_choice":["a"]}"#).unwrap();
        assert_eq!(form.response_format, Some(ResponseFormat::Text));
        let error = serde_json::from_str::<Form>(r#"{"response_format":{"type":"poem"}}"#).unwrap_err();
        assert!(error.to_string().contains("unknown variant `poem`"), "{error}");
        assert_eq!(serde_json::to_string(&Form::default()).unwrap(), "{}");
    }
}
