//! Directory entries: what an archive has under a path.

use super::ZimError;

/// Bytes of an entry that are read at first, and at the most: paths of web pages can be long, titles are not.
pub(super) const READS: [usize; 2] = [512, 16 << 10];

/// An entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) namespace: u8,
    pub(super) path: String,
    /// Its title; the path where it has none.
    pub(super) title: String,
    pub(super) what: What,
}

/// What stands under a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Something to read.
    Content {
        /// Its number in the list of content types.
        mime: u16,
        cluster: u32,
        blob: u32,
    },
    /// Another name of this entry.
    Redirect(u32),
    /// Nothing any more.
    Gone,
}

impl Entry {
    /// The entry that these bytes begin with; none where they end before it does.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, ZimError> {
        let Some(head) = bytes.first_chunk::<8>() else { return Ok(None) };
        let mime = u16::from_le_bytes([head[0], head[1]]);
        let namespace = head[3];
        let (what, rest) = match mime {
            0xFFFF => {
                let Some((index, rest)) = u32_of(&bytes[8..]) else { return Ok(None) };
                (What::Redirect(index), rest)
            }
            0xFFFD | 0xFFFE => (What::Gone, &bytes[8..]),
            mime => {
                let Some((cluster, rest)) = u32_of(&bytes[8..]) else { return Ok(None) };
                let Some((blob, rest)) = u32_of(rest) else { return Ok(None) };
                (What::Content { mime, cluster, blob }, rest)
            }
        };
        let Some((path, rest)) = text_of(rest) else { return Ok(None) };
        let Some((title, _)) = text_of(rest) else { return Ok(None) };
        if !namespace.is_ascii_graphic() {
            return Err(ZimError::damaged("an entry of its directory has no namespace"));
        }
        let title = if title.is_empty() { path.clone() } else { title };
        Ok(Some(Self { namespace, path, title, what }))
    }
}

fn u32_of(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// A text that ends with a zero. Paths and titles are UTF-8; what is not is shown as well as it can be.
fn text_of(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 1..]))
}
