//! The engine as a process sees it: HTTP/1.1 over a Unix socket, in OpenAI's words.
//!
//! | | |
//! |---|---|
//! | `POST /v1/chat/completions`, `/v1/completions` | answers, whole or as server-sent events |
//! | `POST /v1/embeddings` | vectors |
//! | `POST /v1/rerank` | which documents answer a question |
//! | `GET /v1/models`, `/v1/models/{name}` | what the box has, and what of it is loaded |
//! | `POST /v1/models/{name}/load`, `…/unload` | a steward's hand (the portal does not pass these on) |
//! | `POST /v1/load_lora_adapter`, `/v1/unload_lora_adapter` | adapters, to be asked for by `model` (not passed on either) |
//! | `GET /health` | whether it can answer, and why not; from the first moment on, while the model still loads |
//! | `GET /metrics` | Prometheus text |
//!
//! A client that goes away takes its request with it: the connection's end drops the answer's stream, and that is the
//! engine's sign to stop. Fields that this version does not know are passed over; those that it knows and cannot
//! honour (`functions`, `audio`, `suffix` …) are refused by name, since an answer that ignores them would be
//! wrong.
//!
//! Deliberately absent: keys, quotas, fairness between members. Whoever may open the socket may ask; the portal, which
//! opens it, has done all that.

mod adapters;
mod answer;
mod chat;
mod completions;
mod embeddings;
mod request;
mod rerank;
mod status;
#[cfg(test)]
mod tests;
mod tools;

use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::load;
use crate::metrics::Metrics;
use crate::models::loader;
use crate::models::registry::{Registry, Unavailable};
use crate::models::residency::{Refused, State};
use crate::models::serial::NotDone;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use banyan_openai::{ApiError, ProviderHealth};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::UnixListener;

/// Bytes of a request: 4 MiB of JSON are about a million tokens, more than any context, and bound what a caller can
/// make the engine keep.
const MAX_BODY: usize = 4 << 20;

/// How long answers may go on after the engine has been told to stop. The supervisor kills it soon after.
const GRACE: Duration = Duration::from_secs(5);

/// How often the watch looks whether the engine thread still lives.
const WATCH: Duration = Duration::from_millis(250);

/// How long a dead engine stays to say why, before the process ends and is started again.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Seconds until a full queue of short work may have room: one request takes a second or two.
const RETRY_AFTER_S: u32 = 2;

/// The version in `/health`.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Serves until `shutdown` is ready (then `Ok`), or until the engine breaks (then its reason, and the process should
/// be started again). A model that does not load is no reason to return: `/health` says what is wrong.
pub async fn serve(
    config: EngineConfig,
    listener: UnixListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), EngineError> {
    let app = Arc::new(App::default());
    let loader = Arc::clone(&app);
    // Not a task: a runtime waits for its blocking tasks, and a slow disk must not hold up the end of the process.
    std::thread::Builder::new()
        .name("loader".into())
        .spawn(move || loader.load(&config))
        .map_err(|source| EngineError::Thread { what: "loading the model", source })?;
    run(app, listener, shutdown).await
}

