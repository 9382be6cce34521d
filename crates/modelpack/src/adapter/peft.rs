//! A folder as the PEFT library saves a LoRA: `adapter_config.json` and `adapter_model.safetensors`.

use super::{MAX_RANK, Projection};
use crate::manifest::Architecture;
use crate::source::hf::{malformed, names, place, read, safetensors};
use crate::source::{SourceError, Stored};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The description.
pub(super) const CONFIG: &str = "adapter_config.json";
/// The tensors.
pub(super) const TENSORS: &str = "adapter_model.safetensors";

/// Fields that change what the adapter computes in ways that the graph does not, and what they mean.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("use_dora", "it is a DoRA, which also changes the size of each weight's row"),
    ("lora_bias", "it trains biases"),
    ("fan_in_fan_out", "it is for transposed weights"),
    ("modules_to_save", "it replaces whole modules beside the low-rank change"),
    ("layer_replication", "it repeats layers of the model"),
    ("trainable_token_indices", "it changes single rows of the embedding"),
    ("target_parameters", "it changes parameters that are not linear maps"),
    ("alora_invocation_tokens", "it begins in the middle of a text (aLoRA)"),
    ("use_qalora", "it is for weights quantized in groups (QA-LoRA)"),
];

#[derive(Debug, Deserialize)]
struct Config {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    bias: Option<String>,
    #[serde(default)]
    rank_pattern: Option<Map<String, Value>>,
    #[serde(default)]
    alpha_pattern: Option<Map<String, Value>>,
    base_model_name_or_path: Option<String>,
}

/// One projection of one layer: its factors' places, and what the second is multiplied with.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) rank: usize,
    pub(super) scale: f32,
    pub(super) a: Stored,
    pub(super) b: Stored,
}

/// An opened folder, every tensor checked against the model's sizes.
#[derive(Debug)]
pub(super) struct PeftFolder {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) alpha: f64,
    pub(super) trained_on: Option<String>,
    pub(super) parts: BTreeMap<(usize, Projection), Part>,
}

impl PeftFolder {
    pub(super) fn open(dir: &Path, sizes: &Architecture) -> Result<Self, SourceError> {
        let described = dir.join(CONFIG);
        let config = config(&described)?;
        let path = dir.join(TENSORS);
        let io = |source| SourceError::Io { path: path.display().to_string(), source };
        let file = File::open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let header =
            safetensors::read_header(BufReader::new(&file), length).map_err(|what| malformed(&path, what))?;
        let mut factors: BTreeMap<(usize, Projection), [Option<Stored>; 2]> = BTreeMap::new();
        for (name, raw) in &header {
            let (key, second) = place_of(name, sizes.layers).map_err(|what| unsupported(&path, what))?;
            let stored = place(name, raw).map_err(|what| malformed(&path, what))?;
            factors.entry(key).or_default()[usize::from(second)] = Some(stored);
        }
        let mut parts = BTreeMap::new();
        for ((layer, projection), factors) in factors {
            let name = hf_name(layer, projection);
            let [Some(a), Some(b)] = factors else {
                return Err(malformed(&path, format!("`{name}` has only one of lora_A and lora_B")));
            };
            let (rank, scale) = config.scale(&name).map_err(|what| malformed(&described, what))?;
            let wanted = ((rank, projection.inputs(sizes)), (projection.outputs(sizes), rank));
            let found = ((a.info.rows, a.info.cols), (b.info.rows, b.info.cols));
            if found != wanted {
                let what = format!(
                    "`{name}` has factors of {:?} and {:?}, where rank {rank} and this model's sizes ask for {:?} and {:?}; is \
                     it for another model?",
                    found.0, found.1, wanted.0, wanted.1
                );
                return Err(unsupported(&path, what));
            }
            parts.insert((layer, projection), Part { rank, scale, a, b });
        }
        if parts.is_empty() {
            return Err(unsupported(&path, "it changes nothing of the model"));
        }
        let trained_on = config.base_model_name_or_path.filter(|name| !name.is_empty());
        Ok(Self { path, file, alpha: config.lora_alpha, trained_on, parts })
    }
}

