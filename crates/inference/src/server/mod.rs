//! The engine as a process sees it: HTTP/1.1 over a Unix socket, in OpenAI's words.
//!
//! | | |
//! |---|---|
//! | `POST /v1/chat/completions`, `/v1/completions` | answers, whole or as server-sent events |
//! | `POST /v1/embeddings` | vectors |
//! | `GET /v1/models`, `/v1/models/{name}` | what is loaded |
//! | `GET /health` | whether it can answer, and why not; from the first moment on, while the model still loads |
//! | `GET /metrics` | Prometheus text |
//!
//! A client that goes away takes its request with it: the connection's end drops the answer's stream, and that is the
//! engine's sign to stop. Fields that this version does not know are passed over; those that it knows and cannot
//! honour (`tools`, `response_format`, `n` > 1 …) are refused by name, since an answer that ignores them would be
//! wrong.
//!
//! Deliberately absent: keys, quotas, fairness between members. Whoever may open the socket may ask; the portal, which
//! opens it, has done all that.

mod answer;
mod chat;
mod completions;
mod embeddings;
mod request;
mod status;
#[cfg(test)]
mod tests;

use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::load::{self, ChatModel};
use crate::metrics::Metrics;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use banyan_modelpack::Kind;
use banyan_openai::{ApiError, ProviderHealth};
use embeddings::EmbeddingService;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
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
        .route("/v1/models", get(status::models))
        .route("/v1/models/{name}", get(status::model))
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
    state: RwLock<State>,
}

/// How far the engine has come.
#[derive(Default, Clone)]
struct State {
    providers: Vec<ProviderHealth>,
    phase: Phase,
}

#[derive(Default, Clone)]
enum Phase {
    #[default]
    Loading,
    Ready(Arc<Models>),
    Failed(String),
}

/// What is loaded.
struct Models {
    chat: Option<Arc<ChatModel>>,
    embedding: Option<EmbeddingService>,
    /// What else should be loaded and is not.
    problem: Option<String>,
}

impl App {
    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Loads everything and says how it went.
    fn load(&self, config: &EngineConfig) {
        match self.try_load(config) {
            Ok(models) => self.change(|state| state.phase = Phase::Ready(Arc::new(models))),
            Err(e) => {
                tracing::error!(error = %e, "the engine cannot answer");
                self.change(|state| state.phase = Phase::Failed(e.to_string()));
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
            problems.push(problem);
        };
        let opened = config.packs.iter().map(|dir| load::open_pack(dir));
        let packs: Vec<_> = opened.filter_map(|pack| pack.map_err(&mut keep).ok()).collect();
        let environment = crate::runtime::load(&config.ort_library)?;
        let mut providers = crate::providers::try_all(&environment, &config.providers);
        self.change(|state| state.providers.clone_from(&providers));
        let chat = load::first_of(&packs, Kind::Decoder).and_then(|pack| {
            let metrics = Arc::clone(&self.metrics);
            load::chat_model(&environment, pack, config, &mut providers, metrics)
                .map(Arc::new)
                .map_err(&mut keep)
                .ok()
        });
        let embedding = load::first_of(&packs, Kind::Encoder).and_then(|pack| {
            load::embedding_model(&environment, pack, config, &mut providers).map_err(&mut keep).ok()
        });
        self.change(|state| state.providers = providers);
        let problem = problems.iter().map(ToString::to_string).reduce(|all, one| format!("{all}; {one}"));
        if chat.is_none() && embedding.is_none() {
            return Err(problems.into_iter().next().unwrap_or_else(|| {
                EngineError::Missing("none of the packs is a chat or an embedding model".into())
            }));
        }
        let embedding = embedding.map(|model| EmbeddingService::new(model, config.max_waiting));
        Ok(Models { chat, embedding, problem })
    }

    /// The models, or why there are none yet.
    fn models(&self) -> Result<Arc<Models>, Refusal> {
        match self.state().phase {
            Phase::Ready(models) => Ok(models),
            Phase::Loading => {
                Err(Refusal(ApiError::model_loading("the model is being loaded; try again in a few seconds")))
            }
            Phase::Failed(reason) => {
                Err(Refusal(ApiError::engine_unavailable(format!("the engine cannot answer: {reason}"))))
            }
        }
    }

    /// The chat model of this name (empty: the default one), or why it cannot answer.
    async fn chat(&self, name: &str) -> Result<Arc<ChatModel>, Refusal> {
        let models = self.models()?;
        let model = models.chat.as_ref().ok_or_else(no_chat_model)?;
        request::check_model(name, &model.name)?;
        Ok(Arc::clone(model))
    }

    /// Ready when the engine thread has ended without being told to.
    async fn engine_ended(&self) -> String {
        loop {
            tokio::time::sleep(WATCH).await;
            let Phase::Ready(models) = self.state().phase else { continue };
            if let Some(reason) = models.chat.as_ref().and_then(|chat| chat.engine.ended()) {
                self.change(|state| state.phase = Phase::Failed(reason.clone()));
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

/// The refusal of a chat where only embeddings can be had.
fn no_chat_model() -> Refusal {
    Refusal(ApiError::model_not_found(
        "chat",
        "no model that can chat; import one with `banyan model import FILE`",
    ))
}

/// Runs what takes processor time away from the sockets' threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Refusal(ApiError::internal("a part of the engine failed on this request; it has been logged"))
    })
}
