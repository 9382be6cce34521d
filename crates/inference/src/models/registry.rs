//! The door to the models: requests ask by name and wait, one thread loads and unloads.

use super::memory;
use super::residency::{Action, Candidate, Cost, Demand, Refused, Residency, State};
use super::serial::Serial;
use crate::embed::Embedder;
use crate::error::EngineError;
use crate::load::ChatModel;
use crate::rerank::Reranker;
use banyan_modelpack::Kind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often it is looked whether a busy model has become idle while somebody waits for its place.
const POLL: Duration = Duration::from_millis(20);

/// How long the thread sleeps when nobody waits; it is woken by whoever comes.
const LONG: Duration = Duration::from_secs(3600);

/// A model in memory.
#[derive(Clone)]
pub(crate) enum Loaded {
    Chat(Arc<ChatModel>),
    Embedding(Arc<Serial<Embedder>>),
    Reranker(Arc<Serial<Reranker>>),
}

impl Loaded {
    /// Whether somebody uses it. The registry holds one reference itself.
    fn is_busy(&self) -> bool {
        match self {
            Loaded::Chat(model) => {
                Arc::strong_count(model) > 1 || model.engine.running() + model.engine.waiting() > 0
            }
            Loaded::Embedding(model) => Arc::strong_count(model) > 1 || model.is_busy(),
            Loaded::Reranker(model) => Arc::strong_count(model) > 1 || model.is_busy(),
        }
    }
}

/// A model of the box.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Seconds since 1970 when it was imported; 0 when unknown.
    pub(crate) created: u64,
    /// The most tokens it reads.
    pub(crate) context: usize,
    pub(crate) cost: Cost,
    pub(crate) pinned: bool,
}

/// Loads the model that is known under this number.
pub(crate) trait Loader: Send + Sync {
    fn load(&self, model: usize) -> Result<Loaded, EngineError>;
}

impl<F: Fn(usize) -> Result<Loaded, EngineError> + Send + Sync> Loader for F {
    fn load(&self, model: usize) -> Result<Loaded, EngineError> {
        self(model)
    }
}

/// Why a request does not get its model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("there is no model \"{asked}\" for this; the box has: {available}")]
    NoSuch { asked: String, available: String },
    #[error("there is no model on this box that {does}; import one with `banyan model import`")]
    NoneOfKind { does: &'static str },
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{waiting} requests are waiting for their models already; try again in a moment")]
    TooMany { waiting: usize },
}

/// All models.
pub(crate) struct Registry {
    known: Vec<Known>,
    loader: Box<dyn Loader>,
    started: Instant,
    inner: Mutex<Inner>,
    wake: Condvar,
    changed: watch::Sender<()>,
    max_waiting: usize,
}

struct Inner {
    residency: Residency,
    loaded: Vec<Option<Loaded>>,
    /// Requests that wait for each model.
    awaited: Vec<usize>,
    closed: bool,
}

/// What the thread does outside the lock.
enum Work {
    Load(usize),
    Unload(usize, Option<Loaded>),
    Tell,
}

/// A model as it is now, for lists.
pub(crate) struct View<'a> {
    pub(crate) known: &'a Known,
    pub(crate) state: State,
    pub(crate) loaded: Option<Loaded>,
}

impl Registry {
    /// Nothing is loaded yet: [`Registry::settle`] loads what is pinned, [`Registry::keep`] goes on with it.
    pub(crate) fn new(
        budget: Cost,
        known: Vec<Known>,
        loader: Box<dyn Loader>,
        max_waiting: usize,
    ) -> Registry {
        let candidates = known.iter().map(|model| Candidate {
            name: model.name.clone(),
            cost: model.cost,
            pinned: model.pinned,
        });
        Registry {
            inner: Mutex::new(Inner {
                residency: Residency::new(budget, candidates.collect()),
                loaded: known.iter().map(|_| None).collect(),
                awaited: vec![0; known.len()],
                closed: false,
            }),
            known,
            loader,
            started: Instant::now(),
            wake: Condvar::new(),
            changed: watch::Sender::new(()),
            max_waiting,
        }
    }

    /// The chat model of this name; empty is the default one. Waits while it is loaded.
    pub(crate) async fn chat(&self, name: &str) -> Result<Arc<ChatModel>, Unavailable> {
        match self.obtain(Kind::Decoder, name).await? {
            Loaded::Chat(model) => Ok(model),
            _ => Err(Unavailable::NoneOfKind { does: does(Kind::Decoder) }),
        }
    }