/// The HTTP part of [`serve`], over whatever is loaded.
async fn run(
    app: Arc<App>,
    listener: UnixListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), EngineError> {
    let (stop, mut stopping) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, routes(Arc::clone(&app))).with_graceful_shutdown(async move {
        // An error means that the sender is gone, which is a stop too.
        let _ = stopping.wait_for(|stop| *stop).await;
    });
    let told_to_stop = async {
        shutdown.await;
        stop.send_replace(true);
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = async { server.await } => {
            served.map_err(|source| EngineError::Socket { source })
        }
        () = told_to_stop => Ok(()),
        reason = app.engine_ended() => Err(EngineError::Broken(reason)),
    }
}

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/completions", post(completions::completions))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/v1/rerank", post(rerank::rerank))
        .route("/v1/models", get(status::models))
        .route("/v1/models/{name}/load", post(status::load))
        .route("/v1/models/{name}/unload", post(status::unload))
        .route("/v1/models/{name}", get(status::model))
        .route("/v1/load_lora_adapter", post(adapters::load))
        .route("/v1/unload_lora_adapter", post(adapters::unload))
        .route("/health", get(status::health))
        .route("/metrics", get(status::metrics))
        .fallback(|| async { Refusal(ApiError::not_found("the engine has no such address")) })
        .method_not_allowed_fallback(|| async {
            Refusal(ApiError::method_not_allowed("this address takes another method"))
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

/// What the handlers share.
#[derive(Default)]
struct App {
    metrics: Arc<Metrics>,
    providers: Arc<Mutex<Vec<ProviderHealth>>>,
    phase: RwLock<Phase>,
    adapters: adapters::Shelf,
}

/// How far the engine has come.
#[derive(Default, Clone)]
enum Phase {
    #[default]
    Loading,
    Ready(Arc<Models>),
    Failed(String),
}

/// What the box has.
struct Models {
    registry: Registry,
    /// Packs that do not open.
    problems: Vec<String>,
}

impl Models {
    /// What should be loaded and is not.
    fn problem(&self) -> Option<String> {
        let failed = self.registry.views().into_iter().filter(|view| view.known.pinned);
        let failed = failed.filter_map(|view| match view.state {
            State::Failed(reason) => Some(reason),
            _ => None,
        });
        self.problems.iter().cloned().chain(failed).reduce(|all, one| format!("{all}; {one}"))
    }
}

impl App {
    fn phase(&self) -> Phase {
        self.phase.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn enter(&self, phase: Phase) {
        *self.phase.write().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Loads what stays, says how it went, and then loads and unloads as it is asked to.
    fn load(&self, config: &EngineConfig) {
        match self.try_load(config) {
            Ok(models) => {
                let models = Arc::new(models);
                self.enter(Phase::Ready(Arc::clone(&models)));
                models.registry.keep();
            }
            Err(e) => {
                tracing::error!(error = %e, "the engine cannot answer");
                self.enter(Phase::Failed(e.to_string()));
            }
        }
    }

    /// Loads what can be loaded: a broken embedding model must not take the chat away. An error when there is nothing.
    fn try_load(&self, config: &EngineConfig) -> Result<Models, EngineError> {
        if config.packs.is_empty() {
            return Err(EngineError::Missing(
                "there is no model on this box yet; import one with `banyan model import FILE`".into(),
            ));
        }
        let mut problems = Vec::new();
        let mut keep = |problem: EngineError| {
            tracing::warn!(error = %problem, "a model is left out");
            problems.push(problem.to_string());
        };
        let opened = config.packs.iter().map(|dir| load::open_pack(dir));
        let packs: Vec<_> = opened.filter_map(|pack| pack.map_err(&mut keep).ok()).collect();
        let environment = crate::runtime::load(&config.ort_library)?;
        let providers = crate::providers::try_all(&environment, &config.providers);
        self.providers.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&providers);
        let metrics = Arc::clone(&self.metrics);
        let report = Arc::clone(&self.providers);
        let registry = loader::registry(environment, config, packs, providers, report, metrics);
        registry.settle();
        let mut models = Models { registry, problems };
        let views = models.registry.views();
        if views.iter().all(|view| view.loaded.is_none()) && !views.iter().any(|view| !view.known.pinned) {
            return Err(EngineError::Missing(models.problem().unwrap_or_else(|| {
                "none of the packs is a chat or an embedding model; import one with `banyan model import FILE`".into()
            })));
        }
        drop(views);
        for dir in &config.adapters {
            if let Err(Refusal(error)) = self.shelve(&models, dir) {
                let reason = error.detail.message;
                tracing::warn!(adapter = %dir.display(), reason, "an adapter is left out");
                models.problems.push(reason);
            }
        }
        Ok(models)
    }

    /// The models, or why there are none yet.
    fn models(&self) -> Result<Arc<Models>, Refusal> {
        match self.phase() {
            Phase::Ready(models) => Ok(models),
            Phase::Loading => {
                Err(Refusal(ApiError::model_loading("the model is being loaded; try again in a few seconds")))
            }
            Phase::Failed(reason) => {
                Err(Refusal(ApiError::engine_unavailable(format!("the engine cannot answer: {reason}"))))
            }
        }
    }

    /// Ready when the engine thread has ended without being told to.
    async fn engine_ended(&self) -> String {
        loop {
            tokio::time::sleep(WATCH).await;
            let Phase::Ready(models) = self.phase() else { continue };
            if let Some(reason) = models.registry.broken() {
                self.enter(Phase::Failed(reason.clone()));
                tokio::time::sleep(LAST_WORDS).await;
                return reason;
            }
        }
    }
}

/// An error on its way out.
#[derive(Debug)]
struct Refusal(ApiError);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.to_response().map(axum::body::Body::new)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Refusal(error)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Phase::Ready(models) = self.phase() {
            models.registry.close();
        }
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        let words = error.to_string();
        Refusal(match error {
            Unavailable::NoSuch { .. } | Unavailable::NoneOfKind { .. } => ApiError::no_such_model(words),
            Unavailable::Refused(Refused::TooLarge { .. } | Refused::Stays(_)) => {
                ApiError::invalid_param("model", words)
            }
            Unavailable::Refused(Refused::Failed { .. }) => ApiError::engine_unavailable(words),
            Unavailable::TooMany { .. } => ApiError::queue_full(words, RETRY_AFTER_S),
        })
    }
}

/// The refusal of work at a model that does one request at a time.
fn not_done(app: &App, what: &str, error: NotDone) -> Refusal {
    match error {
        NotDone::Full(waiting) => {
            app.metrics.refused.inc();
            let words = format!("{waiting} requests for {what} are waiting already; try again in a moment");
            Refusal(ApiError::queue_full(words, RETRY_AFTER_S))
        }
        NotDone::Broken => {
            Refusal(ApiError::internal("a part of the engine failed on this request; it has been logged"))
        }
    }
}

/// The body's bytes, or the refusal of one that is too large.
fn body(bytes: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    bytes.map_err(|rejection| match rejection.status() {
        http::StatusCode::PAYLOAD_TOO_LARGE => Refusal(ApiError::too_large(MAX_BODY)),
        _ => Refusal(ApiError::invalid_request("the request's body could not be read")),
    })
}

/// The model that a request names; empty when it names none.
fn model_name(body: &[u8]) -> Result<String, Refusal> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(default)]
        model: String,
    }
    let named: Result<Named, _> = serde_json::from_slice(body);
    named
        .map(|named| named.model)
        .map_err(|e| Refusal(ApiError::invalid_request(format!("the request is not understood: {e}"))))
}

/// Runs what takes processor time away from the sockets' threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Refusal(ApiError::internal("a part of the engine failed on this request; it has been logged"))
    })
}
