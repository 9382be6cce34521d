//! Clusters: the parts in which contents are kept, many blobs in each, most of them packed.
//!
//! The first byte says how the rest is packed and how wide its offsets are; then come the offsets of the blobs, then
//! the blobs. A cluster that is not packed is read where it stands, blob by blob; a packed one is unpacked whole, up to
//! [`MAX_CLUSTER`], and kept for a while.

mod unpack;

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::ZimError;
use super::source::Source;

/// Bytes of an unpacked cluster. Archives are made with clusters of 1 to 2 MiB; a larger one has one large blob in it,
/// and what is as large as this is no text.
pub(super) const MAX_CLUSTER: usize = 32 << 20;

/// Bytes of all unpacked clusters that are kept; the newest is kept whatever its size. So an archive holds at most this
/// and one [`MAX_CLUSTER`].
const KEPT: usize = 16 << 20;

/// Clusters that are unpacked at the same time. Each takes at most two [`MAX_CLUSTER`]: its window and what comes out.
const UNPACKED_AT_ONCE: u32 = 2;

/// The clusters of one archive.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    kept: Mutex<Kept>,
    /// Whoever unpacks holds one; the same cluster is always unpacked under the same one, so two that ask for it at the
    /// same moment unpack it once.
    unpacking: [Mutex<()>; UNPACKED_AT_ONCE as usize],
}

/// The newest at the end.
#[derive(Debug, Default)]
struct Kept {
    clusters: VecDeque<(u32, Arc<Unpacked>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Unpacked {
    bytes: Vec<u8>,
    wide: bool,
}

impl Clusters {
    /// A blob of the cluster that begins here; at most so many bytes of it, else an error.
    pub(super) fn blob(
        &self,
        source: &Source,
        (cluster, at): (u32, u64),
        blob: u32,
        most: usize,
    ) -> Result<Vec<u8>, ZimError> {
        match Kind::read(source, at)? {
            (Kind::Plain, wide) => {
                let start = at + 1;
                let (from, to) = range(blob, wide, |offset, width| match width {
                    4 => Ok(source.u32(start.saturating_add(offset))?.into()),
                    _ => source.u64(start.saturating_add(offset)),
                })?;
                source.bytes(start.saturating_add(from), length(from, to, most)?)
            }
            (kind, wide) => {
                let unpacked = self.unpacked(source, (cluster, at), kind, wide)?;
                let (from, to) = unpacked.range(blob)?;
                length(from, to, most)?;
                let found = usize::try_from(from).ok().zip(usize::try_from(to).ok());
                let found = found.and_then(|(from, to)| unpacked.bytes.get(from..to));
                found
                    .map(<[u8]>::to_vec)
                    .ok_or_else(|| ZimError::damaged("an article lies beyond the end of its cluster"))
            }
        }
    }

    /// Where a blob stands in the file; none where it is packed.
    pub(super) fn place(source: &Source, at: u64, blob: u32) -> Result<Option<(u64, u64)>, ZimError> {
        let (Kind::Plain, wide) = Kind::read(source, at)? else { return Ok(None) };
        let start = at + 1;
        let (from, to) = range(blob, wide, |offset, width| match width {
            4 => Ok(source.u32(start.saturating_add(offset))?.into()),
            _ => source.u64(start.saturating_add(offset)),
        })?;
        let from = start.saturating_add(from);
        let length = to.saturating_sub(from - start);
        if !source.holds(from, length, 1) {
            return Err(ZimError::damaged("a blob lies beyond the end of the file"));
        }
        Ok(Some((from, length)))
    }

    fn unpacked(
        &self,
        source: &Source,
        (cluster, at): (u32, u64),
        kind: Kind,
        wide: bool,
    ) -> Result<Arc<Unpacked>, ZimError> {
        if let Some(kept) = self.kept(cluster) {
            return Ok(kept);
        }
        let slot = &self.unpacking[(cluster % UNPACKED_AT_ONCE) as usize];
        let _turn = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = self.kept(cluster) {
            return Ok(kept);
        }
        let packed = source.reader(at + 1, MAX_CLUSTER as u64);
        // The unpackers are made to stand any bytes. Should one fall over some nevertheless, that is an error of this
        // cluster.
        let bytes =
            catch_unwind(AssertUnwindSafe(|| kind.unpack(BufReader::with_capacity(64 << 10, packed))))
                .unwrap_or_else(|_| Err(ZimError::damaged("a cluster cannot be unpacked")))?;
        let unpacked = Arc::new(Unpacked { bytes, wide });
        self.keep(cluster, &unpacked);
        Ok(unpacked)
    }

    fn kept(&self, cluster: u32) -> Option<Arc<Unpacked>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.clusters.iter().position(|(number, _)| *number == cluster)?;
        let found = kept.clusters.remove(place)?;
        let unpacked = found.1.clone();
        kept.clusters.push_back(found);
        Some(unpacked)
    }

    fn keep(&self, cluster: u32, unpacked: &Arc<Unpacked>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += unpacked.bytes.len();
        kept.clusters.push_back((cluster, unpacked.clone()));
        while kept.bytes > KEPT && kept.clusters.len() > 1 {
            if let Some((_, oldest)) = kept.clusters.pop_front() {
                kept.bytes -= oldest.bytes.len();
            }
        }
    }
}

impl Unpacked {
    fn range(&self, blob: u32) -> Result<(u64, u64), ZimError> {
        range(blob, self.wide, |offset, width| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let bytes = start.checked_add(width as usize).and_then(|end| self.bytes.get(start..end));
            let bytes =
                bytes.ok_or_else(|| ZimError::damaged("a cluster ends within its list of offsets"))?;
            Ok(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
        })
    }
}

/// From where to where a blob reaches. The first offset says how many there are: one more than blobs.
fn range(
    blob: u32,
    wide: bool,
    offset: impl Fn(u64, u64) -> Result<u64, ZimError>,
) -> Result<(u64, u64), ZimError> {
    let width = if wide { 8 } else { 4 };
    let offsets = offset(0, width)? / width;
    if u64::from(blob) + 1 >= offsets {
        return Err(ZimError::damaged("a cluster has fewer articles than the directory says"));
    }
    let (from, to) = (offset(u64::from(blob) * width, width)?, offset((u64::from(blob) + 1) * width, width)?);
    if from > to {
        return Err(ZimError::damaged("an article ends before it begins"));
    }
    Ok((from, to))
}

fn length(from: u64, to: u64, most: usize) -> Result<usize, ZimError> {
    let length = usize::try_from(to - from).ok().filter(|length| *length <= most);
    length.ok_or(ZimError::TooLarge { what: "an article", limit: most as u64 })
}

/// How a cluster is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Lzma,
    Zstandard,
}

impl Kind {
    /// The kind, and whether offsets have eight bytes.
    fn read(source: &Source, at: u64) -> Result<(Self, bool), ZimError> {
        let first = source.bytes(at, 1)?;
        let first = first.first().copied().unwrap_or_default();
        let kind = match first & 0x0F {
            0 | 1 => Self::Plain,
            4 => Self::Lzma,
            5 => Self::Zstandard,
            other => return Err(ZimError::Packing(other)),
        };
        Ok((kind, first & 0x10 != 0))
    }

    fn unpack(self, packed: impl Read) -> Result<Vec<u8>, ZimError> {
        match self {
            Self::Plain => Err(ZimError::damaged("a cluster is not packed after all")),
            Self::Lzma => unpack::lzma(packed),
            Self::Zstandard => unpack::zstandard(packed),
        }
    }
}
