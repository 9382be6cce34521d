//! Engines of other makers introduce themselves: what their health pages mean in Banyan's words.
//!
//! | engine | `/health` | places | its maker |
//! |---|---|---|---|
//! | Banyan's engine | Banyan's own words | said there | `owned_by` of its models |
//! | llama.cpp server | `{"status":"ok"}`, 503 while it loads | `/props`, `total_slots` | `llamacpp` |
//! | vLLM | 200 and empty, 503 when it has failed | not said: taken for 64 | `vllm` |
//! | a Banyan box | 404 | `/api/status`, `queue.places` | `banyan` |
//! | others | 404 | not said | other words |
//!
//! A health page is often open to everybody; whether the key is good shows only at `/v1/models` and `/props`.

use http::StatusCode;
use serde::Deserialize;

use super::{Client, ClientError, SMALL_BODY, accepted, read_body, read_json, refusal};
use crate::{ApiError, Health, HealthStatus, Model};

/// Places of vLLM, which does not say how many it has. Started without options it computes 256 answers at once; a quarter
/// of that keeps each of them quick, and leaves room for whom else it serves.
const VLLM_SLOTS: u32 = 64;

/// Who made an engine, as far as that changes what it may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// Banyan's engine, or the portal of another box.
    Banyan,
    /// llama.cpp's server.
    LlamaCpp,
    /// vLLM.
    Vllm,
    /// Anything else that speaks the OpenAI wire.
    Other,
}

/// What an engine says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// How it is. `slots` is 0 when it does not say.
    pub health: Health,
    /// Who made it.
    pub maker: Maker,
}

/// `GET /api/status` of another box.
#[derive(Deserialize)]
struct BoxStatus {
    engine: BoxEngine,
    queue: BoxQueue,
}

#[derive(Deserialize)]
struct BoxEngine {
    model: Option<String>,
}

#[derive(Deserialize)]
struct BoxQueue {
    places: u32,
}

/// `GET /props` of llama.cpp's server.
#[derive(Deserialize)]
struct Props {
    total_slots: u32,
}

impl Client {
    /// How the engine is, whoever made it; also while it loads or has failed. Refusals of the key come as
    /// [`ClientError::Refused`].
    pub async fn introduction(&self) -> Result<Introduction, ClientError> {
        let response = self.get("/health").await?;
        let status = response.status();
        match status {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => {}
            StatusCode::NOT_FOUND => return self.introduction_by_models().await,
            _ => return Err(refusal(response).await),
        }
        let body = read_body(response, SMALL_BODY).await?;
        if let Ok(health) = serde_json::from_slice::<Health>(&body) {
            return Ok(Introduction { health, maker: Maker::Banyan });
        }
        if status == StatusCode::OK {
            return self.introduction_by_models().await;
        }
        Err(ClientError::of_refusal(status, None, &body))
    }

    /// An engine that gives its models out answers questions.
    async fn introduction_by_models(&self) -> Result<Introduction, ClientError> {
        let models = match self.models().await {
            Ok(models) => models.data,
            Err(ClientError::Loading(error)) => return Ok(loading(&error)),
            Err(error) => return Err(error),
        };
        let maker = maker(models.first());
        let answers = answering(&models);
        let mut health = Health::loading(String::new());
        health.status = HealthStatus::Ready;
        if answers.is_none() && !models.is_empty() {
            health.status = HealthStatus::Failed;
            health.reason = Some("none of its models answers questions".into());
        }
        health.model = answers.map(|model| model.id.clone());
        health.context_length = answers.and_then(|model| model.context_length).unwrap_or_default();
        match maker {
            Maker::LlamaCpp => {
                let props: Props = read_json(accepted(self.get("/props").await?).await?, SMALL_BODY).await?;
                health.slots = props.total_slots;
            }
            Maker::Banyan => {
                // An older box does not say.
                if let Some(status) = self.status_of_box().await {
                    health.slots = status.queue.places;
                    health.model = status.engine.model.or(health.model);
                }
            }
            Maker::Vllm => health.slots = VLLM_SLOTS,
            Maker::Other => {}
        }
        Ok(Introduction { health, maker })
    }

    async fn status_of_box(&self) -> Option<BoxStatus> {
        let response = accepted(self.get("/api/status").await.ok()?).await.ok()?;
        read_json(response, SMALL_BODY).await.ok()
    }
}

/// The model that answers: not an embedding model, nor an adapter; one in memory before one that has to be read.
fn answering(models: &[Model]) -> Option<&Model> {
    let answers =
        |model: &&Model| model.kind.as_deref().is_none_or(|kind| kind == "chat") && model.parent.is_none();
    let mut candidates = models.iter().filter(answers);
    let first = candidates.clone().next();
    candidates.find(|model| model.loaded == Some(true)).or(first)
}

fn maker(model: Option<&Model>) -> Maker {
    match model.map(|model| model.owned_by.as_str()) {
        Some("banyan") => Maker::Banyan,
        Some("llamacpp") => Maker::LlamaCpp,
        Some("vllm") => Maker::Vllm,
        _ => Maker::Other,
    }
}

fn loading(error: &ApiError) -> Introduction {
    let mut health = Health::loading(String::new());
    health.reason = Some(error.detail.message.clone());
    Introduction { health, maker: Maker::Other }
}
