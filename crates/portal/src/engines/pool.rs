//! Which engine gets the next question, as a plain state machine: values in, values out, time a parameter.
//!
//! ```text
//!             looked: ready
//!   Unseen ──────────────────▶ Ready ◀───── answered ───── Trial (one question at a time)
//!     │                          │                           │  ▲
//!     │                          └──── failed, looked away ──┤  │ looked: ready, its rest is over,
//!     │ looked: away, loading                                ▼  │ and a question had failed
//!     └───────────────────────────────────────────▶ Away, Loading
//! ```
//!
//! Without a failed question behind it, an engine goes from Away and Loading straight to Ready. Whoever holds a place
//! says how it went ([`Pool::answered`], [`Pool::failed`]) and gives it back ([`Pool::release`]). A place remembers the
//! era it was taken in: what fails later, when the engine has been away and is back, says nothing about it any more.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Places of an engine that does not say how many it has, and of which the settings do not either. Few: it may be a
/// server that makes one answer at a time.
pub(super) const DEFAULT_SLOTS: usize = 4;

/// Looks in a row that an engine may miss before it counts as away. A machine that computes with all its cores answers
/// late at times.
const MISSED_LOOKS: u32 = 3;

/// Rest after the second failure in a row; doubles with each. The first costs none: the health page decides.
const REST: Duration = Duration::from_secs(1);

/// The longest rest: a minute loses little of an engine that is well again, and asks a sick one little.
const REST_AT_MOST: Duration = Duration::from_secs(60);

/// Between two looks at an engine that is well.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// The longest between two looks at an engine that is away.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// One engine among those that the settings name; the box's own is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EngineId(pub(super) usize);

/// How an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineState {
    /// Nobody has looked yet.
    Unseen,
    /// It answers.
    Ready,
    /// It says that it is well after a question had failed there; one question at a time shows whether it is.
    Trial,
    /// It reads its model.
    Loading,
    /// It cannot be asked; the reason says why.
    Away,
}

/// What a look at an engine showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// It answers; so many at the same time, when it says so.
    Ready {
        slots: Option<usize>,
    },
    Loading(String),
    Away(String),
    /// It took too long to say anything.
    Silent(String),
}

/// What a failed question says about its engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: String,
    /// When the engine itself said for how long to leave it alone; it is well, only full.
    pub(super) rest: Option<Duration>,
}

/// A place in an engine, until it is given back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: EngineId,
    era: u32,
}

#[derive(Debug)]
pub(super) struct Pool {
    engines: Vec<Entry>,
    version: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    /// The most that the settings allow.
    allowed: Option<usize>,
    pub(super) slots: usize,
    pub(super) in_flight: usize,
    pub(super) state: EngineState,
    pub(super) reason: Option<String>,
    era: u32,
    /// The question on trial is under way.
    trying: bool,
    /// Questions in a row that failed.
    failures: u32,
    missed_looks: u32,
    not_before: Option<Instant>,
}

impl Entry {
    fn new(allowed: Option<usize>) -> Self {
        Self {
            allowed,
            slots: allowed.unwrap_or(DEFAULT_SLOTS),
            in_flight: 0,
            state: EngineState::Unseen,
            reason: None,
            era: 0,
            trying: false,
            failures: 0,
            missed_looks: 0,
            not_before: None,
        }
    }

    /// Places when nothing was under way.
    fn capacity(&self) -> usize {
        match self.state {
            EngineState::Ready => self.slots,
            EngineState::Trial => self.slots.min(1),
            _ => 0,
        }
    }

    fn room(&self) -> usize {
        let free = self.slots.saturating_sub(self.in_flight);
        match self.state {
            EngineState::Ready => free,
            EngineState::Trial if !self.trying => free.min(1),
            _ => 0,
        }
    }

    fn leave(&mut self, state: EngineState, reason: String) {
        if matches!(self.state, EngineState::Ready | EngineState::Trial) {
            self.era = self.era.wrapping_add(1);
            self.trying = false;
        }
        self.state = state;
        self.reason = Some(reason);
    }
}

impl Pool {
    /// One entry for each engine, with the places that the settings allow it.
    pub(super) fn new(allowed: impl IntoIterator<Item = Option<usize>>) -> Self {
        Self { engines: allowed.into_iter().map(Entry::new).collect(), version: 0 }
    }

