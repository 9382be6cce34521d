//! Who runs next: a pure state machine between the requests and the graph.
//!
//! ```text
//!             submit              admit (a slot and memory)          prefilled (last chunk)
//!  (request) ────────▶ waiting ─────────────────────────▶ prefilling ─────────────────────▶ decoding
//!               │         ▲                                 │  ▲ chunks                       │  ▲ a token a step, or
//!      refused: ▼         │                                 └──┘                              └──┘ several when guessed
//!     queue full          └───────── pre-empted (memory ran short; its text so far is kept) ◀──┘
//!
//!  remove (done, cancelled or failed) ends any of them: the slot is free at once
//! ```
//!
//! **In:** [`Scheduler::submit`], [`Scheduler::remove`], and what a step brought: [`Scheduler::restored`],
//! [`Scheduler::prefilled`], [`Scheduler::decoded`], and the times ([`Scheduler::decode_took`] and its like).
//! **Out:** [`Scheduler::next_admission`], then [`Scheduler::plan`]. **Getters:** the rest. One thread owns it.
//! The order of a step: admissions until there is none (the caller may restore a cached prefix into each), the plan, then
//! the caller runs the plan's moves, releases, prefill chunks and decode rows in this order and reports each.
//!
//! Four rules, each held by a property test:
//! * **Short questions first, and no starvation** (`order`): a prompt of `n` tokens still to compute is overtaken only by
//!   what comes within the time that `PATIENCE · n` tokens take.
//! * **A steady pace** (`pace`): while others decode, a long prompt gets no more of a step than its decode run takes; more
//!   only where more wait than run, and never so much that a running stream stands still for longer than [`Limits::longest_stall`].
//! * **Memory is a count of tokens**: rows together never hold more than [`Limits::row_tokens`]. When running answers grow
//!   beyond it, the one that came last gives up its row and is computed again later, before everyone who came after it.
//! * **Rows that decode stand at the front** (`rows`), because a run of the graph binds rows `[0..n)` and pays for each.
//!
//! Deliberately absent: clocks, tensors, tokens' values, text, fairness between members (that is the portal's queue).

mod order;
mod pace;
mod rows;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use order::{Entry, Waiting};
use pace::{Grant, Pace};
use rows::{Occupant, Phase, Rows};

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
    /// Tokens that all rows together may hold.
    pub row_tokens: usize,
    /// Sequences that may wait for a slot; one more is refused, so that nobody waits without an end in sight.
    pub max_waiting: usize,
    /// Most tokens of a prompt computed in one run.
    pub chunk: usize,
    /// Most microseconds of a step that go to prompts while others decode.
    pub longest_stall: u64,
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

/// A sequence that has just got a row. What the row may take over from a cache is said by [`Scheduler::restored`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// The sequence.
    pub id: SeqId,
    /// Its row.
    pub slot: usize,
    /// Tokens to compute before it decodes.
    pub tokens: usize,
    /// True when the row has far more memory than this sequence needs and others need it: it is to be given back first.
    pub release: bool,
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
    /// Tokens that may be computed beyond the next one: the row and the memory have room for them.
    pub spare: usize,
}

/// What one step does. Kept by the caller and refilled, so that planning allocates nothing.
#[derive(Debug, Default)]
pub struct Plan {
    /// First: rows to move, in this order.
    pub moves: Vec<Move>,
    /// Second: rows whose memory is given back; nobody needs what they hold any more.
    pub releases: Vec<usize>,
    /// Third: chunks of prompts.
    pub prefill: Vec<Chunk>,
    /// Fourth: the decode run over rows `[0..decode.len())`; `None` is an idle row.
    pub decode: Vec<Option<DecodeRow>>,
    /// Sequences that lost their row and wait again. Nothing is to be done.
    pub preempted: Vec<SeqId>,
}

impl Plan {
    /// True when there is nothing to compute.
    pub fn is_idle(&self) -> bool {
        self.prefill.is_empty() && self.decode.is_empty()
    }

    fn clear(&mut self) {
        self.releases.clear();
        self.moves.clear();
        self.prefill.clear();
        self.decode.clear();
        self.preempted.clear();
    }
}

/// The state machine; see the module's words.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    waiting: Waiting,
    rows: Rows,
    pace: Pace,
    /// Tokens computed so far: the scheduler's own clock.
    work: u64,
    arrivals: u64,
    /// Prompt tokens of the step that is being planned, once they are known.
    grant: Option<Grant>,
}