fn config(path: &Path) -> Result<Config, SourceError> {
    let bytes = match read(path) {
        Err(SourceError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path);
            return Err(unsupported(
                folder,
                format!("it has no {CONFIG}; Banyan reads LoRA adapters as the PEFT library saves them"),
            ));
        }
        read => read?,
    };
    let json: Value = serde_json::from_slice(&bytes).map_err(|e| malformed(path, e.to_string()))?;
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    if let Some((field, why)) = UNSUPPORTED.iter().find(|(field, _)| is_set(&json[*field])) {
        return Err(unsupported(path, format!("its `{field}` is set: {why}, which Banyan does not build")));
    }
    let config: Config = serde_json::from_value(json).map_err(|e| malformed(path, e.to_string()))?;
    if config.peft_type != "LORA" {
        let kind = config.peft_type.escape_debug();
        return Err(unsupported(path, format!("its peft_type is `{kind}`; Banyan reads `LORA`")));
    }
    if config.bias.as_deref().is_some_and(|bias| bias != "none") {
        return Err(unsupported(path, "it trains biases (`bias`), which Banyan does not build"));
    }
    Ok(config)
}

impl Config {
    /// Rank of a module, and the factor of its product.
    fn scale(&self, module: &str) -> Result<(usize, f32), String> {
        let rank = match pattern(self.rank_pattern.as_ref(), module)? {
            Some(value) => value.as_u64().and_then(|rank| usize::try_from(rank).ok()).unwrap_or(0),
            None => self.r,
        };
        let alpha = match pattern(self.alpha_pattern.as_ref(), module)? {
            Some(value) => value.as_f64().unwrap_or(f64::NAN),
            None => self.lora_alpha,
        };
        if !(1..=MAX_RANK).contains(&rank) || !alpha.is_finite() {
            return Err(format!(
                "`{module}` has rank {rank} and alpha {alpha}; ranks from 1 to {MAX_RANK} are accepted"
            ));
        }
        let divisor = if self.use_rslora { (rank as f64).sqrt() } else { rank as f64 };
        Ok((rank, (alpha / divisor) as f32))
    }
}

/// The value of the pattern that names the module: its whole name or the end of it from a dot on. PEFT takes regular
/// expressions here; names are what is written in practice, and anything else is refused rather than read differently.
fn pattern<'a>(patterns: Option<&'a Map<String, Value>>, module: &str) -> Result<Option<&'a Value>, String> {
    let mut found: Option<&Value> = None;
    for (pattern, value) in patterns.into_iter().flatten() {
        let (anchored, name) = match pattern.strip_prefix('^') {
            Some(name) => (true, name),
            None => (false, pattern.as_str()),
        };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b)) {
            return Err(format!(
                "its pattern `{}` is a regular expression; Banyan reads names of modules there",
                pattern.escape_debug()
            ));
        }
        let ends = module.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        if if anchored { module == name } else { ends } {
            if found.is_some_and(|other| other != value) {
                return Err(format!("two of its patterns give `{module}` different values"));
            }
            found = Some(value);
        }
    }
    Ok(found)
}

