//! Chat templates: Jinja that a model's author wrote, run as what it is: a program of a stranger.
//!
//! Minijinja has no loader here and no access to anything but the messages; its fuel bounds time *and* memory (it is
//! charged for every instruction and for every 64 bytes that a template makes), the output is capped, and what the
//! fuel does not see is refused beforehand (`guard.rs`).

mod guard;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind};
use serde::Serialize;
use std::io::Write;
use thiserror::Error;

/// Bytes of a template's text; the longest published one (with tools) has about 20 KiB. Minijinja counts lines and
/// columns in 16 bits and panics beyond.
pub const MAX_SOURCE_BYTES: usize = 60 << 10;
/// Fuel of one rendering: about 300 000 steps or 19 MB made. Llama 3.1's template takes some 40 steps a message.
pub const FUEL: u64 = 300_000;
/// Stack of a rendering. A template can nest a list some 60 000 deep before its fuel ends, and printing or releasing
/// such a list recurses; only what is touched takes memory, and it goes with the thread.
const STACK_BYTES: usize = 512 << 20;
/// Bytes of a rendered conversation: four mebibytes of text are about a million tokens, beyond every context.
pub const MAX_OUTPUT_BYTES: usize = 4 << 20;
/// Depth of nested calls; far below minijinja's own limit, so that the stack of a worker thread is enough.
const MAX_RECURSION: usize = 100;
/// The one template of the environment.
const NAME: &str = "chat_template.jinja";

/// Why a template was refused or could not be rendered.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// Too long to be a chat template.
    #[error("the chat template is {0} bytes long; at most {MAX_SOURCE_BYTES} are accepted")]
    TooLong(usize),
    /// Not valid Jinja.
    #[error("the chat template cannot be parsed: {0}. Import the model with a corrected template")]
    Syntax(String),
    /// It ran for too long, made too much, or nested too deep: a template bomb.
    #[error("the chat template was stopped: it {0}; take the model from a source you trust")]
    Bomb(&'static str),
    /// The template itself refuses the conversation (`raise_exception`).
    #[error("the model's chat template refuses this conversation: {0}")]
    Refused(String),
    /// It failed while running.
    #[error("the chat template failed: {0}")]
    Failed(String),
}

/// One message of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Message<'a> {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: &'a str,
    /// The text.
    pub content: &'a str,
}

/// A parsed chat template with the model's begin and end tokens.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Parses a template with the texts of the model's begin and end tokens.
    pub fn parse(source: &str, bos: &str, eos: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(TemplateError::TooLong(source.len()));
        }
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(MAX_RECURSION);
        // As transformers sets its Jinja environment.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|e| TemplateError::Failed(e.to_string()))?;
        guard::check(source, &syntax)?;
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", |value: Value, options: Kwargs| to_json(&value, &options));
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|e| TemplateError::Syntax(e.to_string()))?;
        Ok(Self { environment, bos: bos.into(), eos: eos.into() })
    }

    /// Whether the template tells the model of tools, seen by showing it one; where it does not they would be passed over.
    pub fn knows_tools(&self) -> bool {
        let reads =
            |template: minijinja::Template<'_, '_>| template.undeclared_variables(false).contains("tools");
        if !self.environment.get_template(NAME).is_ok_and(reads) {
            return false;
        }
        let name = "probe_of_tools";
        let parameters = serde_json::json!({"type": "object", "properties": {}});
        let tool = serde_json::json!({"type": "function",
            "function": {"name": name, "description": "Nothing.", "parameters": parameters}});
        let question = [Message { role: "user", content: "?" }];
        self.render_with_tools(&question, &[tool], true).is_ok_and(|text| text.contains(name))
    }

    /// Whether this text stands in the template. Families write calls of tools in different ways, and their templates
    /// show which.
    pub fn mentions(&self, text: &str) -> bool {
        self.environment.get_template(NAME).is_ok_and(|template| template.source().contains(text))
    }

    /// Renders a conversation into the text that the model reads. `add_generation_prompt` opens the assistant's turn.
    pub fn render(
        &self,
        messages: &[Message<'_>],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        self.render_with_tools(messages, &[], add_generation_prompt)
    }

    /// The same with whatever else messages have (calls of tools and their results), and with tools in OpenAI's form.
    pub fn render_with_tools<M: Serialize + Sync>(
        &self,
        messages: &[M],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        // On a thread of its own: see STACK_BYTES.
        std::thread::scope(|scope| {
            let worker = std::thread::Builder::new()
                .name("chat-template".into())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || self.render_here(messages, tools, add_generation_prompt))
                .map_err(|e| TemplateError::Failed(format!("no thread could be started for it: {e}")))?;
            worker
                .join()
                .unwrap_or_else(|_| Err(TemplateError::Failed("it made the template engine panic".into())))
        })
    }

    fn render_here<M: Serialize>(
        &self,
        messages: &[M],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let context = minijinja::context! {
            messages => Serde(messages),
            // As transformers passes them.
            tools => (!tools.is_empty()).then_some(Serde(tools)),
            add_generation_prompt => add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let template = self.environment.get_template(NAME).map_err(|e| failure(&e))?;
        let mut output = Capped(Vec::new());
        match template.render_captured_to(context, &mut output) {
            Ok(_) => String::from_utf8(output.0).map_err(|e| TemplateError::Failed(e.to_string())),
            Err(_) if output.0.len() > MAX_OUTPUT_BYTES => Err(TemplateError::Bomb("writes more than 4 MiB")),
            Err(e) => Err(failure(&e)),
        }
    }
}

