//! Which models are in memory: a pure state machine. Values in, values out; no clock, no thread, no memory of its own.
//!
//! The rules, in this order:
//! 1. The sum of what the loaded models take never exceeds the budget, not even while one is loaded or unloaded.
//! 2. Pinned models stay. What cannot fit beside them is refused at once, in words.
//! 3. A model with running requests is never unloaded.
//! 4. Models are loaded in the order in which they were first asked for.
//! 5. Room is made by unloading idle models, the least recently used first, and no more of them than needed.
//! 6. Where idle ones are not enough, and the request has waited for [`PATIENCE`], busy models *drain*: they finish what
//!    they have, new requests for them wait their turn, and then they go. So two models that do not fit together take
//!    turns, and neither is starved by a busy other one.

use std::collections::VecDeque;
use std::time::Duration;

/// How long a request for a model waits for idle models before busy ones stop taking new requests. Loading takes seconds
/// and throws away computed prompts, so two busy models should not swap places for each request.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that a model takes, or that all of them may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// In all: weights, key/value memory, working memory.
    pub memory: u64,
    /// Of these, key/value memory: it has a budget of its own.
    pub kv: u64,
}

impl Cost {
    fn and(self, other: Cost) -> Cost {
        Cost { memory: self.memory.saturating_add(other.memory), kv: self.kv.saturating_add(other.kv) }
    }

    fn fits(self, budget: Cost) -> bool {
        self.memory <= budget.memory && self.kv <= budget.kv
    }
}

/// A model that could be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name, for refusals.
    pub name: String,
    /// What it takes, estimated.
    pub cost: Cost,
    /// Whether it stays.
    pub pinned: bool,
}

/// How a model is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// Not in memory.
    #[default]
    Unloaded,
    /// Being read.
    Loading,
    /// It answers.
    Ready,
    /// It finishes what it has and takes nothing new; then it goes.
    Draining {
        /// A steward said so, so it goes even when its place is no longer needed.
        told: bool,
    },
    /// It could not be loaded, or it broke.
    Failed(String),
}

impl State {
    fn holds_memory(&self) -> bool {
        matches!(self, State::Loading | State::Ready | State::Draining { .. })
    }
}

/// Who needs a model that is in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// It has running requests.
    pub running: bool,
    /// Requests wait for it that have not been given it yet. A model that has just come is not sent away before they were,
    /// else two models could swap places for ever and answer nobody.
    pub awaited: bool,
}

/// What to do next; it is done before the next question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Load it; then [`Residency::loaded`] or [`Residency::failed`].
    Load(usize),
    /// Unload it, it is idle; then [`Residency::unloaded`].
    Unload(usize),
    /// Tell those who wait: models that were draining are ready again.
    Tell,
}

/// Why a model cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is too large beside what stays.
    #[error(
        "{name} needs about {needed} MiB, and of the memory budget of {budget} MiB the models that always stay{stay} \
         leave {left} MiB; give models more memory (`memory_mib` in the settings), keep fewer loaded, or take a smaller \
         model"
    )]
    TooLarge {
        /// The model.
        name: String,
        /// MiB that it needs.
        needed: u64,
        /// MiB of the budget.
        budget: u64,
        /// Who stays, in brackets; empty when nobody does.
        stay: String,
        /// MiB beside those.
        left: u64,
    },
    /// It failed before.
    #[error("{name} could not be loaded: {reason}")]
    Failed {
        /// The model.
        name: String,
        /// What happened.
        reason: String,
    },
    /// It is pinned, or it is not there.
    #[error("{0}")]
    Stays(String),
}

struct Entry {
    candidate: Candidate,
    state: State,
    last_used: u64,
}

/// All models and who of them is in memory.
pub struct Residency {
    budget: Cost,
    entries: Vec<Entry>,
    /// Asked for and not there, with the time when they were.
    wanted: VecDeque<(usize, Duration)>,
    uses: u64,
}