impl Scheduler {
    /// An empty scheduler. Sizes of zero are raised to the least that works.
    pub fn new(limits: Limits) -> Scheduler {
        let capacity = limits.capacity.max(2);
        let limits = Limits {
            slots: limits.slots.max(1),
            capacity,
            row_tokens: limits.row_tokens.max(capacity),
            max_waiting: limits.max_waiting.max(1),
            chunk: limits.chunk.max(1),
            ..limits
        };
        Scheduler {
            limits,
            waiting: Waiting::default(),
            rows: Rows::new(limits.slots),
            pace: Pace::default(),
            work: 0,
            arrivals: 0,
            grant: None,
        }
    }

    /// Takes a sequence into the queue and returns its place (1 = next). `cached` is how many of the prompt's tokens are
    /// likely to be restored rather than computed.
    pub fn submit(&mut self, id: SeqId, prompt: usize, cached: usize) -> Result<usize, Refusal> {
        if prompt == 0 || prompt >= self.limits.capacity {
            return Err(Refusal::PromptSize { prompt, capacity: self.limits.capacity });
        }
        if self.waiting.len() >= self.limits.max_waiting {
            return Err(Refusal::QueueFull { waiting: self.waiting.len() });
        }
        self.arrivals += 1;
        Ok(self.waiting.push(order::Entry {
            id,
            tokens: prompt,
            fresh: prompt - cached.min(prompt),
            arrival: self.arrivals,
            key: order::key(self.work, prompt - cached.min(prompt)),
        }))
    }

    /// Forgets a sequence in whatever state it is; its slot is free at once. False when it is unknown.
    pub fn remove(&mut self, id: SeqId) -> bool {
        self.rows.remove(id) || self.waiting.remove(id)
    }

    /// Gives the next sequence that waits a row, when one is free, there is memory, and it will be computed in this step.
    /// To be called until it gives `None`, before [`Scheduler::plan`].
    pub fn next_admission(&mut self) -> Option<Admission> {
        let entry = *self.waiting.first()?;
        let slot = self.rows.free_slot()?;
        // A row is taken when its turn has come, not before: until then others may put its prefix into the cache.
        let ahead =
            self.rows.prefilling().filter(|o| o.key <= entry.key).map(|o| o.target - o.len).sum::<usize>();
        if ahead >= self.grant().of(entry.fresh) {
            return None;
        }
        // The whole prompt, and a little room for the answers under way.
        if self.rows.held() + entry.tokens + self.rows.running() >= self.limits.row_tokens
            && self.rows.running() > 0
        {
            return None;
        }
        self.waiting.pop();
        let Entry { id, tokens, fresh, arrival, key } = entry;
        let release = self.rows.is_oversized(slot, tokens);
        self.rows.put(
            slot,
            Occupant { id, phase: Phase::Prefilling, target: tokens, fresh, len: 0, arrival, key },
        );
        Some(Admission { id, slot, tokens, release })
    }

    /// The first `tokens` tokens of a sequence that was just admitted have come out of a cache.
    pub fn restored(&mut self, id: SeqId, tokens: usize) {
        let Some(o) = self.rows.get_mut(id) else { return };
        o.len = tokens.min(o.target - 1);
        o.fresh = o.target - o.len;
        o.key = order::key(self.work, o.target - o.len).min(o.key);
    }

    /// Fills `plan` with the next step.
    pub fn plan(&mut self, plan: &mut Plan) {
        plan.clear();
        self.make_room(plan);
        if self.limits.compact {
            self.rows.compact(&mut plan.moves);
        }
        self.plan_prefill(&mut plan.prefill);
        let spare = self.limits.row_tokens.saturating_sub(self.rows.held() + self.rows.decoding());
        let share = spare / self.rows.decoding().max(1);
        let capacity = self.limits.capacity;
        plan.decode.extend(self.rows.front().map(|occupant| {
            occupant.filter(|o| o.phase == Phase::Decoding && o.len < capacity).map(|o| DecodeRow {
                id: o.id,
                past: o.len,
                spare: (capacity - o.len - 1).min(share),
            })
        }));
        if plan.decode.iter().all(Option::is_none) {
            plan.decode.clear();
        }
        self.rows.release(&mut plan.releases);
    }

