//! Adapters in memory: several for one model, chosen for each row of a batch, loaded and unloaded while it answers.
//!
//! ```text
//!   load ──▶ read and check ──▶ new table ──▶ put in place between two runs ──▶ its name can be asked for
//!   unload ─▶ its name is gone ──▶ its last answer ends ──▶ table without it (none left: the session goes too)
//! ```
//!
//! # What it promises
//! - **Nobody stops.** Reading and opening happen beside the engine's thread; it waits only while the new table is put in
//!   place, which is the time of one lock.
//! - **An answer ends with the weights it began with.** Each request holds an [`AdapterLease`]; an adapter that is
//!   unloaded or replaced takes no new requests, and its weights go when the last lease is gone.
//! - **Numbers are never used again**, so that computed prefixes can be kept by them.
//! - **Memory is bounded** by a budget in bytes; what does not fit is refused with the figures. While a table is exchanged
//!   the old and the new one are both there.

mod table;

pub use table::AdapterTable;

use crate::error::EngineError;
use crate::runner::lora::{LoraPlace, LoraSource};
use banyan_modelpack::adapter::AdapterWeights;
use banyan_modelpack::graph::contract::MAX_ADAPTERS;
use banyan_modelpack::{Adapter, AdapterError, Manifest};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use table::TableError;

/// The share of the free memory that adapters may take when nobody said how much: a sixteenth.
const SHARE: u64 = 16;

/// Taken for the free memory where the system does not say.
const ASSUMED_MEMORY: u64 = 2 << 30;

/// The next adapter's number, in the whole process; 0 is every base model.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Bytes for the adapters of a model: as many as were given, else a share of what is free.
pub(crate) fn budget(given: u64) -> u64 {
    match given {
        0 => crate::kv::available_memory().unwrap_or(ASSUMED_MEMORY) / SHARE,
        bytes => bytes,
    }
}

/// Why an adapter is not loaded or unloaded.
#[derive(Debug, thiserror::Error)]
pub enum AdapterRefused {
    /// The adapter cannot be used with this model.
    #[error(transparent)]
    Unfit(#[from] AdapterError),
    /// The name is the model's own.
    #[error("`{0}` is the name of a model; give the adapter another name")]
    ModelsName(String),
    /// No place.
    #[error("{0} adapters are loaded already, and a model takes {most} at most; unload one first", most = MAX_ADAPTERS - 1)]
    TooMany(usize),
    /// No memory.
    #[error(
        "with {name} the adapters would take {needed} MiB of memory, and they may take {budget} MiB; unload one, or allow \
         more (`adapter_mib` in the settings)"
    )]
    Memory {
        /// The adapter.
        name: String,
        /// MiB of the table with it.
        needed: u64,
        /// MiB that are allowed.
        budget: u64,
    },
    /// There is none of this name.
    #[error("no adapter `{name}` is loaded; loaded are: {loaded}")]
    NotLoaded {
        /// What was asked for.
        name: String,
        /// What there is.
        loaded: String,
    },
    /// The graph with adapters does not open.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The tensors could not be made.
    #[error("the adapters could not be put into memory: {0}")]
    Runtime(String),
}

impl From<TableError> for AdapterRefused {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Adapter(error) => AdapterRefused::Unfit(error),
            TableError::Runtime(error) => AdapterRefused::Runtime(error.to_string()),
        }
    }
}

/// A loaded adapter, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterView {
    /// The name to ask for it by.
    pub name: String,
    /// The model it belongs to.
    pub base: String,
    /// Where it lies.
    pub path: std::path::PathBuf,
    /// Seconds since 1970 when it was imported.
    pub created: u64,
}

/// A request's hold on its adapter; the default is the base model.
#[derive(Debug, Clone, Default)]
pub struct AdapterLease(Option<Arc<Hold>>);

impl AdapterLease {
    /// The adapter's number; 0 is the base model.
    pub fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, |hold| hold.id)
    }
}

