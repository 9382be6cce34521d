//! A turn: an engine's place, until it is dropped.

use std::sync::Arc;

use banyan_openai::{ApiError, ClientError};

use super::TicketId;
use super::turns::Shared;
use crate::engines::{EngineId, Lease};

/// What comes after an engine's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// Another engine is there; ask it.
    Moved,
    /// An engine may be back or have room soon; see [`Turn::returns`].
    Wait,
    /// Nothing helps.
    Over,
}

/// So often one question is asked of the same engine: a second failure is no accident.
const ASKED_AT_MOST: usize = 2;

/// An engine's place, until it is dropped.
pub(crate) struct Turn {
    shared: Arc<Shared>,
    id: TicketId,
    /// None while its engine is away.
    lease: Option<Lease>,
    /// Engines that cannot answer as what was asked for.
    unfit: Vec<EngineId>,
    /// Engines that failed this turn, each as often as it did.
    tried: Vec<EngineId>,
    worked: bool,
    /// Whether the next free place is kept for it.
    keeps_place: bool,
}

impl Turn {
    pub(super) fn new(shared: Arc<Shared>, id: TicketId, lease: Lease) -> Self {
        Self {
            shared,
            id,
            lease: Some(lease),
            unfit: Vec::new(),
            tried: Vec::new(),
            worked: false,
            keeps_place: false,
        }
    }

    /// The engine to ask.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The engine answers: from now on the time of this turn tells something about the next ones.
    pub(crate) fn works(&mut self) {
        self.worked = true;
        if let Some(lease) = &self.lease {
            lease.answered();
        }
    }

    /// The engine failed before it said a word. The turn is not lost by that.
    pub(crate) fn fails(&mut self, error: &ClientError) -> AfterFailure {
        let Some(lease) = &self.lease else { return AfterFailure::Over };
        let (id, another_may) = (lease.id(), lease.failed(error));
        self.tried.push(id);
        if another_may && let Some(lease) = self.shared.engines.lease(&self.avoided(&self.tried)) {
            self.lease = Some(lease);
            self.shared.dispatch();
            return AfterFailure::Moved;
        }
        if !passes(error) {
            // Asking it the same again makes no sense.
            self.tried.extend([id; ASKED_AT_MOST - 1]);
        }
        // Another that is full now has room soon.
        let another_will = another_may && self.shared.engines.is_any_ready(&self.avoided(&self.tried));
        if !another_will && self.asked(id) >= ASKED_AT_MOST {
            return AfterFailure::Over;
        }
        self.keep_place(true);
        self.lease = None;
        AfterFailure::Wait
    }

    /// Takes an engine again, if one is there.
    pub(crate) fn returns(&mut self) -> bool {
        let worn: Vec<EngineId> =
            self.tried.iter().copied().filter(|id| self.asked(*id) >= ASKED_AT_MOST).collect();
        let Some(lease) = self.shared.engines.lease(&self.avoided(&worn)) else { return false };
        self.lease = Some(lease);
        self.keep_place(false);
        true
    }

    /// Changes to an engine that is not to be avoided, and waits for one if need be; the turn stays.
    pub(crate) async fn avoids(&mut self, avoid: &[EngineId]) {
        self.unfit = avoid.to_vec();
        while self.lease.as_ref().is_none_or(|lease| avoid.contains(&lease.id())) {
            let changed = self.shared.engines.changed();
            match self.shared.engines.lease(avoid) {
                Some(lease) => self.lease = Some(lease),
                None => {
                    // Somebody else can use what this turn cannot.
                    drop(self.lease.take());
                    self.shared.dispatch();
                    changed.await;
                }
            }
        }
    }

    fn avoided(&self, also: &[EngineId]) -> Vec<EngineId> {
        self.unfit.iter().chain(also).copied().collect()
    }

    fn keep_place(&mut self, keep: bool) {
        if std::mem::replace(&mut self.keeps_place, keep) != keep {
            let count = &mut self.shared.lock().kept;
            *count = if keep { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    fn asked(&self, id: EngineId) -> usize {
        self.tried.iter().filter(|tried| **tried == id).count()
    }
}

/// Whether the engine is away, or full, for a moment only.
fn passes(error: &ClientError) -> bool {
    error.is_passing()
        || matches!(error, ClientError::Refused(refusal) if refusal.code() == ApiError::QUEUE_FULL)
}

impl Drop for Turn {
    fn drop(&mut self) {
        // The engine's place first: the queue hands on what is free.
        drop(self.lease.take());
        self.keep_place(false);
        let now = self.shared.now();
        self.shared.lock().queue.end(now, self.id, self.worked);
        self.shared.dispatch();
    }
}
