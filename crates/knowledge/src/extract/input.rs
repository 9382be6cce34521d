//! What is read of a file: never more than the limit, whatever it says of itself.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::{ExtractError, Limits};

/// Refuses by size alone, before a byte is read: a file of 2 GB of nothing costs nothing.
pub(super) fn check_size(bytes: &mut impl Seek, limits: &Limits) -> Result<(), ExtractError> {
    let size = bytes.seek(SeekFrom::End(0))?;
    bytes.seek(SeekFrom::Start(0))?;
    match size {
        0 => Err(ExtractError::Empty),
        size if size > limits.input => Err(ExtractError::TooLarge { size, limit: limits.input }),
        _ => Ok(()),
    }
}

/// The whole file. It may have grown since its size was looked at.
pub(super) fn all(bytes: &mut impl Read, limits: &Limits) -> Result<Vec<u8>, ExtractError> {
    let mut all = Vec::new();
    bytes.take(limits.input.saturating_add(1)).read_to_end(&mut all)?;
    if all.len() as u64 > limits.input {
        return Err(ExtractError::TooLarge { size: all.len() as u64, limit: limits.input });
    }
    Ok(all)
}

/// One line with its end, at most `most` bytes of it; the rest of a longer line is the next one. False at the end.
pub(super) fn line(source: &mut impl BufRead, into: &mut Vec<u8>, most: u64) -> io::Result<bool> {
    into.clear();
    Ok(source.take(most).read_until(b'\n', into)? > 0)
}
