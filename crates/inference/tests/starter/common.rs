//! The real starter packs and the real runtime, for the integration tests.

use banyan_inference::forward::{Forward, LogitsWanted};
use banyan_inference::kv::{Element, KvLayout, KvPlan};
use banyan_inference::runner::{KvScales, OrtRunner, RunnerOptions};
use banyan_inference::{EngineConfig, ScoreOptions, Scorer, runtime};
use banyan_modelpack::Pack;
use banyan_modelpack::graph::Variant;
use std::path::{Path, PathBuf};

pub(crate) const CHAT: &str = "smollm2-135m-instruct";
pub(crate) const EMBEDDING: &str = "all-minilm-l6-v2";

/// A few sentences that no model can foresee wholly.
pub(crate) const TEXT: &str = "The banyan is a fig that begins its life in the crevice of another tree. Its seeds are carried \
    by birds, and its aerial roots grow down until they reach the ground, where they thicken into new trunks. An old \
    banyan can cover several hectares and look like a small forest, although it is a single tree. Villages hold their \
    meetings in its shade: merchants rest there, disputes are settled there, and children learn to read there.";

fn from_environment(name: &str, what: &str) -> PathBuf {
    let Some(value) = std::env::var_os(name) else {
        panic!("{name} is not set ({what}). Run `cargo xtask test`, which fetches everything and sets it");
    };
    PathBuf::from(value)
}

/// The folder of a starter pack.
pub(crate) fn pack(name: &str) -> PathBuf {
    let dir = from_environment("BANYAN_TEST_PACKS", "the folder with the starter model packs").join(name);
    assert!(
        dir.is_dir(),
        "{} is not there. Run `cargo xtask test`, which imports the starter models",
        dir.display()
    );
    dir
}

pub(crate) fn ort_library() -> PathBuf {
    from_environment("BANYAN_ORT_LIB", "the path of libonnxruntime.so")
}

/// A runner of the starter model with a slab of our choice.
pub(crate) fn runner(slots: usize, capacity: usize) -> OrtRunner {
    runner_with(slots, capacity, false)
}

/// The same, with the slab in this process' memory or in the provider's.
pub(crate) fn runner_with(slots: usize, capacity: usize, device_slab: bool) -> OrtRunner {
    let options = RunnerOptions { device_slab, ..options(slots, capacity) };
    open(&Pack::open(&pack(CHAT)).unwrap().graph_path(), &options)
}

/// A runner of another graph of the starter model.
pub(crate) fn runner_of(graph: &Path, slots: usize, capacity: usize) -> OrtRunner {
    open(graph, &options(slots, capacity))
}

/// A runner with a pool of `blocks` blocks, whose keys and values are kept in 8 bits or as computed.
pub(crate) fn runner_with_pool(slots: usize, capacity: usize, blocks: usize, kv8: bool) -> OrtRunner {
    let (mut options, model) = (options(slots, capacity), Pack::open(&pack(CHAT)).unwrap());
    options.plan.blocks = blocks;
    if !kv8 {
        return open(&model.graph_path(), &options);
    }
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let mut plain = runner(1, tokens.len());
    plain.prefill(0, 0, &tokens, 0, LogitsWanted::None).unwrap();
    let step = |sizes: Vec<f32>| sizes.into_iter().map(|size| size * 1.15 / 127.0).collect();
    options.scales = Some(KvScales(plain.channel_sizes().into_iter().map(step).collect()));
    options.plan.layout.element = Element::I8;
    open(&model.variant_path(Variant { adapters: false, kv8: true }).unwrap(), &options)
}

fn options(slots: usize, capacity: usize) -> RunnerOptions {
    let pack = Pack::open(&pack(CHAT)).unwrap();
    let a = &pack.manifest().architecture;
    let layout = KvLayout {
        layers: a.layers,
        kv_heads: a.kv_heads,
        head_dim: a.head_dim,
        slots,
        capacity,
        element: Element::F32,
    };
    RunnerOptions {
        provider: "cpu".into(),
        threads: 1,
        spin: false,
        plan: KvPlan::exact(layout),
        scales: None,
        device_slab: false,
        vocab: a.vocab,
        scored: 64,
    }
}

fn open(graph: &Path, options: &RunnerOptions) -> OrtRunner {
    OrtRunner::open(&runtime::load(&ort_library()).unwrap(), CHAT, graph, options).unwrap()
}

/// A scorer of the starter model, with keys and values in 8 bits or as computed.
pub(crate) fn scorer(kv8: bool) -> Scorer {
    let library = ort_library();
    Scorer::open(&pack(CHAT), &ScoreOptions { ort_library: &library, threads: 1, window: 512, kv8 }).unwrap()
}

/// A configuration small enough for a test machine.
pub(crate) fn config() -> EngineConfig {
    EngineConfig {
        packs: vec![pack(CHAT), pack(EMBEDDING)],
        ort_library: ort_library(),
        threads: 1,
        slots: 3,
        capacity: 512,
        max_waiting: 8,
        providers: vec!["cuda".into(), "sundial".into(), "cpu".into()],
        spin: false,
        ..EngineConfig::default()
    }
}
