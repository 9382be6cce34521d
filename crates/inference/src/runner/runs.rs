//! One session's runs over the memory that all sessions share, and the bindings that are kept between them.

use super::slab::{self, Slab};
use super::weights::SharedWeights;
use crate::adapters::AdapterTable;
use crate::forward::{DecodeInput, ForwardError, VerifyInput};
use crate::kv::{Element, PagedBuffer};
use banyan_modelpack::graph::contract;
use ort::AsPointer as _;
use ort::memory::AllocationDevice;
use ort::session::{IoBinding, Session};
use ort::value::{PrimitiveTensorElementType, Shape, Tensor, TensorRefMut};
use std::ffi::CString;
use std::sync::Arc;

/// What runs read and write. Bindings point into it and are dropped before it.
pub(super) struct Memory {
    pub(super) slab: Slab,
    scales: Vec<Tensor<f32>>,
    logits: PagedBuffer,
    pub(super) vocab: usize,
    /// Rows of logits.
    pub(super) scored: usize,
}

impl Memory {
    pub(super) fn new(slab: Slab, scales: Vec<Tensor<f32>>, vocab: usize, scored: usize) -> Memory {
        let scored = scored.max(slab.layout().slots).max(1);
        Memory { slab, scales, logits: PagedBuffer::zeroed(size_of::<f32>() * vocab * scored), vocab, scored }
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
        // SAFETY: the buffer holds at least that many bytes, as was just checked, starts on a page, is never resized, and
        // bindings are dropped before it (order of the runner's fields).
        unsafe {
            TensorRefMut::from_raw(slab::info(&AllocationDevice::CPU)?, memory.as_mut_ptr().cast(), shape)
        }
    }

    /// The first `rows` rows of the logits.
    pub(super) fn logits_mut(&mut self, rows: usize) -> &mut [f32] {
        let memory = self.logits.as_mut_slice();
        // SAFETY: any bytes are numbers, and the buffer starts on a page, so nothing is cut off in front.
        let (_, numbers, _) = unsafe { memory.align_to_mut::<f32>() };
        &mut numbers[..rows * self.vocab]
    }
}

/// A prepared run of `rows × seq` tokens.
struct Bound {
    io: IoBinding,
    ids: Tensor<i64>,
    seqlens: Tensor<i32>,
    total: Tensor<i32>,
    query: Tensor<i32>,
    wanted: Tensor<i64>,
    /// Each row's adapter, where the graph has them.
    adapters: Option<Tensor<i64>>,
}

/// A session, and its prepared decode runs by their rows.
pub(super) struct Runs {
    decode: Vec<Option<Bound>>,
    session: Session,
    // After the session, which points into them.
    _weights: Option<Arc<SharedWeights>>,
    table: Option<Arc<AdapterTable>>,
}

impl Runs {
    /// `table` is there when the graph is the one with adapters.
    pub(super) fn new(
        session: Session,
        weights: Option<Arc<SharedWeights>>,
        table: Option<Arc<AdapterTable>>,
    ) -> Runs {
        Runs { decode: Vec::new(), session, _weights: weights, table }
    }

    /// Takes other adapters; what was prepared with the old ones is gone.
    pub(super) fn exchange(&mut self, table: Arc<AdapterTable>) {
        self.decode.clear();
        self.table = Some(table);
    }

    /// Forgets what was prepared, before the memory it points into goes.
    pub(super) fn unbind(&mut self) {
        self.decode.clear();
    }

    /// Computes `tokens` in row `slot`, with the logits of the last `wanted` ones.
    pub(super) fn prefill(
        &mut self,
        memory: &mut Memory,
        slot: usize,
        past: usize,
        tokens: &[u32],
        adapter: u32,
        wanted: usize,
    ) -> Result<(), ForwardError> {
        let mut bound = self.bind(memory, slot, 1, tokens.len(), wanted)?;
        for (id, token) in bound.ids.extract_tensor_mut().1.iter_mut().zip(tokens) {
            *id = i64::from(*token);
        }
        let total = (past + tokens.len()) as i32;
        bound.seqlens.extract_tensor_mut().1[0] = total - 1;
        bound.total.extract_tensor_mut().1[0] = total;
        bound.query.extract_tensor_mut().1[0] = tokens.len() as i32;
        for (i, position) in bound.wanted.extract_tensor_mut().1.iter_mut().enumerate() {
            *position = (tokens.len() - wanted + i) as i64;
        }
        self.choose(&mut bound, [adapter].into_iter())?;
        self.run(memory, &mut bound)
    }

