//! Who runs next: a pure state machine between the requests and the graph.
//!
//! ```text
//!                 submit                plan (a slot is free,          prefilled (last chunk)
//!   (request) ──────────────▶ waiting ───────────────────▶ prefilling ───────────────────▶ decoding
//!                  │             │       first come, first    │  ▲ one chunk a step          │  ▲ one token a step
//!        refused:  ▼             │       served)              └──┘                           └──┘
//!        queue full              └───────────┬────────────────────┬──────────────────────────┘
//!                                            ▼ remove (done, cancelled or failed: the slot is free at once)
//!                                         (gone)
//! ```
//!
//! Three kinds of methods. **In:** [`Scheduler::submit`], [`Scheduler::remove`], and after a step has run
//! [`Scheduler::prefilled`] and [`Scheduler::decoded`]. **Out:** [`Scheduler::plan`]. **Getters:** the rest.
//! The order of a step: `plan`, then the caller runs the plan's moves, its prefill chunk and its decode rows in this
//! order, then reports each. `remove` may come at any time between steps. One thread owns it.
//!
//! A *slot* is a row of the KV slab. Decoding rows are kept a prefix of the slots, because a run of the graph binds
//! rows `[0..n)` and pays for each of them: when a row in the middle leaves, the plan moves the highest decoding row
//! into the hole. A prefilling row is never moved; if it sits below a decoding one it is an idle row of the decode
//! run until its prompt is done.
//!
//! Deliberately absent: clocks, tensors, tokens' values, text, fairness between members (that is the portal's queue).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

/// Names one sequence for its whole life; never reused by the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeqId(pub u64);

/// The fixed sizes a scheduler works within.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows of the KV slab: so many sequences can be prefilling or decoding at a time.
    pub slots: usize,
    /// Tokens a row can hold (prompt and answer together).
    pub capacity: usize,
    /// Sequences that may wait for a slot; one more is refused, so that nobody waits without an end in sight.
    pub max_waiting: usize,
    /// Tokens of a prompt computed in one step while no other row decodes: large, because nobody waits for it.
    pub chunk_alone: usize,
    /// Tokens of a prompt computed in one step while others decode. It bounds how long a running stream stands
    /// still: a step costs one decode run and this many tokens of prefill.
    pub chunk_shared: usize,
    /// Whether rows can be moved. Where they cannot (in a device's memory), a hole among the decoding rows idles until
    /// the next sequence fills it.
    pub compact: bool,
}

/// Why a sequence was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `max_waiting` sequences wait already.
    #[error("the queue is full: {waiting} requests are waiting; try again in a moment")]
    QueueFull {
        /// How many wait.
        waiting: usize,
    },
    /// The prompt leaves no room for an answer, or is empty.
    #[error("a prompt must have between 1 and {} tokens, this one has {prompt}", .capacity - 1)]
    PromptSize {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens a row can hold.
        capacity: usize,
    },
}

/// Copy the first `tokens` tokens of row `from` to row `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Row that holds the sequence now.
    pub from: usize,
    /// Row that shall hold it; free.
    pub to: usize,
    /// Tokens to copy.
    pub tokens: usize,
}

/// Compute `count` prompt tokens, from position `start`, in row `slot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// The sequence.
    pub id: SeqId,
    /// Its row.
    pub slot: usize,
    /// Tokens of it that the row holds already.
    pub start: usize,
    /// Tokens to compute.
    pub count: usize,
    /// True when the prompt ends with this chunk, so its last position's logits are wanted.
    pub last: bool,
}

/// Compute one more token of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeRow {
    /// The sequence.
    pub id: SeqId,
    /// Tokens that the row holds already.
    pub past: usize,
}

/// What one step does. Kept by the caller and refilled, so that planning allocates nothing.
#[derive(Debug, Default)]
pub struct Plan {
    /// First: rows to move, in this order.
    pub moves: Vec<Move>,
    /// Second: a chunk of one prompt.
    pub prefill: Option<Chunk>,
    /// Third: the decode run over rows `[0..decode.len())`; `None` is an idle row.
    pub decode: Vec<Option<DecodeRow>>,
}

impl Plan {
    /// True when there is nothing to compute.
    pub fn is_idle(&self) -> bool {
        self.prefill.is_none() && self.decode.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Prefilling,
    Decoding,
}

#[derive(Debug, Clone, Copy)]
struct Occupant {
    id: SeqId,
    phase: Phase,
    prompt: usize,
    /// Tokens the row holds.
    len: usize,
    /// Order of admission: the oldest prompt is computed first.
    admitted: u64,
}

/// The state machine; see the module's words.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    waiting: VecDeque<(SeqId, usize)>,
    slots: Vec<Option<Occupant>>,
    admissions: u64,
}

/// At most so many prompts are computed at a time. One: a second would only make both later, as a chunk already fills
/// the processor.
const MAX_PREFILLING: usize = 1;

impl Scheduler {
    /// An empty scheduler. Sizes of zero are raised to one.
    pub fn new(limits: Limits) -> Scheduler {
        let limits = Limits {
            slots: limits.slots.max(1),
            capacity: limits.capacity.max(2),
            max_waiting: limits.max_waiting.max(1),
            chunk_alone: limits.chunk_alone.max(1),
            chunk_shared: limits.chunk_shared.max(1),
            compact: limits.compact,
        };
        Scheduler {
            limits,
            waiting: VecDeque::with_capacity(limits.max_waiting),
            slots: vec![None; limits.slots],
            admissions: 0,
        }
    }

