//! Adapters by name: which there are, `POST /v1/load_lora_adapter` and `/v1/unload_lora_adapter` (vLLM's names), and the
//! answers to requests that name one as their model.
//!
//! The shelf outlives the models: an adapter whose model was unloaded comes back with it, for the first request that names
//! the adapter.

use super::answer::{json, to_json};
use super::{App, Models, Refusal, body, off_thread};
use crate::adapters::{AdapterLease, AdapterRefused};
use crate::load::ChatModel;
use crate::models::registry::{Loaded, Unavailable};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use banyan_modelpack::{Adapter, Kind};
use banyan_openai::{ApiError, Model};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The adapters that requests may name.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Vec<Adapter>>);

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Adapter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Option<Adapter> {
        self.lock().iter().find(|adapter| adapter.manifest().name == name).cloned()
    }

    fn put(&self, adapter: Adapter) {
        let mut shelf = self.lock();
        shelf.retain(|other| other.manifest().name != adapter.manifest().name);
        shelf.push(adapter);
    }

    fn take(&self, name: &str) -> Option<Adapter> {
        let mut shelf = self.lock();
        let at = shelf.iter().position(|adapter| adapter.manifest().name == name)?;
        Some(shelf.remove(at))
    }

    /// As entries of `/v1/models`.
    pub(super) fn list(&self, models: &Models) -> Vec<Model> {
        let describe = |adapter: &Adapter| {
            let manifest = adapter.manifest();
            let chat = loaded(models, &manifest.base.model);
            let created = u64::try_from(manifest.provenance.imported_at.as_second()).unwrap_or(0);
            Model {
                context_length: chat.as_ref().map(|chat| chat.engine.limits().capacity as u32),
                kind: Some("chat".into()),
                loaded: Some(chat.is_some_and(|chat| has(&chat, &manifest.name))),
                root: Some(adapter.dir().display().to_string()),
                parent: Some(manifest.base.model.clone()),
                ..Model::new(manifest.name.as_str(), created)
            }
        };
        self.lock().iter().map(describe).collect()
    }
}

/// The chat model of this name, if it is in memory.
fn loaded(models: &Models, name: &str) -> Option<Arc<ChatModel>> {
    let view = models.registry.views().into_iter().find(|view| view.known.name == name)?;
    match view.loaded {
        Some(Loaded::Chat(model)) => Some(model),
        _ => None,
    }
}

fn has(model: &ChatModel, name: &str) -> bool {
    model.adapters.as_ref().is_some_and(|adapters| adapters.lease(name).is_some())
}

/// Who answers a request.
pub(super) struct Answering {
    /// The chat model.
    pub(super) model: Arc<ChatModel>,
    /// With which adapter.
    pub(super) adapter: AdapterLease,
    /// What the answer says it is from.
    pub(super) name: String,
}

impl App {
    /// The chat model or adapter of this name (empty: the default model), or why it cannot answer.
    pub(super) async fn answering(&self, name: &str) -> Result<Answering, Refusal> {
        let models = self.models()?;
        let Some(adapter) = self.adapters.find(name) else {
            let model = models.registry.chat(name).await.map_err(|e| self.with_adapters(e))?;
            let name = model.name.clone();
            return Ok(Answering { model, adapter: AdapterLease::default(), name });
        };
        let model = models.registry.chat(&adapter.manifest().base.model).await?;
        let name = name.to_owned();
        off_thread(move || {
            let adapters = model.adapters.clone().ok_or_else(|| no_graph(&model.name))?;
            let adapter = adapters.obtain(&adapter)?;
            Ok(Answering { model, adapter, name })
        })
        .await?
    }

