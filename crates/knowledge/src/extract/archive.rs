//! ZIP archives, in which DOCX, ODT and EPUB keep their parts. What is unpacked is counted over all the parts, as it
//! comes out: what an archive says of its sizes is not believed.

use std::io::{self, Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::ExtractError;
use super::words::Words;

/// An archive, and how much may still come out of it.
pub(super) struct Archive<R> {
    zip: ZipArchive<R>,
    left: u64,
    limit: u64,
}

impl<R: Read + Seek> Archive<R> {
    pub(super) fn open(bytes: R, words: &Words<'_>) -> Result<Self, ExtractError> {
        let zip = ZipArchive::new(bytes).map_err(|error| of_zip(error, words))?;
        if zip.len() > words.limits.parts {
            return Err(words.too_many("parts", words.limits.parts));
        }
        Ok(Self { zip, left: words.limits.expanded, limit: words.limits.expanded })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name_raw(name.as_bytes()).is_some()
    }

    /// One part, to be read as it is unpacked.
    pub(super) fn part<'s>(
        &'s mut self,
        name: &str,
        words: &Words<'_>,
    ) -> Result<impl Read + use<'s, R>, ExtractError> {
        let (left, limit) = (&mut self.left, self.limit);
        let Some(index) = self.zip.index_for_name_raw(name.as_bytes()) else {
            return Err(words.broken(format!("{name} is missing in it")));
        };
        let file = self.zip.by_index(index).map_err(|error| of_zip(error, words))?;
        Ok(Counted { file, left, limit })
    }

    /// One part whole.
    pub(super) fn whole(&mut self, name: &str, words: &Words<'_>) -> Result<Vec<u8>, ExtractError> {
        let mut bytes = Vec::new();
        match self.part(name, words)?.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(match expanded(&error) {
                Some(limit) => ExtractError::Expands { format: words.format, limit },
                None => words.broken(error),
            }),
        }
    }
}

/// Ends with [`TooMuch`] when more comes out than may.
struct Counted<'a, F> {
    file: F,
    left: &'a mut u64,
    limit: u64,
}

impl<F: Read> Read for Counted<'_, F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => *self.left = left,
            None => return Err(io::Error::other(TooMuch(self.limit))),
        }
        Ok(count)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes came out")]
struct TooMuch(u64);

/// The limit, when it was this error that a [`Counted`] ended with.
pub(super) fn expanded(error: &io::Error) -> Option<u64> {
    error.get_ref()?.downcast_ref::<TooMuch>().map(|too_much| too_much.0)
}

fn of_zip(error: ZipError, words: &Words<'_>) -> ExtractError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            ExtractError::Locked(words.format)
        }
        error => words.broken(error),
    }
}
