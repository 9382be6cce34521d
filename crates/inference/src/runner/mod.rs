//! The decoder on ONNX Runtime: graph contract version 1, with the KV slab bound in place.
//!
//! Two sessions may stand on the same slab: the plain graph, and the graph with adapters ([`lora`]), which computes a run in
//! which any row has an adapter. Both run through `runs.rs`.
//!
//! A run reads `past_*` and writes `present_*`, and both are bound to the *same* rows of the slab, so that nothing is
//! copied however long a conversation is. Three traps make this file what it is:
//!
//! * `IoBinding::bind_input` copies a tensor that borrows its memory, and writes to the slab would be lost without a
//!   word. Past tensors are bound through the C function instead.
//! * Outputs are bound through the safe method, which keeps the views alive.
//! * Binding 4 tensors a layer costs more than the rest of the host's work together. A decode run over the first `n`
//!   rows always looks the same, so its binding is made once for each `n` and kept; only the numbers in its small
//!   inputs change. A prefill chunk is bound anew: beside its own cost that is nothing.
//!
//! The only `unsafe` of the crate is in `runs.rs`, `slab.rs` and `trim.rs` beside this file.

pub mod lora;
mod runs;
mod slab;
pub(crate) mod trim;
mod weights;

use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward, ForwardError, LogitsWanted, VerifyInput};
use crate::kv::{Element, KvLayout, KvPlan};
use crate::providers;
use banyan_modelpack::graph::contract;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::Tensor;
use runs::{Memory, Runs};
use slab::Slab;
use std::path::Path;
use std::sync::Arc;
use weights::SharedWeights;

/// How a decoder is loaded.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// The execution provider, by its short name.
    pub provider: String,
    /// Threads of a run.
    pub threads: usize,
    /// Whether they spin while they wait for each other within a run.
    pub spin: bool,
    /// The slab and the prefix pool.
    pub plan: KvPlan,
    /// Scales of the channels, for a graph that keeps keys and values in 8 bits.
    pub scales: Option<KvScales>,
    /// Lets the provider allocate the slab, where it computes; needed when that is not the CPU.
    pub device_slab: bool,
    /// Width of the logits.
    pub vocab: usize,
    /// Most positions of a chunk whose logits may be asked for at once ([`LogitsWanted::All`]); each takes 4 bytes
    /// for every token of the vocabulary.
    pub scored: usize,
}

/// Scales of keys and values that are kept in 8 bits: for each buffer of the slab (a layer's keys, its values, …) one
/// for every channel, `[kv_heads, head_dim]`.
#[derive(Debug, Clone, PartialEq)]
pub struct KvScales(pub Vec<Vec<f32>>);

/// A loaded decoder with its slab.
pub struct OrtRunner {
    // The order matters: bindings point into the memory, so they are dropped first.
    plain: Runs,
    lora: lora::Bindings,
    memory: Memory,
    blocks: usize,
}

impl OrtRunner {
    /// Loads a graph. `model` is its name for messages.
    pub fn open(
        environment: &Environment,
        model: &str,
        graph: &Path,
        options: &RunnerOptions,
    ) -> Result<OrtRunner, EngineError> {
        OrtRunner::open_profiled(environment, model, graph, options, None)
    }

    /// The same; ONNX Runtime writes what each node took into a file whose name begins with `profile`, when this value is
    /// dropped.
    pub fn open_profiled(
        environment: &Environment,
        model: &str,
        graph: &Path,
        options: &RunnerOptions,
        profile: Option<&Path>,
    ) -> Result<OrtRunner, EngineError> {
        let refused = |reason: String| EngineError::Session {
            model: model.to_owned(),
            provider: options.provider.clone(),
            reason,
        };
        let weights = shared_weights(graph, &options.provider);
        let session = builder(environment, &options.provider, options.threads, options.spin)
            .and_then(|builder| match profile {
                Some(file) => builder.with_profiling(file).map_err(|e| ort::Error::new(e.to_string())),
                None => Ok(builder),
            })
            .and_then(|builder| match &weights {
                Some(weights) => weights.give(builder),
                None => Ok(builder),
            })
            .and_then(|mut builder| builder.commit_from_file(graph))
            .map_err(|e| refused(e.to_string()))?;
        let layout = options.plan.layout;
        check_contract(&session, model, layout.layers)?;
        if slab::element_of(&session, &contract::past_k(0)) != Some(layout.element) {
            let reason = format!("its keys and values are not kept as {:?}", layout.element);
            return Err(EngineError::Contract { model: model.to_owned(), reason });
        }
        let scales = scales(options).map_err(|e| refused(e.to_string()))?;
        let device = options.device_slab.then(|| slab::device_of(&options.provider));
        let slab = Slab::new(&options.plan, &session, device)
            .map_err(|e| refused(format!("no memory for the KV slab: {e}")))?;
        Ok(OrtRunner {
            plain: Runs::new(session, weights.clone(), None),
            lora: lora::Bindings::new(weights),
            memory: Memory::new(slab, scales, options.vocab, options.scored),
            blocks: options.plan.blocks,
        })
    }

