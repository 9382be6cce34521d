//! Writing LoRA adapters as the PEFT library saves them.

use super::{Random, Tiny, folder};
use crate::source::DType;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Result;
use std::path::Path;

/// A random adapter.
#[derive(Debug, Clone)]
pub struct PeftAdapter {
    /// `adapter_config.json`.
    pub config: Value,
    /// By a weight's canonical name: rank, first factor `[rank, in]`, second factor `[out, rank]`.
    pub parts: BTreeMap<String, (usize, Vec<f32>, Vec<f32>)>,
}

impl PeftAdapter {
    /// An adapter of the rank for these projections (by canonical name, such as `attn_q`) of every layer.
    pub fn new(tiny: &Tiny, projections: &[&str], rank: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let names =
            (0..tiny.layers).flat_map(|i| projections.iter().map(move |p| format!("blk.{i}.{p}.weight")));
        let part = |name: String| {
            let tensor = &tiny.tensors[&name];
            let a = random.values(rank * tensor.cols, 0.08);
            (name, (rank, a, random.values(tensor.rows * rank, 0.3)))
        };
        let config = json!({"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "bias": "none",
            "use_rslora": false, "base_model_name_or_path": "tiny/model", "modules_to_save": Value::Null});
        Self { config, parts: names.map(part).collect() }
    }

    /// Tensors under PEFT's names: shape and values.
    pub fn tensors(&self, tiny: &Tiny) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let named = |(name, (rank, a, b)): (&String, &(usize, Vec<f32>, Vec<f32>))| {
            let module = tiny.hf_name(name);
            let module = module.trim_end_matches(".weight");
            let full = |factor: &str| format!("base_model.model.{module}.lora_{factor}.weight");
            [
                (full("A"), vec![*rank, a.len() / rank], a.clone()),
                (full("B"), vec![b.len() / rank, *rank], b.clone()),
            ]
        };
        self.parts.iter().flat_map(named).collect()
    }

    /// Writes the folder.
    pub fn write(&self, tiny: &Tiny, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("adapter_config.json"), self.config.to_string())?;
        let bytes = folder::safetensors(&self.tensors(tiny), DType::F32)?;
        std::fs::write(dir.join("adapter_model.safetensors"), bytes)
    }

    /// The model with `scale · B · A` added to its weights.
    pub fn merged_into(&self, tiny: &Tiny, scale: f32) -> Tiny {
        let mut merged = tiny.clone();
        for (name, (rank, a, b)) in &self.parts {
            let Some(tensor) = merged.tensors.get_mut(name) else { continue };
            for (at, value) in tensor.values.iter_mut().enumerate() {
                let (row, col) = (at / tensor.cols, at % tensor.cols);
                let change: f32 = (0..*rank).map(|r| b[row * rank + r] * a[r * tensor.cols + col]).sum();
                *value += scale * change;
            }
        }
        merged
    }
}
