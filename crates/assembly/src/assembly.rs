//! The assembly itself: the store, the key that signs the ledger, and the snapshot of what is in force.

use std::sync::Arc;

use banyan_governance::Time;
use banyan_identity::{PublicKey, SigningKey};
use banyan_store::rusqlite::{Connection, Transaction};
use banyan_store::{Room, Store};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use crate::error::AssemblyError;
use crate::in_force::InForce;

/// Reads that take seconds, such as verifying the ledger, at the same time. The store has more readers than that, so
/// however many people verify and download, everybody else's reads go on.
const LONG_READS: usize = 2;

/// The rooms of the store that the assembly keeps, for [`Store::open`].
#[must_use]
pub fn rooms() -> Vec<Room> {
    vec![
        banyan_ledger::ROOM,
        crate::in_force::ROOM,
        crate::answers::ROOM,
        crate::decide::ROOM,
        crate::people::ROOM,
    ]
}

/// What members can do together. Cheap to clone.
#[derive(Clone)]
pub struct Assembly {
    parts: Arc<Parts>,
}

struct Parts {
    store: Store,
    key: SigningKey,
    in_force: watch::Sender<Arc<InForce>>,
    long_reads: Semaphore,
    #[cfg(test)]
    fuse: std::sync::atomic::AtomicU32,
}

/// A change on its way: the transaction, and the ledger that goes with it.
pub(crate) struct Change<'a> {
    pub(crate) tx: &'a Transaction<'a>,
    pub(crate) now: Time,
    key: &'a SigningKey,
    #[cfg(test)]
    fuse: &'a std::sync::atomic::AtomicU32,
}

impl Change<'_> {
    /// Appends to the ledger what is changed in the same transaction; gives the entry's number. `what` never holds
    /// what a person wrote, nor a name: only ids, settings and counts.
    pub(crate) fn record(&self, kind: &str, what: &impl Serialize) -> Result<u64, AssemblyError> {
        #[cfg(test)]
        self.burn()?;
        let payload = serde_json::to_vec(what)?;
        Ok(banyan_ledger::append(self.tx, self.key, self.now.0, kind, &payload)?.seq)
    }

    /// In tests the power can be cut between any two steps.
    #[cfg(test)]
    fn burn(&self) -> Result<(), AssemblyError> {
        use std::sync::atomic::Ordering::SeqCst;
        match self.fuse.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Ok(()),
            Err(_) => Err(AssemblyError::Unreadable(serde::de::Error::custom("the power was cut"))),
        }
    }
}

impl Assembly {
    /// The assembly of the box whose store this is. Reads what is in force.
    pub fn open(store: Store, key: SigningKey) -> Result<Self, AssemblyError> {
        let in_force = store.read_blocking(InForce::load)?;
        let (in_force, _) = watch::channel(Arc::new(in_force));
        Ok(Self {
            parts: Arc::new(Parts {
                store,
                key,
                in_force,
                long_reads: Semaphore::new(LONG_READS),
                #[cfg(test)]
                fuse: u32::MAX.into(),
            }),
        })
    }

    /// What is in force at this moment.
    #[must_use]
    pub fn in_force(&self) -> Arc<InForce> {
        self.parts.in_force.borrow().clone()
    }

    /// Tells whenever something else is in force.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<InForce>> {
        self.parts.in_force.subscribe()
    }

    /// The key by which everybody can check what the box signed in the ledger.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.parts.key.public()
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    /// Changes something: the change and what it records are on disk whole when this returns, or not at all. The
    /// snapshot is read anew when the change says that something else is in force.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        now: Time,
        change: impl FnOnce(&Change<'_>) -> Result<T, AssemblyError> + Send + 'static,
    ) -> Result<T, AssemblyError> {
        let parts = self.parts.clone();
        self.parts
            .store
            .write(move |tx| {
                let on_its_way = Change {
                    tx,
                    now,
                    key: &parts.key,
                    #[cfg(test)]
                    fuse: &parts.fuse,
                };
                let result = change(&on_its_way)?;
                #[cfg(test)]
                on_its_way.burn()?;
                Ok::<_, AssemblyError>((result, InForce::load(tx)?))
            })
            .await
            .map(|(result, in_force)| {
                self.parts.in_force.send_if_modified(|current| {
                    // Changes come here in another order than they were written in; the newest stays.
                    let is_news = in_force.entry > current.entry;
                    if is_news {
                        *current = Arc::new(in_force);
                    }
                    is_news
                });
                result
            })
    }

    /// Cuts the power after so many more steps.
    #[cfg(test)]
    pub(crate) fn cut_power_after(&self, steps: u32) {
        self.parts.fuse.store(steps, std::sync::atomic::Ordering::SeqCst);
    }

    /// Reads something.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, AssemblyError> + Send + 'static,
    ) -> Result<T, AssemblyError> {
        self.parts.store.read(read).await
    }

    /// Reads something that may take long; waits while enough others do.
    pub(crate) async fn long_read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, AssemblyError> + Send + 'static,
    ) -> Result<T, AssemblyError> {
        let _turn = self.parts.long_reads.acquire().await;
        self.read(read).await
    }
}

impl std::fmt::Debug for Assembly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembly").finish_non_exhaustive()
    }
}