    /// Puts an adapter onto the shelf, and into memory where its model is there.
    pub(super) fn shelve(&self, models: &Models, dir: &Path) -> Result<Adapter, Refusal> {
        let adapter = Adapter::open(dir).map_err(AdapterRefused::from)?;
        let manifest = adapter.manifest();
        let views = models.registry.views();
        if views.iter().any(|view| view.known.name == manifest.name) {
            return Err(AdapterRefused::ModelsName(manifest.name.clone()).into());
        }
        let base = &manifest.base.model;
        if !views.iter().any(|view| view.known.name == *base && view.known.kind == Kind::Decoder) {
            let words =
                format!("the adapter {} was made for {base}, which is not on this box", manifest.name);
            return Err(Refusal(ApiError::invalid_param("lora_path", words)));
        }
        drop(views);
        if let Some(model) = loaded(models, base) {
            model.adapters.as_ref().ok_or_else(|| no_graph(base))?.load(&adapter)?;
        }
        self.adapters.put(adapter.clone());
        Ok(adapter)
    }

    /// A refusal of a name that says which adapters there are, too.
    fn with_adapters(&self, error: Unavailable) -> Refusal {
        let names: Vec<String> = self.adapters.lock().iter().map(|a| a.manifest().name.clone()).collect();
        match error {
            Unavailable::NoSuch { asked, available } if !names.is_empty() => {
                let available = format!("{available}, and the adapters {}", names.join(", "));
                Unavailable::NoSuch { asked, available }.into()
            }
            other => other.into(),
        }
    }
}

#[derive(Deserialize)]
struct Load {
    lora_name: String,
    lora_path: PathBuf,
}

#[derive(Deserialize)]
struct Unload {
    lora_name: String,
}

pub(super) async fn load(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Load { lora_name, lora_path } = parse(&body(bytes)?)?;
    let models = app.models()?;
    off_thread(move || {
        if lora_path.file_name().is_none_or(|name| name != lora_name.as_str()) {
            let words = format!(
                "`lora_path` is the folder of the adapter pack, and it is called as the adapter: …/{}",
                lora_name.escape_debug()
            );
            return Err(Refusal(ApiError::invalid_param("lora_path", words)));
        }
        app.shelve(&models, &lora_path)?;
        let all = app.adapters.list(&models);
        let entry = all.into_iter().find(|model| model.id == lora_name);
        Ok(json(to_json(&entry)))
    })
    .await?
}

pub(super) async fn unload(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Unload { lora_name } = parse(&body(bytes)?)?;
    let models = app.models()?;
    let Some(adapter) = app.adapters.take(&lora_name) else {
        let names: Vec<String> = app.adapters.list(&models).into_iter().map(|model| model.id).collect();
        let loaded = if names.is_empty() { "none".into() } else { names.join(", ") };
        return Err(AdapterRefused::NotLoaded { name: lora_name, loaded }.into());
    };
    let model = loaded(&models, &adapter.manifest().base.model);
    match model.as_ref().and_then(|model| model.adapters.as_ref()).map(|all| all.unload(&lora_name)) {
        // One whose model was never asked for since is on the shelf alone.
        None | Some(Ok(()) | Err(AdapterRefused::NotLoaded { .. })) => {}
        Some(Err(error)) => return Err(error.into()),
    }
    Ok(json(to_json(&serde_json::json!({ "id": lora_name, "deleted": true }))))
}

fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|e| Refusal(ApiError::invalid_request(format!("the request is not understood: {e}"))))
}

fn no_graph(model: &str) -> Refusal {
    let words = format!("the model {model} has no graph for adapters; import it again with this version");
    Refusal(ApiError::invalid_param("model", words))
}

impl From<AdapterRefused> for Refusal {
    fn from(error: AdapterRefused) -> Self {
        let words = error.to_string();
        Refusal(match error {
            AdapterRefused::NotLoaded { .. } => ApiError::no_such_model(words),
            AdapterRefused::Engine(_) | AdapterRefused::Runtime(_) => ApiError::engine_unavailable(words),
            AdapterRefused::Unfit(_)
            | AdapterRefused::ModelsName(_)
            | AdapterRefused::TooMany(_)
            | AdapterRefused::Memory { .. } => ApiError::invalid_param("lora_path", words),
        })
    }
}
