use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: Limits =
    Limits { slots: 4, capacity: 64, max_waiting: 8, chunk_alone: 16, chunk_shared: 4, compact: true };

/// An engine of paper: each row holds, per position, whose token stands there. It runs a plan as the real one does
/// and panics where a real one would answer with another member's text.
struct Paper {
    scheduler: Scheduler,
    plan: Plan,
    rows: Vec<Vec<SeqId>>,
    /// Answer tokens each sequence still wants.
    wants: BTreeMap<SeqId, usize>,
    admitted: Vec<SeqId>,
    finished: BTreeSet<SeqId>,
}

impl Paper {
    fn new(limits: Limits) -> Paper {
        Paper {
            scheduler: Scheduler::new(limits),
            plan: Plan::default(),
            rows: vec![Vec::new(); limits.slots],
            wants: BTreeMap::new(),
            admitted: Vec::new(),
            finished: BTreeSet::new(),
        }
    }

    fn submit(&mut self, id: u64, prompt: usize, answer: usize) -> Result<usize, Refusal> {
        let place = self.scheduler.submit(SeqId(id), prompt)?;
        self.wants.insert(SeqId(id), answer.max(1));
        Ok(place)
    }

    fn cancel(&mut self, id: u64) -> bool {
        self.wants.remove(&SeqId(id));
        self.scheduler.remove(SeqId(id))
    }

    fn take_token(&mut self, id: SeqId, room: usize) {
        let left = self.wants.get_mut(&id).expect("only wanted sequences run");
        *left -= 1;
        if *left == 0 || room == 0 {
            self.wants.remove(&id);
            self.finished.insert(id);
            assert!(self.scheduler.remove(id), "a running sequence can be removed");
        }
    }

    /// One step; returns false when there was nothing to do.
    fn step(&mut self) -> bool {
        let mut plan = std::mem::take(&mut self.plan);
        self.scheduler.plan(&mut plan);
        assert!(self.scheduler.limits().compact || plan.moves.is_empty());
        for m in &plan.moves {
            assert!(m.to < m.from, "rows move towards the prefix");
            let row: Vec<_> = self.rows[m.from][..m.tokens].to_vec();
            self.rows[m.to] = row;
        }
        let capacity = self.scheduler.limits().capacity;
        if let Some(c) = plan.prefill {
            if c.start == 0 {
                self.rows[c.slot].clear();
                self.admitted.push(c.id);
            }
            self.rows[c.slot].truncate(c.start);
            assert_eq!(self.rows[c.slot], vec![c.id; c.start], "the chunk continues its own row");
            self.rows[c.slot].extend(vec![c.id; c.count]);
            assert!(self.rows[c.slot].len() < capacity, "a prompt leaves room for an answer");
        }
        for (slot, row) in plan.decode.iter().enumerate() {
            let Some(row) = row else { continue };
            self.rows[slot].truncate(row.past);
            assert_eq!(self.rows[slot], vec![row.id; row.past], "a row decodes over its own past");
            self.rows[slot].push(row.id);
            assert!(self.rows[slot].len() <= capacity, "a row never outgrows its slot");
        }
        if let Some(c) = plan.prefill
            && self.scheduler.prefilled(c.id, c.count)
        {
            assert!(c.last);
            self.take_token(c.id, usize::MAX);
        }
        for row in plan.decode.iter().flatten() {
            let room = self.scheduler.decoded(row.id);
            self.take_token(row.id, room);
        }
        let idle_rows = plan.decode.iter().filter(|r| r.is_none()).count();
        let compact = self.scheduler.limits().compact;
        assert!(
            !compact || idle_rows <= MAX_PREFILLING,
            "only a prefilling row may idle in the decode run: {plan:?}"
        );
        let busy = !plan.is_idle();
        self.plan = plan;
        busy
    }

    fn run_dry(&mut self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the scheduler never comes to rest");
    }
}

#[test]
fn a_sequence_goes_from_waiting_through_prefill_to_its_last_token() {
    let mut paper = Paper::new(LIMITS);
    assert_eq!(paper.submit(1, 40, 3), Ok(1));
    paper.run_dry();
    assert!(paper.finished.contains(&SeqId(1)));
    assert!(paper.scheduler.is_empty());
}

#[test]
fn a_prompt_is_cut_into_chunks_of_nearly_equal_size() {
    let mut paper = Paper::new(LIMITS);
    paper.submit(1, 17, 1).expect("there is room");
    paper.step();
    let first = paper.plan.prefill.expect("a chunk");
    assert_eq!((first.count, first.last), (9, false));
    paper.step();
    let second = paper.plan.prefill.expect("a chunk");
    assert_eq!((second.start, second.count, second.last), (9, 8, true));
}