    /// Grows with each change that somebody who waits may want to know of.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn entry(&self, id: EngineId) -> &Entry {
        &self.engines[id.0]
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.engines.iter()
    }

    /// Free places over the engines that can be asked.
    pub(super) fn free(&self) -> usize {
        self.engines.iter().map(Entry::room).sum()
    }

    /// Places over the engines that can be asked.
    pub(super) fn capacity(&self) -> usize {
        self.engines.iter().map(Entry::capacity).sum()
    }

    /// Whether any engine can be asked that is not to be avoided, be it full.
    pub(super) fn is_any_ready(&self, avoid: &[EngineId]) -> bool {
        let ready = self.engines.iter().enumerate().filter(|(_, entry)| entry.capacity() > 0);
        ready.map(|(index, _)| EngineId(index)).any(|id| !avoid.contains(&id))
    }

    /// A place in the engine that is the least loaded with it, the first of several.
    pub(super) fn lease(&mut self, avoid: &[EngineId]) -> Option<Place> {
        let with_room = (0..self.engines.len())
            .map(EngineId)
            .filter(|id| !avoid.contains(id) && self.entry(*id).room() > 0);
        let load = |id: &EngineId| (self.entry(*id).in_flight + 1, self.entry(*id).slots);
        // a/b < c/d without a division; there is room, so no engine here has no slots.
        let id = with_room.min_by(|one, other| {
            let ((mine, of_mine), (theirs, of_theirs)) = (load(one), load(other));
            (mine * of_theirs).cmp(&(theirs * of_mine))
        })?;
        let entry = &mut self.engines[id.0];
        entry.in_flight += 1;
        entry.trying |= entry.state == EngineState::Trial;
        let era = entry.era;
        self.version += 1;
        Some(Place { id, era })
    }

    /// The first words of an answer came: the engine works. Answers whether that ended its trial.
    pub(super) fn answered(&mut self, place: &Place) -> bool {
        let entry = &mut self.engines[place.id.0];
        if entry.era != place.era {
            return false;
        }
        entry.failures = 0;
        let was_on_trial = entry.state == EngineState::Trial;
        if was_on_trial {
            entry.state = EngineState::Ready;
            entry.reason = None;
            entry.trying = false;
            self.version += 1;
        }
        was_on_trial
    }

    /// A question failed by the engine's fault. The place is still to be given back. Answers whether that was news.
    pub(super) fn failed(&mut self, place: &Place, now: Instant, fault: Fault) -> bool {
        let entry = &mut self.engines[place.id.0];
        if entry.era != place.era {
            return false;
        }
        let rest = fault.rest.unwrap_or_else(|| {
            entry.failures = entry.failures.saturating_add(1);
            rest_after(entry.failures)
        });
        entry.leave(EngineState::Away, fault.reason);
        entry.missed_looks = 0;
        entry.not_before = Some(now + rest.min(REST_AT_MOST));
        self.version += 1;
        true
    }

    /// Gives a place back, however it went.
    pub(super) fn release(&mut self, place: &Place) {
        let entry = &mut self.engines[place.id.0];
        entry.in_flight = entry.in_flight.saturating_sub(1);
        if entry.era == place.era {
            // Whoever went away before the first words proved nothing; the next question is on trial.
            entry.trying = false;
        }
        self.version += 1;
    }

    /// Takes what a look at an engine showed.
    pub(super) fn looked(&mut self, id: EngineId, now: Instant, sight: Sight) {
        let entry = &mut self.engines[id.0];
        let before = (entry.state, entry.slots);
        let is_up = matches!(entry.state, EngineState::Ready | EngineState::Trial);
        match sight {
            Sight::Ready { slots } => {
                entry.missed_looks = 0;
                let told = slots.filter(|slots| *slots > 0);
                entry.slots = match (entry.allowed, told) {
                    (Some(allowed), Some(told)) => allowed.min(told),
                    (Some(one), None) | (None, Some(one)) => one,
                    (None, None) => DEFAULT_SLOTS,
                };
                if !is_up && entry.not_before.is_none_or(|until| until <= now) {
                    let has_failed = entry.failures > 0;
                    entry.state = if has_failed { EngineState::Trial } else { EngineState::Ready };
                    entry.reason = None;
                    entry.not_before = None;
                }
            }
            Sight::Silent(_) if is_up && entry.missed_looks + 1 < MISSED_LOOKS => entry.missed_looks += 1,
            Sight::Away(reason) | Sight::Silent(reason) => {
                entry.missed_looks = entry.missed_looks.saturating_add(1);
                entry.leave(EngineState::Away, reason);
            }
            Sight::Loading(reason) => {
                entry.missed_looks = 0;
                entry.leave(EngineState::Loading, reason);
            }
        }
        if before != (entry.state, entry.slots) {
            self.version += 1;
        }
    }

    /// When to look at an engine again; `soon` is the pace for one that may be back at any moment.
    pub(super) fn next_look(&self, id: EngineId, now: Instant, soon: Duration) -> Duration {
        let entry = self.entry(id);
        match entry.state {
            EngineState::Ready | EngineState::Trial if entry.missed_looks == 0 => LOOK_EVERY,
            EngineState::Away => {
                let doubled = soon.saturating_mul(1 << entry.missed_looks.min(10));
                let resting = entry.not_before.map_or(Duration::ZERO, |until| until - now);
                // The own engine is looked at often: the supervisor has it back in seconds.
                let at_least = if id.0 == 0 { soon } else { doubled.min(LOOK_AT_LEAST_EVERY) };
                at_least.max(resting)
            }
            _ => soon,
        }
    }
}

fn rest_after(failures: u32) -> Duration {
    match failures.checked_sub(2) {
        Some(more) => REST.saturating_mul(1 << more.min(10)).min(REST_AT_MOST),
        None => Duration::ZERO,
    }
}
