//! The session of the graph with adapters: opened when the first adapter is loaded, closed when the last one leaves.
//!
//! It costs a few per cent of a single stream even when no row has an adapter; so it is there only while somebody may need
//! it, and runs without adapters go through the plain session beside it. On the CPU both share one copy of the weights.

use super::runs::Runs;
use super::weights::SharedWeights;
use super::{builder, check_contract, slab};
use crate::adapters::AdapterTable;
use crate::error::EngineError;
use crate::forward::ForwardError;
use crate::kv::Element;
use banyan_modelpack::graph::contract;
use ort::environment::Environment;
use ort::session::Session;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the session with adapters stands while there is one. The runner looks here for each run that needs it, so what
/// is put here is used from the next run on, and whoever puts it waits for the run under way.
#[derive(Clone)]
pub struct LoraPlace {
    runs: Arc<Mutex<Option<Runs>>>,
    /// Those of the plain session.
    weights: Option<Arc<SharedWeights>>,
}

impl LoraPlace {
    fn lock(&self) -> MutexGuard<'_, Option<Runs>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a session is there.
    pub fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Puts a session with its first table here.
    pub fn open(&self, session: LoraSession, table: Arc<AdapterTable>) {
        *self.lock() = Some(Runs::new(session.session, session.weights, Some(table)));
    }

    /// Puts another table in the place of the one that is here.
    pub fn exchange(&self, table: Arc<AdapterTable>) {
        if let Some(runs) = self.lock().as_mut() {
            runs.exchange(table);
        }
    }

    /// Takes session and table away.
    pub fn close(&self) {
        *self.lock() = None;
    }
}

/// The runner's side of the place. When the runner goes, nothing of its memory stays bound.
pub(super) struct Bindings(LoraPlace);

impl Bindings {
    pub(super) fn new(weights: Option<Arc<SharedWeights>>) -> Bindings {
        Bindings(LoraPlace { runs: Arc::default(), weights })
    }

    pub(super) fn place(&self) -> LoraPlace {
        self.0.clone()
    }

    /// Runs with adapters.
    pub(super) fn with(
        &self,
        run: impl FnOnce(&mut Runs) -> Result<(), ForwardError>,
    ) -> Result<(), ForwardError> {
        match self.0.lock().as_mut() {
            Some(runs) => run(runs),
            None => Err(ForwardError::Shape("a row has an adapter, and none is loaded".into())),
        }
    }
}

impl Drop for Bindings {
    fn drop(&mut self) {
        if let Some(runs) = self.0.lock().as_mut() {
            runs.unbind();
        }
    }
}

/// An opened session of a graph with adapters.
pub struct LoraSession {
    session: Session,
    weights: Option<Arc<SharedWeights>>,
}

/// How the session with adapters is opened.
#[derive(Clone)]
pub struct LoraSource {
    /// The process's environment.
    pub environment: Environment,
    /// The model's name, for messages.
    pub model: String,
    /// The graph.
    pub graph: PathBuf,
    /// As for the plain graph.
    pub provider: String,
    /// As for the plain graph.
    pub threads: usize,
    /// As for the plain graph.
    pub spin: bool,
    /// Layers of the model.
    pub layers: usize,
    /// How the plain graph keeps keys and values, as the memory is the same.
    pub element: Element,
}

impl LoraSource {
    /// Opens it, to stand at the place; takes a second or more.
    pub fn open(&self, place: &LoraPlace) -> Result<LoraSession, EngineError> {
        let contract = |reason: String| EngineError::Contract { model: self.model.clone(), reason };
        let builder = builder(&self.environment, &self.provider, self.threads, self.spin);
        let builder = builder.and_then(|builder| match &place.weights {
            Some(weights) => weights.give(builder),
            None => Ok(builder),
        });
        let session = builder.and_then(|mut builder| builder.commit_from_file(&self.graph));
        let session = session.map_err(|e| EngineError::Session {
            model: self.model.clone(),
            provider: self.provider.clone(),
            reason: e.to_string(),
        })?;
        check_contract(&session, &self.model, self.layers)?;
        if !session.inputs().iter().any(|input| input.name() == contract::ADAPTER_IDX) {
            return Err(contract(format!("its graph has no input \"{}\"", contract::ADAPTER_IDX)));
        }
        if slab::element_of(&session, &contract::past_k(0)) != Some(self.element) {
            return Err(contract(format!("its keys and values are not kept as {:?}", self.element)));
        }
        Ok(LoraSession { session, weights: place.weights.clone() })
    }
}
