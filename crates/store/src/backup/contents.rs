//! The files within a backup: name, length, content, one after the other, and an end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::Meter;
use crate::error::StoreError;

const FILE: u8 = 1;
const END: u8 = 0;

/// The longest name. Ours have less than a hundred bytes; whatever says more is damaged.
const MAX_NAME: usize = 255;

/// Bytes that are copied at a time.
const PIECE: usize = 64 * 1024;

/// Where a backup is written to, or read from, for the messages.
#[derive(Clone, Copy)]
pub(super) struct Backup<'a>(pub(super) &'a Path);

impl Backup<'_> {
    pub(super) fn unwritten(self) -> impl FnOnce(io::Error) -> StoreError + use<> {
        StoreError::io("write", self.0)
    }

    pub(super) fn unread(self, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                StoreError::BackupDamaged { path: self.0.to_owned(), reason: error.to_string() }
            }
            _ => StoreError::io("read", self.0)(error),
        }
    }

    fn damaged(self, reason: &str) -> StoreError {
        StoreError::BackupDamaged { path: self.0.to_owned(), reason: reason.to_owned() }
    }

    /// Writes one file; whether it was there.
    pub(super) fn put(
        self,
        out: &mut impl Write,
        name: &str,
        from: &Path,
        meter: &mut Meter<'_>,
    ) -> Result<bool, StoreError> {
        let mut file = match File::open(from) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::io("read", from)(error)),
        };
        let length = file.metadata().map_err(StoreError::io("read", from))?.len();
        let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        let mut frame = vec![FILE];
        frame.extend(name_length.to_be_bytes());
        frame.extend(name.as_bytes());
        frame.extend(length.to_be_bytes());
        out.write_all(&frame).map_err(self.unwritten())?;
        let mut piece = vec![0; PIECE];
        let mut left = length;
        while left > 0 {
            let wanted = piece_of(left);
            // A file that became shorter under our hands is an error; none of ours does.
            file.read_exact(&mut piece[..wanted]).map_err(StoreError::io("read", from))?;
            out.write_all(&piece[..wanted]).map_err(self.unwritten())?;
            meter.add(wanted as u64);
            left -= wanted as u64;
        }
        Ok(true)
    }

    pub(super) fn put_end(self, out: &mut impl Write) -> Result<(), StoreError> {
        out.write_all(&[END]).map_err(self.unwritten())
    }

    /// Reads to the end, which must be one. `open` says where each file goes, if anywhere;
    /// the caller syncs them.
    pub(super) fn take_all(
        self,
        from: &mut impl Read,
        meter: &mut Meter<'_>,
        open: &mut dyn FnMut(&str) -> Result<Option<File>, StoreError>,
    ) -> Result<(), StoreError> {
        while let Some(name) = self.take_name(from)? {
            let mut length = [0; 8];
            from.read_exact(&mut length).map_err(|error| self.unread(error))?;
            let file = open(&name)?;
            self.take_content(from, u64::from_be_bytes(length), file, meter)?;
        }
        match from.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged("something follows its end")),
            Err(error) => Err(self.unread(error)),
        }
    }

    fn take_name(self, from: &mut impl Read) -> Result<Option<String>, StoreError> {
        let mut kind = [0];
        from.read_exact(&mut kind).map_err(|error| self.unread(error))?;
        match kind[0] {
            END => return Ok(None),
            FILE => {}
            _ => return Err(self.damaged("it holds something that this version does not know")),
        }
        let mut length = [0; 2];
        from.read_exact(&mut length).map_err(|error| self.unread(error))?;
        let length = usize::from(u16::from_be_bytes(length));
        if length > MAX_NAME {
            return Err(self.damaged("a name in it is too long"));
        }
        let mut name = vec![0; length];
        from.read_exact(&mut name).map_err(|error| self.unread(error))?;
        String::from_utf8(name).map(Some).map_err(|_| self.damaged("a name in it is no text"))
    }

    fn take_content(
        self,
        from: &mut impl Read,
        length: u64,
        mut to: Option<File>,
        meter: &mut Meter<'_>,
    ) -> Result<(), StoreError> {
        let mut piece = vec![0; PIECE];
        let mut left = length;
        while left > 0 {
            let wanted = piece_of(left);
            from.read_exact(&mut piece[..wanted]).map_err(|error| self.unread(error))?;
            if let Some(file) = &mut to {
                file.write_all(&piece[..wanted]).map_err(StoreError::io("write what is in", self.0))?;
            }
            meter.add(wanted as u64);
            left -= wanted as u64;
        }
        Ok(())
    }
}

fn piece_of(left: u64) -> usize {
    usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))
}
