//! Names of graph inputs and outputs: the contract between the pack and the engine, version 1.
//!
//! Shapes, with B rows, S tokens a row in this step, L the capacity of the key/value buffers:
//!
//! | name | type | shape | meaning |
//! |---|---|---|---|
//! | `input_ids` | i64 | `[B, S]` | tokens, right-padded |
//! | `seqlens_k` | i32 | `[B]` | tokens of the row including this step, minus one; 0 for an idle row |
//! | `total_len` | i32 | `[]` | the most tokens any row has, this step included |
//! | `query_lens` | i32 | `[B]` | valid tokens of the row in this step; 0 marks an idle row |
//! | `logit_idx` | i64 | `[R]` | flat positions `b * S + s` whose logits are wanted |
//! | `past_k_{i}`, `past_v_{i}` | f32 | `[B, kv heads, L, head dim]` | bound to the same memory as `present_…` |
//! | `logits` | f32 | `[R, vocab]` | |
//!
//! Where keys and values are kept in 8 bits, `past_…` and `present_…` are i8 and each layer has `k_scale_{i}` and `v_scale_{i}`, f32
//! `[kv heads, 1, head dim]`: what was computed is about `kept * scale`. The engine finds the scales (they are the model's, not the text's).
//!
//! The graph with adapters has `adapter_idx` i64 `[B]` besides, and for each layer and [`LoraModule`] the optional
//! `lora_a_{m}_{i}` f32 `[adapters, in, rank]` and `lora_b_{m}_{i}` f32 `[adapters, rank, out]`, the latter times alpha / rank.

/// Version of this contract; a pack of another version is refused.
pub const VERSION: u32 = 1;
/// Adapters that a run may choose from; a module that none of them changes need not be fed.
pub const MAX_ADAPTERS: usize = 256;
/// Tokens.
pub const INPUT_IDS: &str = "input_ids";
/// Length of each row including this step, minus one.
pub const SEQLENS_K: &str = "seqlens_k";
/// The longest row including this step.
pub const TOTAL_LEN: &str = "total_len";
/// Valid tokens of each row in this step.
pub const QUERY_LENS: &str = "query_lens";
/// Positions whose logits are wanted.
pub const LOGIT_IDX: &str = "logit_idx";
/// Scores over the vocabulary.
pub const LOGITS: &str = "logits";
/// Which adapter a row uses.
pub const ADAPTER_IDX: &str = "adapter_idx";
/// Encoder: 1 for a token, 0 for padding.
pub const ATTENTION_MASK: &str = "attention_mask";
/// Encoder: the pooled, normalised vector.
pub const EMBEDDING: &str = "embedding";
/// Re-ranker: 0 for a token of the question, 1 for one of the document.
pub const TOKEN_TYPES: &str = "token_type_ids";
/// Re-ranker: how well the document fits the question, f32 `[B]`, of any size.
pub const SCORE: &str = "score";

/// The linear maps of a block that an adapter may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoraModule {
    /// Queries, keys and values, in this order.
    Qkv,
    /// The attention's output.
    O,
    /// Gate and up projections, in this order.
    GateUp,
    /// The down projection.
    Down,
}

impl LoraModule {
    /// All modules of a block.
    pub const ALL: [LoraModule; 4] = [LoraModule::Qkv, LoraModule::O, LoraModule::GateUp, LoraModule::Down];

    /// The name in input names.
    pub const fn name(self) -> &'static str {
        match self {
            LoraModule::Qkv => "qkv",
            LoraModule::O => "o",
            LoraModule::GateUp => "gate_up",
            LoraModule::Down => "down",
        }
    }
}

/// The past keys of a layer.
pub fn past_k(layer: usize) -> String {
    format!("past_k_{layer}")
}
/// The past values of a layer.
pub fn past_v(layer: usize) -> String {
    format!("past_v_{layer}")
}
/// The keys of a layer after the step.
pub fn present_k(layer: usize) -> String {
    format!("present_k_{layer}")
}
/// The values of a layer after the step.
pub fn present_v(layer: usize) -> String {
    format!("present_v_{layer}")
}
/// The scales of a layer's keys, where they are kept in 8 bits.
pub fn k_scale(layer: usize) -> String {
    format!("k_scale_{layer}")
}
/// The scales of a layer's values, where they are kept in 8 bits.
pub fn v_scale(layer: usize) -> String {
    format!("v_scale_{layer}")
}
/// The adapter's first factor.
pub fn lora_a(module: LoraModule, layer: usize) -> String {
    format!("lora_a_{}_{layer}", module.name())
}
/// The adapter's second factor.
pub fn lora_b(module: LoraModule, layer: usize) -> String {
    format!("lora_b_{}_{layer}", module.name())
}
