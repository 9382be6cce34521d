//! A whole community in one encrypted file, and back.
//!
//! **What is in it**: the store key, the database as it was at one moment, every blob, and the other keys of the box
//! (which are sealed). Not models (they are public), nor settings of this machine.
//!
//! **What opens it**: always the store key of the box that made it, so that a backup needs no secret of its own that
//! could be lost: the stewards' shares rebuild that key (`banyan recover`), and a board that died is replaced with the
//! file and the shares. And, if one was given, a passphrase (Argon2id), for the steward who moves to another board and
//! has no shares at hand. Whoever has neither sees only how large it is. A random key encrypts the file; each of the
//! two opens a slot that holds this key.
//!
//! ```text
//!   header   "banyan backup 1\n", number of slots, slots         (bound into the key of the stream)
//!   stream   chunks of 64 KiB, ChaCha20-Poly1305; the last is marked, so a cut is seen wherever it is
//!            store key · files: name, length, content · end
//! ```
//!
//! **Order.** A blob is there before the row that names it and goes after it. So blobs are copied first, then the
//! database, then the blobs that came meanwhile: each row in the copy finds its blob.
//!
//! **Restoring** writes everything beside what is there, verifies all of it (every page, every blob), and only then
//! changes places, by renames that can be taken up again when power fails between them. What was there is kept.

mod contents;
mod lock;
mod place;
mod restore;
mod stream;
mod write;

pub use place::finish_restore;
pub(crate) use place::refuse_half_restored;
pub use restore::{Restored, restore};
pub use write::{BackedUp, backup};

/// The shortest passphrase, in characters. Argon2id makes each guess cost a tenth of a second; that is no help against
/// a word from a dictionary.
pub const MIN_PASSPHRASE: usize = 12;

/// What is being done, for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Database and blobs are written into the backup.
    Writing,
    /// The backup is read again, to see that it can be.
    Checking,
    /// The backup is read.
    Reading,
    /// What was read is verified.
    Verifying,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub activity: Activity,
    /// Bytes that are done.
    pub done: u64,
    /// Bytes in all, about.
    pub total: u64,
}

/// Tells how far one activity is.
pub(crate) struct Meter<'a> {
    tell: &'a mut dyn FnMut(Progress),
    progress: Progress,
}

impl<'a> Meter<'a> {
    pub(crate) fn start(activity: Activity, total: u64, tell: &'a mut dyn FnMut(Progress)) -> Self {
        let progress = Progress { activity, done: 0, total };
        tell(progress);
        Self { tell, progress }
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.progress.done += bytes;
        self.progress.total = self.progress.total.max(self.progress.done);
        (self.tell)(self.progress);
    }
}
