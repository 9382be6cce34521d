//! The linear maps of a block by their own names, and their places in the graph's fused maps.

use crate::graph::contract::LoraModule;
use crate::manifest::Architecture;
use serde::{Deserialize, Serialize};

/// A linear map of a block before fusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Projection {
    /// Queries.
    #[serde(rename = "attn_q")]
    Query,
    /// Keys.
    #[serde(rename = "attn_k")]
    Key,
    /// Values.
    #[serde(rename = "attn_v")]
    Value,
    /// The attention's output.
    #[serde(rename = "attn_output")]
    Output,
    /// The feed-forward layer's gate.
    #[serde(rename = "ffn_gate")]
    Gate,
    /// The feed-forward layer's way up.
    #[serde(rename = "ffn_up")]
    Up,
    /// The feed-forward layer's way down.
    #[serde(rename = "ffn_down")]
    Down,
}

impl Projection {
    /// All of a block.
    pub const ALL: [Projection; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// The canonical name, as in [`crate::source`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "attn_q",
            Self::Key => "attn_k",
            Self::Value => "attn_v",
            Self::Output => "attn_output",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        }
    }

    /// The projection of this canonical name.
    pub fn named(name: &str) -> Option<Projection> {
        Self::ALL.into_iter().find(|projection| projection.name() == name)
    }

    /// The parts of a fused map, in the order of its outputs.
    pub const fn of(module: LoraModule) -> &'static [Projection] {
        match module {
            LoraModule::Qkv => &[Self::Query, Self::Key, Self::Value],
            LoraModule::O => &[Self::Output],
            LoraModule::GateUp => &[Self::Gate, Self::Up],
            LoraModule::Down => &[Self::Down],
        }
    }

    /// Input features.
    pub fn inputs(self, sizes: &Architecture) -> usize {
        match self {
            Self::Query | Self::Key | Self::Value | Self::Gate | Self::Up => sizes.hidden,
            Self::Output => sizes.heads.saturating_mul(sizes.head_dim),
            Self::Down => sizes.intermediate,
        }
    }

    /// Output features.
    pub fn outputs(self, sizes: &Architecture) -> usize {
        match self {
            Self::Query => sizes.heads.saturating_mul(sizes.head_dim),
            Self::Key | Self::Value => sizes.kv_heads.saturating_mul(sizes.head_dim),
            Self::Output | Self::Down => sizes.hidden,
            Self::Gate | Self::Up => sizes.intermediate,
        }
    }

    /// Whether the rotary embedding turns its outputs.
    pub(super) fn is_rotated(self) -> bool {
        matches!(self, Self::Query | Self::Key)
    }

    /// The first factor's name in layer `layer`.
    pub fn lora_a(self, layer: usize) -> String {
        format!("blk.{layer}.{}.lora_a", self.name())
    }

    /// The second factor's name.
    pub fn lora_b(self, layer: usize) -> String {
        format!("blk.{layer}.{}.lora_b", self.name())
    }
}