/// Layer and projection of a tensor, and whether it is the second factor.
fn place_of(name: &str, layers: usize) -> Result<((usize, Projection), bool), String> {
    let shown = name.escape_debug();
    let (module, factor) = name.rsplit_once(".lora_").unwrap_or((name, ""));
    let second = match factor {
        "A.weight" => false,
        "B.weight" => true,
        _ => return Err(format!("the tensor `{shown}` is no LoRA factor, and Banyan would leave it out")),
    };
    let canonical =
        module.strip_prefix("base_model.model.").and_then(|m| names::decoder(&format!("{m}.weight")));
    let place = canonical.as_deref().and_then(|canonical| {
        let (layer, projection) = canonical.strip_prefix("blk.")?.strip_suffix(".weight")?.split_once('.')?;
        Some((layer.parse::<usize>().ok()?, Projection::named(projection)?))
    });
    match place {
        Some((layer, _)) if layer >= layers => Err(format!(
            "the tensor `{shown}` is for layer {layer}, and the model has {layers}; is it for another model?"
        )),
        Some(place) => Ok((place, second)),
        None => Err(format!(
            "the tensor `{shown}` changes something other than the attention's and the feed-forward layer's linear maps, \
             which Banyan does not build"
        )),
    }
}

/// A module's name in the base model, as patterns spell it.
fn hf_name(layer: usize, projection: Projection) -> String {
    let module = match projection {
        Projection::Query => "self_attn.q_proj",
        Projection::Key => "self_attn.k_proj",
        Projection::Value => "self_attn.v_proj",
        Projection::Output => "self_attn.o_proj",
        Projection::Gate => "mlp.gate_proj",
        Projection::Up => "mlp.up_proj",
        Projection::Down => "mlp.down_proj",
    };
    format!("model.layers.{layer}.{module}")
}

fn unsupported(path: &Path, what: impl Into<String>) -> SourceError {
    SourceError::Unsupported { path: path.display().to_string(), what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_config(fields: Value) -> Config {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn the_scale_follows_alpha_rank_and_patterns() {
        let module = "model.layers.3.self_attn.q_proj";
        let plain = json!({"peft_type": "LORA", "r": 8, "lora_alpha": 16});
        assert_eq!(read_config(plain.clone()).scale(module), Ok((8, 2.0)));
        let mut stabilized = plain.clone();
        stabilized["use_rslora"] = true.into();
        stabilized["r"] = 16.into();
        assert_eq!(read_config(stabilized).scale(module), Ok((16, 4.0)));
        let mut patterned = plain;
        patterned["rank_pattern"] = json!({"q_proj": 4, "layers.1.self_attn.v_proj": 2});
        patterned["alpha_pattern"] = json!({"^model.layers.3.self_attn.q_proj": 32});
        let config = read_config(patterned);
        assert_eq!(config.scale(module), Ok((4, 8.0)));
        assert_eq!(config.scale("model.layers.1.self_attn.v_proj"), Ok((2, 8.0)));
        assert_eq!(config.scale("model.layers.11.self_attn.k_proj"), Ok((8, 2.0)));
        assert_eq!(config.scale("model.layers.21.self_attn.v_proj"), Ok((8, 2.0)), "21 does not end in .1");
    }

    #[test]
    fn patterns_that_are_unclear_or_no_names_are_refused_by_name() {
        let mut config =
            json!({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "rank_pattern": {".*q_proj": 4}});
        let words = read_config(config.clone()).scale("model.layers.0.mlp.up_proj").unwrap_err();
        assert!(words.contains(".*q_proj"), "{words}");
        config["rank_pattern"] = json!({"q_proj": 4, "self_attn.q_proj": 2});
        let words = read_config(config).scale("model.layers.0.self_attn.q_proj").unwrap_err();
        assert!(words.contains("different values"), "{words}");
    }

    #[test]
    fn tensors_that_the_graph_does_not_take_are_refused_by_name() {
        let ok = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight";
        assert_eq!(place_of(ok, 2), Ok(((1, Projection::Down), true)));
        for name in [
            "base_model.model.lm_head.lora_A.weight",
            "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
            "base_model.model.model.layers.2.mlp.up_proj.lora_A.weight",
            "base_model.model.model.embed_tokens.lora_embedding_A",
            "model.layers.0.mlp.up_proj.lora_A.weight",
            "base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight",
        ] {
            let words = place_of(name, 2).unwrap_err();
            assert!(words.contains(name), "{words}");
        }
    }
}
