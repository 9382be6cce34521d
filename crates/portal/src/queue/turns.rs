//! The shell around [`FairQueue`]: a clock, the engines' places, and somebody who waits at the other end.
//!
//! [`Turns::enter`] never waits. Its [`Ticket`] tells how it stands and, in the end, gives a [`Turn`]: an engine, until
//! it is dropped. A ticket that is dropped has left the queue.
//!
//! Places are handed on in the moment in which they become free, by whoever frees them; a task looks after what comes
//! without anybody's doing: engines that come and go, deadlines that pass, times that were expected and did not hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep};

use super::ticket::Ticket;
use super::turn::Turn;
use super::{Ask, FairQueue, Member, Places, QueueSettings, Refusal, Standing, TicketId};
use crate::engines::Engines;

/// How often those who wait are told anew how long it will take, when nothing else happens.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Gives out turns. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) engines: Engines,
    state: Mutex<State>,
    wake: Arc<Notify>,
    started: Instant,
}

pub(super) struct State {
    pub(super) queue: FairQueue,
    pub(super) lines: HashMap<TicketId, Line>,
    /// Turns whose engine failed: a place is kept for each, before whoever waits in the queue.
    pub(super) kept: usize,
}

/// The way back to a ticket.
pub(super) struct Line {
    standing: watch::Sender<Standing>,
    given: oneshot::Sender<Option<Turn>>,
}

/// How many wait and run, for those who look from outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Overview {
    pub(crate) waiting: usize,
    pub(crate) running: usize,
    pub(crate) places: usize,
    /// For somebody who came now.
    pub(crate) expected: Option<Duration>,
}

impl Turns {
    pub(crate) fn new(settings: QueueSettings, engines: Engines) -> Self {
        let state = State { queue: FairQueue::new(settings), lines: HashMap::new(), kept: 0 };
        let shared = Shared {
            engines,
            state: Mutex::new(state),
            wake: Arc::new(Notify::new()),
            started: Instant::now(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts the task; needs a runtime. It ends when nobody has these turns any more.
    pub(crate) fn spawn_watch(&self) {
        let wake = self.shared.wake.clone();
        tokio::spawn(watch(Arc::downgrade(&self.shared), self.shared.engines.clone(), wake));
    }

    /// Takes a place in the queue, or refuses at once.
    pub(crate) fn enter(&self, ask: &Ask) -> Result<Ticket, Refusal> {
        let wished = ask.class;
        let (told, standing) = watch::channel(Standing { place: 1, expected: None });
        let (give, given) = oneshot::channel();
        let (id, class) = {
            let mut state = self.shared.lock();
            let places = self.shared.places(&state);
            let taken = state.queue.enter(self.shared.now(), ask, places)?;
            state.lines.insert(taken.0, Line { standing: told, given: give });
            taken
        };
        self.shared.dispatch();
        // The task learns of a deadline that is nearer than what it waits for.
        self.shared.wake.notify_one();
        Ok(Ticket::new(self.shared.clone(), id, class != wished, standing, given))
    }

    /// Goes by other settings from now on, whoever waits.
    pub(crate) fn set(&self, settings: QueueSettings) {
        self.shared.lock().queue.set(settings);
        self.shared.dispatch();
    }

    /// Whether a member who says that a question is urgent is heard.
    pub(crate) fn members_may_urge(&self) -> bool {
        self.shared.lock().queue.settings().classes.crisis.members_may
    }

    /// Counts a question that is answered without an engine.
    pub(crate) fn charge(&self, member: &Member) -> Result<(), Refusal> {
        let now = self.shared.now();
        self.shared.lock().queue.charge(now, member)
    }

    pub(crate) fn overview(&self) -> Overview {
        let state = self.shared.lock();
        let (now, places) = (self.shared.now(), self.shared.places(&state));
        Overview {
            waiting: state.queue.waiting(),
            running: state.queue.running(),
            places: places.capacity,
            expected: state.queue.expected_for_a_newcomer(now, places),
        }
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn places(&self, state: &State) -> Places {
        let free = self.engines.free().saturating_sub(state.kept);
        Places { free, capacity: self.engines.capacity() }
    }

    /// Lets go whose deadline passed, hands out what is free, and tells the others how they stand.
    pub(super) fn dispatch(self: &Arc<Self>) {
        let mut over = Vec::new();
        let mut given = Vec::new();
        {
            let mut state = self.lock();
            let now = self.now();
            for id in state.queue.expire(now) {
                over.extend(state.lines.remove(&id));
            }
            loop {
                let places = self.places(&state);
                if !state.queue.can_begin(places) {
                    break;
                }
                let Some(lease) = self.engines.lease(&[]) else { break };
                let Some(id) = state.queue.next(now, places) else { break };
                given.push((state.lines.remove(&id), Turn::new(self.clone(), id, lease)));
            }
            for (id, standing) in state.queue.standings(now, self.places(&state)) {
                if let Some(line) = state.lines.get(&id) {
                    line.standing.send_if_modified(|told| told.becomes(standing));
                }
            }
        }
        // Outside the lock: a turn that nobody takes is dropped here, and gives its place to the next.
        for line in over {
            line.given.send(None).ok();
        }
        for (line, turn) in given {
            if let Some(line) = line {
                line.given.send(Some(turn)).ok();
            }
        }
    }

    fn pause(&self) -> Duration {
        let state = self.lock();
        let until = state.queue.next_deadline().map(|until| until.saturating_sub(self.now()));
        if state.queue.waiting() == 0 {
            Duration::MAX
        } else {
            until.map_or(TELL_AGAIN, |until| until.min(TELL_AGAIN))
        }
    }
}

impl Standing {
    /// Takes over a new standing; answers whether it differs for a person: another place, or a whole second.
    fn becomes(&mut self, new: Self) -> bool {
        let seconds =
            |standing: &Self| standing.expected.map(|expected| expected.as_secs_f64().round() as u64);
        let differs = self.place != new.place || seconds(self) != seconds(&new);
        *self = new;
        differs
    }
}

async fn watch(shared: Weak<Shared>, engines: Engines, wake: Arc<Notify>) {
    loop {
        // Made before the look, so that no change falls between the two.
        let changed = engines.changed();
        let Some(pause) = shared.upgrade().map(|shared| {
            shared.dispatch();
            shared.pause()
        }) else {
            return;
        };
        tokio::select! {
            () = changed => {}
            () = wake.notified() => {}
            () = sleep(pause) => {}
        }
    }
}
