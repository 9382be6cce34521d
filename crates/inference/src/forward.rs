//! What the step loop needs from a model. The ONNX Runtime session implements it ([`crate::runner::OrtRunner`]), and tests
//! put a simulated model in its place.

/// One row's part of a decode run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeInput {
    /// The token to compute.
    pub token: u32,
    /// Tokens that the row holds already.
    pub past: usize,
    /// The adapter the row is computed with; 0 is the base model.
    pub adapter: u32,
}

impl DecodeInput {
    /// A token computed with the base model.
    pub fn base(token: u32, past: usize) -> DecodeInput {
        DecodeInput { token, past, adapter: 0 }
    }
}

/// One row's part of a verification run: its next token, and guesses of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyInput<'a> {
    /// The token to compute and the guessed ones after it.
    pub tokens: &'a [u32],
    /// Tokens that the row holds already.
    pub past: usize,
    /// The adapter the row is computed with; 0 is the base model.
    pub adapter: u32,
}

/// Which positions of a prefill chunk need their logits. The head over the vocabulary is the widest layer, so it is
/// computed only where somebody will look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogitsWanted {
    /// None: more of the prompt follows.
    None,
    /// The last position's: the first token of the answer comes out of them.
    Last,
    /// Every position's: to score a text.
    All,
}

/// A model that computes rows of a KV slab.
///
/// All calls come from one thread. A row's first `past` tokens are those of earlier calls on the same row; what stands
/// beyond them is stale and will be overwritten.
pub trait Forward: Send {
    /// Logits of a position.
    fn vocab(&self) -> usize;

    /// Computes `tokens` in row `slot` from position `past`, with `adapter` (0 is the base model). Returns a row of logits
    /// for each wanted position (nothing to rely on for [`LogitsWanted::None`]).
    fn prefill(
        &mut self,
        slot: usize,
        past: usize,
        tokens: &[u32],
        adapter: u32,
        wanted: LogitsWanted,
    ) -> Result<&mut [f32], ForwardError>;

    /// Computes one token in each of the first `rows.len()` rows; `None` rows idle. Returns `rows.len()` rows of
    /// logits, of which those of idle rows mean nothing.
    fn decode(&mut self, rows: &[Option<DecodeInput>]) -> Result<&mut [f32], ForwardError>;

    /// Computes several tokens in each of the first `rows.len()` rows; `None` rows idle. Returns the logits of every token,
    /// row after row, without gaps. All tokens are written into the rows; what turns out a wrong guess is stale.
    fn verify(&mut self, rows: &[Option<VerifyInput<'_>>]) -> Result<&mut [f32], ForwardError>;

    /// Tokens of all rows together that one [`Forward::verify`] takes, padding included; 0 when it cannot.
    fn verify_tokens(&self) -> usize;

    /// Copies the first `tokens` tokens of row `from` to row `to`.
    fn move_row(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ForwardError>;

    /// Copies [`crate::kv::BLOCK`] tokens of row `slot`, from token `start` on, into `block` of the prefix pool.
    fn save(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError>;

    /// Copies `block` of the prefix pool into row `slot` from token `start` on.
    fn restore(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError>;

    /// Gives back the memory of row `slot`; what it held is lost.
    fn release(&mut self, slot: usize);
}

/// A run that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ForwardError {
    /// The caller's sizes do not fit the slab; a fault of the engine itself.
    #[error("a step does not fit the KV slab: {0}")]
    Shape(String),
    /// The runtime refused or broke off.
    #[error("ONNX Runtime could not compute a step: {0}")]
    Run(String),
}
