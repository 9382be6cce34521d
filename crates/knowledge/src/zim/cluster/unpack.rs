//! Unpacking, with bounds on what comes out and on the memory it takes meanwhile.

use std::io::Read;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::MAX_CLUSTER;
use crate::zim::ZimError;

/// The largest window of Zstandard that is accepted: its level 22. Of one that is larger than [`MAX_CLUSTER`] only the
/// part is held that was filled.
const MAX_WINDOW: u64 = 128 << 20;

/// The most that comes out of one block of Zstandard.
const BLOCK: usize = 128 << 10;

/// KiB that unpacking LZMA may take: the dictionary of its strongest setting (64 MiB, of which as much is touched as
/// comes out) and what is around it.
const LZMA_MEMORY: u32 = 66 << 10;

/// What an LZMA stream (XZ) unpacks to.
pub(super) fn lzma(packed: impl Read) -> Result<Vec<u8>, ZimError> {
    let mut bytes = Vec::new();
    let reader = lzma_rust2::XzReader::new_mem_limit(packed, false, LZMA_MEMORY);
    reader.take(MAX_CLUSTER as u64 + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() > MAX_CLUSTER { Err(too_large()) } else { Ok(bytes) }
}

/// What a frame of Zstandard unpacks to. The decoder holds all that its window asks for before it gives anything out, so the window is looked at first, and
/// the blocks are counted.
pub(super) fn zstandard(mut packed: impl Read) -> Result<Vec<u8>, ZimError> {
    let mut head = Vec::new();
    (&mut packed).take(18).read_to_end(&mut head)?;
    let window = window(&head).ok_or_else(|| ZimError::damaged("a cluster does not begin as it should"))?;
    if window > MAX_WINDOW {
        return Err(too_large());
    }
    let mut packed = head.as_slice().chain(packed);
    let mut decoder = FrameDecoder::new();
    decoder.init(&mut packed).map_err(broken)?;
    let mut bytes = Vec::new();
    while !decoder.is_finished() {
        decoder.decode_blocks(&mut packed, BlockDecodingStrategy::UptoBlocks(4)).map_err(broken)?;
        if window > MAX_CLUSTER as u64 && decoder.blocks_decoded() > MAX_CLUSTER / BLOCK {
            return Err(too_large());
        }
        decoder.collect_to_writer(&mut bytes)?;
        if bytes.len() > MAX_CLUSTER {
            return Err(too_large());
        }
    }
    decoder.collect_to_writer(&mut bytes)?;
    if bytes.len() > MAX_CLUSTER { Err(too_large()) } else { Ok(bytes) }
}

/// How far back a frame of Zstandard may refer (RFC 8878, 3.1.1.1); none where it is no such frame.
fn window(head: &[u8]) -> Option<u64> {
    let rest = head.strip_prefix(&[0x28, 0xB5, 0x2F, 0xFD])?;
    let (&descriptor, rest) = rest.split_first()?;
    if descriptor & 0x20 == 0 {
        let &window = rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let (width, more) = [(1, 0), (2, 256), (4, 0), (8, 0)][usize::from(descriptor >> 6)];
    let size = rest.get(dictionary..dictionary + width)?;
    Some(size.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)).saturating_add(more))
}

fn broken(error: impl std::fmt::Display) -> ZimError {
    ZimError::damaged(format!("a cluster cannot be unpacked: {error}"))
}

fn too_large() -> ZimError {
    ZimError::TooLarge { what: "a cluster", limit: MAX_CLUSTER as u64 }
}