    /// Computes one token in each row.
    pub(super) fn decode(
        &mut self,
        memory: &mut Memory,
        rows: &[Option<DecodeInput>],
    ) -> Result<(), ForwardError> {
        let n = rows.len();
        if self.decode.len() <= n {
            self.decode.resize_with(n + 1, || None);
        }
        let mut bound = match self.decode[n].take() {
            Some(bound) => bound,
            None => self.bind(memory, 0, n, 1, n)?,
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
        self.choose(&mut bound, rows.iter().map(|row| row.map_or(0, |row| row.adapter)))?;
        let result = self.run(memory, &mut bound);
        self.decode[n] = Some(bound);
        result
    }

    /// Computes several tokens in each row, with the logits of all of them: `wanted` together.
    pub(super) fn verify(
        &mut self,
        memory: &mut Memory,
        rows: &[Option<VerifyInput<'_>>],
        wanted: usize,
    ) -> Result<(), ForwardError> {
        let seq = rows.iter().flatten().map(|row| row.tokens.len()).max().unwrap_or(0);
        let mut bound = self.bind(memory, 0, rows.len(), seq, wanted)?;
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
        self.choose(&mut bound, rows.iter().map(|row| row.map_or(0, |row| row.adapter)))?;
        self.run(memory, &mut bound)
    }

    /// Prepares a run of `seq` tokens in each of `rows` rows from `first` on, with `wanted` rows of logits.
    fn bind(
        &self,
        memory: &mut Memory,
        first: usize,
        rows: usize,
        seq: usize,
        wanted: usize,
    ) -> Result<Bound, ort::Error> {
        let mut io = self.session.create_binding()?;
        let ids = owned(&mut io, contract::INPUT_IDS, [rows, seq], vec![0i64; rows * seq])?;
        let seqlens = owned(&mut io, contract::SEQLENS_K, [rows], vec![0i32; rows])?;
        let total = Tensor::from_array(((), vec![0i32]))?;
        io.bind_input(contract::TOTAL_LEN, &total)?;
        let query = owned(&mut io, contract::QUERY_LENS, [rows], vec![0i32; rows])?;
        let logit_idx = owned(&mut io, contract::LOGIT_IDX, [wanted], vec![0i64; wanted])?;
        match memory.slab.layout().element {
            Element::F32 => memory.bind_rows::<f32>(&mut io, first, rows)?,
            Element::I8 => memory.bind_rows::<i8>(&mut io, first, rows)?,
        }
        let mut adapters = None;
        if let Some(table) = &self.table {
            adapters = Some(owned(&mut io, contract::ADAPTER_IDX, [rows], vec![0i64; rows])?);
            for (name, tensor) in table.tensors() {
                bind_in_place(&mut io, name, tensor.ptr())?;
            }
        }
        io.bind_output(contract::LOGITS, memory.logits_view(wanted)?)?;
        Ok(Bound { io, ids, seqlens, total, query, wanted: logit_idx, adapters })
    }

    /// Writes down each row's adapter.
    fn choose(&self, bound: &mut Bound, ids: impl Iterator<Item = u32>) -> Result<(), ForwardError> {
        let (Some(table), Some(adapters)) = (&self.table, &mut bound.adapters) else { return Ok(()) };
        for (index, id) in adapters.extract_tensor_mut().1.iter_mut().zip(ids) {
            let known = table.index(id);
            *index = known
                .ok_or_else(|| ForwardError::Shape(format!("a row has adapter {id}, which is not loaded")))?
                as i64;
        }
        Ok(())
    }

    fn run(&mut self, memory: &mut Memory, bound: &mut Bound) -> Result<(), ForwardError> {
        if memory.slab.is_on_device() {
            // Binding an input copies it to the device, so the numbers written since must be bound again.
            bound.io.bind_input(contract::INPUT_IDS, &bound.ids)?;
            bound.io.bind_input(contract::SEQLENS_K, &bound.seqlens)?;
            bound.io.bind_input(contract::TOTAL_LEN, &bound.total)?;
            bound.io.bind_input(contract::QUERY_LENS, &bound.query)?;
            bound.io.bind_input(contract::LOGIT_IDX, &bound.wanted)?;
            if let Some(adapters) = &bound.adapters {
                bound.io.bind_input(contract::ADAPTER_IDX, adapters)?;
            }
        }
        // SAFETY: both pointers come from live objects. The session runs on one thread at a time, since `self` is
        // borrowed mutably, and everything that is bound outlives the call. The safe `run_binding` does the same and
        // then wraps each of the outputs, which costs as much again as the call and is not needed: all outputs are
        // bound to memory that is ours.
        let result: Result<(), ort::Error> = unsafe {
            let status =
                (ort::api().RunWithBinding)(self.session.ptr().cast_mut(), std::ptr::null(), bound.io.ptr());
            ort::Error::result_from_status(status)
        };
        Ok(result?)
    }
}

impl From<ort::Error> for ForwardError {
    fn from(error: ort::Error) -> ForwardError {
        ForwardError::Run(error.to_string())
    }
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

/// Binds a tensor as an input without the copy that [`IoBinding::bind_input`] makes of borrowed memory.
fn bind_in_place(
    io: &mut IoBinding,
    name: &str,
    tensor: *const ort::sys::OrtValue,
) -> Result<(), ort::Error> {
    let name = CString::new(name).map_err(|_| ort::Error::new("a tensor's name holds a zero byte"))?;
    // SAFETY: the binding, the name and the tensor are alive; ONNX Runtime takes its own reference to the tensor, whose
    // memory (the slab, the scales, the adapters' table) outlives the binding.
    unsafe {
        let status = (ort::api().BindInput)(io.ptr_mut(), name.as_ptr(), tensor);
        ort::Error::result_from_status(status)
    }
}
