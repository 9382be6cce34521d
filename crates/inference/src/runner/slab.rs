//! Where the KV slab lives: in this process' memory, or in a device's when the session computes there.

use crate::forward::ForwardError;
use crate::kv::{BLOCK, Element, KvLayout, KvPlan, KvSlab, PAGE};
use nix::sys::mman::{MmapAdvise, madvise};
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::value::{PrimitiveTensorElementType, Shape, Tensor, TensorRefMut};
use std::ptr::NonNull;

/// Gives advice on the whole pages of `memory`.
fn advise(memory: &mut [u8], advice: MmapAdvise) {
    let before = memory.as_ptr().align_offset(PAGE).min(memory.len());
    let bytes = (memory.len() - before) / PAGE * PAGE;
    let Some(start) = NonNull::new(memory[before..].as_mut_ptr()) else { return };
    if bytes == 0 {
        return;
    }
    // SAFETY: the range lies within `memory`, which is private and anonymous. `MADV_NOHUGEPAGE` changes no contents;
    // `MADV_DONTNEED` turns them into zeroes, which is what its only caller wants of memory that nobody reads any more.
    let advised = unsafe { madvise(start.cast(), bytes, advice) };
    if let Err(error) = advised {
        tracing::debug!(%error, "the system does not take advice on the key/value memory");
    }
}

/// The slab's memory.
pub(super) enum Slab {
    Host(KvSlab),
    /// Allocated by the provider. Shared past and present need memory where the session computes: a buffer elsewhere
    /// would be copied there and back with every step.
    Device {
        layout: KvLayout,
        buffers: Vec<Tensor<f32>>,
        device: AllocationDevice<'static>,
    },
}

impl Slab {
    /// Takes the memory. On `device` when it is given, else in this process.
    pub(super) fn new(
        plan: &KvPlan,
        session: &Session,
        device: Option<AllocationDevice<'static>>,
    ) -> Result<Slab, ort::Error> {
        let layout = plan.layout;
        let Some(device) = device else {
            let mut slab = KvSlab::new(plan);
            // The process runs with huge pages for its weights (`banyan infer` sees to it), but here they would take
            // 2 MiB for the first token of every head of every layer. Before the first write.
            for index in 0..layout.buffers() {
                advise(slab.rows_mut(index).as_mut_slice(), MmapAdvise::MADV_NOHUGEPAGE);
            }
            return Ok(Slab::Host(slab));
        };
        let allocator = Allocator::new(session, info(&device)?)?;
        let shape = [layout.slots, layout.kv_heads, layout.capacity, layout.head_dim];
        let buffers = (0..layout.buffers())
            .map(|_| Tensor::<f32>::new(&allocator, shape))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Slab::Device { layout, buffers, device })
    }

    pub(super) fn layout(&self) -> &KvLayout {
        match self {
            Slab::Host(slab) => slab.layout(),
            Slab::Device { layout, .. } => layout,
        }
    }

    /// True when inputs must be copied to a device before each run.
    pub(super) fn is_on_device(&self) -> bool {
        matches!(self, Slab::Device { .. })
    }

    /// A view of `rows` rows from `first` on, of one buffer; `T` is the layout's element.
    ///
    /// The view has no lifetime of its own: whoever keeps it must keep the slab longer.
    pub(super) fn view<T: PrimitiveTensorElementType + std::fmt::Debug>(
        &mut self,
        index: usize,
        first: usize,
        rows: usize,
    ) -> Result<TensorRefMut<'static, T>, ort::Error> {
        let layout = *self.layout();
        if first + rows > layout.slots || size_of::<T>() != layout.element.bytes() {
            return Err(ort::Error::new(format!("rows {first} to {} of {}", first + rows, layout.slots)));
        }
        let shape = [rows, layout.kv_heads, layout.capacity, layout.head_dim].map(|n| n as i64);
        let (base, device): (*mut u8, _) = match self {
            Slab::Host(slab) => (slab.rows_mut(index).as_mut_slice().as_mut_ptr(), AllocationDevice::CPU),
            Slab::Device { buffers, device, .. } => (buffers[index].data_ptr_mut().cast(), device.clone()),
        };
        let start = base.wrapping_add(first * layout.row_bytes());
        // SAFETY: `base` points to `slots` rows on `device`, aligned for any element, and the view's rows lie within them,
        // as was just checked. Buffers are neither resized nor replaced while the slab lives, and the runner, the only user,
        // drops its bindings before the slab. On a device the pointer is an address there and is never followed here.
        unsafe { TensorRefMut::from_raw(info(&device)?, start.cast(), Shape::new(shape)) }
    }

    /// The slab in this process' memory. On a device rows stay where they are: ort's copy between views of borrowed memory
    /// waits for itself for ever (2.0.0-rc.15), so the scheduler is told to leave rows alone and to do without a pool.
    pub(super) fn host(&mut self) -> Result<&mut KvSlab, ForwardError> {
        match self {
            Slab::Host(slab) => Ok(slab),
            Slab::Device { .. } => {
                Err(ForwardError::Shape("rows in a device's memory are not copied".into()))
            }
        }
    }

    /// Gives back the memory of a row.
    pub(super) fn release(&mut self, slot: usize) {
        let Slab::Host(slab) = self else { return };
        let row = slab.layout().row_bytes();
        for index in 0..slab.layout().buffers() {
            let rows = slab.rows_mut(index).as_mut_slice();
            advise(&mut rows[slot * row..(slot + 1) * row], MmapAdvise::MADV_DONTNEED);
        }
    }

    /// Refuses a block copy that does not lie within the slab.
    pub(super) fn check_block(
        &self,
        slot: usize,
        start: usize,
        block: usize,
        blocks: usize,
    ) -> Result<(), ForwardError> {
        let layout = self.layout();
        if slot >= layout.slots || start + BLOCK > layout.capacity || block >= blocks {
            return Err(ForwardError::Shape(format!(
                "block {block} of {blocks} at token {start} of row {slot}, of {} rows with {} tokens",
                layout.slots, layout.capacity
            )));
        }
        Ok(())
    }
}

/// How a graph wants its keys and values.
pub(super) fn element_of(session: &Session, input: &str) -> Option<Element> {
    use ort::value::TensorElementType as Type;
    let outlet = session.inputs().iter().find(|outlet| outlet.name() == input)?;
    match outlet.dtype().tensor_type()? {
        Type::Float32 => Some(Element::F32),
        Type::Int8 => Some(Element::I8),
        _ => None,
    }
}

/// The plain memory of a device.
pub(super) fn info(device: &AllocationDevice<'_>) -> Result<MemoryInfo<'static>, ort::Error> {
    let device = AllocationDevice::new(device.as_str());
    MemoryInfo::new(device, 0, AllocatorType::Device, MemoryType::Default)
}

/// Where a provider keeps the tensors it computes with.
pub(super) fn device_of(provider: &str) -> AllocationDevice<'static> {
    match provider {
        "cuda" | "tensorrt" => AllocationDevice::CUDA,
        _ => AllocationDevice::CPU,
    }
}
