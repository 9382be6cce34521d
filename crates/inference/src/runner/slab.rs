//! Where the KV slab lives: in this process' memory, or in a device's when the session computes there.

use crate::forward::ForwardError;
use crate::kv::{KvLayout, KvSlab};
use nix::sys::mman::{MmapAdvise, madvise};
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::value::{Shape, Tensor, TensorRefMut};
use std::ptr::NonNull;

/// Asks for pages of the ordinary size. The process runs with huge pages for its weights (`banyan infer` sees to it),
/// but here they would take 2 MiB for the first token of every head of every layer. Before the first write; where the
/// system refuses, the slab takes more memory and nothing else changes.
fn small_pages(buffer: &mut [f32]) {
    let page = 4096;
    let Some(memory) = NonNull::new(buffer.as_mut_ptr()) else { return };
    let before = memory.align_offset(page);
    let bytes = size_of_val(buffer).saturating_sub(before * size_of::<f32>()) / page * page;
    if bytes == 0 {
        return;
    }
    // SAFETY: the range lies within `buffer`, and this advice changes no contents.
    let advised = unsafe { madvise(memory.add(before).cast(), bytes, MmapAdvise::MADV_NOHUGEPAGE) };
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
        layout: KvLayout,
        session: &Session,
        device: Option<AllocationDevice<'static>>,
    ) -> Result<Slab, ort::Error> {
        let Some(device) = device else {
            let mut slab = KvSlab::new(layout);
            (0..2 * layout.layers).for_each(|index| small_pages(slab.buffer_mut(index).as_mut_slice()));
            return Ok(Slab::Host(slab));
        };
        let allocator = Allocator::new(session, info(&device)?)?;
        let shape = [layout.slots, layout.kv_heads, layout.capacity, layout.head_dim];
        let buffers = (0..2 * layout.layers)
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

    /// A view of `rows` rows from `first` on, of one buffer.
    ///
    /// The view has no lifetime of its own: whoever keeps it must keep the slab longer.
    pub(super) fn view(
        &mut self,
        index: usize,
        first: usize,
        rows: usize,
    ) -> Result<TensorRefMut<'static, f32>, ort::Error> {
        let layout = *self.layout();
        if first + rows > layout.slots {
            return Err(ort::Error::new(format!("rows {first} to {} of {}", first + rows, layout.slots)));
        }
        let shape = [rows, layout.kv_heads, layout.capacity, layout.head_dim].map(|n| n as i64);
        let (base, device): (*mut f32, _) = match self {
            Slab::Host(slab) => (slab.buffer_mut(index).as_mut_slice().as_mut_ptr(), AllocationDevice::CPU),
            Slab::Device { buffers, device, .. } => (buffers[index].data_ptr_mut().cast(), device.clone()),
        };
        let start = base.wrapping_add(first * layout.row_len());
        // SAFETY: `base` points to `slots` rows on `device`, and the view's rows lie within them, as was just checked.
        // Buffers are neither resized nor replaced while the slab lives, and the runner, the only user, drops its
        // bindings before the slab. On a device the pointer is an address there and is never followed here.
        unsafe { TensorRefMut::from_raw(info(&device)?, start.cast(), Shape::new(shape)) }
    }

    /// Copies the first `tokens` tokens of row `from` to row `to`. Not on a device: ort's copy between views of borrowed
    /// memory waits for itself for ever (2.0.0-rc.15), so the scheduler is told to leave rows where they are.
    pub(super) fn move_row(&mut self, from: usize, to: usize, tokens: usize) -> Result<(), ForwardError> {
        if let Slab::Host(slab) = self {
            slab.move_row(from, to, tokens);
            return Ok(());
        }
        Err(ForwardError::Shape("rows in a device's memory are not moved".into()))
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