/// Lives as long as an adapter is loaded or used. Its end takes the weights away.
#[derive(Debug)]
struct Hold {
    id: u32,
    adapters: Weak<Inner>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(inner) = self.adapters.upgrade() else { return };
        // Whoever lets go last may be the engine's thread in the middle of its work.
        let collect = move || {
            if let Err(error) = inner.collect() {
                tracing::warn!(%error, "an adapter that nobody uses any more stays in memory");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("adapters".into()).spawn(collect) {
            tracing::warn!(%error, "the system gave no thread; an adapter stays in memory until the next change");
        }
    }
}

/// The adapters of one loaded model; clones are the same.
#[derive(Debug, Clone)]
pub struct Adapters(Arc<Inner>);

struct Inner {
    model: Manifest,
    source: LoraSource,
    place: LoraPlace,
    budget: u64,
    /// Held during a change, so that changes come one after another.
    changing: Mutex<()>,
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    id: u32,
    view: AdapterView,
    weights: Arc<AdapterWeights>,
    /// `None` when it is on its way out.
    hold: Option<Arc<Hold>>,
    /// Alive while a request uses it.
    used: Weak<Hold>,
}

impl Entry {
    fn is_gone(&self) -> bool {
        self.hold.is_none() && self.used.strong_count() == 0
    }
}

impl Adapters {
    /// No adapter is loaded yet. `budget` is in bytes.
    pub fn new(model: Manifest, source: LoraSource, place: LoraPlace, budget: u64) -> Adapters {
        let (changing, entries) = (Mutex::default(), Mutex::default());
        Adapters(Arc::new(Inner { model, source, place, budget, changing, entries }))
    }

    /// Loads an adapter, or puts it in the place of the one of the same name. Returns whether it replaced one. Takes a
    /// second or more for the first one.
    pub fn load(&self, adapter: &Adapter) -> Result<bool, AdapterRefused> {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.load_alone(adapter)
    }

    /// A request's hold on the adapter, which is loaded when it is not there.
    pub fn obtain(&self, adapter: &Adapter) -> Result<AdapterLease, AdapterRefused> {
        let name = &adapter.manifest().name;
        if let Some(lease) = self.lease(name) {
            return Ok(lease);
        }
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another request may have loaded it meanwhile.
        if self.lease(name).is_none() {
            self.load_alone(adapter)?;
        }
        let gone = || AdapterRefused::NotLoaded { name: name.clone(), loaded: "others".into() };
        self.lease(name).ok_or_else(gone)
    }

