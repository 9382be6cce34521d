//! A tiny model, adapters for it, and the model with one of them merged in.

use banyan_inference::adapters::Adapters;
use banyan_inference::kv::{Element, KvLayout, KvPlan};
use banyan_inference::runner::lora::LoraSource;
use banyan_inference::runner::{KvScales, OrtRunner, RunnerOptions};
use banyan_inference::runtime;
use banyan_modelpack::adapter::{AdapterOptions, import as import_adapter};
use banyan_modelpack::graph::{Bits, Variant};
use banyan_modelpack::source::DType;
use banyan_modelpack::testing::peft::PeftAdapter;
use banyan_modelpack::testing::{Tiny, TinyFamily};
use banyan_modelpack::{Adapter, AdapterStore, ImportOptions, Pack, Store, import};
use std::path::PathBuf;
use tempfile::TempDir;

pub(crate) const SLOTS: usize = 4;
const ALL: [&str; 7] = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];

pub(crate) struct Place {
    pub(crate) dir: TempDir,
    tiny: Tiny,
    pub(crate) base: Pack,
    store: AdapterStore,
}

pub(crate) fn library() -> PathBuf {
    let value = std::env::var_os("BANYAN_ORT_LIB");
    value.expect("BANYAN_ORT_LIB names ONNX Runtime's library; `cargo xtask test` sets it").into()
}

impl Place {
    pub(crate) fn new() -> Place {
        let dir = TempDir::new().unwrap();
        let tiny = Tiny::new(TinyFamily::Llama, 5);
        let base = pack(&dir, &tiny, "tiny");
        let store = AdapterStore::new(dir.path().join("adapters"));
        Place { dir, tiny, base, store }
    }

    /// A random adapter of this rank; its name is its seed's.
    pub(crate) fn adapter(&self, seed: u64, rank: usize, projections: &[&str]) -> Adapter {
        let name = format!("adapter-{seed}");
        let folder = self.dir.path().join("peft").join(&name);
        self.random(seed, rank, projections).write(&self.tiny, &folder).unwrap();
        import_adapter(&folder, &self.base, &self.store, &AdapterOptions::default()).unwrap()
    }

    /// An adapter of every projection.
    pub(crate) fn whole(&self, seed: u64) -> Adapter {
        self.adapter(seed, 4, &ALL)
    }

    fn random(&self, seed: u64, rank: usize, projections: &[&str]) -> PeftAdapter {
        PeftAdapter::new(&self.tiny, projections, rank, seed)
    }

    /// The model with the whole adapter of the seed merged into its weights.
    pub(crate) fn merged(&self, seed: u64) -> Pack {
        let merged = self.random(seed, 4, &ALL).merged_into(&self.tiny, 2.0);
        pack(&self.dir, &merged, &format!("merged-{seed}"))
    }

    /// A runner of a pack, and the adapters that may be loaded into it.
    pub(crate) fn runner(&self, pack: &Pack, budget: u64, element: Element) -> (OrtRunner, Adapters) {
        let a = &pack.manifest().architecture;
        let layout = KvLayout {
            layers: a.layers,
            kv_heads: a.kv_heads,
            head_dim: a.head_dim,
            slots: SLOTS,
            capacity: 64,
            element,
        };
        let kv8 = element == Element::I8;
        // Keys and values of the tiny model are below 6.
        let scale = vec![6.0 / 127.0; a.kv_heads * a.head_dim];
        let scales = kv8.then(|| KvScales(vec![scale; layout.buffers()]));
        let options = RunnerOptions {
            provider: "cpu".into(),
            threads: 1,
            spin: false,
            plan: KvPlan::exact(layout),
            scales,
            device_slab: false,
            vocab: a.vocab,
            scored: 64,
        };
        let environment = runtime::load(&library()).unwrap();
        let name = &pack.manifest().name;
        let graph = pack.variant_path(Variant { adapters: false, kv8 }).unwrap();
        let runner = OrtRunner::open(&environment, name, &graph, &options).unwrap();
        let source = LoraSource {
            environment,
            model: name.clone(),
            graph: pack.variant_path(Variant { adapters: true, kv8 }).unwrap(),
            provider: "cpu".into(),
            threads: 1,
            spin: false,
            layers: a.layers,
            element,
        };
        let adapters = Adapters::new(pack.manifest().clone(), source, runner.lora_place(), budget);
        (runner, adapters)
    }
}

fn pack(dir: &TempDir, tiny: &Tiny, name: &str) -> Pack {
    let source = dir.path().join(format!("{name}.gguf"));
    std::fs::write(&source, tiny.gguf(DType::F32).to_bytes()).unwrap();
    let options = ImportOptions { name: Some(name.into()), bits: Bits::Eight, max_positions: Some(256) };
    import(&source, &Store::new(dir.path().join("models")), &options, &mut |_| ()).unwrap()
}

/// Size of the difference against the size of `truth`.
pub(crate) fn distance(truth: &[f32], other: &[f32]) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    norm(&mut truth.iter().zip(other).map(|(a, b)| a - b)) / norm(&mut truth.iter().copied())
}
