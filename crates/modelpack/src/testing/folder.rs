//! Writing Hugging Face folders.

use super::{Tiny, TinyFamily, encode, tokenizer};
use crate::source::DType;
use serde_json::{Map, Value, json};
use std::io::{Error, Result};
use std::path::Path;

impl Tiny {
    /// Tensors under Hugging Face's names: shape and values.
    pub fn hf_tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let named = |(name, tensor): (&String, &super::Tensor)| {
            let matrix = tensor.rows > 1 || name == "classifier.weight";
            let shape = if matrix { vec![tensor.rows, tensor.cols] } else { vec![tensor.cols] };
            (self.hf_name(name), shape, tensor.values.clone())
        };
        self.tensors.iter().map(named).collect()
    }

    /// `config.json`.
    pub fn hf_config(&self) -> Value {
        let mut config = json!({
            "model_type": self.family.name(),
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.intermediate,
            "vocab_size": self.vocab,
            "max_position_embeddings": self.max_positions,
        });
        if self.family == TinyFamily::Bert {
            config["hidden_act"] = json!("gelu");
            config["layer_norm_eps"] = json!(1e-12);
            config["type_vocab_size"] = json!(2);
            if self.is_reranker() {
                config["architectures"] = json!(["BertForSequenceClassification"]);
            }
        } else {
            config["hidden_act"] = json!("silu");
            config["rms_norm_eps"] = json!(1e-5);
            config["num_key_value_heads"] = json!(self.kv_heads);
            config["head_dim"] = json!(self.head_dim);
            config["rope_theta"] = json!(self.rope_theta);
            config["tie_word_embeddings"] = json!(self.tied);
            config["sliding_window"] = Value::Null;
            config["eos_token_id"] = json!(2);
        }
        config
    }

    /// Writes the folder, weights in one file stored as `dtype` (a float form).
    pub fn write_folder(&self, dir: &Path, dtype: DType) -> Result<()> {
        self.write_descriptions(dir)?;
        std::fs::write(dir.join("model.safetensors"), safetensors(&self.hf_tensors(), dtype)?)
    }

    /// Writes the folder with the weights in `count` shards and an index.
    pub fn write_shards(&self, dir: &Path, dtype: DType, count: usize) -> Result<()> {
        self.write_descriptions(dir)?;
        let tensors = self.hf_tensors();
        let mut map = Map::new();
        for (i, part) in tensors.chunks(tensors.len().div_ceil(count)).enumerate() {
            let file = format!("model-{:05}-of-{count:05}.safetensors", i + 1);
            map.extend(part.iter().map(|(name, ..)| (name.clone(), Value::from(file.clone()))));
            std::fs::write(dir.join(file), safetensors(part, dtype)?)?;
        }
        let index = json!({"metadata": {}, "weight_map": map});
        std::fs::write(dir.join("model.safetensors.index.json"), index.to_string())
    }

    fn write_descriptions(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        let write = |name: &str, json: Value| std::fs::write(dir.join(name), json.to_string());
        write("config.json", self.hf_config())?;
        std::fs::write(dir.join("README.md"), "---\nlicense: cc0-1.0\n---\n# Tiny model\n")?;
        if self.family == TinyFamily::Bert {
            std::fs::create_dir_all(dir.join("1_Pooling"))?;
            write(
                "1_Pooling/config.json",
                json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}),
            )?;
            write("sentence_bert_config.json", json!({"max_seq_length": 128}))?;
            return write("tokenizer.json", tokenizer::encoder_json());
        }
        write("generation_config.json", json!({"eos_token_id": [0, 2]}))?;
        write(
            "tokenizer_config.json",
            json!({"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"},
            "chat_template": tokenizer::CHAT_TEMPLATE}),
        )?;
        write("tokenizer.json", tokenizer::decoder_json())
    }

    pub(super) fn hf_name(&self, name: &str) -> String {
        let encoder = self.family == TinyFamily::Bert;
        let whole = match name {
            "output.weight" => Some("lm_head.weight"),
            "output_norm.weight" => Some("model.norm.weight"),
            "token_embd.weight" if encoder => Some("embeddings.word_embeddings.weight"),
            "token_embd.weight" => Some("model.embed_tokens.weight"),
            "position_embd.weight" => Some("embeddings.position_embeddings.weight"),
            "token_types.weight" => Some("embeddings.token_type_embeddings.weight"),
            "token_embd_norm.weight" => Some("embeddings.LayerNorm.weight"),
            "token_embd_norm.bias" => Some("embeddings.LayerNorm.bias"),
            "pooler.weight" => Some("pooler.dense.weight"),
            "pooler.bias" => Some("pooler.dense.bias"),
            "classifier.weight" => Some("classifier.weight"),
            "classifier.bias" => Some("classifier.bias"),
            _ => None,
        };
        if let Some(whole) = whole {
            return whole.into();
        }
        let mut parts = name.splitn(4, '.');
        let (_, layer) = (parts.next(), parts.next().unwrap_or_default());
        let (module, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if encoder {
            let module = match module {
                "attn_q" => "attention.self.query",
                "attn_k" => "attention.self.key",
                "attn_v" => "attention.self.value",
                "attn_output" => "attention.output.dense",
                "attn_output_norm" => "attention.output.LayerNorm",
                "ffn_up" => "intermediate.dense",
                "ffn_down" => "output.dense",
                _ => "output.LayerNorm",
            };
            return format!("encoder.layer.{layer}.{module}.{kind}");
        }
        let module = match module {
            "attn_norm" => "input_layernorm",
            "ffn_norm" => "post_attention_layernorm",
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "attn_q_norm" => "self_attn.q_norm",
            "attn_k_norm" => "self_attn.k_norm",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => "mlp.up_proj",
            _ => "mlp.down_proj",
        };
        format!("model.layers.{layer}.{module}.{kind}")
    }
}

/// A safetensors file.
pub(super) fn safetensors(tensors: &[(String, Vec<usize>, Vec<f32>)], dtype: DType) -> Result<Vec<u8>> {
    let form = match dtype {
        DType::F32 => "F32",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        other => return Err(Error::other(format!("safetensors has no {other:?}"))),
    };
    let (mut header, mut data) = (Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let begin = data.len();
        data.extend(encode::rows(dtype, values));
        header.insert(
            name.clone(),
            json!({"dtype": form, "shape": shape, "data_offsets": [begin, data.len()]}),
        );
    }
    let header = Value::from(header).to_string();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(data);
    Ok(out)
}
