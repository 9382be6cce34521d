//! Tiny models with random weights and real tokenizers, for the tests of this crate and of those above it.
//!
//! Weights are kept in the layout of Hugging Face; the GGUF writer permutes queries and keys as llama.cpp's
//! converter does, so that both files describe the same model.

pub mod encode;
mod folder;
pub mod gguf;
pub mod peft;
pub mod tokenizer;

use crate::source::{DType, dequant::dequantize_rows};
use std::collections::BTreeMap;

/// Families of tiny models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TinyFamily {
    /// Plain.
    Llama,
    /// As Llama.
    Mistral,
    /// With biases on q, k and v.
    Qwen2,
    /// With norms on the heads of q and k.
    Qwen3,
    /// An encoder.
    Bert,
}

impl TinyFamily {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3, Self::Bert];

    /// The name in `config.json` and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Bert => "bert",
        }
    }
}

/// A matrix by rows, or a vector as one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Output features (1 for a vector).
    pub rows: usize,
    /// Input features.
    pub cols: usize,
    /// Values by rows.
    pub values: Vec<f32>,
}

/// A tiny model: sizes that every stored form fits (rows are multiples of 256).
#[derive(Debug, Clone)]
pub struct Tiny {
    /// Family.
    pub family: TinyFamily,
    /// Transformer blocks.
    pub layers: usize,
    /// Model width.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// Trained positions.
    pub max_positions: usize,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// Whether the head is the embedding.
    pub tied: bool,
    /// Weights by canonical name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Tiny {
    /// A model whose weights follow from the seed.
    pub fn new(family: TinyFamily, seed: u64) -> Self {
        let encoder = family == TinyFamily::Bert;
        let mut tiny = Self {
            family,
            layers: 2,
            hidden: 256,
            heads: 4,
            kv_heads: if encoder { 4 } else { 2 },
            head_dim: 64,
            intermediate: 512,
            vocab: 384,
            max_positions: 256,
            rope_theta: 10_000.0,
            tied: matches!(family, TinyFamily::Llama | TinyFamily::Qwen3),
            tensors: BTreeMap::new(),
        };
        tiny.fill(&mut Random(seed));
        tiny
    }

    /// A BERT cross-encoder: pooler and classifier with one output on top.
    pub fn reranker(seed: u64) -> Self {
        let mut tiny = Self::new(TinyFamily::Bert, seed);
        let random = &mut Random(seed ^ 0x5eed);
        let hidden = tiny.hidden;
        for (name, rows) in [("pooler", hidden), ("classifier", 1)] {
            let values = random.values(rows * hidden, 1.7 / (hidden as f32).sqrt());
            tiny.tensors.insert(format!("{name}.weight"), Tensor { rows, cols: hidden, values });
            let values = random.values(rows, 0.2);
            tiny.tensors.insert(format!("{name}.bias"), Tensor { rows: 1, cols: rows, values });
        }
        tiny
    }

    /// Whether it has a classifier.
    pub fn is_reranker(&self) -> bool {
        self.tensors.contains_key("classifier.weight")
    }

    fn fill(&mut self, random: &mut Random) {
        let (hidden, wide) = (self.hidden, self.intermediate);
        let (q, kv) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let mut add = |name: String, rows: usize, cols: usize| {
            let values = match name.as_str() {
                n if n.ends_with("norm.weight") => {
                    random.values(cols, 0.2).into_iter().map(|v| 1.0 + v).collect()
                }
                n if n.ends_with("bias") => random.values(cols, 0.2),
                n if n.starts_with("token_embd") || n == "output.weight" => random.values(rows * cols, 1.0),
                _ => random.values(rows * cols, 1.7 / (cols as f32).sqrt()),
            };
            self.tensors.insert(name, Tensor { rows, cols, values });
        };
        add("token_embd.weight".into(), self.vocab, hidden);
        if self.family == TinyFamily::Bert {
            add("position_embd.weight".into(), self.max_positions, hidden);
            add("token_types.weight".into(), 2, hidden);
            add("token_embd_norm.weight".into(), 1, hidden);
            add("token_embd_norm.bias".into(), 1, hidden);
        } else {
            add("output_norm.weight".into(), 1, hidden);
            if !self.tied {
                add("output.weight".into(), self.vocab, hidden);
            }
        }
        for i in 0..self.layers {
            let linear = |name, rows, cols| (format!("blk.{i}.{name}"), rows, cols);
            let mut parts = vec![
                linear("attn_q", q, hidden),
                linear("attn_k", kv, hidden),
                linear("attn_v", kv, hidden),
                linear("attn_output", hidden, q),
                linear("ffn_up", wide, hidden),
                linear("ffn_down", hidden, wide),
            ];
            let vectors: &[&str] = match self.family {
                TinyFamily::Bert => {
                    parts.push(linear("attn_output_norm", 1, hidden));
                    parts.push(linear("layer_output_norm", 1, hidden));
                    &[]
                }
                TinyFamily::Qwen3 => &["attn_norm", "ffn_norm", "attn_q_norm", "attn_k_norm"],
                _ => &["attn_norm", "ffn_norm"],
            };
            if self.family != TinyFamily::Bert {
                parts.push(linear("ffn_gate", wide, hidden));
            }
            for (name, rows, cols) in parts {
                let on_qkv = ["attn_q", "attn_k", "attn_v"].iter().any(|end| name.ends_with(end));
                let biased = self.family == TinyFamily::Bert || (self.family == TinyFamily::Qwen2 && on_qkv);
                if biased {
                    add(format!("{name}.bias"), 1, if rows == 1 { cols } else { rows });
                }
                add(format!("{name}.weight"), rows, cols);
            }
            for name in vectors {
                let width = if name.ends_with("_q_norm") || name.ends_with("_k_norm") {
                    self.head_dim
                } else {
                    hidden
                };
                add(format!("blk.{i}.{name}.weight"), 1, width);
            }
        }
    }

    /// The model that a reader sees after its matrices were stored as `dtype`.
    pub fn stored_as(&self, dtype: DType) -> Self {
        let mut stored = self.clone();
        for tensor in stored.tensors.values_mut().filter(|tensor| tensor.rows > 1) {
            let bytes = encode::rows(dtype, &tensor.values);
            tensor.values.clear();
            dequantize_rows(dtype, tensor.cols, &bytes, &mut tensor.values);
        }
        stored
    }
}

/// xorshift64*: the same values on every machine.
#[derive(Debug, Clone)]
pub struct Random(
    /// The seed.
    pub u64,
);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut x = self.0;
        x ^= x >> 33;
        x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
        x ^ x >> 33
    }

    /// `count` values, roughly normal with this standard deviation.
    pub fn values(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        let uniform = |bits: u64| (bits >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        (0..count).map(|_| (0..4).map(|_| uniform(self.bits())).sum::<f32>() * 1.732 * deviation).collect()
    }
}
