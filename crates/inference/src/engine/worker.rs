//! The thread: the step loop.

use super::live::{Flushed, Live, Outbox};
use super::{Shared, Submission};
use crate::detokenize::Detokenizer;
use crate::error::EngineError;
use crate::forward::{DecodeInput, Forward, ForwardError, LogitsWanted};
use crate::sampler::Scratch;
use crate::scheduler::{Limits, Plan, Scheduler, SeqId};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokenizers::Tokenizer;

/// How long to wait for commands while only slow readers are left to serve.
const SLOW_READER_POLL: Duration = Duration::from_millis(10);

/// So many failed steps in a row end the engine: the runtime is broken, and a fresh process is the remedy.
const MAX_FAILURES: u32 = 3;

pub(super) struct Worker {
    model: Box<dyn Forward>,
    tokenizer: Arc<Tokenizer>,
    eos: Vec<u32>,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Submission>,
    scheduler: Scheduler,
    live: HashMap<SeqId, Live>,
    /// Ended sequences whose readers have not taken everything yet; their slots are free already.
    leaving: Vec<Outbox>,
    next_id: u64,
    failures: u32,
    // Kept from step to step, so that planning and picking allocate nothing.
    plan: Plan,
    inputs: Vec<Option<DecodeInput>>,
    scratch: Scratch,
    gone: Vec<SeqId>,
}

impl Worker {
    pub(super) fn new(
        model: Box<dyn Forward>,
        tokenizer: Arc<Tokenizer>,
        eos: Vec<u32>,
        shared: Arc<Shared>,
        inbox: mpsc::Receiver<Submission>,
    ) -> Worker {
        // The handle has counted already; what it lets in, the scheduler takes.
        let limits = Limits { max_waiting: shared.limits.max_waiting + shared.limits.slots, ..shared.limits };
        Worker {
            model,
            tokenizer,
            eos,
            shared,
            inbox,
            scheduler: Scheduler::new(limits),
            live: HashMap::new(),
            leaving: Vec::new(),
            next_id: 0,
            failures: 0,
            plan: Plan::default(),
            inputs: Vec::new(),
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
        ended.write(reason);
    }

    fn serve(&mut self) -> String {
        loop {
            if !self.take_commands() {
                return "the engine was told to stop".into();
            }
            self.drop_the_gone();
            self.leaving.retain_mut(|outbox| outbox.flush() == Flushed::Later);
            let mut plan = std::mem::take(&mut self.plan);
            self.scheduler.plan(&mut plan);
            let result = if plan.is_idle() { Ok(()) } else { self.step(&plan) };
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
        match self.scheduler.submit(id, live.prompt.len()) {
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

    fn step(&mut self, plan: &Plan) -> Result<(), EngineError> {
        for m in &plan.moves {
            self.model.move_row(m.from, m.to, m.tokens)?;
        }
        if let Some(chunk) = plan.prefill {
            let began = Instant::now();
            let live = self.live.get_mut(&chunk.id).ok_or_else(unknown)?;
            live.started.get_or_insert(began);
            let tokens = &live.prompt[chunk.start..chunk.start + chunk.count];
            let wanted = if chunk.last { LogitsWanted::Last } else { LogitsWanted::None };
            let logits = self.model.prefill(chunk.slot, chunk.start, tokens, live.adapter, wanted)?;
            self.shared.metrics.prefill_step(chunk.count, began.elapsed());
            if self.scheduler.prefilled(chunk.id, chunk.count) {
                let room = self.scheduler.limits().capacity - live.prompt.len();
                let ended = live.advance(logits, &mut self.scratch, &self.eos, room)?;
                self.after_token(chunk.id, ended);
            }
        }
        if !plan.decode.is_empty() {
            let began = Instant::now();
            self.inputs.clear();
            for row in &plan.decode {
                let input = row.and_then(|row| {
                    let live = self.live.get(&row.id)?;
                    Some(DecodeInput { token: live.next, past: row.past, adapter: live.adapter })
                });
                self.inputs.push(input);
            }
            let vocab = self.model.vocab();
            let logits = self.model.decode(&self.inputs)?;
            let rows = plan.decode.iter().zip(logits.chunks_exact_mut(vocab));
            let mut ended = Vec::new();
            let mut computed = 0;
            for (row, logits) in rows {
                let Some(row) = row else { continue };
                let live = self.live.get_mut(&row.id).ok_or_else(unknown)?;
                let room = self.scheduler.decoded(row.id);
                computed += 1;
                if live.advance(logits, &mut self.scratch, &self.eos, room)? {
                    ended.push(row.id);
                }
            }
            self.shared.metrics.decode_step(computed, began.elapsed());
            for row in plan.decode.iter().flatten() {
                self.after_token(row.id, ended.contains(&row.id));
            }
        }
        Ok(())
    }

    /// Sends out what a token brought and, when it was the last one, lets the sequence go.
    fn after_token(&mut self, id: SeqId, ended: bool) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let now = Instant::now();
        match live.last_token.replace(now) {
            None => self.shared.metrics.first_token(now - live.arrived),
            Some(before) => self.shared.metrics.next_token(now - before),
        }
        if !ended {
            // A reader that is gone is met before the next step, one that is slow gets more at once later.
            live.outbox.flush();
            return;
        }
        self.scheduler.remove(id);
        if let Some(live) = self.live.remove(&id) {
            self.shared.metrics.finished(live.prompt.len(), live.generated());
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
