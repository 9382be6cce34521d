//! Tools: functions of the client that the model may ask it to call.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A tool that the client has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tool {
    /// The kind of tool, `function` being the one that is understood.
    #[serde(rename = "type")]
    pub kind: String,
    /// The function.
    pub function: FunctionDefinition,
}

/// A function that can be called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunctionDefinition {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it does and when to call it; the model reads this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON schema of its arguments; absent means that it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Whether arguments must be valid. Banyan's always are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// Whether and what to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "`tool_choice` must be \"none\", \"auto\", \"required\" or {\"type\":\"function\",\"function\":{\"name\":\"…\"}}"
)]
pub enum ToolChoice {
    /// By itself.
    Mode(ToolMode),
    /// This one function.
    Named {
        /// `function`.
        #[serde(rename = "type")]
        kind: String,
        /// Which.
        function: FunctionName,
    },
}

/// Whether to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolMode {
    /// Never.
    None,
    /// As the model sees fit.
    Auto,
    /// At least one tool.
    Required,
}

/// The name of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionName {
    /// The name.
    pub name: String,
}

/// A call that the model asks for, in an answer and in the conversation that goes on from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolCall {
    /// The call's name; its result refers to it.
    pub id: String,
    /// Always `function`.
    #[serde(rename = "type", default = "function")]
    pub kind: String,
    /// What to call, and with what.
    pub function: FunctionCall,
}

/// A function with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionCall {
    /// The function's name.
    pub name: String,
    /// Its arguments as JSON text, valid by its schema unless the answer was cut.
    pub arguments: String,
}

/// What is new of a call in a streamed answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolCallDelta {
    /// Which call of this answer.
    pub index: u32,
    /// Its name; in its first delta only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`; in its first delta only.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionDelta>,
}

/// What is new of a function's call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionDelta {
    /// The function's name; in the first delta only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// More of the arguments' text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}

impl ToolCall {
    /// A call of a function.
    #[must_use]
    pub fn new(id: String, name: String, arguments: String) -> Self {
        Self { id, kind: function(), function: FunctionCall { name, arguments } }
    }
}

impl ToolCallDelta {
    /// The first delta of a call: its names, and no arguments yet.
    #[must_use]
    pub fn opening(index: u32, id: String, name: String) -> Self {
        let function_delta = FunctionDelta { name: Some(name), arguments: Some(String::new()) };
        Self { index, id: Some(id), kind: Some(function()), function: Some(function_delta) }
    }

    /// More of a call's arguments.
    #[must_use]
    pub fn arguments(index: u32, more: String) -> Self {
        let function_delta = FunctionDelta { name: None, arguments: Some(more) };
        Self { index, function: Some(function_delta), ..Self::default() }
    }
}

fn function() -> String {
    "function".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_word_or_a_name() {
        let read = |json: &str| serde_json::from_str::<ToolChoice>(json);
        assert_eq!(read("\"required\"").unwrap(), ToolChoice::Mode(ToolMode::Required));
        let named = read(r#"{"type":"function","function":{"name":"f"}}"#).unwrap();
        assert!(matches!(named, ToolChoice::Named { function, .. } if function.name == "f"));
        assert!(read("\"perhaps\"").unwrap_err().to_string().contains("must be"));
    }

    #[test]
    fn deltas_look_as_openai_writes_them() {
        let opening = ToolCallDelta::opening(0, "call_1".into(), "f".into());
        let wire = r#"{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}"#;
        assert_eq!(serde_json::to_string(&opening).unwrap(), wire);
        let more = ToolCallDelta::arguments(0, "{\"a\"".into());
        assert_eq!(serde_json::to_string(&more).unwrap(), r#"{"index":0,"function":{"arguments":"{\"a\""}}"#);
    }
}
