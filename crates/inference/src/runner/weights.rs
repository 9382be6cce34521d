//! Weights that two sessions of one model share: the file is mapped once, and what ONNX Runtime packs of it for its kernels
//! is packed once.
//!
//! ONNX Runtime shares packed weights only between sessions that were given the same initializers by their caller, so the
//! weights' file is mapped here and each tensor of it is handed to both sessions. For the starter model this takes the
//! graph with adapters from 148 MiB to 9.

use super::slab;
use banyan_modelpack::graph::{WEIGHTS_FILE, WeightElement, WeightPlace, weight_places};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use ort::AsPointer as _;
use ort::memory::AllocationDevice;
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{PrimitiveTensorElementType, Shape, TensorRefMut};
use std::ffi::{CString, c_void};
use std::fs::File;
use std::num::NonZeroUsize;
use std::path::Path;
use std::ptr::NonNull;

/// Shared weights. Whoever opens a session with them keeps them longer than the session.
pub(crate) struct SharedWeights {
    // Views into the map are dropped before it.
    tensors: Vec<(CString, View)>,
    packed: PrepackedWeights,
    _map: Map,
}

/// A tensor in the map.
enum View {
    Floats(TensorRefMut<'static, f32>),
    Bytes(TensorRefMut<'static, u8>),
}

impl SharedWeights {
    /// Maps the weights of a graph, which lie beside it.
    pub(crate) fn open(graph: &Path) -> Result<SharedWeights, ort::Error> {
        let failed = |e: std::io::Error| ort::Error::new(format!("its weights cannot be mapped: {e}"));
        let file = File::open(graph.with_file_name(WEIGHTS_FILE)).map_err(failed)?;
        let map = Map::new(&file).map_err(failed)?;
        let mut tensors = Vec::new();
        for place in weight_places(graph).map_err(failed)? {
            let name = CString::new(place.name.as_str()).map_err(ort::Error::wrap)?;
            let view = match place.element {
                WeightElement::F32 => view(&map, &place)?.map(View::Floats),
                WeightElement::U8 => view(&map, &place)?.map(View::Bytes),
            };
            // What does not lie well ONNX Runtime reads by itself.
            tensors.extend(view.map(|view| (name, view)));
        }
        Ok(SharedWeights { tensors, packed: PrepackedWeights::new(), _map: map })
    }

    /// Lets a session be built with these weights.
    pub(crate) fn give(&self, builder: SessionBuilder) -> Result<SessionBuilder, ort::Error> {
        let mut builder =
            builder.with_prepacked_weights(&self.packed).map_err(|e| ort::Error::new(e.to_string()))?;
        for (name, view) in &self.tensors {
            let value = match view {
                View::Floats(tensor) => tensor.ptr(),
                View::Bytes(tensor) => tensor.ptr(),
            };
            // SAFETY: builder, name and tensor are alive; ONNX Runtime keeps a pointer to the tensor as long as the session,
            // and whoever keeps the session keeps these weights longer.
            unsafe {
                let status = (ort::api().AddInitializer)(builder.ptr_mut(), name.as_ptr(), value);
                ort::Error::result_from_status(status)?;
            }
        }
        Ok(builder)
    }
}

/// A view of a tensor; `None` when it does not lie within the map or not aligned.
fn view<T: PrimitiveTensorElementType + std::fmt::Debug>(
    map: &Map,
    place: &WeightPlace,
) -> Result<Option<TensorRefMut<'static, T>>, ort::Error> {
    let end = place.offset.checked_add(place.bytes);
    let aligned = place.offset.is_multiple_of(align_of::<T>() as u64);
    if !aligned || end.is_none_or(|end| end > map.len.get() as u64) {
        return Ok(None);
    }
    let start = map.start.as_ptr().cast::<u8>().wrapping_add(place.offset as usize);
    let (info, shape) = (slab::info(&AllocationDevice::CPU)?, Shape::new(place.dims.iter().copied()));
    // SAFETY: the range lies within the map, as was just checked, and has as many bytes as the shape asks for; the map is
    // neither moved nor closed while the view lives (order of the fields). Nobody writes to it: it is only handed out as an
    // initializer, which sessions read.
    unsafe { TensorRefMut::from_raw(info, start.cast(), shape).map(Some) }
}

/// A file in memory, to be read.
struct Map {
    start: NonNull<c_void>,
    len: NonZeroUsize,
}

// SAFETY: the memory is only read, and belongs to no thread.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    fn new(file: &File) -> std::io::Result<Map> {
        let len = usize::try_from(file.metadata()?.len()).ok().and_then(NonZeroUsize::new);
        let len = len.ok_or_else(|| std::io::Error::other("the file is empty"))?;
        // SAFETY: a private map that is only read, at an address of the system's choice. Packs are not changed in place.
        let start = unsafe { mmap(None, len, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE, file, 0) }?;
        Ok(Map { start, len })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the map is this value's own, and nothing points into it any more.
        if let Err(error) = unsafe { munmap(self.start, self.len.get()) } {
            tracing::debug!(%error, "a map of weights could not be closed");
        }
    }
}
