//! The thread that writes. Changes that wait for it at the same time share one transaction, so that one sync of the
//! disk serves them all; each has a savepoint of its own, so that one that fails takes no other with it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, Error, Transaction, TransactionBehavior, ffi};

use crate::error::StoreError;

/// Most changes in one transaction. A sync takes milliseconds on a card and a change far less, so more would bring
/// little, and whoever was first would wait for the last.
const GROUP: usize = 64;

/// A change on its way: it gets the transaction, or why there is none.
pub(crate) struct Job(Box<Change>);

type Change = dyn FnOnce(Result<&Transaction<'_>, StoreError>) -> Ran + Send;

/// A change that was made in the transaction, which may still fail.
struct Ran {
    keep: bool,
    /// Tells whoever waits, once it is known whether the transaction is on the disk.
    reply: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

impl Job {
    pub(crate) fn new<T, E>(
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        reply: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Self(Box::new(move |tx: Result<&Transaction<'_>, StoreError>| {
            let result = match tx {
                Ok(tx) => catch_unwind(AssertUnwindSafe(|| change(tx)))
                    .unwrap_or_else(|_| Err(StoreError::Panicked.into())),
                Err(error) => Err(error.into()),
            };
            let keep = result.is_ok();
            let reply = move |written: Result<(), StoreError>| {
                reply(result.and_then(|value| written.map(|()| value).map_err(E::from)));
            };
            Ran { keep, reply: Box::new(reply) }
        }))
    }

    fn refuse(self, error: StoreError) {
        ((self.0)(Err(error)).reply)(Ok(()));
    }
}

/// Writes until nobody can send any more.
pub(crate) fn run(mut connection: Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut waiting = VecDeque::from([first]);
        waiting.extend(jobs.try_iter().take(GROUP - 1));
        while !waiting.is_empty() {
            write_group(&mut connection, &mut waiting);
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database was not closed; the next start puts it in order");
    }
}

/// Makes the changes that wait in one transaction. Those that are left when the disk fails between them stay waiting.
fn write_group(connection: &mut Connection, waiting: &mut VecDeque<Job>) {
    let tx = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(tx) => tx,
        Err(error) => return waiting.drain(..).for_each(|job| job.refuse(again(&error).into())),
    };
    let mut ran = Vec::new();
    let mut failed = None;
    while let Some(job) = waiting.pop_front() {
        match make(&tx, job) {
            Ok(job) => ran.push(job),
            Err((job, error)) => {
                ran.push(job);
                failed = Some(error);
                break;
            }
        }
    }
    let written = match failed {
        None => tx.commit(),
        Some(error) => {
            drop(tx);
            Err(error)
        }
    };
    for Ran { reply, .. } in ran {
        reply(written.as_ref().map(|_| ()).map_err(|error| again(error).into()));
    }
}

/// Makes one change. An error means that the transaction as a whole is lost.
fn make(tx: &Transaction<'_>, Job(job): Job) -> Result<Ran, (Ran, Error)> {
    if let Err(error) = tx.execute_batch("SAVEPOINT one_change") {
        return Err((job(Err(again(&error).into())), error));
    }
    let ran = job(Ok(tx));
    if tx.is_autocommit() {
        // On some failures of the disk SQLite rolls back everything by itself. The change knows why; the others learn
        // that they were undone.
        return Err((ran, Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK), None)));
    }
    let end = if ran.keep { "RELEASE one_change" } else { "ROLLBACK TO one_change; RELEASE one_change" };
    match tx.execute_batch(end) {
        Ok(()) => Ok(ran),
        Err(error) => Err((ran, error)),
    }
}

/// The same error for another one who waits.
fn again(error: &Error) -> Error {
    match error {
        Error::SqliteFailure(code, text) => Error::SqliteFailure(*code, text.clone()),
        other => Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(other.to_string())),
    }
}
