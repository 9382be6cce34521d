//! Members of paper: they think, ask, listen, and think again.

use super::{Costs, Habits};
use crate::scheduler::{Limits, Plan, Scheduler, SeqId};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Seconds until the crowd is as it always is, and seconds that count after that.
const RUN_IN: f64 = 120.0;
const COUNTED: f64 = 300.0;
/// The share of questions whose first token may be late.
const LATE: f64 = 0.05;

struct Question {
    asked: f64,
    first: Option<f64>,
    /// Tokens still to come.
    left: usize,
    /// Tokens to be taken over from the cache.
    policy: usize,
}

pub(super) struct Crowd<'a> {
    costs: &'a Costs,
    habits: &'a Habits,
    scheduler: Scheduler,
    rng: StdRng,
    clock: f64,
    /// When members ask next, in microseconds.
    thinking: BinaryHeap<Reverse<u64>>,
    asking: BTreeMap<SeqId, Question>,
    ids: u64,
    asked: usize,
    late: usize,
    tokens: usize,
    /// Seconds between tokens, and how many such pauses.
    pauses: (f64, usize),
}

impl<'a> Crowd<'a> {
    pub(super) fn new(costs: &'a Costs, limits: &Limits, habits: &'a Habits, members: usize) -> Crowd<'a> {
        let mut crowd = Crowd {
            costs,
            habits,
            scheduler: Scheduler::new(*limits),
            rng: StdRng::seed_from_u64(members as u64),
            clock: 0.0,
            thinking: BinaryHeap::new(),
            asking: BTreeMap::new(),
            ids: 0,
            asked: 0,
            late: 0,
            tokens: 0,
            pauses: (0.0, 0),
        };
        for _ in 0..members {
            crowd.think();
        }
        crowd
    }

    /// Lives through the time that counts. The pace of an answer and the tokens a second, or nothing when too many first
    /// tokens came late.
    pub(super) fn live(mut self, within: f64) -> Option<(f64, f64)> {
        let mut plan = Plan::default();
        while self.clock < RUN_IN + COUNTED {
            self.ask();
            if self.scheduler.is_empty() {
                let Some(Reverse(next)) = self.thinking.peek() else { break };
                self.clock = self.clock.max(*next as f64 / 1e6);
                continue;
            }
            self.step(&mut plan, within);
            if self.late > 20 && self.late as f64 > 4.0 * LATE * self.asked as f64 {
                return None;
            }
        }
        let waits = self.asking.values().filter(|q| q.first.is_none() && q.asked >= RUN_IN);
        let late = self.late + waits.filter(|q| self.clock - q.asked > within).count();
        let pace = if self.pauses.1 == 0 { 0.0 } else { self.pauses.1 as f64 / self.pauses.0 };
        (late as f64 <= LATE * self.asked as f64).then_some((pace, self.tokens as f64 / COUNTED))
    }

    fn think(&mut self) {
        let wait = -self.habits.think_s * (1.0 - self.rng.random::<f64>()).ln();
        self.thinking.push(Reverse(((self.clock + wait) * 1e6) as u64));
    }

    fn ask(&mut self) {
        while let Some(Reverse(at)) = self.thinking.peek()
            && *at as f64 / 1e6 <= self.clock
        {
            let asked = *at as f64 / 1e6;
            self.thinking.pop();
            let (question, answer) = (self.habits.question, self.habits.answer);
            let tokens = self.habits.policy + self.rng.random_range(question.0..=question.1);
            let left = self.rng.random_range(answer.0..=answer.1);
            self.ids += 1;
            let id = SeqId(self.ids);
            if self.scheduler.submit(id, tokens, self.habits.policy).is_ok() {
                self.asking.insert(id, Question { asked, first: None, left, policy: self.habits.policy });
            } else {
                self.think();
            }
        }
    }

    fn step(&mut self, plan: &mut Plan, within: f64) {
        while let Some(admission) = self.scheduler.next_admission() {
            if let Some(question) = self.asking.get(&admission.id) {
                self.scheduler.restored(admission.id, question.policy);
            }
        }
        self.scheduler.plan(plan);
        let began = self.clock;
        for chunk in &plan.prefill {
            let took = self.costs.prefill(chunk.count, chunk.start + chunk.count);
            self.clock += took;
            self.scheduler.prefill_took(chunk.count, (took * 1e6) as u64);
            if self.scheduler.prefilled(chunk.id, chunk.count) {
                self.token(chunk.id, within);
            }
        }
        if !plan.decode.is_empty() {
            let held = plan.decode.iter().flatten().map(|row| row.past).sum();
            let took = self.costs.decode(plan.decode.len(), held);
            self.clock += took;
            self.scheduler.decode_took(plan.decode.len(), (took * 1e6) as u64);
            for row in plan.decode.iter().flatten() {
                self.scheduler.decoded(row.id, 1);
                self.token(row.id, within);
                if began >= RUN_IN {
                    self.pauses.0 += self.clock - began;
                    self.pauses.1 += 1;
                }
            }
        }
        if plan.is_idle() {
            // Nothing may run yet; time goes on until somebody asks or a share of the pace has built up.
            self.clock += self.costs.run;
        }
    }

    fn token(&mut self, id: SeqId, within: f64) {
        let Some(question) = self.asking.get_mut(&id) else { return };
        if question.first.is_none() {
            question.first = Some(self.clock);
            if question.asked >= RUN_IN {
                self.asked += 1;
                self.late += usize::from(self.clock - question.asked > within);
            }
        }
        self.tokens += usize::from(self.clock >= RUN_IN);
        question.left = question.left.saturating_sub(1);
        if question.left == 0 {
            self.asking.remove(&id);
            self.scheduler.remove(id);
            self.think();
        }
    }
}