    /// The embedding model of this name, as [`Registry::chat`].
    pub(crate) async fn embedding(&self, name: &str) -> Result<Arc<Serial<Embedder>>, Unavailable> {
        match self.obtain(Kind::Encoder, name).await? {
            Loaded::Embedding(model) => Ok(model),
            _ => Err(Unavailable::NoneOfKind { does: does(Kind::Encoder) }),
        }
    }

    /// The re-ranker of this name, as [`Registry::chat`].
    pub(crate) async fn reranker(&self, name: &str) -> Result<Arc<Serial<Reranker>>, Unavailable> {
        match self.obtain(Kind::Reranker, name).await? {
            Loaded::Reranker(model) => Ok(model),
            _ => Err(Unavailable::NoneOfKind { does: does(Kind::Reranker) }),
        }
    }

    async fn obtain(&self, kind: Kind, name: &str) -> Result<Loaded, Unavailable> {
        let model = self.number(Some(kind), name)?;
        self.wait_for(model, false).await
    }

    /// A steward loads a model: waits until it is there; a failure before is forgotten.
    pub(crate) async fn load(&self, name: &str) -> Result<(), Unavailable> {
        let model = self.number(None, name)?;
        self.wait_for(model, true).await.map(drop)
    }

    /// A steward unloads a model: waits until its requests have ended and its memory is given back.
    pub(crate) async fn unload(&self, name: &str) -> Result<(), Unavailable> {
        let model = self.number(None, name)?;
        let mut changed = self.changed.subscribe();
        self.lock().residency.unload(model)?;
        self.wake.notify_all();
        loop {
            changed.borrow_and_update();
            if !matches!(self.lock().residency.state(model), State::Draining { told: true }) {
                return Ok(());
            }
            if changed.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Waits for a model. Whoever stops waiting just drops the future.
    async fn wait_for(&self, model: usize, again: bool) -> Result<Loaded, Unavailable> {
        let mut changed = self.changed.subscribe();
        let mut place = None;
        let mut forgive = again;
        loop {
            changed.borrow_and_update();
            {
                let mut inner = self.lock();
                let now = self.started.elapsed();
                let there = match std::mem::take(&mut forgive) {
                    true => inner.residency.load(model, now)?,
                    false => inner.residency.want(model, now)?,
                };
                if let (true, Some(loaded)) = (there, &inner.loaded[model]) {
                    let loaded = loaded.clone();
                    drop(inner);
                    return Ok(loaded);
                }
                if place.is_none() {
                    place = Some(self.place(&mut inner, model)?);
                }
            }
            self.wake.notify_all();
            if changed.changed().await.is_err() {
                return Err(Unavailable::TooMany { waiting: 0 });
            }
        }
    }

    /// A place among those who wait for a model.
    fn place(&self, inner: &mut Inner, model: usize) -> Result<Place<'_>, Unavailable> {
        let waiting = inner.awaited.iter().sum();
        if waiting >= self.max_waiting.max(1) {
            return Err(Unavailable::TooMany { waiting });
        }
        inner.awaited[model] += 1;
        Ok(Place { registry: self, model })
    }

    /// The number of a name; an empty name is the first of the kind.
    fn number(&self, kind: Option<Kind>, name: &str) -> Result<usize, Unavailable> {
        let fits = |model: &&Known| kind.is_none_or(|kind| model.kind == kind);
        let found = self
            .known
            .iter()
            .position(|model| fits(&model) && (model.name == name || (name.is_empty() && kind.is_some())));
        found.ok_or_else(|| {
            let names: Vec<&str> = self.known.iter().filter(fits).map(|model| model.name.as_str()).collect();
            match kind {
                Some(kind) if names.is_empty() => Unavailable::NoneOfKind { does: does(kind) },
                _ => Unavailable::NoSuch {
                    asked: name.chars().take(80).collect(),
                    available: names.join(", "),
                },
            }
        })
    }

    /// Every model as it is now, in the order of the configuration: the first of a kind is its default.
    pub(crate) fn views(&self) -> Vec<View<'_>> {
        let inner = self.lock();
        let models = self.known.iter().enumerate();
        models
            .map(|(i, known)| View {
                known,
                state: inner.residency.state(i).clone(),
                loaded: inner.loaded[i].clone(),
            })
            .collect()
    }

    /// The default model of a kind, when it is in memory; nothing is loaded for it.
    pub(crate) fn default_chat(&self) -> Option<Arc<ChatModel>> {
        let first = self.known.iter().position(|model| model.kind == Kind::Decoder)?;
        match &self.lock().loaded[first] {
            Some(Loaded::Chat(model)) => Some(Arc::clone(model)),
            _ => None,
        }
    }

    /// What models may take, and what those in memory take.
    pub(crate) fn memory(&self) -> (Cost, Cost) {
        let inner = self.lock();
        (inner.residency.budget(), inner.residency.used())
    }

