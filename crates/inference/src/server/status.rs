//! `GET /health`, `/v1/models` and `/metrics`.

use super::answer::{json, to_json};
use super::{App, Models, Phase, Refusal, VERSION};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use banyan_openai::{ApiError, Health, HealthStatus, Model, ModelList};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::sync::Arc;

pub(super) async fn health(State(app): State<Arc<App>>) -> Response {
    let health = describe(&app);
    let status = match health.status {
        HealthStatus::Ready => StatusCode::OK,
        HealthStatus::Loading | HealthStatus::Failed => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, json(to_json(&health))).into_response()
}

fn describe(app: &App) -> Health {
    let state = app.state();
    let mut health = Health { providers: state.providers, ..Health::loading(VERSION) };
    match state.phase {
        Phase::Loading => health.reason = Some("the model is being loaded".into()),
        Phase::Failed(reason) => {
            health.status = HealthStatus::Failed;
            health.reason = Some(reason);
        }
        Phase::Ready(models) => {
            health.status = HealthStatus::Ready;
            health.reason.clone_from(&models.problem);
            health.embedding_model = models.embedding.as_ref().map(|m| m.name.clone());
            if let Some(chat) = &models.chat {
                let limits = chat.engine.limits();
                health.model = Some(chat.name.clone());
                health.context_length = limits.capacity as u32;
                health.slots = limits.slots as u32;
                health.running = chat.engine.running() as u32;
                health.waiting = chat.engine.waiting() as u32;
            }
        }
    }
    health
}

pub(super) async fn models(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    Ok(json(to_json(&ModelList::new(list(&*app.models()?)))))
}

pub(super) async fn model(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let all = list(&*app.models()?);
    let names: Vec<&str> = all.iter().map(|m| m.id.as_str()).collect();
    match all.iter().find(|m| m.id == name) {
        Some(model) => Ok(json(to_json(model))),
        None => Err(Refusal(ApiError::model_not_found(&name, &names.join(", ")))),
    }
}

fn list(models: &Models) -> Vec<Model> {
    let chat = models.chat.as_ref().map(|chat| {
        let context_length = Some(chat.engine.limits().capacity as u32);
        Model { context_length, ..Model::new(chat.name.as_str(), chat.created) }
    });
    let embedding = models.embedding.as_ref().map(|m| Model::new(m.name.as_str(), m.created));
    chat.into_iter().chain(embedding).collect()
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.to_text()).into_response()
}