#[test]
fn a_running_stream_gets_a_token_in_every_step_of_a_strangers_long_prompt() {
    let mut paper = Paper::new(LIMITS);
    paper.submit(1, 2, 60).expect("there is room");
    paper.step();
    paper.submit(2, 40, 1).expect("there is room");
    for _ in 0..10 {
        paper.step();
        assert_eq!(paper.plan.prefill.expect("the prompt goes on").count, LIMITS.chunk_shared);
        assert_eq!(paper.plan.decode[0].expect("the stream goes on").id, SeqId(1));
    }
}

#[test]
fn a_full_queue_refuses_and_a_prompt_without_room_is_refused() {
    let mut paper = Paper::new(LIMITS);
    for id in 0..LIMITS.max_waiting as u64 {
        assert_eq!(paper.submit(id, 4, 1), Ok(id as usize + 1));
    }
    assert_eq!(paper.submit(99, 4, 1), Err(Refusal::QueueFull { waiting: 8 }));
    let mut paper = Paper::new(LIMITS);
    assert!(matches!(paper.submit(1, 64, 1), Err(Refusal::PromptSize { prompt: 64, capacity: 64 })));
    assert!(matches!(paper.submit(1, 0, 1), Err(Refusal::PromptSize { .. })));
    assert!(paper.submit(1, 63, 1).is_ok());
}

#[test]
fn a_cancelled_sequence_frees_its_slot_for_the_very_next_plan() {
    let limits = Limits { slots: 1, ..LIMITS };
    let mut paper = Paper::new(limits);
    paper.submit(1, 4, 50).expect("there is room");
    paper.step();
    paper.submit(2, 4, 1).expect("there is room");
    paper.step();
    assert_eq!(paper.scheduler.waiting(), 1);
    assert!(paper.cancel(1));
    paper.step();
    assert_eq!(paper.plan.prefill.expect("the next one starts").id, SeqId(2));
    assert!(!paper.cancel(1), "it is gone");
}

#[test]
fn a_hole_in_the_decoding_rows_is_closed_by_the_highest_row() {
    let mut paper = Paper::new(LIMITS);
    for id in 1..=3 {
        paper.submit(id, 3, 40).expect("there is room");
    }
    for _ in 0..6 {
        paper.step();
    }
    paper.cancel(1);
    paper.step();
    assert_eq!(paper.plan.moves.len(), 1);
    assert_eq!((paper.plan.moves[0].from, paper.plan.moves[0].to), (2, 0));
    assert_eq!(paper.plan.decode.len(), 2);
}

#[derive(Debug, Clone)]
enum Op {
    Submit { prompt: usize, answer: usize },
    Cancel { nth: usize },
    Steps(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1usize..70, 0usize..80).prop_map(|(prompt, answer)| Op::Submit { prompt, answer }),
        2 => (0usize..40).prop_map(|nth| Op::Cancel { nth }),
        5 => (1usize..12).prop_map(Op::Steps),
    ];
    prop::collection::vec(op, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nobody reads another's row (asserted in every step), everyone who is not cancelled finishes, first come is
    /// first served, and at the end every slot is free.
    #[test]
    fn no_slot_is_lost_or_shared_and_everyone_finishes(ops in ops(), slots in 1usize..6, shared in 1usize..9, compact: bool) {
        let limits = Limits { slots, chunk_shared: shared, compact, ..LIMITS };
        let mut paper = Paper::new(limits);
        let mut taken = Vec::new();
        let mut cancelled = BTreeSet::new();
        let mut next = 0u64;
        for op in ops {
            match op {
                Op::Submit { prompt, answer } => {
                    next += 1;
                    if paper.submit(next, prompt, answer).is_ok() {
                        taken.push(next);
                    }
                }
                Op::Cancel { nth } => {
                    if let Some(id) = taken.get(nth).copied() {
                        let was_alive = !paper.finished.contains(&SeqId(id)) && !cancelled.contains(&id);
                        let running = paper.scheduler.running() + paper.scheduler.waiting();
                        prop_assert_eq!(paper.cancel(id), was_alive);
                        prop_assert_eq!(paper.scheduler.running() + paper.scheduler.waiting(), running - usize::from(was_alive));
                        if was_alive {
                            cancelled.insert(id);
                        }
                    }
                }
                Op::Steps(n) => {
                    for _ in 0..n {
                        paper.step();
                    }
                }
            }
            prop_assert!(paper.scheduler.running() <= slots);
        }
        paper.run_dry();
        prop_assert!(paper.scheduler.is_empty());
        for id in taken {
            prop_assert!(paper.finished.contains(&SeqId(id)) != cancelled.contains(&id));
        }
        prop_assert!(paper.admitted.is_sorted(), "first come, first served: {:?}", paper.admitted);
    }
}
