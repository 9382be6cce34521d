//! Answers that keep to a form: JSON of a schema, a regular expression, one of several texts, a grammar.
//!
//! The work is done by llguidance: it knows at each step which tokens may follow. Everything else is banned before a
//! token is picked, so an answer that ends by itself *is* of its form, at any temperature and with any model; the prompt
//! says nothing about it. The model may end its turn only where the form is whole, and where nothing more can follow
//! the answer ends without asking the model.
//!
//! ```text
//!   Grammars::compile(Grammar) ──▶ Constraint ──▶ Request ──▶ engine thread: mask → pick → accept, token by token
//!     once per model: the vocabulary as a tree of bytes
//! ```
//!
//! A schema comes from a stranger. Its size, the work to compile it, the work for one mask and the memory of its lexer
//! are bounded ([`Grammars::compile`]); what goes beyond is refused in words, and what turns out too complex while it
//! runs ends that one answer.

#[cfg(test)]
mod engine_tests;
mod grammar;
mod schema;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use grammar::Grammar;
pub(crate) use schema::prepare;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::InferenceCapabilities;
use llguidance::{Matcher, ParserFactory};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokenizers::Tokenizer;

/// Stack of a compilation: grammars nest, and the compiler recurses. Only what is touched takes memory.
const STACK_BYTES: usize = 256 << 20;

/// States of one answer's lexer; each takes one to two kilobytes. Schemas in use need some hundreds.
const MAX_LEXER_STATES: usize = 10_000;
/// Symbols of a grammar; the largest schemas in use (FHIR) need 200 000.
const MAX_GRAMMAR_SIZE: usize = 250_000;

/// Why an answer cannot be held to a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// The form is not understood, is not supported or costs too much.
    #[error("the answer's form cannot be kept: {0}; simplify it or leave it out")]
    Form(String),
    /// The form is longer than is accepted.
    #[error("the answer's form is {bytes} bytes long; at most {most} are accepted")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// The model's tokenizer cannot be read as bytes.
    #[error("this model cannot be held to a form, since its tokens cannot be read as text: {0}")]
    Vocabulary(String),
    /// It became too complex while an answer was made.
    #[error("the answer's form became too complex in the middle of the answer: {0}; simplify it")]
    Running(String),
}

/// Compiles forms for one model. The tree of its vocabulary is built on first use, since it takes time and memory that
/// most engines never need.
pub struct Grammars {
    tokenizer: Arc<Tokenizer>,
    eos: Vec<u32>,
    factory: OnceLock<Result<ParserFactory, ConstraintError>>,
    /// One at a time: a stranger's schemas must not take all processors.
    turn: Mutex<()>,
}

impl Grammars {
    /// For a model with this tokenizer, whose turns end with one of `eos`.
    pub fn new(tokenizer: Arc<Tokenizer>, eos: Vec<u32>) -> Grammars {
        Grammars { tokenizer, eos, factory: OnceLock::new(), turn: Mutex::new(()) }
    }

    /// Compiles a form, within bounds of time and memory. Takes from half a millisecond to about a hundred.
    pub fn compile(&self, grammar: &Grammar) -> Result<Constraint, ConstraintError> {
        let grammar = grammar.to_llguidance()?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let factory = self.factory.get_or_init(|| self.factory()).as_ref().map_err(Clone::clone)?;
        std::thread::scope(|scope| {
            let worker = std::thread::Builder::new()
                .name("grammar".into())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || Constraint::new(factory, grammar))
                .map_err(|e| ConstraintError::Form(format!("no thread could be started for it: {e}")))?;
            worker.join().unwrap_or_else(|_| Err(ConstraintError::Form("it is not understood".into())))
        })
    }

    fn factory(&self) -> Result<ParserFactory, ConstraintError> {
        let unfit = |e: &dyn fmt::Display| ConstraintError::Vocabulary(first_line(&e.to_string()));
        let vocabulary =
            vocabulary::Vocabulary::new(Arc::clone(&self.tokenizer), &self.eos).map_err(|e| unfit(&e))?;
        let slices = SlicedBiasComputer::json_slices();
        let mut factory =
            ParserFactory::new(&vocabulary.into_env(), InferenceCapabilities::default(), &slices)
                .map_err(|e| unfit(&e))?;
        factory.quiet();
        *factory.limits_mut() = ParserLimits {
            max_lexer_states: MAX_LEXER_STATES,
            max_grammar_size: MAX_GRAMMAR_SIZE,
            verbose_errors: false,
            ..ParserLimits::default()
        };
        Ok(factory)
    }
}

/// The form of one answer, and how far it has come. Clones go their own ways.
pub struct Constraint(Matcher);

impl Constraint {
    fn new(factory: &ParserFactory, grammar: TopLevelGrammar) -> Result<Constraint, ConstraintError> {
        let mut matcher = Matcher::new(factory.create_parser(grammar));
        if let Some(reason) = matcher.get_error() {
            return Err(ConstraintError::Form(first_line(&reason)));
        }
        // What can never begin is found now and not in the middle of an answer.
        if !matcher.is_stopped() {
            matcher.compute_mask_or_eos().map_err(|e| ConstraintError::Form(first_line(&e.to_string())))?;
        }
        Ok(Constraint(matcher))
    }

    /// Bans every token that cannot follow: its logit becomes minus infinity.
    pub fn mask(&mut self, logits: &mut [f32]) -> Result<(), ConstraintError> {
        let mask = self.0.compute_mask_or_eos().map_err(running)?;
        let words = mask.as_slice();
        for (at, logits) in logits.chunks_mut(32).enumerate() {
            match words.get(at).copied().unwrap_or(0) {
                0 => logits.fill(f32::NEG_INFINITY),
                u32::MAX => {}
                word => {
                    for (bit, logit) in logits.iter_mut().enumerate() {
                        if word >> bit & 1 == 0 {
                            *logit = f32::NEG_INFINITY;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in the token that was picked. Says whether the form is whole and nothing more can follow.
    pub fn accept(&mut self, token: u32) -> Result<bool, ConstraintError> {
        self.0.consume_token(token).map_err(running)?;
        Ok(self.0.is_stopped())
    }

    /// Whether the answer may end here.
    pub fn may_end(&mut self) -> bool {
        self.0.is_accepting().unwrap_or(false)
    }
}

impl Clone for Constraint {
    fn clone(&self) -> Self {
        // A plain clone would share the lexer's growing memory.
        Constraint(self.0.deep_clone())
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Constraint")
    }
}

fn running(error: impl fmt::Display) -> ConstraintError {
    ConstraintError::Running(first_line(&error.to_string()))
}

/// The first line of what the library says, short enough for an error; what follows are its own entrails.
fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    match line {
        "NoExtensionBias" => "nothing can be written that would be of it".into(),
        line if line.starts_with("panic:") => "it is not understood".into(),
        line => line.chars().take(300).collect(),
    }
}
