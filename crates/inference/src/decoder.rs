//! Opens a pack's decoder: with keys and values in 8 bits where the pack and the provider can, else as computed.

use crate::calibrate;
use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::forward::{Forward as _, LogitsWanted};
use crate::kv::{self, Element, KvLayout, KvPlan};
use crate::providers;
use crate::runner::lora::LoraSource;
use crate::runner::{KvScales, OrtRunner, RunnerOptions};
use banyan_modelpack::Pack;
use banyan_modelpack::graph::{Variant, WEIGHTS_FILE};
use ort::environment::Environment;
use std::path::Path;
use tokenizers::Tokenizer;

/// The share of the free memory that keys and values may take when nobody said how much: one quarter. The rest is for
/// weights, activations, the other processes and the page cache.
const KV_SHARE: u64 = 4;

/// Taken for the free memory where the system does not say.
const ASSUMED_MEMORY: u64 = 2 << 30;

/// Tokens of a conversation that has room: the policy, a question with its passages, and an answer.
const COMFORT: usize = 640;

/// A decoder that computes, and how its memory is divided.
pub(crate) struct Decoder {
    pub(crate) runner: OrtRunner,
    pub(crate) plan: KvPlan,
    /// What its rows hold.
    pub(crate) scales: Option<KvScales>,
    /// The graph with adapters over the same memory; `None` where the pack has none.
    pub(crate) lora: Option<LoraSource>,
}

/// Bytes for keys and values: as many as were given, else a share of what is free.
pub(crate) fn kv_budget(given: u64) -> u64 {
    match given {
        0 => kv::available_memory().unwrap_or(ASSUMED_MEMORY) / KV_SHARE,
        bytes => bytes,
    }
}

/// The shape of a pack's slab, with the context it was made for at most.
pub(crate) fn layout(pack: &Pack, slots: usize, capacity: usize, element: Element) -> KvLayout {
    let manifest = pack.manifest();
    let a = &manifest.architecture;
    let context = manifest.context_length.min(manifest.max_positions);
    let capacity = if capacity == 0 { context } else { capacity.min(context) };
    KvLayout { layers: a.layers, kv_heads: a.kv_heads, head_dim: a.head_dim, slots, capacity, element }
}

/// Opens the decoder with a provider, and computes a token with it.
pub(crate) fn open(
    environment: &Environment,
    pack: &Pack,
    config: &EngineConfig,
    provider: &str,
    tokenizer: &Tokenizer,
) -> Result<Decoder, EngineError> {
    let kv8 = pack.variant_path(Variant { adapters: false, kv8: true });
    // A device has its own kernels for 8 bits, which nobody has tried here.
    let kv8 = kv8.filter(|_| wants_kv8(pack, config) && !providers::has_own_memory(provider));
    if let Some(graph) = kv8 {
        match open_kv8(environment, pack, config, provider, tokenizer, &graph) {
            Ok(decoder) => return Ok(decoder),
            Err(e @ EngineError::Memory { .. }) => return Err(e),
            Err(error) => tracing::warn!(
                provider, %error,
                "keys and values cannot be kept in 8 bits here; they take four times the memory instead"
            ),
        }
    }
    let plan = plan(pack, config, Element::F32, !providers::has_own_memory(provider))?;
    decoder(environment, pack, config, provider, &pack.graph_path(), plan, None)
}

/// Whether keys and values are to be kept in 8 bits: as the configuration says, else where as many conversations as there are
/// rows would not have room otherwise. With room for all, prompts are computed faster from keys and values that are kept whole
/// (by two fifths behind 600 tokens) and a full house decodes slower (by a fifth), which is about even.
fn wants_kv8(pack: &Pack, config: &EngineConfig) -> bool {
    config.kv8.unwrap_or_else(|| {
        let Ok(plan) = plan(pack, config, Element::F32, true) else { return true };
        let conversation = plan.layout.capacity.min(COMFORT);
        plan.row_tokens < config.slots.max(1) * conversation
    })
}

fn open_kv8(
    environment: &Environment,
    pack: &Pack,
    config: &EngineConfig,
    provider: &str,
    tokenizer: &Tokenizer,
    graph: &Path,
) -> Result<Decoder, EngineError> {
    let plan = plan(pack, config, Element::I8, true)?;
    let weights =
        pack.manifest().file(WEIGHTS_FILE).map(|entry| entry.blake3.get(..16).unwrap_or_default().to_owned());
    let file = config.memory_dir.as_ref().zip(weights);
    let file = file.map(|(dir, weights)| dir.join(format!("{}-{weights}.kvscales", pack.manifest().name)));
    let scales = calibrate::scales(&plan.layout, tokenizer, file.as_deref(), |plan| {
        decoder(environment, pack, config, provider, &pack.graph_path(), plan, None).map(|plain| plain.runner)
    })?;
    decoder(environment, pack, config, provider, graph, plan, Some(scales))
}

fn plan(pack: &Pack, config: &EngineConfig, element: Element, pool: bool) -> Result<KvPlan, EngineError> {
    let shape = layout(pack, config.slots, config.capacity, element);
    KvPlan::new(shape, kv_budget(config.kv_budget), pool)
}

fn decoder(
    environment: &Environment,
    pack: &Pack,
    config: &EngineConfig,
    provider: &str,
    graph: &Path,
    plan: KvPlan,
    scales: Option<KvScales>,
) -> Result<Decoder, EngineError> {
    let manifest = pack.manifest();
    let options = RunnerOptions {
        provider: provider.to_owned(),
        threads: config.resolved_threads(),
        spin: config.spin,
        plan,
        scales: scales.clone(),
        device_slab: providers::has_own_memory(provider),
        vocab: manifest.architecture.vocab,
        scored: 1,
    };
    let mut runner = OrtRunner::open(environment, &manifest.name, graph, &options)?;
    runner.prefill(0, 0, &[0], 0, LogitsWanted::Last)?;
    let lora = pack.variant_path(Variant { adapters: true, kv8: plan.layout.element == Element::I8 });
    let lora = lora.map(|graph| LoraSource {
        environment: environment.clone(),
        model: manifest.name.clone(),
        graph,
        provider: provider.to_owned(),
        threads: config.resolved_threads(),
        spin: config.spin,
        layers: plan.layout.layers,
        element: plan.layout.element,
    });
    Ok(Decoder { runner, plan, scales, lora })
}