    /// The slab's sizes.
    pub fn layout(&self) -> &KvLayout {
        self.memory.slab.layout()
    }

    /// The largest size of each channel in row 0, for each buffer; what [`KvScales`] are made from. Nothing on a device, and
    /// nothing where keys and values are kept in 8 bits already.
    pub fn channel_sizes(&mut self) -> Vec<Vec<f32>> {
        let KvLayout { element, .. } = *self.memory.slab.layout();
        match (self.memory.slab.host(), element) {
            (Ok(slab), Element::F32) => (0..slab.layout().buffers()).map(|i| slab.channel_sizes(i)).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether rows can be moved; not in a device's memory.
    pub fn moves_rows(&self) -> bool {
        !self.memory.slab.is_on_device()
    }

    /// Where the session with adapters is put and taken away, between two runs.
    pub fn lora_place(&self) -> lora::LoraPlace {
        self.lora.place()
    }

    /// Refuses sizes that do not fit the slab, before the runtime would write beyond a row.
    fn check(&self, slot: usize, past: usize, tokens: usize) -> Result<(), ForwardError> {
        let layout = self.memory.slab.layout();
        if slot >= layout.slots || past + tokens > layout.capacity || tokens == 0 {
            return Err(ForwardError::Shape(format!(
                "{tokens} tokens after {past} in row {slot}, of {} rows with {} tokens",
                layout.slots, layout.capacity
            )));
        }
        Ok(())
    }
}

impl Forward for OrtRunner {
    fn vocab(&self) -> usize {
        self.memory.vocab
    }

    fn prefill(
        &mut self,
        slot: usize,
        past: usize,
        tokens: &[u32],
        adapter: u32,
        wanted: LogitsWanted,
    ) -> Result<&mut [f32], ForwardError> {
        self.check(slot, past, tokens.len())?;
        let rows = match wanted {
            LogitsWanted::None => 0,
            LogitsWanted::Last => 1,
            LogitsWanted::All => tokens.len(),
        };
        if rows > self.memory.scored {
            let most = self.memory.scored;
            return Err(ForwardError::Shape(format!("{rows} rows of logits at once, at most {most}")));
        }
        let OrtRunner { plain, lora, memory, .. } = self;
        let mut run = |runs: &mut Runs| runs.prefill(memory, slot, past, tokens, adapter, rows);
        if adapter == 0 {
            run(plain)?;
        } else {
            lora.with(run)?;
        }
        Ok(self.memory.logits_mut(rows))
    }

    fn decode(&mut self, rows: &[Option<DecodeInput>]) -> Result<&mut [f32], ForwardError> {
        for (slot, row) in rows.iter().enumerate() {
            self.check(slot, row.map_or(0, |row| row.past), 1)?;
        }
        let OrtRunner { plain, lora, memory, .. } = self;
        let mut run = |runs: &mut Runs| runs.decode(memory, rows);
        if rows.iter().flatten().all(|row| row.adapter == 0) {
            run(plain)?;
        } else {
            lora.with(run)?;
        }
        Ok(self.memory.logits_mut(rows.len()))
    }

    fn verify(&mut self, rows: &[Option<VerifyInput<'_>>]) -> Result<&mut [f32], ForwardError> {
        let wanted = rows.iter().flatten().map(|row| row.tokens.len()).sum::<usize>();
        for (slot, row) in rows.iter().enumerate() {
            self.check(slot, row.map_or(0, |row| row.past), row.map_or(1, |row| row.tokens.len()))?;
        }
        if wanted == 0 || wanted > self.memory.scored {
            let most = self.memory.scored;
            return Err(ForwardError::Shape(format!("{wanted} tokens to verify, at most {most}")));
        }
        let OrtRunner { plain, lora, memory, .. } = self;
        let mut run = |runs: &mut Runs| runs.verify(memory, rows, wanted);
        if rows.iter().flatten().all(|row| row.adapter == 0) {
            run(plain)?;
        } else {
            lora.with(run)?;
        }
        Ok(self.memory.logits_mut(wanted))
    }

    fn verify_tokens(&self) -> usize {
        if self.memory.slab.is_on_device() { 0 } else { self.memory.scored }
    }

    fn move_row(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ForwardError> {
        self.check(from, 0, tokens)?;
        self.check(to, 0, tokens)?;
        self.memory.slab.host()?.move_row(from, to, tokens);
        Ok(())
    }

    fn save(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError> {
        self.memory.slab.check_block(slot, start, block, self.blocks)?;
        self.memory.slab.host()?.save(slot, start, block);
        Ok(())
    }

    fn restore(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError> {
        self.memory.slab.check_block(slot, start, block, self.blocks)?;
        self.memory.slab.host()?.restore(slot, start, block);
        Ok(())
    }

    fn release(&mut self, slot: usize) {
        if slot < self.memory.slab.layout().slots {
            self.memory.slab.release(slot);
        }
    }
}

/// The scales as tensors, checked against the slab.
fn scales(options: &RunnerOptions) -> Result<Vec<Tensor<f32>>, ort::Error> {
    let KvLayout { kv_heads, head_dim, element, .. } = options.plan.layout;
    let given = match (&options.scales, element) {
        (_, Element::F32) => return Ok(Vec::new()),
        (None, Element::I8) => {
            return Err(ort::Error::new("the scales of its keys and values are not known"));
        }
        (Some(scales), Element::I8) => &scales.0,
    };
    if given.len() != options.plan.layout.buffers() {
        return Err(ort::Error::new("the scales of its keys and values are of another model"));
    }
    given.iter().map(|scale| Tensor::from_array(([kv_heads, 1, head_dim], scale.clone()))).collect()
}

/// The graph's weights, for all sessions of the model. A device keeps its own, and packs nothing.
fn shared_weights(graph: &Path, provider: &str) -> Option<Arc<SharedWeights>> {
    if provider != providers::CPU {
        return None;
    }
    let opened = SharedWeights::open(graph);
    opened.inspect_err(|error| tracing::debug!(%error, "weights are not shared")).ok().map(Arc::new)
}

/// Loads a graph with the settings that decoders and encoders share.
pub(crate) fn session(
    environment: &Environment,
    graph: &Path,
    provider: &str,
    threads: usize,
    spin: bool,
) -> Result<Session, ort::Error> {
    builder(environment, provider, threads, spin)?.commit_from_file(graph)
}

fn builder(
    environment: &Environment,
    provider: &str,
    threads: usize,
    spin: bool,
) -> Result<SessionBuilder, ort::Error> {
    let plain = |e: ort::Error<_>| ort::Error::new(e.to_string());
    let provider = providers::dispatch(provider)
        .ok_or_else(|| ort::Error::new(format!("there is no provider \"{provider}\"")))?;
    Session::builder(environment)?
        .with_intra_threads(threads.max(1))
        .map_err(plain)?
        .with_inter_threads(1)
        .map_err(plain)?
        .with_intra_op_spinning(spin)
        .map_err(plain)?
        // Threads spin within a run and not between runs, where they would burn a core for nothing.
        .with_config_entry("session.force_spinning_stop", "1")
        .map_err(plain)?
        .with_flush_to_zero()
        .map_err(plain)?
        .with_execution_providers([provider])
        .map_err(plain)
}

/// Checks the names of a graph's inputs and outputs, so that a foreign file fails at load and in words.
fn check_contract(session: &Session, model: &str, layers: usize) -> Result<(), EngineError> {
    let missing = |what: &str, name: &str| EngineError::Contract {
        model: model.to_owned(),
        reason: format!("its graph has no {what} \"{name}\""),
    };
    let inputs: Vec<&str> = session.inputs().iter().map(|i| i.name()).collect();
    let outputs: Vec<&str> = session.outputs().iter().map(|o| o.name()).collect();
    let fixed = [
        contract::INPUT_IDS,
        contract::SEQLENS_K,
        contract::TOTAL_LEN,
        contract::QUERY_LENS,
        contract::LOGIT_IDX,
    ];
    if let Some(name) = fixed.into_iter().find(|name| !inputs.contains(name)) {
        return Err(missing("input", name));
    }
    if !outputs.contains(&contract::LOGITS) {
        return Err(missing("output", contract::LOGITS));
    }
    for layer in 0..layers {
        for name in [contract::past_k(layer), contract::past_v(layer)] {
            if !inputs.contains(&name.as_str()) {
                return Err(missing("input", &name));
            }
        }
        for name in [contract::present_k(layer), contract::present_v(layer)] {
            if !outputs.contains(&name.as_str()) {
                return Err(missing("output", &name));
            }
        }
    }
    Ok(())
}
