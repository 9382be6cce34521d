//! The thread: the step loop.

use super::live::{Flushed, Live, Outbox};
use super::{Shared, Submission};
use crate::detokenize::Detokenizer;
use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward, ForwardError, LogitsWanted, VerifyInput};
use crate::kv::BLOCK;
use crate::prefix::{Copy, PrefixIndex};
use crate::sampler::Scratch;
use crate::scheduler::{Chunk, DecodeRow, Limits, Plan, Scheduler, SeqId};
use crate::speculation::Worth;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokenizers::Tokenizer;

/// How long to wait for commands while only slow readers are left to serve.
const SLOW_READER_POLL: Duration = Duration::from_millis(10);

/// How long an engine that is told to stop waits for readers that have not taken the end of their answers.
const LAST_CALL: Duration = Duration::from_secs(2);

/// So many failed steps in a row end the engine: the runtime is broken, and a fresh process is the remedy.
const MAX_FAILURES: u32 = 3;

/// What a worker owns from the start.
pub(super) struct Parts {
    pub(super) model: Box<dyn Forward>,
    pub(super) index: PrefixIndex,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) eos: Vec<u32>,
}

pub(super) struct Worker {
    model: Box<dyn Forward>,
    index: PrefixIndex,
    tokenizer: Arc<Tokenizer>,
    eos: Vec<u32>,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Submission>,
    scheduler: Scheduler,
    worth: Worth,
    live: HashMap<SeqId, Live>,
    /// Ended sequences whose readers have not taken everything yet; their slots are free already.
    leaving: Vec<Outbox>,
    next_id: u64,
    failures: u32,
    // Kept from step to step, so that planning and picking allocate nothing.
    plan: Plan,
    copies: Vec<Copy>,
    inputs: Vec<Option<DecodeInput>>,
    guesses: Vec<Vec<u32>>,
    scratch: Scratch,
    gone: Vec<SeqId>,
}

impl Worker {
    pub(super) fn new(parts: Parts, shared: Arc<Shared>, inbox: mpsc::Receiver<Submission>) -> Worker {
        let Parts { model, index, tokenizer, eos } = parts;
        // The handle has counted already; what it lets in, the scheduler takes.
        let limits = Limits { max_waiting: shared.limits.max_waiting + shared.limits.slots, ..shared.limits };
        Worker {
            model,
            index,
            tokenizer,
            eos,
            shared,
            inbox,
            scheduler: Scheduler::new(limits),
            worth: Worth::default(),
            live: HashMap::new(),
            leaving: Vec::new(),
            next_id: 0,
            failures: 0,
            plan: Plan::default(),
            copies: Vec::new(),
            inputs: Vec::new(),
            guesses: Vec::new(),
            scratch: Scratch::default(),
            gone: Vec::new(),
        }
    }

    /// Runs until every handle is gone or the runtime is broken.
    pub(super) fn run(mut self) {
        // Whatever ends this thread, a panic too, leaves its reason for the health page.
        let ended =
            EndNote { shared: Arc::clone(&self.shared), reason: Some("the engine thread panicked".into()) };
        let reason = self.serve();
        self.see_off();
        ended.write(reason);
    }

    /// Slow readers get what is theirs before the thread goes, if they take it soon.
    fn see_off(&mut self) {
        let began = Instant::now();
        while !self.leaving.is_empty() && began.elapsed() < LAST_CALL {
            std::thread::sleep(SLOW_READER_POLL);
            self.leaving.retain_mut(|outbox| outbox.flush() == Flushed::Later);
        }
    }

    fn serve(&mut self) -> String {
        loop {
            if !self.take_commands() {
                return "the engine was told to stop".into();
            }
            self.drop_the_gone();
            self.leaving.retain_mut(|outbox| outbox.flush() == Flushed::Later);
            let mut plan = std::mem::take(&mut self.plan);
            let result = self.admit().and_then(|()| {
                self.scheduler.plan(&mut plan);
                self.step(&plan)
            });
            self.plan = plan;
            match result {
                Ok(()) => self.failures = 0,
                Err(e) => {
                    self.fail_all(&e);
                    self.failures += 1;
                    if self.failures >= MAX_FAILURES {
                        return format!("{MAX_FAILURES} steps in a row failed, the last one so: {e}");
                    }
                }
            }
            self.report();
        }
    }

