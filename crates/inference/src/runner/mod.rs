//! The decoder on ONNX Runtime: graph contract version 1, with the KV slab bound in place.
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
//! The only `unsafe` of the crate is here and in `slab.rs` beside it.

mod slab;

use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward, ForwardError, LogitsWanted, VerifyInput};
use crate::kv::{Element, KvLayout, KvPlan, PagedBuffer};
use crate::providers;
use banyan_modelpack::graph::contract;
use ort::AsPointer as _;
use ort::environment::Environment;
use ort::memory::AllocationDevice;
use ort::session::builder::SessionBuilder;
use ort::session::{IoBinding, Session};
use ort::value::{PrimitiveTensorElementType, Shape, Tensor, TensorRefMut};
use slab::Slab;
use std::ffi::CString;
use std::path::Path;

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
    // The order matters: bindings point into the slab and the logits, so they are dropped first.
    decode: Vec<Option<Bound>>,
    session: Session,
    slab: Slab,
    scales: Vec<Tensor<f32>>,
    logits: PagedBuffer,
    vocab: usize,
    scored: usize,
    blocks: usize,
}

/// A prepared run of `rows × seq` tokens.
struct Bound {
    io: IoBinding,
    ids: Tensor<i64>,
    seqlens: Tensor<i32>,
    total: Tensor<i32>,
    query: Tensor<i32>,
    wanted: Tensor<i64>,
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
        let session = builder(environment, &options.provider, options.threads, options.spin)
            .and_then(|builder| match profile {
                Some(file) => builder.with_profiling(file).map_err(|e| ort::Error::new(e.to_string())),
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
        let slots = layout.slots;
        let scored = options.scored.max(1);
        Ok(OrtRunner {
            decode: (0..=slots).map(|_| None).collect(),
            session,
            slab,
            scales,
            logits: PagedBuffer::zeroed(size_of::<f32>() * options.vocab * slots.max(scored)),
            vocab: options.vocab,
            scored: slots.max(scored),
            blocks: options.plan.blocks,
        })
    }

    /// The slab's sizes.
    pub fn layout(&self) -> &KvLayout {
        self.slab.layout()
    }

    /// The largest size of each channel in row 0, for each buffer; what [`KvScales`] are made from. Nothing on a device, and
    /// nothing where keys and values are kept in 8 bits already.
    pub fn channel_sizes(&mut self) -> Vec<Vec<f32>> {
        let KvLayout { element, .. } = *self.slab.layout();
        match (self.slab.host(), element) {
            (Ok(slab), Element::F32) => (0..slab.layout().buffers()).map(|i| slab.channel_sizes(i)).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether rows can be moved; not in a device's memory.
    pub fn moves_rows(&self) -> bool {
        !self.slab.is_on_device()
    }

    /// Prepares a run of `seq` tokens in each of `rows` rows from `first` on, with `wanted` rows of logits.
    fn bind(&mut self, first: usize, rows: usize, seq: usize, wanted: usize) -> Result<Bound, ort::Error> {
        let mut io = self.session.create_binding()?;
        let ids = owned(&mut io, contract::INPUT_IDS, [rows, seq], vec![0i64; rows * seq])?;
        let seqlens = owned(&mut io, contract::SEQLENS_K, [rows], vec![0i32; rows])?;
        let total = Tensor::from_array(((), vec![0i32]))?;
        io.bind_input(contract::TOTAL_LEN, &total)?;
        let query = owned(&mut io, contract::QUERY_LENS, [rows], vec![0i32; rows])?;
        let logit_idx = owned(&mut io, contract::LOGIT_IDX, [wanted], vec![0i64; wanted])?;
        match self.slab.layout().element {
            Element::F32 => self.bind_rows::<f32>(&mut io, first, rows)?,
            Element::I8 => self.bind_rows::<i8>(&mut io, first, rows)?,
        }
        io.bind_output(contract::LOGITS, self.logits_view(wanted)?)?;
        Ok(Bound { io, ids, seqlens, total, query, wanted: logit_idx })
    }

    /// Binds the rows' keys and values, as past and as present, and their scales.
    fn bind_rows<T: PrimitiveTensorElementType + std::fmt::Debug + 'static>(
        &mut self,
        io: &mut IoBinding,
        first: usize,
        rows: usize,
    ) -> Result<(), ort::Error> {
        for layer in 0..self.slab.layout().layers {
            for (past, present, index) in [
                (contract::past_k(layer), contract::present_k(layer), 2 * layer),
                (contract::past_v(layer), contract::present_v(layer), 2 * layer + 1),
            ] {
                let view = self.slab.view::<T>(index, first, rows)?;
                bind_in_place(io, &past, view.ptr())?;
                io.bind_output(present, view)?;
            }
        }
        for (index, scale) in self.scales.iter().enumerate() {
            let name =
                if index % 2 == 0 { contract::k_scale(index / 2) } else { contract::v_scale(index / 2) };
            bind_in_place(io, &name, scale.ptr())?;
        }
        Ok(())
    }

    fn logits_view(&mut self, rows: usize) -> Result<TensorRefMut<'static, f32>, ort::Error> {
        let bytes = rows * self.vocab * size_of::<f32>();
        let memory = self.logits.as_mut_slice();
        if bytes > memory.len() {
            return Err(ort::Error::new(format!("{rows} rows of logits do not fit the buffer")));
        }
        let shape = Shape::new([rows as i64, self.vocab as i64]);
        // SAFETY: the buffer holds at least that many bytes, as was just checked, starts on a page, is never resized, and bindings are
        // dropped before it (order of the fields).
        unsafe {
            TensorRefMut::from_raw(slab::info(&AllocationDevice::CPU)?, memory.as_mut_ptr().cast(), shape)
        }
    }

    fn run(&mut self, bound: &mut Bound) -> Result<(), ort::Error> {
        if self.slab.is_on_device() {
            // Binding an input copies it to the device, so the numbers written since must be bound again.
            bound.io.bind_input(contract::INPUT_IDS, &bound.ids)?;
            bound.io.bind_input(contract::SEQLENS_K, &bound.seqlens)?;
            bound.io.bind_input(contract::TOTAL_LEN, &bound.total)?;
            bound.io.bind_input(contract::QUERY_LENS, &bound.query)?;
            bound.io.bind_input(contract::LOGIT_IDX, &bound.wanted)?;
        }
        // SAFETY: both pointers come from live objects. The session runs on one thread at a time, since `self` is
        // borrowed mutably, and everything that is bound outlives the call. The safe `run_binding` does the same and
        // then wraps each of the outputs, which costs as much again as the call and is not needed: all outputs are
        // bound to memory that is ours.
        unsafe {
            let status =
                (ort::api().RunWithBinding)(self.session.ptr().cast_mut(), std::ptr::null(), bound.io.ptr());
            ort::Error::result_from_status(status)
        }
    }

    /// The first `rows` rows of the logits.
    fn logits_mut(&mut self, rows: usize) -> &mut [f32] {
        let memory = self.logits.as_mut_slice();
        // SAFETY: any bytes are numbers, and the buffer starts on a page, so nothing is cut off in front.
        let (_, numbers, _) = unsafe { memory.align_to_mut::<f32>() };
        &mut numbers[..rows * self.vocab]
    }

    /// Refuses sizes that do not fit the slab, before the runtime would write beyond a row.
    fn check(&self, slot: usize, past: usize, tokens: usize) -> Result<(), ForwardError> {
        let layout = self.slab.layout();
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
        self.vocab
    }

    fn prefill(
        &mut self,
        slot: usize,
        past: usize,
        tokens: &[u32],
        _adapter: u32,
        wanted: LogitsWanted,
    ) -> Result<&mut [f32], ForwardError> {
        self.check(slot, past, tokens.len())?;
        let rows = match wanted {
            LogitsWanted::None => 0,
            LogitsWanted::Last => 1,
            LogitsWanted::All => tokens.len(),
        };
        if rows > self.scored {
            return Err(ForwardError::Shape(format!(
                "{rows} rows of logits at once, at most {}",
                self.scored
            )));
        }
        let run = |runner: &mut OrtRunner| {
            let mut bound = runner.bind(slot, 1, tokens.len(), rows)?;
            for (id, token) in bound.ids.extract_tensor_mut().1.iter_mut().zip(tokens) {
                *id = i64::from(*token);
            }
            let total = (past + tokens.len()) as i32;
            bound.seqlens.extract_tensor_mut().1[0] = total - 1;
            bound.total.extract_tensor_mut().1[0] = total;
            bound.query.extract_tensor_mut().1[0] = tokens.len() as i32;
            for (i, position) in bound.wanted.extract_tensor_mut().1.iter_mut().enumerate() {
                *position = (tokens.len() - rows + i) as i64;
            }
            runner.run(&mut bound)
        };
        run(self).map_err(|e| ForwardError::Run(e.to_string()))?;
        Ok(self.logits_mut(rows))
    }

    fn decode(&mut self, rows: &[Option<DecodeInput>]) -> Result<&mut [f32], ForwardError> {
        for (slot, row) in rows.iter().enumerate() {
            self.check(slot, row.map_or(0, |row| row.past), 1)?;
        }
        let n = rows.len();
        let run = |runner: &mut OrtRunner| {
            let mut bound = match runner.decode[n].take() {
                Some(bound) => bound,
                None => runner.bind(0, n, 1, n)?,
            };
            let mut longest = 1;
            for (slot, row) in rows.iter().enumerate() {
                let (token, past, one) = row.map_or((0, 0, 0), |row| (row.token, row.past as i32, 1));
                bound.ids.extract_tensor_mut().1[slot] = i64::from(token);
                bound.seqlens.extract_tensor_mut().1[slot] = past;
                bound.query.extract_tensor_mut().1[slot] = one;
                bound.wanted.extract_tensor_mut().1[slot] = slot as i64;
                longest = longest.max(past + 1);
            }
            bound.total.extract_tensor_mut().1[0] = longest;
            let result = runner.run(&mut bound);
            runner.decode[n] = Some(bound);
            result
        };
        run(self).map_err(|e| ForwardError::Run(e.to_string()))?;
        Ok(self.logits_mut(n))
    }

    fn verify(&mut self, rows: &[Option<VerifyInput<'_>>]) -> Result<&mut [f32], ForwardError> {
        let seq = rows.iter().flatten().map(|row| row.tokens.len()).max().unwrap_or(0);
        let wanted = rows.iter().flatten().map(|row| row.tokens.len()).sum::<usize>();
        for (slot, row) in rows.iter().enumerate() {
            self.check(slot, row.map_or(0, |row| row.past), row.map_or(1, |row| row.tokens.len()))?;
        }
        if wanted == 0 || wanted > self.scored {
            return Err(ForwardError::Shape(format!("{wanted} tokens to verify, at most {}", self.scored)));
        }
        let run = |runner: &mut OrtRunner| {
            let mut bound = runner.bind(0, rows.len(), seq, wanted)?;
            let (mut longest, mut at) = (1, 0);
            for (slot, row) in rows.iter().enumerate() {
                let Some(row) = row else { continue };
                let total = (row.past + row.tokens.len()) as i32;
                for (i, token) in row.tokens.iter().enumerate() {
                    bound.ids.extract_tensor_mut().1[slot * seq + i] = i64::from(*token);
                    bound.wanted.extract_tensor_mut().1[at] = (slot * seq + i) as i64;
                    at += 1;
                }
                bound.seqlens.extract_tensor_mut().1[slot] = total - 1;
                bound.query.extract_tensor_mut().1[slot] = row.tokens.len() as i32;
                longest = longest.max(total);
            }
            bound.total.extract_tensor_mut().1[0] = longest;
            runner.run(&mut bound)
        };
        run(self).map_err(|e| ForwardError::Run(e.to_string()))?;
        Ok(self.logits_mut(wanted))
    }

    fn verify_tokens(&self) -> usize {
        if self.slab.is_on_device() { 0 } else { self.scored }
    }

    fn move_row(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ForwardError> {
        self.check(from, 0, tokens)?;
        self.check(to, 0, tokens)?;
        self.slab.host()?.move_row(from, to, tokens);
        Ok(())
    }

    fn save(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError> {
        self.slab.check_block(slot, start, block, self.blocks)?;
        self.slab.host()?.save(slot, start, block);
        Ok(())
    }

    fn restore(&mut self, slot: usize, start: usize, block: usize) -> Result<(), ForwardError> {
        self.slab.check_block(slot, start, block, self.blocks)?;
        self.slab.host()?.restore(slot, start, block);
        Ok(())
    }

    fn release(&mut self, slot: usize) {
        if slot < self.slab.layout().slots {
            self.slab.release(slot);
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

/// Binds a tensor of our own as an input and keeps it, to change its numbers between runs.
fn owned<T, const N: usize>(
    io: &mut IoBinding,
    name: &str,
    shape: [usize; N],
    data: Vec<T>,
) -> Result<Tensor<T>, ort::Error>
where
    T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
{
    let tensor = Tensor::from_array((shape, data))?;
    io.bind_input(name, &tensor)?;
    Ok(tensor)
}

/// Binds a view of the slab as an input without the copy that [`IoBinding::bind_input`] makes of borrowed memory.
fn bind_in_place(
    io: &mut IoBinding,
    name: &str,
    tensor: *const ort::sys::OrtValue,
) -> Result<(), ort::Error> {
    let name = CString::new(name).map_err(|_| ort::Error::new("a tensor's name holds a zero byte"))?;
    // SAFETY: the binding, the name and the tensor are alive; ONNX Runtime takes its own reference to the tensor, whose
    // memory (the slab) outlives the binding.
    unsafe {
        let status = (ort::api().BindInput)(io.ptr_mut(), name.as_ptr(), tensor);
        ort::Error::result_from_status(status)
    }
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
