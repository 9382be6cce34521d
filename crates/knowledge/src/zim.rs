//! ZIM archives: encyclopaedias, manuals and whole web sites for reading without the internet, as Kiwix has them.
//!
//! ```text
//!  add ─▶ a row in the store ─▶ found by title at once ─▶ found by words while the index grows ─▶ removed: row and index go
//!                │ the stick is pulled ▲
//!                └──▶ missing ─────────┘ it is back
//! ```
//!
//! An archive is opened in place and never copied: it may be larger than the box's disk. [`Zim`] reads the file format
//! (openZIM versions 5 and 6, both ways of namespaces, clusters plain, LZMA and Zstandard), [`ZimShelf`] keeps the
//! archives of a box, searches them, and grows a light index of each in the background.
//!
//! Promises: whatever an archive says of itself, the worst is an error in words, and memory stays within the bounds that
//! stand with [`Zim`]; an archive is found and read by whoever may read its collection, for the uses that its collection
//! allows.
//!
//! Refuses: to write into an archive; to use the full-text index that some archives carry, which is a database of
//! another program's inner format; to read pictures, styles and scripts: what is shown and cited are the words.

mod archive;
mod article;
mod cluster;
mod entry;
mod error;
mod header;
mod index;
mod language;
pub(crate) mod near;
mod read;
mod shelf;
mod source;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use banyan_store::Room;

pub use self::archive::Zim;
pub use self::error::ZimError;
pub use self::shelf::{ZimArchive, ZimArticle, ZimProgress, ZimShelf, ZimState, ZimTitle};

/// The table of archives. Comes after [`ROOM_LIBRARY`](crate::ROOM_LIBRARY), to whose collections it refers.
pub const ROOM_ZIM: Room = Room { name: "zim", steps: &[include_str!("schema/zim_1.sql")] };

/// Whether a file begins as a ZIM archive does.
#[must_use]
pub fn is_zim(path: &Path) -> bool {
    let mut first = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"ZIM\x04"
}
