//! A model that answers one request at a time, and the queue before it: embeddings and re-ranking.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Why work was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotDone {
    /// So many wait already.
    Full(usize),
    /// The engine stops, or the work panicked.
    Broken,
}

/// A model behind its queue; requests are done in the order of their arrival.
pub(crate) struct Serial<T> {
    /// The pack's name.
    pub(crate) name: String,
    model: Arc<Mutex<T>>,
    turn: Semaphore,
    in_flight: AtomicUsize,
    max_waiting: usize,
}

/// Counts a request as long as it lives.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says on its way out that nobody waits for the result any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<T: Send + 'static> Serial<T> {
    pub(crate) fn new(name: String, model: T, max_waiting: usize) -> Serial<T> {
        Serial {
            name,
            model: Arc::new(Mutex::new(model)),
            turn: Semaphore::new(1),
            in_flight: AtomicUsize::new(0),
            max_waiting,
        }
    }

    /// Whether work is under way, also such that nobody waits for any more.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0 || Arc::strong_count(&self.model) > 1
    }

    /// Waits for its turn and works away from the sockets' threads. `work` is told whether to go on; when the request's
    /// future is dropped, it is not.
    pub(crate) async fn work<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T, &mut dyn FnMut() -> bool) -> R + Send + 'static,
    ) -> Result<R, NotDone> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let _place = Place(&self.in_flight);
        if before > self.max_waiting {
            return Err(NotDone::Full(before));
        }
        let _turn = self.turn.acquire().await.map_err(|_| NotDone::Broken)?;
        let stop = StopOnDrop(Arc::default());
        let (stopped, model) = (Arc::clone(&stop.0), Arc::clone(&self.model));
        let done = tokio::task::spawn_blocking(move || {
            let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut model, &mut || !stopped.load(Ordering::Relaxed))
        });
        done.await.map_err(|_| NotDone::Broken)
    }
}