impl Residency {
    /// Nothing is loaded yet. Pinned models that do not fit together lose their pin, the later ones first.
    pub fn new(budget: Cost, candidates: Vec<Candidate>) -> Residency {
        let mut pinned = Cost::default();
        let entries = candidates.into_iter().map(|mut candidate| {
            let with = pinned.and(candidate.cost);
            candidate.pinned &= with.fits(budget);
            if candidate.pinned {
                pinned = with;
            }
            Entry { candidate, state: State::Unloaded, last_used: 0 }
        });
        Residency { budget, entries: entries.collect(), wanted: VecDeque::new(), uses: 0 }
    }

    /// What all may take.
    pub fn budget(&self) -> Cost {
        self.budget
    }

    /// What those in memory take.
    pub fn used(&self) -> Cost {
        self.sum(|entry| entry.state.holds_memory())
    }

    /// How a model is.
    pub fn state(&self, model: usize) -> &State {
        &self.entries[model].state
    }

    /// The model as it was described; its pin as it is held.
    pub fn candidate(&self, model: usize) -> &Candidate {
        &self.entries[model].candidate
    }

    /// Whether models are waited for.
    pub fn is_waited_for(&self) -> bool {
        !self.wanted.is_empty()
            || self.entries.iter().any(|entry| matches!(entry.state, State::Draining { .. }))
    }

    /// A request asks for a model. True when it is there; false when it will come.
    pub fn want(&mut self, model: usize, now: Duration) -> Result<bool, Refused> {
        self.uses += 1;
        let entry = &mut self.entries[model];
        entry.last_used = self.uses;
        match &entry.state {
            State::Ready => return Ok(true),
            State::Failed(reason) => {
                let name = entry.candidate.name.clone();
                return Err(Refused::Failed { name, reason: reason.clone() });
            }
            State::Loading => return Ok(false),
            State::Unloaded | State::Draining { .. } => {}
        }
        self.check_fit(model)?;
        if !self.wanted.iter().any(|(other, _)| *other == model) {
            self.wanted.push_back((model, now));
        }
        Ok(false)
    }

    /// A steward asks for a model: as [`Residency::want`], and a failure is forgotten.
    pub fn load(&mut self, model: usize, now: Duration) -> Result<bool, Refused> {
        if matches!(self.entries[model].state, State::Failed(_)) {
            self.entries[model].state = State::Unloaded;
        }
        self.want(model, now)
    }

    /// A steward lets a model go: it does once it is idle.
    pub fn unload(&mut self, model: usize) -> Result<(), Refused> {
        let entry = &mut self.entries[model];
        if entry.candidate.pinned {
            return Err(Refused::Stays(format!(
                "{} stays loaded, since it is the box's default or named in `keep_loaded`; change that first \
                 (`banyan model use OTHER`, or the settings)",
                entry.candidate.name
            )));
        }
        if matches!(entry.state, State::Ready | State::Draining { .. }) {
            entry.state = State::Draining { told: true };
        }
        self.wanted.retain(|(other, _)| *other != model);
        Ok(())
    }

    /// What to do next; `None` until something changes.
    pub fn next(&mut self, now: Duration, demand: &dyn Fn(usize) -> Demand) -> Option<Action> {
        if self.entries.iter().any(|entry| entry.state == State::Loading) {
            return None;
        }
        while let Some(&(model, since)) = self.wanted.front() {
            match self.entries[model].state {
                State::Ready | State::Loading | State::Failed(_) => {
                    self.wanted.pop_front();
                    continue;
                }
                // Its turn has come before it had gone: it stays.
                State::Draining { .. } => {
                    self.entries[model].state = State::Ready;
                    self.wanted.pop_front();
                    return Some(Action::Tell);
                }
                State::Unloaded => {}
            }
            let used = self.used();
            if used.and(self.entries[model].candidate.cost).fits(self.budget) {
                self.wanted.pop_front();
                self.entries[model].state = State::Loading;
                self.call_off_drains();
                return Some(Action::Load(model));
            }
            return self.make_room(model, now.saturating_sub(since) >= PATIENCE, demand);
        }
        if self.call_off_drains() {
            return Some(Action::Tell);
        }
        self.drained(demand)
    }

