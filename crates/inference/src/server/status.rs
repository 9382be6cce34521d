//! `GET /health`, `/v1/models` and `/metrics`, and a steward's loading and unloading.

use super::answer::{json, to_json};
use super::{App, Models, Phase, Refusal, VERSION};
use crate::models::registry::{Loaded, View};
use crate::models::residency;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use banyan_modelpack::Kind;
use banyan_openai::{ApiError, Health, HealthStatus, Model, ModelHealth, ModelList};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::sync::{Arc, PoisonError};

pub(super) async fn health(State(app): State<Arc<App>>) -> Response {
    let health = describe(&app);
    let status = match health.status {
        HealthStatus::Ready => StatusCode::OK,
        HealthStatus::Loading | HealthStatus::Failed => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, json(to_json(&health))).into_response()
}

fn describe(app: &App) -> Health {
    let providers = app.providers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut health = Health { providers, ..Health::loading(VERSION) };
    match app.phase() {
        Phase::Loading => health.reason = Some("the model is being loaded".into()),
        Phase::Failed(reason) => {
            health.status = HealthStatus::Failed;
            health.reason = Some(reason);
        }
        Phase::Ready(models) => {
            health.status = HealthStatus::Ready;
            health.reason = models.problem();
            let (budget, used) = models.registry.memory();
            health.memory_budget_mib = budget.memory >> 20;
            health.memory_used_mib = used.memory >> 20;
            if let Some(chat) = models.registry.default_chat() {
                let limits = chat.engine.limits();
                health.model = Some(chat.name.clone());
                health.context_length = limits.capacity as u32;
                health.slots = limits.slots as u32;
                health.running = chat.engine.running() as u32;
                health.waiting = chat.engine.waiting() as u32;
            }
            let views = models.registry.views();
            let default = views.iter().find(|view| view.known.kind == Kind::Encoder);
            health.embedding_model =
                default.filter(|view| view.loaded.is_some()).map(|view| view.known.name.clone());
            health.models = views.into_iter().map(one).collect();
        }
    }
    health
}

fn one(view: View<'_>) -> ModelHealth {
    let (state, reason) = match view.state {
        residency::State::Unloaded => ("unloaded", None),
        residency::State::Loading => ("loading", None),
        residency::State::Ready => ("ready", None),
        residency::State::Draining { .. } => ("leaving", None),
        residency::State::Failed(reason) => ("failed", Some(reason)),
    };
    ModelHealth {
        name: view.known.name.clone(),
        kind: kind(view.known.kind).into(),
        state: state.into(),
        reason,
        memory_mib: view.known.cost.memory >> 20,
        stays: view.known.pinned,
    }
}

/// What a model does, in the words of the wire.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Decoder => "chat",
        Kind::Encoder => "embedding",
        Kind::Reranker => "rerank",
    }
}

pub(super) async fn models(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    Ok(json(to_json(&ModelList::new(list(&app, &*app.models()?)))))
}

pub(super) async fn model(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    described(&app, &*app.models()?, &name)
}

pub(super) async fn load(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let models = app.models()?;
    models.registry.load(&name).await?;
    described(&app, &models, &name)
}

pub(super) async fn unload(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let models = app.models()?;
    models.registry.unload(&name).await?;
    described(&app, &models, &name)
}

fn described(app: &App, models: &Models, name: &str) -> Result<Response, Refusal> {
    let all = list(app, models);
    let names: Vec<&str> = all.iter().map(|m| m.id.as_str()).collect();
    match all.iter().find(|m| m.id == name) {
        Some(model) => Ok(json(to_json(model))),
        None => Err(Refusal(ApiError::model_not_found(name, &names.join(", ")))),
    }
}

fn list(app: &App, models: &Models) -> Vec<Model> {
    let describe = |view: View<'_>| {
        let known = view.known;
        // What a conversation may really have is known once its memory has been divided.
        let tokens = match &view.loaded {
            Some(Loaded::Chat(chat)) => chat.engine.limits().capacity,
            _ => known.context,
        };
        Model {
            context_length: (known.kind != Kind::Encoder).then_some(tokens as u32),
            kind: Some(kind(known.kind).into()),
            loaded: Some(view.loaded.is_some()),
            ..Model::new(known.name.as_str(), known.created)
        }
    };
    models.registry.views().into_iter().map(describe).chain(app.adapters.list(models)).collect()
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.to_text()).into_response()
}
