//! The engines that answer: the box's own, and others that the settings name (a second box, vLLM, llama.cpp's server).
//!
//! * [`Engines`] knows how each one is, and gives out [`Lease`]s: places in the least loaded one.
//! * `pool` decides; it is a plain state machine. `watch` looks at the engines, `fault` reads what a failure means.
//!
//! Promises, each held by a property test: no engine gets more than its places; none that is away gets anything; the
//! load is even in proportion to the places; an engine that is back gets work again, one question first.
//!
//! Deliberately absent: whose turn it is (the queue knows), and asking again (the answer does, as it knows what was said).

mod fault;
mod pool;
#[cfg(test)]
mod tests;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_openai::{BearerKey, ChatRequest, Client, ClientError, EngineAddress, Maker};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch as change};
use tokio::time::Instant;

pub(crate) use self::pool::EngineId;
pub use self::pool::EngineState;
use self::pool::{Place, Pool};
use crate::Patience;

/// What the box's own engine is called.
pub const OWN_ENGINE: &str = "this box";

/// An engine as the settings name it.
#[derive(Debug, Clone)]
pub struct EngineSpec {
    /// What stewards call it.
    pub name: String,
    /// Where it listens.
    pub address: EngineAddress,
    /// The key that it wants.
    pub api_key: Option<BearerKey>,
    /// The most questions that it gets at the same time; absent means what it says itself.
    pub slots: Option<usize>,
    /// Its name for the model that answers members; absent means the first that it lists.
    pub model: Option<String>,
}

impl EngineSpec {
    /// The box's own engine.
    pub fn own(socket: impl Into<PathBuf>) -> Self {
        let address = EngineAddress::Unix(socket.into());
        Self { name: OWN_ENGINE.into(), address, api_key: None, slots: None, model: None }
    }
}

/// How an engine is, for pages and commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineView {
    /// What stewards call it.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// Whether it gets questions.
    pub state: EngineState,
    /// The most questions that it gets at the same time.
    pub slots: usize,
    /// The questions that it has now.
    pub in_flight: usize,
    /// Why it is not ready.
    #[serde(default)]
    pub reason: Option<String>,
}

/// All engines. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Engines {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The first one's; without any, a client that finds nobody.
    own: Client,
    engines: Vec<Engine>,
    pool: Mutex<Pool>,
    changes: change::Sender<u64>,
    /// Between two looks at an engine that may be back at any moment.
    soon: Duration,
}

#[derive(Debug)]
struct Engine {
    name: String,
    client: Client,
    model: Option<String>,
    known: Mutex<Option<Known>>,
    wake: Arc<Notify>,
}

/// What an engine said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    maker: Maker,
    model: Option<String>,
    /// The most tokens of prompt and answer together; 0 where it does not say.
    context: u32,
}

impl Engines {
    /// The first is the box's own. Nothing is connected yet.
    pub(crate) fn new(specs: Vec<EngineSpec>, patience: &Patience) -> Self {
        let pool = Pool::new(specs.iter().map(|spec| spec.slots));
        let engines: Vec<Engine> = specs
            .into_iter()
            .map(|spec| Engine {
                name: spec.name,
                client: Client::at(spec.address, spec.api_key).with_patience(patience.sign_of_life),
                model: spec.model,
                known: Mutex::new(None),
                wake: Arc::new(Notify::new()),
            })
            .collect();
        let own = engines.first().map_or_else(|| Client::new(""), |engine| engine.client.clone());
        let (changes, _) = change::channel(pool.version());
        let shared = Shared { own, engines, pool: Mutex::new(pool), changes, soon: patience.look };
        Self { shared: Arc::new(shared) }
    }

    /// Begins to look how each engine is: every few seconds, and at once after a failure. Until then none is ready.
    /// Needs a runtime; ends by itself with the last handle.
    pub(crate) fn spawn_watch(&self) {
        for (index, engine) in self.shared.engines.iter().enumerate() {
            let shared = Arc::downgrade(&self.shared);
            tokio::spawn(watch::watch(shared, EngineId(index), engine.wake.clone(), self.shared.soon));
        }
    }

    /// Free places over the engines that are ready.
    pub(crate) fn free(&self) -> usize {
        self.shared.pool().free()
    }

    /// Places over the engines that are ready; 0 while none is.
    pub(crate) fn capacity(&self) -> usize {
        self.shared.pool().capacity()
    }

