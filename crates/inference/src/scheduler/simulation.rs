//! An engine of paper: each row holds, per position, whose token stands there. It runs a plan as the real one does and
//! panics where a real one would answer with another member's text. Its runs take the time that the starter model takes on
//! two cores, by a clock of its own.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const LIMITS: Limits = Limits {
    slots: 4,
    capacity: 64,
    row_tokens: 256,
    max_waiting: 8,
    chunk: 16,
    longest_stall: 400_000,
    compact: true,
};

pub(super) struct Paper {
    pub(super) scheduler: Scheduler,
    pub(super) plan: Plan,
    rows: Vec<Vec<SeqId>>,
    /// Answer tokens each sequence still wants.
    wants: BTreeMap<SeqId, usize>,
    /// Answer tokens each sequence got.
    pub(super) answers: BTreeMap<SeqId, usize>,
    pub(super) finished: BTreeSet<SeqId>,
    pub(super) preempted: BTreeSet<SeqId>,
    /// Tokens computed when a sequence came, and when its first chunk ran.
    pub(super) served: BTreeMap<SeqId, (u64, u64)>,
    /// Tokens that a cache has of every prompt.
    pub(super) cached: usize,
    /// Guessed tokens that turn out right in every decode run.
    pub(super) guessed: usize,
    /// Microseconds.
    pub(super) clock: u64,
}

impl Paper {
    pub(super) fn new(limits: Limits) -> Paper {
        let scheduler = Scheduler::new(limits);
        Paper {
            rows: vec![Vec::new(); scheduler.limits().slots],
            scheduler,
            plan: Plan::default(),
            wants: BTreeMap::new(),
            answers: BTreeMap::new(),
            finished: BTreeSet::new(),
            preempted: BTreeSet::new(),
            served: BTreeMap::new(),
            cached: 0,
            guessed: 0,
            clock: 0,
        }
    }

    pub(super) fn decode_micros(&self, rows: usize) -> u64 {
        8_000 + 3_000 * rows as u64
    }

    fn prefill_micros(&self, tokens: usize) -> u64 {
        4_000 + 1_600 * tokens as u64
    }

    pub(super) fn submit(&mut self, id: u64, prompt: usize, answer: usize) -> Result<usize, Refusal> {
        let place = self.scheduler.submit(SeqId(id), prompt, self.cached)?;
        self.wants.insert(SeqId(id), answer.max(1));
        self.served.insert(SeqId(id), (self.scheduler.work, u64::MAX));
        Ok(place)
    }

    pub(super) fn cancel(&mut self, id: u64) -> bool {
        self.wants.remove(&SeqId(id));
        self.scheduler.remove(SeqId(id))
    }

    fn take_token(&mut self, id: SeqId, room: usize) {
        let left = self.wants.get_mut(&id).expect("only wanted sequences run");
        *left -= 1;
        *self.answers.entry(id).or_default() += 1;
        if *left == 0 || room == 0 {
            self.wants.remove(&id);
            self.finished.insert(id);
            assert!(self.scheduler.remove(id), "a running sequence can be removed");
        }
    }

    fn admit(&mut self) {
        while let Some(admission) = self.scheduler.next_admission() {
            self.rows[admission.slot].clear();
            let cached = self.cached.min(admission.tokens - 1);
            self.rows[admission.slot].extend(vec![admission.id; cached]);
            if cached > 0 {
                self.scheduler.restored(admission.id, cached);
            }
        }
    }

    /// One step; returns false when there was nothing to do.
    pub(super) fn step(&mut self) -> bool {
        let mut plan = std::mem::take(&mut self.plan);
        let work = self.scheduler.work;
        self.admit();
        self.scheduler.plan(&mut plan);
        assert!(self.scheduler.held() <= self.scheduler.limits().row_tokens, "memory is never exceeded");
        self.preempted.extend(&plan.preempted);
        assert!(self.scheduler.limits().compact || plan.moves.is_empty());
        for m in &plan.moves {
            assert!(m.to < m.from, "rows move towards the front");
            let row: Vec<_> = self.rows[m.from][..m.tokens].to_vec();
            self.rows[m.to] = row;
        }
        for slot in &plan.releases {
            assert!(self.scheduler.rows.is_free(*slot), "nobody's memory is taken");
            self.rows[*slot].clear();
        }
        let capacity = self.scheduler.limits().capacity;
        for c in &plan.prefill {
            self.clock += self.prefill_micros(c.count);
            let served = self.served.get_mut(&c.id).expect("it was submitted");
            served.1 = served.1.min(work);
            self.rows[c.slot].truncate(c.start);
            assert_eq!(self.rows[c.slot], vec![c.id; c.start], "the chunk continues its own row");
            self.rows[c.slot].extend(vec![c.id; c.count]);
            assert!(self.rows[c.slot].len() <= capacity);
            self.scheduler.prefill_took(c.count, self.prefill_micros(c.count));
            assert_eq!(self.scheduler.prefilled(c.id, c.count), c.last);
            // A sequence that had lost its row goes on where it was: the token it was about to compute is known.
            if c.last && !self.answers.contains_key(&c.id) {
                self.take_token(c.id, usize::MAX);
            }
        }
        if !plan.decode.is_empty() {
            self.clock += self.decode_micros(plan.decode.len());
            self.scheduler.decode_took(plan.decode.len(), self.decode_micros(plan.decode.len()));
        }
        for (slot, row) in plan.decode.iter().enumerate() {
            let Some(row) = row else { continue };
            let guessed = self.guessed.min(row.spare).min(self.wants[&row.id] - 1);
            self.rows[slot].truncate(row.past);
            assert_eq!(self.rows[slot], vec![row.id; row.past], "a row decodes over its own past");
            self.rows[slot].extend(vec![row.id; 1 + guessed]);
            assert!(self.rows[slot].len() <= capacity, "a row never outgrows its slot");
            for _ in 0..=guessed {
                let room = self.scheduler.decoded(row.id, 1);
                self.take_token(row.id, room);
            }
        }
        let idle = plan.decode.iter().enumerate().filter(|(_, row)| row.is_none());
        let compact = self.scheduler.limits().compact;
        let prefilling =
            |slot: usize| plan.prefill.iter().any(|c| c.slot == slot) || self.scheduler.rows.prefills(slot);
        assert!(
            !compact || idle.clone().all(|(slot, _)| prefilling(slot)),
            "only a prefilling row may idle in the decode run: {plan:?}"
        );
        let busy = !plan.is_idle();
        self.plan = plan;
        busy
    }

    pub(super) fn run_dry(&mut self) {
        for _ in 0..100_000 {
            if !self.step() && self.scheduler.is_empty() {
                return;
            }
        }
        panic!("the scheduler never comes to rest");
    }
}
