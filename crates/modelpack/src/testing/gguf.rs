//! Writing GGUF files, right ones and wrong ones.

use super::{Tensor, Tiny, TinyFamily, encode, tokenizer};
use crate::source::DType;

/// A metadata value to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Meta {
    /// `uint32`.
    U32(u32),
    /// `uint64`.
    U64(u64),
    /// `float32`.
    F32(f32),
    /// `bool`.
    Bool(bool),
    /// `string`.
    Text(String),
    /// Array of `string`.
    Texts(Vec<String>),
    /// Array of `int32`.
    Ints(Vec<i32>),
    /// Array of `float32`.
    Floats(Vec<f32>),
}

/// A GGUF file in the making.
#[derive(Debug, Clone, Default)]
pub struct GgufFile {
    /// Metadata in file order.
    pub metadata: Vec<(String, Meta)>,
    /// Tensors in file order: name, dimensions (contiguous first), ggml form, bytes.
    pub tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

impl GgufFile {
    /// Sets a metadata value.
    pub fn set(&mut self, key: &str, value: Meta) {
        self.metadata.retain(|(existing, _)| existing != key);
        self.metadata.push((key.into(), value));
    }

    /// Adds a tensor in a stored form.
    pub fn tensor(&mut self, name: &str, tensor: &Tensor, dtype: DType) {
        let dims = if tensor.rows == 1 {
            vec![tensor.cols as u64]
        } else {
            vec![tensor.cols as u64, tensor.rows as u64]
        };
        self.tensors.push((name.into(), dims, ggml_form(dtype), encode::rows(dtype, &tensor.values)));
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            text(key, &mut out);
            meta(value, &mut out);
        }
        let mut offset = 0u64;
        for (name, dims, form, bytes) in &self.tensors {
            text(name, &mut out);
            out.extend((dims.len() as u32).to_le_bytes());
            dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
            out.extend(form.to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += (bytes.len() as u64).next_multiple_of(32);
        }
        for (.., bytes) in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(bytes);
        }
        out
    }
}

/// ggml's number of a form.
pub fn ggml_form(dtype: DType) -> u32 {
    match dtype {
        DType::F32 => 0,
        DType::F16 => 1,
        DType::Q4_0 => 2,
        DType::Q4_1 => 3,
        DType::Q5_0 => 6,
        DType::Q5_1 => 7,
        DType::Q8_0 => 8,
        DType::Q4_K => 12,
        DType::Q5_K => 13,
        DType::Q6_K => 14,
        DType::BF16 => 30,
    }
}

fn text(value: &str, out: &mut Vec<u8>) {
    out.extend((value.len() as u64).to_le_bytes());
    out.extend(value.as_bytes());
}

fn meta(value: &Meta, out: &mut Vec<u8>) {
    let mut array = |kind: u32, length: usize| {
        out.extend(9u32.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((length as u64).to_le_bytes());
    };
    match value {
        Meta::U32(n) => {
            out.extend(4u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        Meta::U64(n) => {
            out.extend(10u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        Meta::F32(n) => {
            out.extend(6u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        Meta::Bool(on) => {
            out.extend(7u32.to_le_bytes());
            out.push(u8::from(*on));
        }
        Meta::Text(words) => {
            out.extend(8u32.to_le_bytes());
            text(words, out);
        }
        Meta::Texts(list) => {
            array(8, list.len());
            list.iter().for_each(|words| text(words, out));
        }
        Meta::Ints(list) => {
            array(5, list.len());
            list.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
        Meta::Floats(list) => {
            array(6, list.len());
            list.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
    }
}

impl Tiny {
    /// The model as a GGUF file whose matrices are stored as `dtype`. Llama and Mistral are `llama` there, with
    /// queries and keys permuted.
    pub fn gguf(&self, dtype: DType) -> GgufFile {
        let arch = match self.family {
            TinyFamily::Llama | TinyFamily::Mistral => "llama",
            TinyFamily::Qwen2 => "qwen2",
            TinyFamily::Qwen3 => "qwen3",
            TinyFamily::Bert => "bert",
        };
        let mut file = GgufFile::default();
        file.set("general.architecture", Meta::Text(arch.into()));
        file.set("general.name", Meta::Text(format!("Tiny {}", self.family.name())));
        file.set("general.license", Meta::Text("cc0-1.0".into()));
        let mut number =
            |key: &str, value: usize| file.set(&format!("{arch}.{key}"), Meta::U32(value as u32));
        number("block_count", self.layers);
        number("context_length", self.max_positions);
        number("embedding_length", self.hidden);
        number("feed_forward_length", self.intermediate);
        number("attention.head_count", self.heads);
        number("attention.head_count_kv", self.kv_heads);
        number("attention.key_length", self.head_dim);
        file.set(&format!("{arch}.attention.layer_norm_rms_epsilon"), Meta::F32(1e-5));
        file.set(&format!("{arch}.rope.freq_base"), Meta::F32(self.rope_theta as f32));
        tokenizer::into_gguf(&mut file);
        for (name, tensor) in &self.tensors {
            let heads = match name.rsplit('.').nth(1) {
                Some("attn_q") => self.heads,
                Some("attn_k") => self.kv_heads,
                _ => 0,
            };
            let dtype = if tensor.rows == 1 { DType::F32 } else { dtype };
            if arch == "llama" && heads > 0 {
                file.tensor(name, &permuted(tensor, heads), dtype);
            } else {
                file.tensor(name, tensor, dtype);
            }
        }
        file
    }
}

/// Rotated halves become rotated neighbours, as llama.cpp's converter stores Llama's queries and keys.
fn permuted(tensor: &Tensor, heads: usize) -> Tensor {
    let head_dim = tensor.rows / heads;
    let mut values = vec![0.0; tensor.values.len()];
    for (row, source) in tensor.values.chunks(tensor.cols).enumerate() {
        let (head, within) = (row / head_dim, row % head_dim);
        let (half, i) = (within / (head_dim / 2), within % (head_dim / 2));
        let target = (head * head_dim + i * 2 + half) * tensor.cols;
        values[target..target + tensor.cols].copy_from_slice(source);
    }
    Tensor { values, ..*tensor }
}
