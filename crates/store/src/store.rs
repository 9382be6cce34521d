//! The store: one writer, a few readers, and the blobs.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction};
use tokio::sync::{Semaphore, oneshot};

use crate::blobs::Blobs;
use crate::claim::{self, Claim, Found};
use crate::error::{DATABASE, StoreError};
use crate::key::StoreKey;
use crate::readers::{self, READERS};
use crate::room::{Room, migrate};
use crate::{backup, connection, disk, writer};

/// How many may wait to write, and how many to read. Who comes when it is full waits before, and holds no memory of
/// ours; the box's own limits on requests come first.
const QUEUE: usize = 256;

/// An open store. Cheap to clone; it is closed when the last clone goes.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// Absent while it is being closed.
    changes: Option<Sender<writer::Job>>,
    reads: Option<Sender<readers::Job>>,
    writing: Option<JoinHandle<()>>,
    reading: Vec<JoinHandle<()>>,
    may_write: Arc<Semaphore>,
    may_read: Arc<Semaphore>,
    blobs: Blobs,
    /// Let go of after the threads have closed their connections.
    _claim: Claim,
}

impl Store {
    /// Whether a folder has a database, so that a missing key is not replaced by a new one.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        // When it cannot be told, there may be one.
        folder.join(DATABASE).try_exists().unwrap_or(true)
    }

    /// Whether a key is the one of the database in this folder; false, too, when there is none. Opens nothing.
    pub fn is_key_of(folder: &Path, key: &StoreKey) -> Result<bool, StoreError> {
        match claim::look(&folder.join(DATABASE), key) {
            Ok(found) => Ok(found == Found::Database),
            Err(StoreError::WrongKey { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens `banyan.db` and `blobs/` in a folder, makes them if there are none, and brings every room to its newest
    /// version.
    pub fn open(folder: &Path, key: &StoreKey, rooms: &[Room]) -> Result<Self, StoreError> {
        let path = folder.join(DATABASE);
        Self::open_at(folder, &path, key, rooms).map_err(|error| error.at(&path))
    }

    fn open_at(folder: &Path, path: &Path, key: &StoreKey, rooms: &[Room]) -> Result<Self, StoreError> {
        backup::refuse_half_restored(folder)?;
        disk::make_folder(folder, 0o755)?;
        let (claim, found) = Claim::to_write(path, key)?;
        disk::sweep(folder);
        if found == Found::Nothing {
            connection::create(folder, path, key, rooms)?;
        }
        let mut writing = connection::writer(path, key)?;
        migrate(&mut writing, rooms)?;
        let reading: Result<Vec<_>, _> = (0..READERS).map(|_| connection::reader(path, key)).collect();
        let blobs = Blobs::open(&folder.join("blobs"), key)?;
        Self::start(writing, reading?, blobs, claim)
    }

    fn start(
        writing: Connection,
        reading: Vec<Connection>,
        blobs: Blobs,
        claim: Claim,
    ) -> Result<Self, StoreError> {
        let (changes, to_write) = mpsc::channel();
        let (reads, to_read) = mpsc::channel();
        let to_read = Arc::new(Mutex::new(to_read));
        let writing = start("store-writer", move || writer::run(writing, &to_write))?;
        let reading: Result<Vec<_>, _> = reading
            .into_iter()
            .map(|connection| {
                let to_read = to_read.clone();
                start("store-reader", move || readers::run(&connection, &to_read))
            })
            .collect();
        Ok(Self {
            inner: Arc::new(Inner {
                changes: Some(changes),
                reads: Some(reads),
                writing: Some(writing),
                reading: reading?,
                may_write: Arc::new(Semaphore::new(QUEUE)),
                may_read: Arc::new(Semaphore::new(QUEUE)),
                blobs,
                _claim: claim,
            }),
        })
    }

    /// Changes something. When this returns `Ok` the change is on the disk; when it returns an error, nothing of it is.
    /// Changes are made one after the other; `change` sees all that were made before. A mistake (a panic) in `change`
    /// undoes it and is an error.
    ///
    /// The change is made also when nobody waits for it any more.
    pub async fn write<T, E>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let place = self.inner.may_write.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send_change(writer::Job::new(change, move |result| {
            drop(place);
            // Whoever asked may be gone.
            let _ = reply.send(result);
        }))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Reads something, as it is at one moment.
    pub async fn read<T, E>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let place = self.inner.may_read.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send_read(readers::job(read, move |result| {
            drop(place);
            let _ = reply.send(result);
        }))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// [`Store::write`] for start-up, commands and tests: the thread waits.
    pub fn write_blocking<T, E>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        self.send_change(writer::Job::new(change, move |result| {
            let _ = reply.send(result);
        }))?;
        answer.recv().unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// [`Store::read`] for start-up, commands and tests: the thread waits. Never from within a read.
    pub fn read_blocking<T, E>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        self.send_read(readers::job(read, move |result| {
            let _ = reply.send(result);
        }))?;
        answer.recv().unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// What is too large for rows.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    fn send_change(&self, job: writer::Job) -> Result<(), StoreError> {
        let changes = self.inner.changes.as_ref().ok_or(StoreError::Closed)?;
        changes.send(job).map_err(|_| StoreError::Closed)
    }

    fn send_read(&self, job: readers::Job) -> Result<(), StoreError> {
        let reads = self.inner.reads.as_ref().ok_or(StoreError::Closed)?;
        reads.send(job).map_err(|_| StoreError::Closed)
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let failed = StoreError::io("start a thread for", Path::new(DATABASE));
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(failed)
}

impl Drop for Inner {
    /// Waits for what was asked, so that a store can be opened again, moved or removed at once. Nothing depends on it:
    /// power may go at any time.
    fn drop(&mut self) {
        let own = thread::current().id();
        let wait = |thread: JoinHandle<()>| {
            // The last clone may have lived in a change or a read.
            if thread.thread().id() != own {
                // It catches panics, so there is nothing to learn from how it ended.
                let _ = thread.join();
            }
        };
        self.reads = None;
        self.reading.drain(..).for_each(wait);
        // Last, since only it may write the log back into the database when it closes.
        self.changes = None;
        self.writing.take().into_iter().for_each(wait);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("blobs", &self.inner.blobs).finish_non_exhaustive()
    }
}
