//! `config.json` of a Hugging Face folder.

use crate::source::{DecoderConfig, EncoderConfig, Family, Pooling};
use serde::Deserialize;
use serde_json::Value;
use std::f64::consts::TAU;

/// The fields of `config.json` that Banyan reads; the defaults are those of transformers' classes.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) model_type: String,
    pub(super) hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: Option<f64>,
    layer_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    sliding_window: Option<Value>,
    use_sliding_window: Option<bool>,
    hidden_act: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    position_embedding_type: Option<String>,
    quantization_config: Option<Value>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    pub(super) tie_word_embeddings: bool,
    pub(super) eos_token_id: Option<Value>,
}

/// Keeps `null` apart from an absent field: Mistral's classes give them different meanings.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Config {
    /// The family; `Ok(None)` for BERT.
    pub(super) fn family(&self) -> Result<Option<Family>, String> {
        Ok(Some(match self.model_type.as_str() {
            "llama" => Family::Llama,
            "mistral" => Family::Mistral,
            "qwen2" => Family::Qwen2,
            "qwen3" => Family::Qwen3,
            "bert" => return Ok(None),
            other => {
                return Err(format!(
                    "its model_type is `{}`; Banyan serves llama, mistral, qwen2, qwen3 and bert",
                    other.escape_debug()
                ));
            }
        }))
    }

    pub(super) fn decoder(&self, family: Family) -> Result<DecoderConfig, String> {
        self.refuse_variants("silu")?;
        if self.attention_bias == Some(true) || self.mlp_bias == Some(true) {
            return Err(
                "it has attention or feed-forward biases, which Banyan does not build for this family".into(),
            );
        }
        let heads = self.num_attention_heads;
        let default_head = if family == Family::Qwen3 { 128 } else { self.hidden_size / heads.max(1) };
        let head_dim = self.head_dim.unwrap_or(default_head);
        let rope = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let nested = rope.and_then(|rope| rope.get("rope_theta")).and_then(Value::as_f64);
        let theta = self.rope_theta.or(nested).unwrap_or(10_000.0);
        let default_kv = if family == Family::Mistral { 8 } else { heads };
        Ok(DecoderConfig {
            family,
            layers: self.num_hidden_layers,
            hidden: self.hidden_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(default_kv),
            head_dim,
            intermediate: self.intermediate_size,
            vocab: self.vocab_size,
            norm_eps: self.rms_norm_eps.unwrap_or(1e-6) as f32,
            rope_theta: theta,
            rope_factors: rope.map_or(Ok(None), |rope| rope_factors(rope, theta, head_dim))?,
            rope_interleaved: false,
            sliding_window: self.window(family)?,
            context_length: self.max_position_embeddings,
        })
    }

    /// Whether BERT carries a classifier: with one output it is a re-ranker.
    pub(super) fn is_reranker(&self) -> bool {
        self.architectures.iter().flatten().any(|name| name == "BertForSequenceClassification")
    }

    pub(super) fn encoder(&self, pooling: Pooling, token_types: usize) -> Result<EncoderConfig, String> {
        self.refuse_variants("gelu")?;
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => {
                return Err(format!(
                    "its position_embedding_type is `{}`, not `absolute`",
                    other.escape_debug()
                ));
            }
        }
        Ok(EncoderConfig {
            layers: self.num_hidden_layers,
            hidden: self.hidden_size,
            heads: self.num_attention_heads,
            intermediate: self.intermediate_size,
            vocab: self.vocab_size,
            max_positions: self.max_position_embeddings,
            norm_eps: self.layer_norm_eps.unwrap_or(1e-12) as f32,
            pooling,
            token_types,
        })
    }

    fn refuse_variants(&self, activation: &str) -> Result<(), String> {
        if self.quantization_config.is_some() {
            return Err(
                "its weights are quantized (quantization_config); take the original weights or a GGUF file"
                    .into(),
            );
        }
        match self.hidden_act.as_deref() {
            Some(act) if act != activation => {
                Err(format!("its hidden_act is `{}`, where Banyan builds `{activation}`", act.escape_debug()))
            }
            _ => Ok(()),
        }
    }

    fn window(&self, family: Family) -> Result<Option<usize>, String> {
        let used = match family {
            Family::Mistral => true,
            Family::Qwen2 | Family::Qwen3 => self.use_sliding_window == Some(true),
            Family::Llama => false,
        };
        match &self.sliding_window {
            _ if !used => Ok(None),
            None => Ok(Some(4096)),
            Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0) {
                Some(window) if family == Family::Mistral => Ok(Some(window)),
                Some(_) => {
                    Err("it uses a sliding window in some layers only, which Banyan does not build".into())
                }
                None => Err("its sliding_window is not a positive whole number".into()),
            },
        }
    }
}

