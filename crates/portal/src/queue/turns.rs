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

use banyan_openai::{ApiError, ClientError};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep};

use super::{Ask, FairQueue, Places, QueueSettings, Refusal, Standing, TicketId};
use crate::engines::{EngineId, Engines, Lease};

/// How often those who wait are told anew how long it will take, when nothing else happens.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Gives out turns. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    shared: Arc<Shared>,
}

struct Shared {
    engines: Engines,
    state: Mutex<State>,
    wake: Arc<Notify>,
    started: Instant,
}

struct State {
    queue: FairQueue,
    lines: HashMap<TicketId, Line>,
    /// Turns whose engine failed: a place is kept for each, before whoever waits in the queue.
    kept: usize,
}

/// The way back to a ticket.
struct Line {
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
        Ok(Ticket {
            shared: self.shared.clone(),
            id,
            declined: class != wished,
            standing,
            given,
            over: false,
        })
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn places(&self, state: &State) -> Places {
        let free = self.engines.free().saturating_sub(state.kept);
        Places { free, capacity: self.engines.capacity() }
    }

    /// Lets go whose deadline passed, hands out what is free, and tells the others how they stand.
    fn dispatch(self: &Arc<Self>) {
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
    /// Engines that failed this turn, each as often as it did.
    tried: Vec<EngineId>,
    worked: bool,
    /// Whether the next free place is kept for it.
    keeps_place: bool,
}

impl Turn {
    fn new(shared: Arc<Shared>, id: TicketId, lease: Lease) -> Self {
        Self { shared, id, lease: Some(lease), tried: Vec::new(), worked: false, keeps_place: false }
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
        if another_may && let Some(lease) = self.shared.engines.lease(&self.tried) {
            self.lease = Some(lease);
            self.shared.dispatch();
            return AfterFailure::Moved;
        }
        if !passes(error) {
            // Asking it the same again makes no sense.
            self.tried.extend([id; ASKED_AT_MOST - 1]);
        }
        // Another that is full now has room soon.
        let another_will = another_may && self.shared.engines.is_any_ready(&self.tried);
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
        let Some(lease) = self.shared.engines.lease(&worn) else { return false };
        self.lease = Some(lease);
        self.keep_place(false);
        true
    }

    /// Changes to an engine that is not to be avoided, and waits for one if need be; the turn stays.
    pub(crate) async fn avoids(&mut self, avoid: &[EngineId]) {
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