    /// Takes a sequence into the queue and returns its place (1 = next).
    pub fn submit(&mut self, id: SeqId, prompt: usize) -> Result<usize, Refusal> {
        if prompt == 0 || prompt >= self.limits.capacity {
            return Err(Refusal::PromptSize { prompt, capacity: self.limits.capacity });
        }
        if self.waiting.len() >= self.limits.max_waiting {
            return Err(Refusal::QueueFull { waiting: self.waiting.len() });
        }
        self.waiting.push_back((id, prompt));
        Ok(self.waiting.len())
    }

    /// Forgets a sequence in whatever state it is; its slot is free at once. False when it is unknown.
    pub fn remove(&mut self, id: SeqId) -> bool {
        if let Some(slot) = self.slot_of(id) {
            self.slots[slot] = None;
            return true;
        }
        let before = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != id);
        self.waiting.len() != before
    }

    /// Fills `plan` with the next step.
    pub fn plan(&mut self, plan: &mut Plan) {
        plan.moves.clear();
        plan.decode.clear();
        if self.limits.compact {
            self.compact(&mut plan.moves);
        }
        self.admit();
        plan.prefill = self.next_chunk();
        let rows = self.decode_rows();
        plan.decode.extend(self.slots[..rows].iter().map(|slot| {
            slot.filter(|o| o.phase == Phase::Decoding && o.len < self.limits.capacity)
                .map(|o| DecodeRow { id: o.id, past: o.len })
        }));
        if plan.decode.iter().all(Option::is_none) {
            plan.decode.clear();
        }
    }

    /// A chunk of `count` tokens has been computed. True when the prompt is done and the sequence decodes from now on.
    pub fn prefilled(&mut self, id: SeqId, count: usize) -> bool {
        let Some(o) = self.occupant_mut(id) else { return false };
        o.len = (o.len + count).min(o.prompt);
        if o.len == o.prompt {
            o.phase = Phase::Decoding;
        }
        o.phase == Phase::Decoding
    }

    /// A decode step of this row has been computed. Returns the tokens that still fit into the row; at zero the row
    /// idles until it is removed.
    pub fn decoded(&mut self, id: SeqId) -> usize {
        let capacity = self.limits.capacity;
        let Some(o) = self.occupant_mut(id) else { return 0 };
        o.len = (o.len + 1).min(capacity);
        capacity - o.len
    }

    /// Sequences that hold a slot.
    pub fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Sequences that wait for one.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// True when no sequence is left.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.slots.iter().all(Option::is_none)
    }

    /// The limits it works within.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Moves the highest decoding rows into free rows below them.
    fn compact(&mut self, moves: &mut Vec<Move>) {
        loop {
            let top = self.decode_rows();
            let Some(hole) = self.slots[..top].iter().position(Option::is_none) else { return };
            let from = top - 1;
            let Some(occupant) = self.slots[from].take() else { return };
            moves.push(Move { from, to: hole, tokens: occupant.len });
            self.slots[hole] = Some(occupant);
        }
    }

    /// Gives free slots to those who wait, first come first served.
    fn admit(&mut self) {
        while self.prefilling() < MAX_PREFILLING {
            let Some(slot) = self.slots.iter().position(Option::is_none) else { return };
            let Some((id, prompt)) = self.waiting.pop_front() else { return };
            self.admissions += 1;
            let admitted = self.admissions;
            self.slots[slot] = Some(Occupant { id, phase: Phase::Prefilling, prompt, len: 0, admitted });
        }
    }

    /// The next chunk of the oldest prompt. A prompt is cut into chunks of nearly equal size: 520 tokens at 512 are
    /// 260 + 260, not 512 + 8, as a run costs a read of all weights however few tokens it has.
    fn next_chunk(&self) -> Option<Chunk> {
        let (slot, o) = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(slot, o)| o.as_ref().map(|o| (slot, o)))
            .filter(|(_, o)| o.phase == Phase::Prefilling)
            .min_by_key(|(_, o)| o.admitted)?;
        let most = if self.decode_rows() > 0 { self.limits.chunk_shared } else { self.limits.chunk_alone };
        let rest = o.prompt - o.len;
        let count = rest.div_ceil(rest.div_ceil(most));
        Some(Chunk { id: o.id, slot, start: o.len, count, last: count == rest })
    }

    /// One more than the highest decoding slot.
    fn decode_rows(&self) -> usize {
        self.slots
            .iter()
            .rposition(|o| o.is_some_and(|o| o.phase == Phase::Decoding))
            .map_or(0, |slot| slot + 1)
    }

    fn prefilling(&self) -> usize {
        self.slots.iter().flatten().filter(|o| o.phase == Phase::Prefilling).count()
    }

    fn slot_of(&self, id: SeqId) -> Option<usize> {
        self.slots.iter().position(|o| o.is_some_and(|o| o.id == id))
    }

    fn occupant_mut(&mut self, id: SeqId) -> Option<&mut Occupant> {
        self.slots.iter_mut().flatten().find(|o| o.id == id)
    }
}
