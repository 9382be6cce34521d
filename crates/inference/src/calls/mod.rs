//! Calls of tools: how a model's family writes them, what it may write, and how they are read back.
//!
//! A model was trained on one way of writing a call; its chat template shows which. [`Calls`] makes the grammar that lets
//! it write nothing else (and, where it may, free text before), so arguments are always valid by their schema;
//! [`CallReader`] takes the calls out of the text while it comes. Where the template has no place for tools,
//! [`describe()`] says in words what it would have said.

mod describe;
mod grammar;
mod reader;
#[cfg(test)]
mod tests;

pub use describe::describe;
pub use grammar::{Calls, Otherwise};
pub use reader::{CallReader, Part};

use banyan_modelpack::ChatTemplate;

/// How a family of models writes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallForm {
    /// `<tool_call>` and `</tool_call>` around JSON with `name` and `arguments`: Hermes, Qwen and most others; also ours for
    /// models that have no form of their own.
    #[default]
    Tagged,
    /// The whole answer is JSON with `name` and `parameters`: Llama 3.
    Bare,
}

impl CallForm {
    /// The form of a model with this template.
    pub fn of(template: Option<&ChatTemplate>) -> CallForm {
        let bare = template.is_some_and(|t| {
            t.knows_tools()
                && t.mentions("\"parameters\"")
                && t.mentions("ipython")
                && !t.mentions("<tool_call>")
        });
        if bare { CallForm::Bare } else { CallForm::Tagged }
    }

    /// What stands before a function's name.
    fn head(self) -> &'static str {
        match self {
            CallForm::Tagged => "<tool_call>\n{\"name\": \"",
            CallForm::Bare => "{\"name\": \"",
        }
    }

    /// What stands between name and arguments.
    fn middle(self) -> &'static str {
        match self {
            CallForm::Tagged => "\", \"arguments\": ",
            CallForm::Bare => "\", \"parameters\": ",
        }
    }

    /// What stands behind the arguments.
    fn tail(self) -> &'static str {
        match self {
            CallForm::Tagged => "}\n</tool_call>",
            CallForm::Bare => "}",
        }
    }

    /// A call as the model would have written it.
    pub fn write(self, name: &str, arguments: &str) -> String {
        [self.head(), name, self.middle(), arguments, self.tail()].concat()
    }
}