/// Collects output up to the cap and a little more, by which the caller sees that the cap was hit.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = (MAX_OUTPUT_BYTES + 1).saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room || self.0.len() > MAX_OUTPUT_BYTES {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Marks the errors that `raise_exception` makes, apart from minijinja's own.
#[derive(Debug, Error)]
#[error("{0}")]
struct Raised(String);

fn failure(error: &Error) -> TemplateError {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return TemplateError::Refused(message.clone());
        }
        source = inner.source();
    }
    let text = error.to_string();
    match error.kind() {
        ErrorKind::OutOfFuel => TemplateError::Bomb("runs too long or makes too much text"),
        _ if text.contains("recursion limit") => TemplateError::Bomb("nests too deep"),
        _ => TemplateError::Failed(text),
    }
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "raised by the template").with_source(Raised(message)))
}

/// The date in the format that the template asks for. Templates use it for "Today Date" in a system prompt.
fn strftime_now(format: &str) -> Result<String, Error> {
    let invalid = |e: jiff::Error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {e}"));
    // A field's width (`%999999999d`) makes text out of nothing, which the fuel would see too late.
    if format.len() > 256
        || format.as_bytes().windows(2).any(|pair| pair[0] == b'%' && pair[1].is_ascii_digit())
    {
        return Err(Error::new(ErrorKind::InvalidOperation, "strftime_now: the format is not acceptable"));
    }
    jiff::fmt::strtime::format(format, &jiff::Zoned::now()).map_err(invalid)
}

/// `tojson` as transformers defines it: Python's separators, no escaping of HTML, optional indentation.
fn to_json(value: &Value, options: &Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent").ok().flatten();
    let failed = |e: serde_json::Error| Error::new(ErrorKind::BadSerialization, e.to_string());
    // Shared values can nest into far more text than they take: the same cap as the output's.
    let mut out = Capped(Vec::new());
    match indent {
        Some(width) => {
            let indent = " ".repeat(width.min(16));
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value
                .serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
                .map_err(failed)?;
        }
        None => {
            value
                .serialize(&mut serde_json::Serializer::with_formatter(&mut out, PythonJson))
                .map_err(failed)?;
        }
    }
    String::from_utf8(out.0).map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))
}

/// `json.dumps`' default separators.
struct PythonJson;

impl serde_json::ser::Formatter for PythonJson {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
