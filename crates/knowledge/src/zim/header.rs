//! The first 80 bytes of an archive: where everything else stands.

use super::ZimError;
use super::source::Source;

/// "ZIM" and a 4, as a number.
const MAGIC: u32 = 0x044D_495A;

const LENGTH: usize = 80;

/// Directory entries of an archive. The whole of the English Wikipedia has some 25 million with its pictures; a bit for
/// each entry is held in memory while titles are indexed (12 MB at this bound).
pub(super) const MAX_ENTRIES: u32 = 100_000_000;

/// Where no entry stands.
const NONE: u32 = u32::MAX;

/// Bytes of the list of content types, and how many there are.
const MIMES: (usize, usize) = (64 << 10, 4096);

/// What an archive says of itself, checked against the size of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) uuid: [u8; 16],
    pub(super) entries: u32,
    pub(super) clusters: u32,
    pub(super) path_list: u64,
    /// The list of entries by title in archives that have one here.
    pub(super) title_list: Option<u64>,
    pub(super) cluster_list: u64,
    pub(super) main_page: Option<u32>,
    pub(super) checksum: Option<u64>,
    /// Since 2021 articles, pictures and styles stand together under C; before, articles under A.
    pub(super) one_namespace: bool,
    pub(super) mimes: Vec<String>,
}

impl Header {
    pub(super) fn read(source: &Source) -> Result<Self, ZimError> {
        let bytes = source.at_most(0, LENGTH)?;
        if bytes.len() < LENGTH || number(&bytes, 0, 4) != u64::from(MAGIC) {
            return Err(ZimError::NotZim);
        }
        let major = number(&bytes, 4, 2) as u16;
        if !(5..=6).contains(&major) {
            return Err(ZimError::Version(major));
        }
        let uuid = std::array::from_fn(|at| bytes[8 + at]);
        let (entries, clusters) = (number(&bytes, 24, 4) as u32, number(&bytes, 28, 4) as u32);
        for (what, count) in [("entries", entries), ("clusters", clusters)] {
            if count > MAX_ENTRIES {
                let (count, limit) = (count.into(), MAX_ENTRIES.into());
                return Err(ZimError::TooMany { what, count, limit });
            }
        }
        let (path_list, cluster_list) = (number(&bytes, 32, 8), number(&bytes, 48, 8));
        for (what, at, items) in [("entries", path_list, entries), ("clusters", cluster_list, clusters)] {
            if !source.holds(at, items.into(), 8) {
                return Err(ZimError::damaged(format!(
                    "the list of its {items} {what} lies beyond the end of the file"
                )));
            }
        }
        let title_list = Some(number(&bytes, 40, 8)).filter(|at| source.holds(*at, entries.into(), 4));
        let mime_list = number(&bytes, 56, 8);
        // In the oldest archives the header ends before the place of the checksum.
        let checksum =
            (mime_list >= LENGTH as u64).then(|| number(&bytes, 72, 8)).filter(|at| source.holds(*at, 16, 1));
        Ok(Self {
            uuid,
            entries,
            clusters,
            path_list,
            title_list,
            cluster_list,
            main_page: Some(number(&bytes, 64, 4) as u32).filter(|entry| *entry != NONE && *entry < entries),
            checksum,
            one_namespace: number(&bytes, 6, 2) >= 1,
            mimes: mimes(source, mime_list)?,
        })
    }
}

/// Names with a zero after each, and an empty one at the end.
fn mimes(source: &Source, at: u64) -> Result<Vec<String>, ZimError> {
    let bytes = source.at_most(at, MIMES.0)?;
    let mut all = Vec::new();
    for name in bytes.split(|byte| *byte == 0) {
        if name.is_empty() {
            return Ok(all);
        }
        if all.len() >= MIMES.1 {
            break;
        }
        all.push(String::from_utf8_lossy(name).into_owned());
    }
    Err(ZimError::damaged("its list of content types has no end"))
}

/// A number of up to eight bytes, the lowest first. The caller has looked that they are there.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