    /// A chunk of `count` tokens has been computed. True when the prompt is done and the sequence decodes from now on.
    pub fn prefilled(&mut self, id: SeqId, count: usize) -> bool {
        self.work += count as u64;
        let Some(o) = self.rows.get_mut(id) else { return false };
        o.len = (o.len + count).min(o.target);
        if o.len == o.target {
            o.phase = Phase::Decoding;
        }
        o.phase == Phase::Decoding
    }

    /// `count` tokens of this row have been computed. Returns the tokens that still fit into the row; at zero the row
    /// idles until it is removed.
    pub fn decoded(&mut self, id: SeqId, count: usize) -> usize {
        self.work += count as u64;
        let capacity = self.limits.capacity;
        let Some(o) = self.rows.get_mut(id) else { return 0 };
        o.len = (o.len + count).min(capacity);
        capacity - o.len
    }

    /// A decode run over `rows` rows took so many microseconds.
    pub fn decode_took(&mut self, rows: usize, micros: u64) {
        self.pace.decode_took(rows, micros);
    }

    /// A chunk of `tokens` tokens took so many microseconds.
    pub fn prefill_took(&mut self, tokens: usize, micros: u64) {
        self.pace.prefill_took(tokens, micros);
    }

    /// Microseconds that a decode run over `rows` rows is likely to take; `None` before the first one.
    pub fn decode_cost(&self, rows: usize) -> Option<f64> {
        self.pace.decode_cost(rows)
    }

    /// A verification run over `tokens` tokens, padding included, took so many microseconds.
    pub fn verify_took(&mut self, tokens: usize, micros: u64) {
        self.pace.verify_took(tokens, micros);
    }

    /// Microseconds that a verification run over `tokens` tokens is likely to take; `None` before the first decode run.
    pub fn verify_cost(&self, tokens: usize) -> Option<f64> {
        self.pace.verify_cost(tokens)
    }

    /// Sequences that hold a slot.
    pub fn running(&self) -> usize {
        self.rows.running()
    }

    /// Sequences that wait for one.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// True when no sequence is left.
    pub fn is_empty(&self) -> bool {
        self.waiting.len() == 0 && self.rows.running() == 0
    }

    /// Tokens that the rows hold.
    pub fn held(&self) -> usize {
        self.rows.held()
    }

    /// The limits it works within.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes rows away from those who came last, until every decoding row can grow by one token.
    fn make_room(&mut self, plan: &mut Plan) {
        while self.rows.held() + self.rows.decoding() > self.limits.row_tokens && self.rows.running() > 1 {
            let Some(o) = self.rows.take_last_arrived() else { return };
            plan.preempted.push(o.id);
            // What it has computed must be computed again, and at most what its prompt was before.
            let tokens = if o.phase == Phase::Decoding { o.len } else { o.target };
            self.waiting.push(Entry { id: o.id, tokens, fresh: tokens, arrival: o.arrival, key: o.key });
        }
    }

    /// Tokens of prompts that this step may compute.
    fn grant(&mut self) -> Grant {
        let waiting = self.waiting.len() + self.rows.prefilling().count();
        let (pace, decoding, limits) = (&mut self.pace, self.rows.decoding(), &self.limits);
        *self.grant.get_or_insert_with(|| pace.grant(decoding, waiting, limits))
    }

    /// Chunks in the order of the keys, as many as the pace allows. A prompt is cut into chunks of nearly equal size: 130
    /// tokens at 128 are 65 + 65, not 128 + 2, as a run costs a read of all weights however few tokens it has.
    fn plan_prefill(&mut self, chunks: &mut Vec<Chunk>) {
        let grant = self.grant();
        self.grant = None;
        let mut used = 0;
        let alone = self.rows.decoding() == 0;
        let mut last = None;
        while let Some((slot, o)) = self.rows.next_prefilling(last) {
            last = Some((o.key, o.arrival));
            let rest = o.target - o.len;
            let left = grant.of(o.fresh).saturating_sub(used);
            if left == 0 || (!chunks.is_empty() && left < rest && left < pace::LEAST_CHUNK) {
                continue;
            }
            let most = left.min(self.limits.chunk);
            let count = rest.div_ceil(rest.div_ceil(most));
            used += count;
            chunks.push(Chunk { id: o.id, slot, start: o.len, count, last: count == rest });
            // Nobody waits for the decode run, and what this chunk leaves in the cache may serve the next one.
            if alone {
                return;
            }
        }
    }
}