    /// Asks for everything that is pinned, and does what there is to do until there is nothing more.
    pub(crate) fn settle(&self) {
        for (i, model) in self.known.iter().enumerate().filter(|(_, model)| model.pinned) {
            let mut inner = self.lock();
            let asked = inner.residency.want(i, self.started.elapsed());
            if let Err(refused @ Refused::TooLarge { .. }) = asked {
                tracing::warn!(model = %model.name, %refused, "a model that should stay loaded does not fit");
                inner.residency.failed(i, refused.to_string());
            }
        }
        loop {
            let work = self.next(&mut self.lock());
            match work {
                Some(work) => self.perform(work),
                None => return,
            }
        }
    }

    /// Loads and unloads until the registry is closed.
    pub(crate) fn keep(&self) {
        loop {
            let work = {
                let mut inner = self.lock();
                loop {
                    if inner.closed {
                        return;
                    }
                    if let Some(work) = self.next(&mut inner) {
                        break work;
                    }
                    let sleep = if inner.residency.is_waited_for() { POLL } else { LONG };
                    let woken = self.wake.wait_timeout(inner, sleep);
                    inner = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
            };
            self.perform(work);
        }
    }

    /// Ends [`Registry::keep`].
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Looks after the engine threads. One that has ended by itself is taken out with its reason; when it is that of the
    /// default chat model, the reason is handed back, since only a fresh process helps then.
    pub(crate) fn broken(&self) -> Option<String> {
        let mut reason = None;
        let first = self.known.iter().position(|model| model.kind == Kind::Decoder);
        let mut inner = self.lock();
        for i in 0..self.known.len() {
            let Some(Loaded::Chat(model)) = &inner.loaded[i] else { continue };
            let Some(words) = model.engine.ended() else { continue };
            tracing::error!(model = %model.name, reason = %words, "an engine thread has ended by itself");
            inner.loaded[i] = None;
            inner.residency.failed(i, words.clone());
            self.changed.send_replace(());
            if Some(i) == first {
                reason = Some(words);
            }
        }
        drop(inner);
        self.wake.notify_all();
        reason
    }

    fn next(&self, inner: &mut Inner) -> Option<Work> {
        let Inner { residency, loaded, awaited, .. } = inner;
        let demand = |i: usize| Demand {
            running: loaded[i].as_ref().is_some_and(Loaded::is_busy),
            awaited: awaited[i] > 0,
        };
        Some(match residency.next(self.started.elapsed(), &demand)? {
            Action::Load(i) => Work::Load(i),
            Action::Tell => Work::Tell,
            Action::Unload(i) => Work::Unload(i, loaded[i].take()),
        })
    }

    fn perform(&self, work: Work) {
        let before = memory::resident();
        // Before a load, which takes long: models that were to make room may be there again for others.
        self.changed.send_replace(());
        match work {
            Work::Tell => return,
            Work::Load(i) => {
                let began = Instant::now();
                let outcome = self.loader.load(i);
                let mut inner = self.lock();
                match outcome {
                    Ok(loaded) => {
                        inner.loaded[i] = Some(loaded);
                        inner.residency.loaded(i);
                        drop(inner);
                        self.log("loaded", i, before, began.elapsed());
                    }
                    Err(e) => {
                        tracing::warn!(model = %self.known[i].name, error = %e, "a model could not be loaded");
                        inner.residency.failed(i, e.to_string());
                    }
                }
            }
            Work::Unload(i, loaded) => {
                let began = Instant::now();
                if let Some(Loaded::Chat(model)) = loaded
                    && let Some(model) = Arc::into_inner(model)
                {
                    model.engine.stop();
                }
                crate::runner::trim::give_back();
                self.lock().residency.unloaded(i);
                self.log("unloaded", i, before, began.elapsed());
            }
        }
        self.changed.send_replace(());
    }

    fn log(&self, what: &str, model: usize, before: u64, time: Duration) {
        let known = &self.known[model];
        tracing::info!(
            model = %known.name, estimated_mib = known.cost.memory >> 20, before_mib = before >> 20,
            after_mib = memory::resident() >> 20, ms = time.as_millis() as u64, "a model was {what}"
        );
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request among those who wait for a model as long as it lives. Never dropped under the lock.
struct Place<'a> {
    registry: &'a Registry,
    model: usize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.registry.lock().awaited[self.model] -= 1;
    }
}

fn does(kind: Kind) -> &'static str {
    match kind {
        Kind::Decoder => "can chat",
        Kind::Encoder => "makes embeddings",
        Kind::Reranker => "re-ranks",
    }
}
