//! The file, read where something stands in it. Nothing is read that does not lie within the file, and no memory is
//! taken for it before that is known.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::ZimError;

/// An open file and its size.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    size: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, ZimError> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(ZimError::NotZim);
        }
        Ok(Self { file, size: about.len() })
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether a list of so many items of so many bytes lies within the file.
    pub(super) fn holds(&self, at: u64, items: u64, width: u64) -> bool {
        items.checked_mul(width).and_then(|length| at.checked_add(length)).is_some_and(|end| end <= self.size)
    }

    /// These bytes, all of them.
    pub(super) fn bytes(&self, at: u64, length: usize) -> Result<Vec<u8>, ZimError> {
        if !self.holds(at, length as u64, 1) {
            return Err(ZimError::damaged(format!("{length} bytes at {at} lie beyond the end of the file")));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// At most so many bytes; fewer at the end of the file.
    pub(super) fn at_most(&self, at: u64, length: usize) -> Result<Vec<u8>, ZimError> {
        let left = self.size.saturating_sub(at);
        self.bytes(at, usize::try_from(left).unwrap_or(usize::MAX).min(length))
    }

    pub(super) fn u32(&self, at: u64) -> Result<u32, ZimError> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(super) fn u64(&self, at: u64) -> Result<u64, ZimError> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }

    fn array<const N: usize>(&self, at: u64) -> Result<[u8; N], ZimError> {
        if !self.holds(at, N as u64, 1) {
            return Err(ZimError::damaged(format!("a number at {at} lies beyond the end of the file")));
        }
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The bytes from here on, at most so many.
    pub(super) fn reader(&self, at: u64, length: u64) -> Reader<'_> {
        Reader { source: self, at, end: at.saturating_add(length).min(self.size) }
    }
}

/// A part of the file, read in order.
pub(super) struct Reader<'s> {
    source: &'s Source,
    at: u64,
    end: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = into.len().min(left);
        let read = self.source.file.read_at(&mut into[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
