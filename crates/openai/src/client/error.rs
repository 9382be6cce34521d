//! What can go wrong between a client and its engine, each in words that say what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use super::EngineAddress;
use crate::{ApiError, ErrorBody};

/// Why the engine gave no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens at its address, or no way leads there.
    #[error("{}", not_running(.address, .source))]
    NotRunning {
        /// Where it should listen.
        address: EngineAddress,
        /// What the system said.
        source: io::Error,
    },
    /// The path does not fit a Unix socket.
    #[error("the socket path {} has {length} bytes and Linux allows 107; choose a shorter --data folder or --run-dir", .socket.display())]
    SocketPathTooLong {
        /// The path.
        socket: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// It runs, and reads its model.
    #[error("the engine is still loading its model ({}); ask again in a moment", .0.detail.message)]
    Loading(ApiError),
    /// It understood and said no; the words are its own.
    #[error("{0}")]
    Refused(ApiError),
    /// It closed the connection before the answer began. Asking again is safe.
    #[error("the engine went away before it answered; ask again in a moment")]
    GoneBeforeAnswer(#[source] hyper::Error),
    /// It closed the connection in the middle of the answer.
    #[error("the engine went away in the middle of its answer; ask again in a moment")]
    GoneMidAnswer(#[source] Option<hyper::Error>),
    /// It accepted the connection and says nothing.
    #[error("the engine has not answered for {} seconds; if it does not recover, start it anew", .0.as_secs())]
    Silent(Duration),
    /// What it says is not the OpenAI wire.
    #[error("the engine's answer cannot be read ({0}); is another program listening at its address?")]
    Garbled(String),
    /// The body that was being passed on could not be read to its end.
    #[error("the request's body broke off before its end; send it again")]
    Upload(#[source] hyper::Error),
}

impl ClientError {
    /// Whether the engine is away for a moment: not up, not yet ready, or just died. Waiting and asking again is
    /// what helps.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::NotRunning { .. } | Self::Loading(_) | Self::GoneBeforeAnswer(_) | Self::GoneMidAnswer(_)
        )
    }

    /// The same as a refusal for a client of our own: the engine's words where it spoke, otherwise 503.
    #[must_use]
    pub fn to_api_error(&self) -> ApiError {
        match self {
            Self::Refused(error) | Self::Loading(error) => error.clone(),
            Self::Upload(_) => ApiError::invalid_request(self.to_string()),
            Self::Garbled(_) | Self::SocketPathTooLong { .. } => ApiError::internal(self.to_string()),
            _ => ApiError::engine_unavailable(self.to_string()),
        }
    }

    /// An engine's own words when it said no, whoever made it; what it sends is not always JSON, and may be nothing.
    #[must_use]
    pub fn of_refusal(status: StatusCode, retry_after: Option<u32>, body: &[u8]) -> Self {
        if let Ok(body) = serde_json::from_slice::<ErrorBody>(body) {
            return Self::refused(ApiError { status, retry_after, detail: body.error });
        }
        let words = match other_words(body) {
            Some(words) => words,
            None if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) => {
                "the engine refuses the key, or wants one".into()
            }
            None => return Self::Garbled(format!("HTTP status {status} without a reason")),
        };
        let kind = if status.is_client_error() { "invalid_request_error" } else { "server_error" };
        Self::Refused(ApiError { retry_after, ..ApiError::new(status, kind, None, words) })
    }

    pub(super) fn refused(error: ApiError) -> Self {
        // llama.cpp's server has no name of its own for it.
        let loads = error.code() == ApiError::MODEL_LOADING
            || (error.status == StatusCode::SERVICE_UNAVAILABLE
                && error.detail.kind == "unavailable_error"
                && error.detail.message == "Loading model");
        if loads { Self::Loading(error) } else { Self::Refused(error) }
    }

    pub(super) fn before_answer(error: hyper::Error) -> Self {
        if error.is_user() {
            Self::Upload(error)
        } else if error.is_parse() {
            Self::Garbled(error.to_string())
        } else {
            Self::GoneBeforeAnswer(error)
        }
    }

    pub(super) fn mid_answer(error: hyper::Error) -> Self {
        if error.is_parse() { Self::Garbled(error.to_string()) } else { Self::GoneMidAnswer(Some(error)) }
    }
}

/// What vLLM's key check (`{"error":"Unauthorized"}`), its older versions (`{"message":…}`) and FastAPI (`{"detail":…}`)
/// say.
fn other_words(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let words = ["error", "message", "detail"].iter().find_map(|name| body.get(name)?.as_str())?;
    Some(words.to_owned())
}

fn not_running(address: &EngineAddress, source: &io::Error) -> String {
    match address {
        EngineAddress::Unix(socket) => format!(
            "the engine is not running (nobody listens at {}); `banyan status` says why, `banyan run` starts it",
            socket.display()
        ),
        EngineAddress::Http(address) => format!(
            "the engine at {address} cannot be reached ({source}); is it running there, and is the address right?"
        ),
    }
}
