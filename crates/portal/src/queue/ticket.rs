//! A place in the queue, as whoever waits holds it.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::turn::Turn;
use super::turns::Shared;
use super::{Standing, TicketId};

/// What happens next to a ticket.
pub(crate) enum Progress {
    /// It stands differently; see [`Ticket::standing`].
    Moved,
    /// Its turn has come.
    Turn(Turn),
    /// Its deadline passed.
    Overdue,
}

/// A place in the queue.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    id: TicketId,
    declined: bool,
    standing: watch::Receiver<Standing>,
    given: oneshot::Receiver<Option<Turn>>,
    over: bool,
}

impl Ticket {
    pub(super) fn new(
        shared: Arc<Shared>,
        id: TicketId,
        declined: bool,
        standing: watch::Receiver<Standing>,
        given: oneshot::Receiver<Option<Turn>>,
    ) -> Self {
        Self { shared, id, declined, standing, given, over: false }
    }

    /// Whether the wished class was not granted.
    pub(crate) fn declined(&self) -> bool {
        self.declined
    }

    /// How it stands now.
    pub(crate) fn standing(&mut self) -> Standing {
        *self.standing.borrow_and_update()
    }

    /// Waits until something happens. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Progress {
        if self.over {
            return Progress::Overdue;
        }
        tokio::select! {
            biased;
            given = &mut self.given => {
                self.over = true;
                match given {
                    Ok(Some(turn)) => Progress::Turn(turn),
                    Ok(None) | Err(_) => Progress::Overdue,
                }
            }
            Ok(()) = self.standing.changed() => Progress::Moved,
        }
    }

    /// Waits for the turn alone; none when the deadline passed before.
    pub(crate) async fn turn(mut self) -> Option<Turn> {
        loop {
            match self.next().await {
                Progress::Moved => {}
                Progress::Turn(turn) => return Some(turn),
                Progress::Overdue => return None,
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let line = {
            let mut state = self.shared.lock();
            state.queue.leave(self.id);
            state.lines.remove(&self.id)
        };
        if line.is_some() {
            self.shared.dispatch();
        }
    }
}
