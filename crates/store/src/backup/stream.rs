//! A long text, encrypted in chunks: none can be changed, left out, repeated or moved, and the end cannot be cut off.

use std::io::{self, BufRead, Read, Write};

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit as _, Nonce};
use zeroize::Zeroizing;

/// Bytes of text in a chunk.
const CHUNK: usize = 64 * 1024;
/// Bytes that authenticate a chunk.
const TAG: usize = 16;

/// Encrypts what is written. The key must be used for nothing else.
pub(super) struct SealedWriter<W> {
    inner: W,
    cipher: ChaCha20Poly1305,
    number: u64,
    text: Zeroizing<Vec<u8>>,
}

impl<W: Write> SealedWriter<W> {
    pub(super) fn new(inner: W, key: &[u8; 32]) -> Self {
        let cipher = ChaCha20Poly1305::new(&Key::from(*key));
        Self { inner, cipher, number: 0, text: Zeroizing::new(Vec::with_capacity(CHUNK)) }
    }

    /// Writes the end, without which the whole counts as cut off.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.inner)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.cipher.encrypt(&nonce(self.number, last), self.text.as_slice());
        self.inner.write_all(&sealed.map_err(|_| io::Error::other("a chunk cannot be encrypted"))?)?;
        self.number += 1;
        self.text.clear();
        Ok(())
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more: only then is it known not to be the last.
        if self.text.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.text.len());
        self.text.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads it again. Fails with [`io::ErrorKind::InvalidData`] where anything is not as it was written.
pub(super) struct SealedReader<R> {
    inner: R,
    cipher: ChaCha20Poly1305,
    number: u64,
    text: Zeroizing<Vec<u8>>,
    read: usize,
    ended: bool,
}

impl<R: BufRead> SealedReader<R> {
    pub(super) fn new(inner: R, key: &[u8; 32]) -> Self {
        let cipher = ChaCha20Poly1305::new(&Key::from(*key));
        Self { inner, cipher, number: 0, text: Zeroizing::new(Vec::new()), read: 0, ended: false }
    }

    fn open_next(&mut self) -> io::Result<()> {
        let mut sealed = Vec::with_capacity(CHUNK + TAG);
        (&mut self.inner).take((CHUNK + TAG) as u64).read_to_end(&mut sealed)?;
        let last = self.inner.fill_buf()?.is_empty();
        let text = self.cipher.decrypt(&nonce(self.number, last), sealed.as_slice()).map_err(|_| {
            let which = if last { "it ends too early or" } else { "" };
            let reason = format!("{which} its part {} is not as it was written", self.number + 1);
            io::Error::new(io::ErrorKind::InvalidData, reason.trim_start().to_owned())
        })?;
        self.text = Zeroizing::new(text);
        self.read = 0;
        self.number += 1;
        self.ended = last;
        Ok(())
    }
}

impl<R: BufRead> Read for SealedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.text.len() && !self.ended {
            self.open_next()?;
        }
        let taken = buffer.len().min(self.text.len() - self.read);
        buffer[..taken].copy_from_slice(&self.text[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}

/// The place in the stream, and whether it is the last one.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [5; 32];

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut writer = SealedWriter::new(Vec::new(), &KEY);
        // In odd pieces.
        for piece in text.chunks(1000) {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap()
    }

    fn opened(sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        SealedReader::new(sealed, &KEY).read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn what_is_written_is_read_whatever_its_length() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
            let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(opened(&sealed(&text)).unwrap(), text, "{length} bytes");
        }
    }

    #[test]
    fn nothing_can_be_changed_moved_or_cut_off() {
        let whole = sealed(&vec![1; 3 * CHUNK]);
        let chunk = CHUNK + TAG;
        assert_eq!(whole.len(), 3 * chunk);
        let refused =
            |bytes: &[u8]| opened(bytes).is_err_and(|error| error.kind() == io::ErrorKind::InvalidData);
        for cut in [0, 1, TAG, chunk - 1, chunk, 2 * chunk, whole.len() - 1] {
            assert!(refused(&whole[..cut]), "cut to {cut}");
        }
        for at in [0, 7, chunk, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 0x80;
            assert!(refused(&changed), "byte {at}");
        }
        let swapped = [&whole[chunk..2 * chunk], &whole[..chunk], &whole[2 * chunk..]].concat();
        let left_out = [&whole[..chunk], &whole[2 * chunk..]].concat();
        let longer = [&whole[..], &[0]].concat();
        assert!(refused(&swapped) && refused(&left_out) && refused(&longer));
    }
}
