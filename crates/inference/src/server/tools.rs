//! Tools of a request: checked, told to the model, and the grammar of what it may answer.

use super::Refusal;
use crate::calls::{CallForm, Calls, Otherwise};
use crate::constraint::Grammar;
use crate::prompt::Turn;
use banyan_openai::{ApiError, ChatMessage, ChatRequest, ContentError, Tool, ToolChoice, ToolMode};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Tools of one request, and bytes of a name: OpenAI's own limits.
const MAX_TOOLS: usize = 128;
const MAX_NAME: usize = 64;

/// What a request with tools comes to.
#[derive(Default)]
pub(super) struct Tooling {
    /// What the model is told; empty when it may call nothing.
    pub(super) described: Vec<Value>,
    /// What the answer is held to, and the field that says so.
    pub(super) grammar: Option<(&'static str, Grammar)>,
    /// How calls are read out of the answer; `None` where there can be none.
    pub(super) reads: Option<CallForm>,
}

/// The conversation as the prompter reads it.
pub(super) fn turns(messages: &[ChatMessage]) -> Result<Vec<Turn>, Refusal> {
    let turn = |message: &ChatMessage| {
        Ok(Turn {
            role: message.role.as_str(),
            content: message.text()?,
            calls: message.tool_calls.clone(),
            call_id: message.tool_call_id.clone(),
        })
    };
    let turns: Result<Vec<Turn>, ContentError> = messages.iter().map(turn).collect();
    turns.map_err(|e| Refusal(ApiError::invalid_param("messages", e.to_string())))
}

/// Joins what the request says of tools with the form that it asks for otherwise.
pub(super) fn tooling(
    chat: &ChatRequest,
    call_form: CallForm,
    form: Option<(&'static str, Grammar)>,
) -> Result<Tooling, Refusal> {
    let without = |form| Ok(Tooling { grammar: form, ..Tooling::default() });
    let choice = chat.tool_choice.as_ref();
    if chat.tools.is_empty() {
        return match choice {
            None | Some(ToolChoice::Mode(ToolMode::None | ToolMode::Auto)) => without(form),
            Some(_) => Err(refused("tool_choice", "`tool_choice` asks for a call, but there are no `tools`")),
        };
    }
    check(&chat.tools)?;
    let mut several = chat.parallel_tool_calls != Some(false);
    let (functions, otherwise) = match choice {
        Some(ToolChoice::Mode(ToolMode::None)) => return without(form),
        None | Some(ToolChoice::Mode(ToolMode::Auto)) => (functions(&chat.tools, None), beside(form)?),
        Some(ToolChoice::Mode(ToolMode::Required)) => (functions(&chat.tools, None), Otherwise::Nothing),
        Some(ToolChoice::Named { function, .. }) => {
            several = false;
            (functions(&chat.tools, Some(&function.name)), Otherwise::Nothing)
        }
    };
    if functions.is_empty() {
        return Err(refused("tool_choice", "`tool_choice` names a function that is not among the `tools`"));
    }
    let calls = Calls { form: call_form, functions, several, otherwise };
    let described = chat.tools.iter().map(|tool| json!({"type": "function", "function": tool.function}));
    Ok(Tooling {
        described: described.collect(),
        grammar: Some(("tools", Grammar::Calls(calls))),
        reads: Some(call_form),
    })
}

fn functions(tools: &[Tool], only: Option<&str>) -> Vec<(String, Option<Value>)> {
    let wanted = tools.iter().filter(|tool| only.is_none_or(|name| tool.function.name == name));
    wanted.map(|tool| (tool.function.name.clone(), tool.function.parameters.clone())).collect()
}

/// What an answer that calls nothing is held to.
fn beside(form: Option<(&'static str, Grammar)>) -> Result<Otherwise, Refusal> {
    match form {
        None => Ok(Otherwise::Text),
        Some((_, Grammar::JsonObject)) => Ok(Otherwise::Json(json!({"type": "object"}))),
        Some((_, Grammar::JsonSchema(schema))) => Ok(Otherwise::Json(schema)),
        Some((field, _)) => {
            Err(refused(field, format!("`{field}` and `tools` do not go together; leave one out")))
        }
    }
}

fn check(tools: &[Tool]) -> Result<(), Refusal> {
    if tools.len() > MAX_TOOLS {
        return Err(refused("tools", format!("a request may have {MAX_TOOLS} tools, not {}", tools.len())));
    }
    let mut names = HashSet::new();
    for tool in tools {
        let name = tool.function.name.as_str();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if tool.kind != "function" {
            return Err(refused("tools", "only tools of the type \"function\" are understood"));
        }
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
            let words = "a tool's name has 1 to 64 letters, digits, \"_\" and \"-\"";
            return Err(refused("tools", words));
        }
        if !names.insert(name) {
            return Err(refused("tools", format!("two tools are called `{name}`")));
        }
    }
    Ok(())
}

fn refused(field: &str, words: impl Into<String>) -> Refusal {
    Refusal(ApiError::invalid_param(field, words))
}
