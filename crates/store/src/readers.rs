//! The threads that read. Each read sees the database as it was at one moment, whatever is written meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::StoreError;

/// How many read at a time. A read takes a fraction of a millisecond; the others are there for the few that take long,
/// such as verifying the whole ledger.
pub(crate) const READERS: usize = 4;

/// A read on its way.
pub(crate) type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

pub(crate) fn job<T, E>(
    read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    reply: impl FnOnce(Result<T, E>) + Send + 'static,
) -> Job
where
    T: 'static,
    E: From<StoreError> + 'static,
{
    Box::new(move |connection: Result<&Connection, StoreError>| {
        reply(match connection {
            Ok(connection) => catch_unwind(AssertUnwindSafe(|| read(connection)))
                .unwrap_or_else(|_| Err(StoreError::Panicked.into())),
            Err(error) => Err(error.into()),
        });
    })
}

/// Reads until nobody can ask any more.
pub(crate) fn run(connection: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        // One waits for work, the others wait for their turn to wait.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        match connection.unchecked_transaction() {
            Ok(moment) => job(Ok(&moment)),
            Err(error) => job(Err(error.into())),
        }
    }
}
