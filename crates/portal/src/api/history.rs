//! Conversations that a member keeps on the box, where the community's policy lets them.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use banyan_assembly::answers::History;
use banyan_openai::{ApiError, ErrorBody};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::Portal;
use crate::community::{Named, Refused, Sent, SignedIn, now};

/// The caller's kept conversations.
///
/// They are sealed under a key that only the member's session opens: no steward can read them.
#[utoipa::path(
    get,
    path = "/api/history",
    tag = "app",
    responses(
        (status = 200, body = History),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
    )
)]
pub(crate) async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<History>, Refused> {
    Ok(Json(portal.assembly()?.history(&caller).await?))
}

/// One of the caller's kept conversations, as the app wrote it.
#[utoipa::path(
    get,
    path = "/api/history/{id}",
    tag = "app",
    params(("id" = String, Path, description = "As the app calls it")),
    responses(
        (status = 200, description = "What the app kept", body = Value),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "The caller keeps no conversation of that name", body = ErrorBody),
    )
)]
pub(crate) async fn read(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<String>,
) -> Result<Response, Refused> {
    let words = portal.assembly()?.conversation(&caller, &id).await?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((headers, words).into_response())
}

/// Keep a conversation, in place of an earlier state of it: any JSON of at most 256 KiB.
#[utoipa::path(
    put,
    path = "/api/history/{id}",
    tag = "app",
    params(("id" = String, Path, description = "As the app calls it: 1 to 64 letters, digits, - and _")),
    request_body = Value,
    responses(
        (status = 204, description = "It is kept"),
        (status = 400, description = "The name is not one", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 409, description = "The policy keeps no conversations, or too many are kept", body = ErrorBody),
        (status = 413, description = "It is too large", body = ErrorBody),
    )
)]
pub(crate) async fn keep(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<String>,
    Sent(conversation): Sent<Value>,
) -> Result<StatusCode, Refused> {
    let words = serde_json::to_vec(&conversation)
        .map_err(|error| ApiError::invalid_request(format!("the conversation cannot be written: {error}")))?;
    portal.assembly()?.keep_conversation(&caller, &id, &words, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erase a kept conversation.
#[utoipa::path(
    delete,
    path = "/api/history/{id}",
    tag = "app",
    params(("id" = String, Path, description = "As the app calls it")),
    responses(
        (status = 204, description = "It is gone, or was not there"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
    )
)]
pub(crate) async fn forget(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<String>,
) -> Result<StatusCode, Refused> {
    portal.assembly()?.forget_conversation(&caller, &id, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