    /// Resolves at the next change of places or health after this call, not after the first poll: make it, look, and
    /// wait for it if there is nothing.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = self.shared.changes.subscribe();
        async move {
            // An error means that the engines are gone, and with them whoever waits.
            let _ = changes.changed().await;
        }
    }

    /// A place in the least loaded engine that is ready and not to be avoided. It counts while the lease lives.
    pub(crate) fn lease(&self, avoid: &[EngineId]) -> Option<Lease> {
        let place = self.shared.change(|pool| pool.lease(avoid))?;
        Some(Lease { shared: self.shared.clone(), place })
    }

    /// Whether any engine is ready that is not to be avoided, be it full.
    pub(crate) fn is_any_ready(&self, avoid: &[EngineId]) -> bool {
        self.shared.pool().is_any_ready(avoid)
    }

    /// Engines that cannot answer as the model of this name: all but the own one, unless nothing is asked for, or what
    /// members are answered with anyway. Adapters are the own engine's alone.
    pub(crate) fn without(&self, model: &str) -> Vec<EngineId> {
        let own_model = self.own_model();
        if model.is_empty() || own_model.as_deref() == Some(model) {
            return Vec::new();
        }
        let others = self.shared.engines.iter().enumerate().skip(1);
        others
            .filter(|(_, engine)| engine.model_name().as_deref() != Some(model))
            .map(|(index, _)| EngineId(index))
            .collect()
    }

    /// What the box's own engine answers as when nothing is asked for.
    pub(crate) fn own_model(&self) -> Option<String> {
        self.shared.engines.first().and_then(Engine::known).and_then(|known| known.model)
    }

    /// The box's own engine: for embeddings and whatever else only it can do.
    pub(crate) fn own(&self) -> &Client {
        &self.shared.own
    }

    /// How each engine is, the box's own first.
    pub(crate) fn views(&self) -> Vec<EngineView> {
        let pool = self.shared.pool();
        let engines = self.shared.engines.iter().zip(pool.entries());
        engines
            .map(|(engine, entry)| EngineView {
                name: engine.name.clone(),
                address: engine.client.address().to_string(),
                state: entry.state,
                slots: entry.slots,
                in_flight: entry.in_flight,
                reason: entry.reason.clone(),
            })
            .collect()
    }
}

impl Engine {
    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn model_name(&self) -> Option<String> {
        self.model.clone().or_else(|| self.known()?.model)
    }
}

impl Shared {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the pool, and tells whoever waits when there is something to tell.
    fn change<T>(&self, change: impl FnOnce(&mut Pool) -> T) -> T {
        let mut pool = self.pool();
        let result = change(&mut pool);
        let version = pool.version();
        drop(pool);
        self.changes.send_if_modified(|seen| std::mem::replace(seen, version.max(*seen)) < version);
        result
    }

    fn learn(&self, id: EngineId, known: Known) {
        *self.engines[id.0].known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for engine in &self.engines {
            engine.wake.notify_one();
        }
    }
}

/// A place in an engine; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    shared: Arc<Shared>,
    place: Place,
}

impl Lease {
    /// Which engine it is.
    pub(crate) fn id(&self) -> EngineId {
        self.place.id
    }

    /// The engine's client.
    pub(crate) fn client(&self) -> &Client {
        &self.engine().client
    }

    /// The most tokens of prompt and answer together, where the engine said so.
    pub(crate) fn context_length(&self) -> Option<u32> {
        self.engine().known().map(|known| known.context).filter(|context| *context > 0)
    }

    /// Makes a question one that this engine understands: the model by the engine's own name, and no field that it has
    /// never heard of. The own engine gets it as it is.
    pub(crate) fn fit(&self, request: &mut ChatRequest) {
        if self.is_own() {
            return;
        }
        request.model = self.engine().model_name().unwrap_or_default();
        request.shared_messages = None;
        if !self.knows_cache_salt() {
            request.cache_salt = None;
        }
    }

    /// The same for a question that is passed on as JSON.
    pub(crate) fn fit_json(&self, request: &mut Map<String, Value>) {
        if self.is_own() {
            return;
        }
        match self.engine().model_name() {
            Some(name) => drop(request.insert("model".into(), name.into())),
            None => drop(request.remove("model")),
        }
        request.remove("shared_messages");
        if !self.knows_cache_salt() {
            request.remove("cache_salt");
        }
    }

    /// The first words came. Say so at once: an engine that was away gets more than one question only then.
    pub(crate) fn answered(&self) {
        if self.shared.change(|pool| pool.answered(&self.place)) {
            tracing::info!(engine = self.engine().name, "an engine that was away answers again");
        }
    }

    /// The question failed here. Gives whether there is another engine that may answer it; so long as nothing was said, it
    /// may be asked.
    pub(crate) fn failed(&self, error: &ClientError) -> bool {
        if let Some(fault) = fault::fault(error, self.is_own()) {
            let now = Instant::now();
            if self.shared.change(|pool| pool.failed(&self.place, now, fault)) {
                tracing::warn!(engine = self.engine().name, reason = %error, "a question failed by an engine's fault");
                self.engine().wake.notify_one();
            }
        }
        self.may_be_answered_elsewhere(error)
    }

    /// Whether there is another engine that may answer what this one did not.
    pub(crate) fn may_be_answered_elsewhere(&self, error: &ClientError) -> bool {
        self.shared.engines.len() > 1 && fault::another_may_do_better(error, self.is_own())
    }

    fn engine(&self) -> &Engine {
        &self.shared.engines[self.place.id.0]
    }

    fn is_own(&self) -> bool {
        self.place.id == EngineId(0)
    }

    /// vLLM invented it, and another box combines it with the key that it is asked with.
    fn knows_cache_salt(&self) -> bool {
        self.engine().known().is_some_and(|known| matches!(known.maker, Maker::Banyan | Maker::Vllm))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.change(|pool| pool.release(&self.place));
    }
}
