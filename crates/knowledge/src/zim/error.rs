//! Why something of an archive was not read, in words for whoever keeps the library.

use std::io;

use crate::extract::ExtractError;
use crate::library::LibraryError;

/// Why something of an archive was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZimError {
    /// It does not begin as a ZIM archive does.
    #[error(
        "this is not a ZIM archive; a file for Kiwix ends in .zim, and is whole only when its copy has ended"
    )]
    NotZim,
    /// Written in a version of the format that is not known.
    #[error(
        "this archive is of version {0} of the ZIM format, and versions 5 and 6 are read; get it from a newer or older release"
    )]
    Version(u16),
    /// It contradicts itself, or the file is shorter than it says.
    #[error("the archive is damaged ({0}); copy it again from where it came from")]
    Damaged(String),
    /// It says of itself that it has more of something than is read.
    #[error("the archive has {count} {what}, and {limit} at most are read; get a smaller edition of it")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it says it has.
        count: u64,
        /// The most that are read.
        limit: u64,
    },
    /// A part of it is larger than is read, as in a file that was made to fill the box.
    #[error("a part of the archive ({what}) has more than {} MB, and is not read; the rest of the archive is", .limit >> 20)]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// The most, in bytes.
        limit: u64,
    },
    /// Packed in a way of before 2013.
    #[error(
        "a part of the archive is packed in a way that is not read any more (number {0}); get a newer edition of it"
    )]
    Packing(u8),
    /// It has no such article.
    #[error(
        "the archive has no article \"{0}\"; search it again, it may have been replaced by another edition"
    )]
    NoArticle(String),
    /// A picture, a style sheet, a film.
    #[error("\"{path}\" is {mime}, and only texts are read here")]
    NotText {
        /// Which.
        path: String,
        /// What the archive calls it.
        mime: String,
    },
    /// The article is there, and has no words or too many.
    #[error("the article \"{path}\" cannot be read: {source}")]
    Words {
        /// Which.
        path: String,
        /// Why.
        source: ExtractError,
    },
    /// The disk or the stick.
    #[error("the archive cannot be read from the disk ({0}); is the stick still in the box?")]
    Io(#[from] io::Error),
}

impl ZimError {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

impl From<ZimError> for LibraryError {
    fn from(error: ZimError) -> Self {
        match error {
            ZimError::NoArticle(path) => Self::not_found("article", path),
            error => Self::Invalid { field: "archive", message: error.to_string() },
        }
    }
}
