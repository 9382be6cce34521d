//! Adapter packs: import from PEFT's form, and what is refused.

use banyan_modelpack::adapter::{AdapterOptions, FILE_NAME, Projection, TENSORS_FILE, import};
use banyan_modelpack::source::DType;
use banyan_modelpack::testing::peft::PeftAdapter;
use banyan_modelpack::testing::{Tiny, TinyFamily};
use banyan_modelpack::{Adapter, AdapterError, AdapterStore, ImportOptions, Pack, Store};
use serde_json::json;
use std::path::PathBuf;
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    tiny: Tiny,
    base: Pack,
    store: AdapterStore,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let tiny = Tiny::new(TinyFamily::Llama, 1);
        let base = model(&dir, &tiny, "tiny");
        let store = AdapterStore::new(dir.path().join("adapters"));
        Self { dir, tiny, base, store }
    }

    fn folder(&self, adapter: &PeftAdapter) -> PathBuf {
        let folder = self.dir.path().join("Letters in Swahili");
        let _ = std::fs::remove_dir_all(&folder);
        adapter.write(&self.tiny, &folder).unwrap();
        folder
    }

    fn import(&self, adapter: &PeftAdapter) -> Result<Adapter, AdapterError> {
        import(&self.folder(adapter), &self.base, &self.store, &AdapterOptions::default())
    }

    /// What is left in the store, hidden things too but the lock.
    fn listing(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.store.dir()).into_iter().flatten();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".import.lock").collect()
    }
}

fn model(dir: &TempDir, tiny: &Tiny, name: &str) -> Pack {
    let source = dir.path().join(format!("{name}.gguf"));
    std::fs::write(&source, tiny.gguf(DType::Q8_0).to_bytes()).unwrap();
    let options = ImportOptions { name: Some(name.into()), ..ImportOptions::default() };
    banyan_modelpack::import(&source, &Store::new(dir.path().join("models")), &options, &mut |_| ()).unwrap()
}

#[test]
fn a_peft_folder_becomes_an_adapter_that_says_what_it_is() {
    let place = Place::new();
    let adapter = place.import(&PeftAdapter::new(&place.tiny, &["attn_q", "attn_v"], 8, 1)).unwrap();
    let manifest = adapter.manifest();
    assert_eq!((manifest.name.as_str(), manifest.rank, manifest.alpha), ("letters-in-swahili", 8, 16.0));
    assert_eq!(manifest.modules, [Projection::Query, Projection::Value]);
    assert_eq!(
        (manifest.base.model.as_str(), manifest.base.trained_on.as_deref()),
        ("tiny", Some("tiny/model"))
    );
    assert_eq!(manifest.provenance.source, "Letters in Swahili");
    adapter.verify().unwrap();
    assert_eq!(place.listing(), ["letters-in-swahili"]);
    let listed: Vec<_> = place.store.list().into_iter().map(|a| a.unwrap().manifest().clone()).collect();
    assert_eq!(listed, std::slice::from_ref(manifest));
    let weights = adapter.weights(place.base.manifest()).unwrap();
    use banyan_modelpack::graph::contract::LoraModule::{GateUp, Qkv};
    assert_eq!((weights.rank(Qkv, 0), weights.rank(GateUp, 0)), (16, 0), "ranks of fused maps add up");
    let words = place.import(&PeftAdapter::new(&place.tiny, &["attn_q"], 2, 1)).unwrap_err().to_string();
    assert!(words.contains("banyan adapter remove letters-in-swahili"), "{words}");
    place.store.remove("letters-in-swahili").unwrap();
    assert!(place.listing().is_empty() && place.store.list().is_empty());
    assert!(matches!(place.store.open("letters-in-swahili"), Err(AdapterError::NotFound { .. })));
    assert!(matches!(place.store.open("../models"), Err(AdapterError::Name(_))));
}