    /// The load that was asked for is done.
    pub fn loaded(&mut self, model: usize) {
        self.uses += 1;
        self.entries[model].last_used = self.uses;
        self.entries[model].state = State::Ready;
    }

    /// The load failed, or the loaded model broke and is gone.
    pub fn failed(&mut self, model: usize, reason: String) {
        self.entries[model].state = State::Failed(reason);
    }

    /// The unloading is done: its memory is free.
    pub fn unloaded(&mut self, model: usize) {
        self.entries[model].state = State::Unloaded;
    }

    fn sum(&self, which: impl Fn(&Entry) -> bool) -> Cost {
        let costs = self.entries.iter().filter(|entry| which(entry)).map(|entry| entry.candidate.cost);
        costs.fold(Cost::default(), Cost::and)
    }

    fn check_fit(&self, model: usize) -> Result<(), Refused> {
        let own = &self.entries[model].candidate;
        let stays = |entry: &Entry| entry.candidate.pinned && entry.candidate.name != own.name;
        let pinned = self.sum(stays);
        if pinned.and(own.cost).fits(self.budget) {
            return Ok(());
        }
        let names: Vec<&str> =
            self.entries.iter().filter(|e| stays(e)).map(|e| e.candidate.name.as_str()).collect();
        // Of the two budgets, the one that is too small is named.
        let (needed, budget, held) = if pinned.memory.saturating_add(own.cost.memory) > self.budget.memory {
            (own.cost.memory, self.budget.memory, pinned.memory)
        } else {
            (own.cost.kv, self.budget.kv, pinned.kv)
        };
        Err(Refused::TooLarge {
            name: own.name.clone(),
            needed: needed >> 20,
            budget: budget >> 20,
            stay: if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) },
            left: budget.saturating_sub(held) >> 20,
        })
    }

    /// One step towards room for `model`.
    fn make_room(&mut self, model: usize, drain: bool, demand: &dyn Fn(usize) -> Demand) -> Option<Action> {
        if let Some(action) = self.drained(demand) {
            return Some(action);
        }
        let busy = |other: usize| demand(other).running;
        let mut victims: Vec<usize> = (0..self.entries.len())
            .filter(|other| {
                let entry = &self.entries[*other];
                let may_go = match entry.state {
                    State::Ready => !demand(*other).awaited,
                    State::Draining { .. } => true,
                    State::Unloaded | State::Loading | State::Failed(_) => false,
                };
                may_go && !entry.candidate.pinned
            })
            .collect();
        victims.sort_by_key(|other| (busy(*other), self.entries[*other].last_used));
        let mut left = self.used().and(self.entries[model].candidate.cost);
        let mut chosen = Vec::new();
        for victim in victims {
            if left.fits(self.budget) {
                break;
            }
            let cost = self.entries[victim].candidate.cost;
            left =
                Cost { memory: left.memory.saturating_sub(cost.memory), kv: left.kv.saturating_sub(cost.kv) };
            chosen.push(victim);
        }
        if !left.fits(self.budget) || (!drain && chosen.iter().any(|victim| busy(*victim))) {
            return None;
        }
        let idle = chosen.iter().copied().find(|victim| !busy(*victim));
        for victim in chosen {
            if self.entries[victim].state == State::Ready {
                self.entries[victim].state = State::Draining { told: false };
            }
        }
        idle.map(Action::Unload)
    }

    /// A draining model that has become idle.
    fn drained(&self, demand: &dyn Fn(usize) -> Demand) -> Option<Action> {
        let gone = |(i, entry): (usize, &Entry)| {
            (matches!(entry.state, State::Draining { .. }) && !demand(i).running).then_some(Action::Unload(i))
        };
        self.entries.iter().enumerate().find_map(gone)
    }

    /// Models that made room which is no longer needed stay; whether there were any.
    fn call_off_drains(&mut self) -> bool {
        let mut any = false;
        for entry in &mut self.entries {
            if entry.state == (State::Draining { told: false }) {
                entry.state = State::Ready;
                any = true;
            }
        }
        any
    }
}