/// Divisors of the rotary frequencies.
///
/// Llama 3.1: wavelengths beyond `original / low_freq_factor` are stretched by `factor`, those below
/// `original / high_freq_factor` stay, and between them the frequency is interpolated.
fn rope_factors(rope: &Value, theta: f64, head_dim: usize) -> Result<Option<Vec<f32>>, String> {
    let kind =
        rope.get("rope_type").or_else(|| rope.get("type")).and_then(Value::as_str).unwrap_or("default");
    let number = |name: &str| {
        let value = rope.get(name).and_then(Value::as_f64).filter(|n| n.is_finite() && *n > 0.0);
        value.ok_or_else(|| format!("its rope_scaling has no usable `{name}`"))
    };
    if head_dim > 1 << 16 {
        return Err(format!("its head_dim is {head_dim}"));
    }
    match kind {
        "default" => Ok(None),
        "linear" => Ok(Some(vec![number("factor")? as f32; head_dim / 2])),
        "llama3" => {
            let (factor, low, high) =
                (number("factor")?, number("low_freq_factor")?, number("high_freq_factor")?);
            let original = number("original_max_position_embeddings")?;
            if low >= high {
                return Err("its rope_scaling has low_freq_factor not below high_freq_factor".into());
            }
            let divisor = |i: usize| {
                let wavelength = TAU * theta.powf(2.0 * i as f64 / head_dim as f64);
                if wavelength < original / high {
                    1.0
                } else if wavelength > original / low {
                    factor
                } else {
                    let smooth = (original / wavelength - low) / (high - low);
                    1.0 / ((1.0 - smooth) / factor + smooth)
                }
            };
            Ok(Some((0..head_dim / 2).map(|i| divisor(i) as f32).collect()))
        }
        other => Err(format!(
            "its rope_scaling is `{}`; Banyan builds `default`, `linear` and `llama3`",
            other.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The divisors that llama.cpp's converter writes into `rope_freqs.weight` for Llama 3.2 1B (head 64, factor 32).
    #[test]
    fn llama3_scaling_keeps_short_wavelengths_and_stretches_long_ones() {
        let rope = serde_json::json!({"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
        let factors = rope_factors(&rope, 500_000.0, 64).unwrap().unwrap();
        assert_eq!(factors.len(), 32);
        assert!(factors[..15].iter().all(|&f| f == 1.0), "{factors:?}");
        assert!(factors[18..].iter().all(|&f| f == 32.0), "{factors:?}");
        // Between: wavelength at i = 16 is 2π·500000^(1/2) = 4442.9; smooth = (8192/4442.9 − 1)/3 = 0.28129.
        assert!((factors[16] - 1.0 / ((1.0 - 0.281_29) / 32.0 + 0.281_29)).abs() < 1e-3, "{}", factors[16]);
    }

    #[test]
    fn a_scaling_that_banyan_cannot_build_is_named() {
        let error = rope_factors(&serde_json::json!({"type": "yarn", "factor": 4.0}), 1e6, 128).unwrap_err();
        assert!(error.contains("yarn"), "{error}");
    }
}