    /// Takes what has come in; waits when there is nothing else to do. False when no handle is left.
    fn take_commands(&mut self) -> bool {
        if self.scheduler.is_empty() {
            let first = if self.leaving.is_empty() {
                self.inbox.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                self.inbox.recv_timeout(SLOW_READER_POLL)
            };
            match first {
                Ok(submission) => self.take_in(submission),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match self.inbox.try_recv() {
                Ok(submission) => self.take_in(submission),
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return !self.live.is_empty(),
            }
        }
    }

    fn take_in(&mut self, submission: Submission) {
        self.shared.metrics.requests.inc();
        let mut live = match Detokenizer::new(Arc::clone(&self.tokenizer), &submission.request.prompt) {
            Ok(detokenizer) => Live::new(submission, detokenizer),
            Err(e) => {
                let mut outbox = Outbox::new(submission.events);
                outbox.fail(e.to_string());
                return self.leave(outbox);
            }
        };
        self.next_id += 1;
        let id = SeqId(self.next_id);
        match self.scheduler.submit(id, live.prompt(), self.index.peek(&live.keys)) {
            Ok(_) => {
                self.live.insert(id, live);
            }
            Err(refusal) => {
                live.outbox.fail(refusal.to_string());
                self.leave(live.outbox);
            }
        }
    }

    /// Removes sequences whose reader has gone away.
    fn drop_the_gone(&mut self) {
        self.gone.extend(self.live.iter().filter(|(_, live)| live.outbox.is_closed()).map(|(id, _)| *id));
        for id in std::mem::take(&mut self.gone) {
            self.scheduler.remove(id);
            self.live.remove(&id);
            self.shared.metrics.cancelled.inc();
        }
    }

    /// Gives rows to those whose turn has come, and each what the prefix pool has of its prompt.
    fn admit(&mut self) -> Result<(), EngineError> {
        while let Some(admission) = self.scheduler.next_admission() {
            let live = self.live.get_mut(&admission.id).ok_or_else(unknown)?;
            live.started.get_or_insert_with(Instant::now);
            if admission.release {
                self.model.release(admission.slot);
            }
            self.index.find(&live.keys, admission.tokens, &mut self.copies);
            for copy in &self.copies {
                self.model.restore(admission.slot, copy.start, copy.block)?;
            }
            let restored = self.copies.len() * BLOCK;
            if live.generated() == 0 {
                live.cached = restored;
                self.shared.metrics.prompt_admitted(admission.tokens, restored);
            }
            if restored > 0 {
                self.scheduler.restored(admission.id, restored);
            }
        }
        Ok(())
    }

    fn step(&mut self, plan: &Plan) -> Result<(), EngineError> {
        self.shared.metrics.preempted.inc_by(plan.preempted.len() as u64);
        for m in &plan.moves {
            self.model.move_row(m.from, m.to, m.tokens)?;
        }
        for slot in &plan.releases {
            self.model.release(*slot);
        }
        for chunk in &plan.prefill {
            self.prefill(chunk)?;
        }
        if plan.decode.is_empty() {
            return Ok(());
        }
        self.decode(&plan.decode)
    }

    fn prefill(&mut self, chunk: &Chunk) -> Result<(), EngineError> {
        let began = Instant::now();
        let live = self.live.get_mut(&chunk.id).ok_or_else(unknown)?;
        let end = chunk.start + chunk.count;
        // A sequence that had lost its row goes on where it was: the token that comes next is known.
        let picks = chunk.last && live.generated() == 0;
        let wanted = if picks { LogitsWanted::Last } else { LogitsWanted::None };
        let tokens = &live.tokens[chunk.start..end];
        let logits = self.model.prefill(chunk.slot, chunk.start, tokens, live.adapter, wanted)?;
        let took = began.elapsed();
        self.shared.metrics.prefill_step(chunk.count, took);
        self.scheduler.prefill_took(chunk.count, took.as_micros() as u64);
        self.scheduler.prefilled(chunk.id, chunk.count);
        let ended = if picks {
            let room = self.scheduler.limits().capacity - end;
            Some(live.advance(logits, &mut self.scratch, &self.eos, room)?)
        } else {
            None
        };
        self.keep(chunk.id, chunk.slot, end)?;
        if let Some(ended) = ended {
            self.after_tokens(chunk.id, 1, ended);
        }
        Ok(())
    }

    /// Puts the first `held` tokens of a row into the prefix pool, as far as they are not there and may be kept.
    fn keep(&mut self, id: SeqId, slot: usize, held: usize) -> Result<(), EngineError> {
        let live = self.live.get_mut(&id).ok_or_else(unknown)?;
        live.name_blocks(held);
        self.index.insert(&live.keys, held, &mut self.copies);
        for copy in &self.copies {
            self.model.save(slot, copy.start, copy.block)?;
        }
        Ok(())
    }

    fn decode(&mut self, rows: &[Option<DecodeRow>]) -> Result<(), EngineError> {
        let began = Instant::now();
        let guessed = self.guess(rows);
        let vocab = self.model.vocab();
        let logits = if guessed == 0 {
            self.inputs.clear();
            for row in rows {
                let input = row.and_then(|row| {
                    let live = self.live.get(&row.id)?;
                    Some(DecodeInput { token: live.next(), past: row.past, adapter: live.adapter })
                });
                self.inputs.push(input);
            }
            self.model.decode(&self.inputs)?
        } else {
            let inputs = rows.iter().zip(&self.guesses).map(|(row, tokens)| {
                let row = (*row)?;
                let adapter = self.live.get(&row.id)?.adapter;
                Some(VerifyInput { tokens, past: row.past, adapter })
            });
            self.model.verify(&inputs.collect::<Vec<_>>())?
        };
        let took = began.elapsed();
        let computed = rows.iter().flatten().count();
        let micros = took.as_micros() as u64;
        if guessed == 0 {
            self.scheduler.decode_took(rows.len(), micros);
        } else {
            let widest = self.guesses[..rows.len()].iter().map(Vec::len).max().unwrap_or(1);
            self.scheduler.verify_took(widest * rows.len(), micros);
        }
        let mut logits = logits.chunks_exact_mut(vocab);
        let mut done = Vec::with_capacity(computed);
        for (slot, row) in rows.iter().enumerate() {
            let Some(row) = row else {
                // A plain run has logits for idle rows too.
                if guessed == 0 {
                    logits.next();
                }
                continue;
            };
            let guess: &[u32] =
                if guessed == 0 { &[] } else { self.guesses[slot].get(1..).unwrap_or_default() };
            let mut own = logits.by_ref().take(1 + guess.len());
            let live = self.live.get_mut(&row.id).ok_or_else(unknown)?;
            let (mut right, mut ended) = (0, false);
            for logits in own.by_ref() {
                let room = self.scheduler.decoded(row.id, 1);
                ended = live.advance(logits, &mut self.scratch, &self.eos, room)?;
                if ended || guess.get(right) != Some(&live.next()) {
                    break;
                }
                right += 1;
            }
            own.for_each(drop);
            if !guess.is_empty() {
                self.worth.learn(guess.len(), right);
                self.shared.metrics.guessed(guess.len(), right);
            }
            done.push((row.id, slot, row.past + 1 + right, right, ended));
        }
        self.shared.metrics.decode_step(computed, took);
        for (id, slot, held, right, ended) in done {
            if ended {
                self.keep(id, slot, held)?;
            }
            self.after_tokens(id, 1 + right, ended);
        }
        Ok(())
    }

    /// Guesses what follows in each row, where that pays. Gives the number of guessed tokens; then `guesses` holds for each row its
    /// next token and the guessed ones.
    fn guess(&mut self, rows: &[Option<DecodeRow>]) -> usize {
        let computed = rows.iter().flatten().count();
        let most = self.model.verify_tokens() / rows.len().max(1);
        if most < 2 || computed == 0 {
            return 0;
        }
        self.guesses.resize_with(rows.len().max(self.guesses.len()), Vec::new);
        let (mut guessed, mut widest) = (0, 0);
        for (row, guess) in rows.iter().zip(&mut self.guesses) {
            guess.clear();
            let Some(live) = row.and_then(|row| self.live.get_mut(&row.id)) else { continue };
            let spare = row.map_or(0, |row| row.spare).min(most - 1).min(live.left());
            live.lookup.guess(&live.tokens, spare, guess);
            guess.insert(0, live.next());
            guessed += guess.len() - 1;
            widest = widest.max(guess.len());
        }
        // Rows are padded to the widest one.
        let with = self.scheduler.verify_cost(widest * rows.len());
        let pays = self.worth.pays(computed, guessed, self.scheduler.decode_cost(rows.len()), with);
        if pays { guessed } else { 0 }
    }

    /// Sends out what `count` tokens brought and, when the last one was among them, lets the sequence go.
    fn after_tokens(&mut self, id: SeqId, count: usize, ended: bool) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let now = Instant::now();
        match live.last_token.replace(now) {
            None => self.shared.metrics.first_token(now - live.arrived),
            Some(before) => self.shared.metrics.next_tokens(count, now - before),
        }
        if !ended {
            // A reader that is gone is met before the next step, one that is slow gets more at once later.
            live.outbox.flush();
            return;
        }
        self.scheduler.remove(id);
        if let Some(live) = self.live.remove(&id) {
            self.shared.metrics.finished(live.prompt(), live.generated());
            if let Some(time) = live.service_time() {
                self.learn_service_time(time);
            }
            self.leave(live.outbox);
        }
    }