    fn load_alone(&self, adapter: &Adapter) -> Result<bool, AdapterRefused> {
        let inner = &*self.0;
        let manifest = adapter.manifest();
        if manifest.name == inner.model.name {
            return Err(AdapterRefused::ModelsName(manifest.name.clone()));
        }
        adapter.verify()?;
        let weights = Arc::new(adapter.weights(&inner.model)?);
        let mut residents = inner.residents();
        if residents.len() + 2 > MAX_ADAPTERS {
            return Err(AdapterRefused::TooMany(residents.len()));
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        residents.push((id, Arc::clone(&weights)));
        let all = residents.iter().map(|(_, weights)| &**weights);
        let needed = AdapterTable::bytes(&inner.model.architecture, &all);
        if needed > inner.budget {
            let (needed, budget) = (needed.div_ceil(1 << 20), inner.budget >> 20);
            return Err(AdapterRefused::Memory { name: manifest.name.clone(), needed, budget });
        }
        inner.put(&residents)?;
        let hold = Arc::new(Hold { id, adapters: Arc::downgrade(&self.0) });
        let view = AdapterView {
            name: manifest.name.clone(),
            base: inner.model.name.clone(),
            path: adapter.dir().to_owned(),
            created: u64::try_from(manifest.provenance.imported_at.as_second()).unwrap_or(0),
        };
        let mut entries = inner.entries();
        let old = entries.iter_mut().find(|entry| entry.hold.is_some() && entry.view.name == view.name);
        let replaced = old.and_then(|entry| entry.hold.take());
        entries.push(Entry { id, view, weights, used: Arc::downgrade(&hold), hold: Some(hold) });
        drop(entries);
        tracing::info!(adapter = %manifest.name, model = %inner.model.name, kib = needed >> 10, "an adapter is loaded");
        Ok(replaced.is_some())
    }

    /// Lets no new request use the adapter; its weights go when the last answer with it has ended.
    pub fn unload(&self, name: &str) -> Result<(), AdapterRefused> {
        let mut entries = self.0.entries();
        let found = entries.iter_mut().find(|entry| entry.hold.is_some() && entry.view.name == name);
        // Dropped after the lock: its end may ask for the entries.
        let hold = found.and_then(|entry| entry.hold.take());
        drop(entries);
        match hold {
            Some(hold) => {
                drop(hold);
                tracing::info!(adapter = name, model = %self.0.model.name, "an adapter is unloaded");
                Ok(())
            }
            None => {
                let names: Vec<String> = self.views().into_iter().map(|view| view.name).collect();
                let loaded = if names.is_empty() { "none".into() } else { names.join(", ") };
                Err(AdapterRefused::NotLoaded { name: name.into(), loaded })
            }
        }
    }

    /// A request's hold on the adapter of this name; `None` when it is not loaded.
    pub fn lease(&self, name: &str) -> Option<AdapterLease> {
        let entries = self.0.entries();
        let hold =
            entries.iter().filter(|entry| entry.view.name == name).find_map(|entry| entry.hold.clone());
        hold.map(|hold| AdapterLease(Some(hold)))
    }

    /// The adapters that can be asked for.
    pub fn views(&self) -> Vec<AdapterView> {
        let entries = self.0.entries();
        entries.iter().filter(|entry| entry.hold.is_some()).map(|entry| entry.view.clone()).collect()
    }

    /// Bytes of the table that is in memory.
    pub fn bytes(&self) -> u64 {
        let residents = self.0.residents();
        AdapterTable::bytes(&self.0.model.architecture, &residents.iter().map(|(_, weights)| &**weights))
    }

    /// Adapters in memory, those on their way out too.
    pub fn resident(&self) -> usize {
        self.0.entries().len()
    }
}

impl Inner {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn residents(&self) -> Vec<(u32, Arc<AdapterWeights>)> {
        self.entries().iter().map(|entry| (entry.id, Arc::clone(&entry.weights))).collect()
    }

    /// Puts a table of these adapters in place.
    fn put(&self, adapters: &[(u32, Arc<AdapterWeights>)]) -> Result<(), AdapterRefused> {
        if adapters.is_empty() {
            self.place.close();
            crate::runner::trim::give_back();
            return Ok(());
        }
        let borrowed: Vec<_> = adapters.iter().map(|(id, weights)| (*id, &**weights)).collect();
        let table = Arc::new(AdapterTable::build(&self.model.architecture, &borrowed)?);
        if self.place.is_open() {
            self.place.exchange(table);
        } else {
            self.place.open(self.source.open(&self.place)?, table);
        }
        Ok(())
    }

    /// Takes the adapters out that are unloaded and that no answer uses any more.
    fn collect(&self) -> Result<(), AdapterRefused> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let staying: Vec<_> = {
            let entries = self.entries();
            if !entries.iter().any(Entry::is_gone) {
                return Ok(());
            }
            let staying = entries.iter().filter(|entry| !entry.is_gone());
            staying.map(|entry| (entry.id, Arc::clone(&entry.weights))).collect()
        };
        self.put(&staying)?;
        self.entries().retain(|entry| staying.iter().any(|(id, _)| *id == entry.id));
        tracing::info!(model = %self.model.name, adapters = staying.len(), "an adapter that nobody uses any more left the memory");
        Ok(())
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapters").field("model", &self.model.name).finish_non_exhaustive()
    }
}
