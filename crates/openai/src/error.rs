//! OpenAI's error body, and one constructor for each refusal that the box knows.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// The body of every error: `{"error":{…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// In words, with what to do.
    pub message: String,
    /// The family: `invalid_request_error`, `server_error` …
    #[serde(rename = "type", default)]
    pub kind: String,
    /// A name that a program can test.
    #[serde(default, deserialize_with = "text_or_number")]
    pub code: Option<String>,
    /// The request's field that is to blame.
    #[serde(default)]
    pub param: Option<String>,
}

/// llama.cpp and vLLM write the HTTP status as a number here.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<serde_json::Value>::deserialize(deserializer)? {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    })
}

/// A refusal: the error body with its HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .detail.message)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// Seconds after which asking again makes sense (the `Retry-After` header).
    pub retry_after: Option<u32>,
    /// What goes into the body.
    pub detail: ErrorDetail,
}

impl ApiError {
    /// `code` when a prompt with its answer does not fit the model's context.
    pub const CONTEXT_LENGTH_EXCEEDED: &'static str = "context_length_exceeded";
    /// `code` when the engine still reads its model.
    pub const MODEL_LOADING: &'static str = "model_loading";
    /// `code` when too many requests wait already.
    pub const QUEUE_FULL: &'static str = "queue_full";
    /// `code` when the engine cannot be reached or has failed.
    pub const ENGINE_UNAVAILABLE: &'static str = "engine_unavailable";
    /// `code` when an API key is missing, unknown or revoked.
    pub const INVALID_API_KEY: &'static str = "invalid_api_key";
    /// `code` when no such model is on the box.
    pub const MODEL_NOT_FOUND: &'static str = "model_not_found";
    /// `code` when the server met a fault of its own.
    pub const INTERNAL: &'static str = "internal_error";

    /// Any refusal.
    pub fn new(status: StatusCode, kind: &str, code: Option<&str>, message: impl Into<String>) -> Self {
        let detail = ErrorDetail {
            message: message.into(),
            kind: kind.into(),
            code: code.map(Into::into),
            param: None,
        };
        Self { status, retry_after: None, detail }
    }

    /// 400: the request makes no sense; the message says why.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", None, message)
    }

    /// 400: one field of the request makes no sense.
    pub fn invalid_param(param: &str, message: impl Into<String>) -> Self {
        Self::invalid_request(message).with_param(param)
    }

    /// 400: the prompt and the answer do not fit the model's context.
    pub fn context_length_exceeded(message: impl Into<String>) -> Self {
        let code = Some(Self::CONTEXT_LENGTH_EXCEEDED);
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message).with_param("messages")
    }

    /// 401: no API key, or one that is not valid.
    pub fn invalid_api_key(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", Some(Self::INVALID_API_KEY), message)
    }

    /// 404: no such address.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", Some("not_found"), message)
    }

    /// 404: no such model.
    pub fn model_not_found(model: &str, available: &str) -> Self {
        let asked: String = model.chars().take(80).collect();
        Self::no_such_model(format!("there is no model \"{asked}\" on this box; it has: {available}"))
    }

    /// 404: no such model, in words of one's own.
    pub fn no_such_model(message: impl Into<String>) -> Self {
        let code = Some(Self::MODEL_NOT_FOUND);
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", code, message).with_param("model")
    }

    /// 405: the address exists, the method does not.
    pub fn method_not_allowed(message: impl Into<String>) -> Self {
        let code = Some("method_not_allowed");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", code, message)
    }

    /// 413: the body is larger than the limit.
    #[must_use]
    pub fn too_large(limit_bytes: usize) -> Self {
        let message = format!("the request is larger than {} KiB; send less at once", limit_bytes / 1024);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", Some("request_too_large"), message)
    }

    /// 503: the model is being read.
    pub fn model_loading(message: impl Into<String>) -> Self {
        let code = Some(Self::MODEL_LOADING);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", code, message).with_retry_after(3)
    }

    /// 503: too many requests wait already.
    pub fn queue_full(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        let code = Some(Self::QUEUE_FULL);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", code, message)
            .with_retry_after(retry_after_seconds)
    }

    /// 503: the engine cannot be reached or has failed.
    pub fn engine_unavailable(message: impl Into<String>) -> Self {
        let code = Some(Self::ENGINE_UNAVAILABLE);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", code, message).with_retry_after(5)
    }

    /// 500: a fault of the server's own.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", Some(Self::INTERNAL), message)
    }

    /// Names the field that is to blame.
    #[must_use]
    pub fn with_param(mut self, param: &str) -> Self {
        self.detail.param = Some(param.into());
        self
    }

    /// Says when asking again makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The `code`, empty when there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.detail.code.as_deref().unwrap_or_default()
    }

    /// The body as JSON; also what a stream sends as its last event when it fails half-way.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!({ "error": self.detail }).to_string()
    }

    /// The whole HTTP answer.
    #[must_use]
    pub fn to_response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.to_json())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_looks_as_openai_writes_it() {
        let error = ApiError::invalid_param("top_p", "top_p must lie between 0 and 1");
        let wire: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        let expected = serde_json::json!({"error": {
            "message": "top_p must lie between 0 and 1", "type": "invalid_request_error", "code": null, "param": "top_p"}});
        assert_eq!(wire, expected);
    }

    #[test]
    fn an_error_of_another_engine_is_understood() {
        let cases = [
            (r#"{"error":{"message":"m","type":"t","code":503}}"#, Some("503")),
            (r#"{"error":{"message":"m","code":"c","param":null}}"#, Some("c")),
            (r#"{"error":{"message":"m"}}"#, None),
        ];
        for (wire, code) in cases {
            let body: ErrorBody = serde_json::from_str(wire).unwrap();
            assert_eq!((body.error.message.as_str(), body.error.code.as_deref()), ("m", code));
        }
    }

    #[test]
    fn a_full_queue_says_when_to_come_back() {
        let response =
            ApiError::queue_full("12 questions wait already; ask again in a moment", 7).to_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "7");
    }
}
