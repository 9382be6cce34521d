//! `weights.bin`: the external data of a pack's graphs, written region by region as rows arrive.
//!
//! A tensor's size is known before its first row, so its region is reserved and its rows are written in place;
//! several regions (values, scales, corrections) grow side by side while one source row passes by.

use super::onnx::ElementType;
use super::{BuildError, WEIGHTS_FILE, WrittenFile};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Regions begin on a page, so that ONNX Runtime can map them straight from the file.
const ALIGNMENT: u64 = 4096;
/// Bytes read at once while hashing.
const HASH_CHUNK: usize = 1 << 20;

/// Where a tensor lies in the weights file, and its shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub offset: u64,
    pub bytes: u64,
    pub element: ElementType,
    pub dims: Vec<i64>,
}

impl Stored {
    /// The same bytes seen as another shape: the embedding and the head of a tied model are one region.
    pub(super) fn reshaped(&self, dims: &[usize]) -> Stored {
        Stored { dims: dims.iter().map(|&d| d as i64).collect(), ..self.clone() }
    }
}

/// A reserved region that fills from its start.
#[derive(Debug)]
pub(super) struct Region {
    stored: Stored,
    written: u64,
}

/// The file being written.
#[derive(Debug)]
pub(super) struct WeightsWriter {
    path: PathBuf,
    file: File,
    end: u64,
}

impl WeightsWriter {
    pub(super) fn create(dir: &Path) -> Result<Self, BuildError> {
        let path = dir.join(WEIGHTS_FILE);
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|source| BuildError::io(&path, source))?;
        Ok(Self { path, file, end: 0 })
    }

    /// Reserves a region for a tensor.
    pub(super) fn reserve(&mut self, element: ElementType, dims: &[usize]) -> Region {
        let width = match element {
            ElementType::Uint8 | ElementType::Int8 | ElementType::Undefined => 1,
            ElementType::Float | ElementType::Int32 => 4,
            ElementType::Int64 => 8,
        };
        let bytes = dims.iter().map(|&d| d as u64).product::<u64>() * width;
        let offset = self.end.next_multiple_of(ALIGNMENT);
        self.end = offset + bytes;
        let dims = dims.iter().map(|&d| d as i64).collect();
        Region { stored: Stored { offset, bytes, element, dims }, written: 0 }
    }

    /// Appends to a region.
    pub(super) fn append(&self, region: &mut Region, bytes: &[u8]) -> Result<(), BuildError> {
        debug_assert!(region.written + bytes.len() as u64 <= region.stored.bytes, "a region overflows");
        self.file
            .write_all_at(bytes, region.stored.offset + region.written)
            .map_err(|source| BuildError::io(&self.path, source))?;
        region.written += bytes.len() as u64;
        Ok(())
    }

    /// Appends floats to a region.
    pub(super) fn append_floats(&self, region: &mut Region, values: &[f32]) -> Result<(), BuildError> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.append(region, &bytes)
    }

    /// Writes a whole small tensor.
    pub(super) fn floats(&mut self, dims: &[usize], values: &[f32]) -> Result<Stored, BuildError> {
        let mut region = self.reserve(ElementType::Float, dims);
        self.append_floats(&mut region, values)?;
        Ok(self.close(region))
    }

    /// Ends a region.
    pub(super) fn close(&self, region: Region) -> Stored {
        debug_assert_eq!(region.written, region.stored.bytes, "a region was not filled");
        region.stored
    }

    /// Syncs and hashes the file.
    pub(super) fn finish(self) -> Result<WrittenFile, BuildError> {
        let fail = |source| BuildError::io(&self.path, source);
        self.file.set_len(self.end).map_err(fail)?;
        self.file.sync_all().map_err(fail)?;
        let mut reader = File::open(&self.path).map_err(fail)?;
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; HASH_CHUNK];
        loop {
            let count = reader.read(&mut chunk).map_err(fail)?;
            if count == 0 {
                break;
            }
            hasher.update(&chunk[..count]);
        }
        let blake3 = hasher.finalize().to_hex().to_string();
        Ok(WrittenFile { name: WEIGHTS_FILE.into(), bytes: self.end, blake3 })
    }
}
