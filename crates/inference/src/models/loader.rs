//! From the configuration to the registry: what is known, what it takes, what stays, and how it is loaded.

use super::memory;
use super::registry::{Known, Loaded, Loader, Registry};
use super::residency::Cost;
use super::serial::Serial;
use crate::config::EngineConfig;
use crate::decoder::kv_budget;
use crate::error::EngineError;
use crate::load;
use crate::metrics::Metrics;
use banyan_modelpack::{Kind, Pack};
use banyan_openai::ProviderHealth;
use ort::environment::Environment;
use std::sync::{Arc, Mutex, PoisonError};

/// Of several chat models, the share of the key/value budget that the default one has, and each other one.
const DEFAULT_SHARE: u64 = 2;
const OTHER_SHARE: u64 = 4;

/// Loads packs.
pub(crate) struct PackLoader {
    pub(crate) environment: Environment,
    pub(crate) config: EngineConfig,
    pub(crate) packs: Vec<Pack>,
    /// As they were tried at start. What one model cannot use, another one may.
    pub(crate) providers: Vec<ProviderHealth>,
    /// For `/health`: what a model that stays found of them.
    report: Arc<Mutex<Vec<ProviderHealth>>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Key/value memory of each pack.
    kv: Vec<u64>,
}

/// The registry over these packs. `report` gets what a model finds of the providers.
pub(crate) fn registry(
    environment: Environment,
    config: &EngineConfig,
    packs: Vec<Pack>,
    providers: Vec<ProviderHealth>,
    report: Arc<Mutex<Vec<ProviderHealth>>>,
    metrics: Arc<Metrics>,
) -> Registry {
    let first = |kind| packs.iter().position(|pack| pack.manifest().kind == kind);
    let defaults = [first(Kind::Decoder), first(Kind::Encoder)];
    let kv_all = kv_budget(config.kv_budget);
    let chats = packs.iter().filter(|pack| pack.manifest().kind == Kind::Decoder).count();
    let kv = |i: usize, pack: &Pack| match pack.manifest().kind {
        Kind::Decoder if chats == 1 => kv_all,
        Kind::Decoder if defaults.contains(&Some(i)) => kv_all / DEFAULT_SHARE,
        Kind::Decoder => kv_all / OTHER_SHARE,
        Kind::Encoder | Kind::Reranker => 0,
    };
    let kv: Vec<u64> = packs.iter().enumerate().map(|(i, pack)| kv(i, pack)).collect();
    let known = packs.iter().enumerate().map(|(i, pack)| {
        let manifest = pack.manifest();
        Known {
            name: manifest.name.clone(),
            kind: manifest.kind,
            created: load::imported_at(pack),
            context: manifest.context_length.min(manifest.max_positions),
            cost: Cost { memory: memory::estimate(pack) + kv[i], kv: kv[i] },
            pinned: defaults.contains(&Some(i)) || config.keep_loaded.contains(&manifest.name),
        }
    });
    let budget = Cost { memory: memory::budget(config.memory_budget), kv: kv_all };
    let known: Vec<Known> = known.collect();
    let loader = PackLoader { environment, config: config.clone(), packs, providers, report, metrics, kv };
    Registry::new(budget, known, Box::new(loader), config.max_waiting)
}

impl Loader for PackLoader {
    fn load(&self, model: usize) -> Result<Loaded, EngineError> {
        let pack = &self.packs[model];
        let name = &pack.manifest().name;
        let config = EngineConfig { kv_budget: self.kv[model], ..self.config.for_model(name) };
        let mut providers = self.providers.clone();
        let max_waiting = config.max_waiting;
        let loaded = match pack.manifest().kind {
            Kind::Decoder => {
                let metrics = Arc::clone(&self.metrics);
                let model = load::chat_model(&self.environment, pack, &config, &mut providers, metrics);
                model.map(|model| Loaded::Chat(Arc::new(model)))
            }
            Kind::Encoder => {
                let model = load::embedder(&self.environment, pack, &config, &mut providers);
                model.map(|model| Loaded::Embedding(Arc::new(Serial::new(name.clone(), model, max_waiting))))
            }
            Kind::Reranker => {
                let model = load::reranker(&self.environment, pack, &config, &mut providers);
                model.map(|model| Loaded::Reranker(Arc::new(Serial::new(name.clone(), model, max_waiting))))
            }
        };
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        for (known, found) in report.iter_mut().zip(providers) {
            if known.works && !found.works {
                *known = found;
            }
        }
        loaded
    }
}