    fn leave(&mut self, mut outbox: Outbox) {
        if outbox.flush() == Flushed::Later {
            self.leaving.push(outbox);
        }
    }

    fn learn_service_time(&self, time: Duration) {
        let new = time.as_micros() as u64;
        let mean = match self.shared.mean_service.load(Ordering::Relaxed) {
            0 => new,
            old => (old * 7 + new) / 8,
        };
        self.shared.mean_service.store(mean, Ordering::Relaxed);
    }

    /// A step failed: what stands in the slab is not to be trusted, so every sequence ends.
    fn fail_all(&mut self, error: &EngineError) {
        tracing::error!(%error, sequences = self.live.len(), "a step failed; its sequences end");
        self.shared.metrics.failed_steps.inc();
        for (id, mut live) in std::mem::take(&mut self.live) {
            self.scheduler.remove(id);
            live.outbox.fail(format!("the answer broke off: {error}"));
            self.leave(live.outbox);
        }
    }

    fn report(&self) {
        self.shared.running.store(self.scheduler.running(), Ordering::Relaxed);
        self.shared.metrics.running.set(self.scheduler.running() as i64);
        self.shared.metrics.waiting.set(self.scheduler.waiting() as i64);
        self.shared.metrics.held_tokens.set(self.scheduler.held() as i64);
        self.shared.metrics.pool_blocks.set(self.index.len() as i64);
    }
}

fn unknown() -> EngineError {
    EngineError::Forward(ForwardError::Shape("the plan names a sequence that is not there".into()))
}

/// Writes down why the thread ended, even when it panics.
struct EndNote {
    shared: Arc<Shared>,
    reason: Option<String>,
}

impl EndNote {
    fn write(mut self, reason: String) {
        self.reason = Some(reason);
    }
}

impl Drop for EndNote {
    fn drop(&mut self) {
        let mut ended = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended = self.reason.take();
    }
}