#[test]
fn what_the_graph_cannot_compute_is_refused_by_name_and_leaves_nothing() {
    let place = Place::new();
    let whole = PeftAdapter::new(&place.tiny, &["attn_q", "ffn_down"], 4, 1);
    let cases: [(&str, serde_json::Value, &str); 10] = [
        ("peft_type", json!("IA3"), "IA3"),
        ("use_dora", json!(true), "DoRA"),
        ("bias", json!("all"), "`bias`"),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save"),
        ("fan_in_fan_out", json!(true), "fan_in_fan_out"),
        ("r", json!(0), "rank 0"),
        ("r", json!(1_000_000), "1000000"),
        ("r", json!(8), "rank 8"),
        ("lora_alpha", json!("many"), "expected f64"),
        ("rank_pattern", json!({"[a-z]+_proj": 4}), "regular expression"),
    ];
    for (field, value, named) in cases {
        let mut adapter = whole.clone();
        adapter.config[field] = value.clone();
        let words = place.import(&adapter).unwrap_err().to_string();
        assert!(words.contains(named), "{field} = {value}: {words}");
        assert!(place.listing().is_empty(), "{field} = {value}");
    }
    let mut endless = whole.clone();
    endless.parts.get_mut("blk.1.ffn_down.weight").unwrap().2[3] = f32::NAN;
    let words = place.import(&endless).unwrap_err().to_string();
    assert!(words.contains("ffn_down") && words.contains("finite"), "{words}");
    assert!(place.listing().is_empty(), "a half-written adapter stayed");
    let mut none = whole.clone();
    none.parts.clear();
    assert!(place.import(&none).unwrap_err().to_string().contains("changes nothing"));
    let folder = place.folder(&whole);
    std::fs::remove_file(folder.join("adapter_config.json")).unwrap();
    let words =
        import(&folder, &place.base, &place.store, &AdapterOptions::default()).unwrap_err().to_string();
    assert!(words.contains("PEFT"), "{words}");
}

#[test]
fn an_adapter_for_another_model_is_refused_at_import_and_at_use() {
    let place = Place::new();
    let mut wide = place.tiny.clone();
    let tensor = wide.tensors.get_mut("blk.0.attn_q.weight").unwrap();
    (tensor.rows, tensor.cols) = (tensor.rows * 2, tensor.cols / 2);
    let folder = place.dir.path().join("wide");
    PeftAdapter::new(&wide, &["attn_q"], 4, 1).write(&wide, &folder).unwrap();
    let words =
        import(&folder, &place.base, &place.store, &AdapterOptions::default()).unwrap_err().to_string();
    assert!(words.contains("model.layers.0.self_attn.q_proj") && words.contains("another model"), "{words}");

    let adapter = place.import(&PeftAdapter::new(&place.tiny, &["attn_q"], 4, 1)).unwrap();
    let other = model(&place.dir, &Tiny::new(TinyFamily::Llama, 2), "other");
    let words = adapter.weights(other.manifest()).unwrap_err().to_string();
    assert!(words.contains("made for tiny"), "{words}");
    let mut anew = other.manifest().clone();
    anew.name = "tiny".into();
    let words = adapter.weights(&anew).unwrap_err().to_string();
    assert!(words.contains("import the adapter again"), "{words}");
}

#[test]
fn a_damaged_adapter_says_what_is_damaged() {
    let place = Place::new();
    let adapter = place.import(&PeftAdapter::new(&place.tiny, &["attn_k"], 4, 1)).unwrap();
    let tensors = adapter.dir().join(TENSORS_FILE);
    let original = std::fs::read(&tensors).unwrap();
    let mut bytes = original.clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&tensors, &bytes).unwrap();
    assert!(matches!(adapter.verify(), Err(AdapterError::Damaged { .. })));
    std::fs::write(&tensors, &original[1..]).unwrap();
    let words = place.store.open("letters-in-swahili").unwrap_err().to_string();
    assert!(words.contains(TENSORS_FILE) && words.contains("import it again"), "{words}");
    std::fs::write(&tensors, original).unwrap();
    let description = adapter.dir().join(FILE_NAME);
    let text = std::fs::read_to_string(&description).unwrap();
    for (from, to) in
        [("rank = 4", "rank = 0"), ("format = 1", "format = 9"), (TENSORS_FILE, "../x"), ("alpha", "alfa")]
    {
        std::fs::write(&description, text.replacen(from, to, 1)).unwrap();
        let words = place.store.open("letters-in-swahili").unwrap_err().to_string();
        assert!(words.contains(FILE_NAME), "{to}: {words}");
    }
}
