//! The engine: one thread that owns the model and the scheduler, and a handle that anyone may hold.
//!
//! ```text
//!   handle.submit ──(commands)──▶ engine thread ──(bounded events, one channel a request)──▶ stream
//!        │                          │  loop: take commands · drop those whose stream is gone ·
//!        └ refuses at once when     │        plan · move · prefill · decode · pick · give out text
//!          too many are in flight   └ owns Forward, Scheduler, samplers, detokenizers; nobody else touches them
//! ```
//!
//! A request ends when it is done, when a step fails, or when its [`EventStream`] is dropped: the thread looks before
//! each step, so a cancelled request costs at most the step that runs. A slow reader costs nothing but its own delay:
//! when its channel is full, text is kept and joined, and the thread goes on.
//!
//! Deliberately absent: HTTP, prompts, JSON. Those are [`crate::server`]'s.

mod live;
#[cfg(test)]
mod tests;
mod worker;

use crate::adapters::AdapterLease;
use crate::constraint::Constraint;
use crate::error::{EngineError, SubmitError};
use crate::forward::Forward;
use crate::metrics::Metrics;
use crate::prefix::PrefixIndex;
use crate::sampler::{Logprob, Settings};
use crate::scheduler::Limits;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokenizers::Tokenizer;
use tokio::sync::mpsc as events;

/// Events that may wait in a request's channel before they are joined into one.
const CHANNEL: usize = 64;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Request {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// Most tokens to generate; the row's length is a limit anyway.
    pub max_tokens: Option<usize>,
    /// How tokens are picked.
    pub sampling: Settings,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// The adapter to answer with.
    pub adapter: AdapterLease,
    /// With whom the computed prompt may be shared.
    pub scope: CacheScope,
    /// The form that the answer is held to.
    pub constraint: Option<Constraint>,
}

/// With whom the keys and values of a prompt may be shared: whoever asks with a prompt that begins alike gets its first
/// token sooner, and so could tell that somebody has asked this before. Therefore only what is everybody's is shared with everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheScope {
    /// So many tokens at the beginning are the same for everyone who asks (the policy).
    pub shared: usize,
    /// Who may share the rest; `None` keeps it out of the cache.
    pub private: Option<u64>,
}

/// A token whose log probability was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredToken {
    /// The token.
    pub token: u32,
    /// Its log probability and alternatives.
    pub logprob: Logprob,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended its turn, or a stop text came.
    Stop,
    /// `max_tokens` or the row's length was reached.
    Length,
}

/// What a request's stream gives out.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// More of the answer.
    Piece {
        /// The text; whole characters, never a part of a stop text. May be empty when tokens came without text.
        text: String,
        /// The tokens behind it, when log probabilities were asked for.
        scored: Vec<ScoredToken>,
    },
    /// The last event of an answer that ended well.
    Done {
        /// Why it ended.
        finish: Finish,
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens generated.
        completion_tokens: usize,
        /// Tokens of the prompt that did not have to be computed.
        cached_tokens: usize,
    },
    /// The last event of one that did not.
    Failed(String),
}

/// The answer to a request. Dropping it cancels the request.
#[derive(Debug)]
pub struct EventStream {
    events: events::Receiver<Event>,
}

impl EventStream {
    /// The next event; `None` after the last one, or when the engine died.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The same for callers without an async runtime.
    pub fn next_blocking(&mut self) -> Option<Event> {
        self.events.blocking_recv()
    }
}

/// What the engine is started with.
pub struct EngineOptions {
    /// Sizes of the scheduler. `max_waiting` is what the handle refuses by.
    pub limits: Limits,
    /// Turns tokens into text.
    pub tokenizer: Arc<Tokenizer>,
    /// Tokens that end a turn.
    pub eos: Vec<u32>,
    /// Blocks of the prefix pool that the model has.
    pub blocks: usize,
    /// Where to count.
    pub metrics: Arc<Metrics>,
}

/// A handle to a running engine; clones are the same engine. The thread ends when the last handle is gone.
#[derive(Clone)]
pub struct Engine {
    commands: mpsc::Sender<Submission>,
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// A request on its way to the thread.
struct Submission {
    request: Request,
    events: events::Sender<Event>,
    place: InFlight,
}

/// What handle and thread both look at.
struct Shared {
    limits: Limits,
    metrics: Arc<Metrics>,
    in_flight: AtomicUsize,
    running: AtomicUsize,
    /// Moving mean of how long a request holds a slot, in microseconds; 0 while unknown.
    mean_service: AtomicU64,
    /// Why the thread ended.
    ended: Mutex<Option<String>>,
}

/// Counts a request as long as it lives.
struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine {
    /// Starts the thread. `model` comes from [`crate::runner::OrtRunner::open`], or from a test.
    pub fn start(model: Box<dyn Forward>, options: EngineOptions) -> Result<Engine, EngineError> {
        let shared = Arc::new(Shared {
            limits: options.limits,
            metrics: options.metrics,
            in_flight: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            mean_service: AtomicU64::new(0),
            ended: Mutex::new(None),
        });
        let (commands, inbox) = mpsc::channel();
        let index = PrefixIndex::new(options.blocks);
        let parts = worker::Parts { model, index, tokenizer: options.tokenizer, eos: options.eos };
        let worker = worker::Worker::new(parts, Arc::clone(&shared), inbox);
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || worker.run())
            .map_err(|source| EngineError::Thread { what: "the engine", source })?;
        Ok(Engine { commands, shared, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Lets go of this handle, and waits until the thread has ended and the model's memory is free. It ends when the other
    /// handles are gone too and every request has.
    pub fn stop(self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(self);
        // An engine that panicked has left its reason already.
        let _ = thread.map(JoinHandle::join);
    }

    /// Takes a request in, or refuses it at once.
    pub fn submit(&self, request: Request) -> Result<EventStream, SubmitError> {
        let Limits { slots, capacity, max_waiting, .. } = self.shared.limits;
        match request.prompt.len() {
            0 => return Err(SubmitError::EmptyPrompt),
            prompt if prompt >= capacity => {
                return Err(SubmitError::ContextLength { prompt, most: capacity - 1 });
            }
            _ => {}
        }
        let before = self.shared.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = InFlight(Arc::clone(&self.shared));
        if before >= slots + max_waiting {
            self.shared.metrics.refused.inc();
            return Err(SubmitError::QueueFull {
                waiting: before - slots,
                retry_after_s: self.retry_after(),
            });
        }
        let (sender, events) = events::channel(CHANNEL);
        self.commands
            .send(Submission { request, events: sender, place })
            .map_err(|_| SubmitError::Stopped)?;
        Ok(EventStream { events })
    }

    /// Sequences in a slot.
    pub fn running(&self) -> usize {
        self.shared.running.load(Ordering::Relaxed)
    }

    /// Requests that wait for a slot.
    pub fn waiting(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed).saturating_sub(self.running())
    }

    /// The sizes it works within.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Why the thread has ended; `None` while it runs.
    pub fn ended(&self) -> Option<String> {
        self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Seconds until a queue that is full now may have room: one slot's mean service time, shared by the slots.
    fn retry_after(&self) -> u32 {
        let mean = Duration::from_micros(self.shared.mean_service.load(Ordering::Relaxed));
        let a_slot_frees = mean.as_secs_f64() / self.shared.limits.slots.max(1) as f64;
        a_slot_frees.ceil().clamp(1.0, 60.0) as u32
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}
