//! Who votes for whom.

use axum::Json;
use axum::extract::{Query, State};
use banyan_assembly::decide::{Delegate, DelegationsView};
use banyan_governance::Topic;
use banyan_openai::{ApiError, ErrorBody};
use serde::Deserialize;

use super::{Refused, Sent, SignedIn, now};
use crate::Portal;

/// The caller's delegations, given and got.
#[utoipa::path(get, path = "/api/delegations", tag = "decide", responses(
    (status = 200, body = DelegationsView),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn delegations(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<DelegationsView>, Refused> {
    Ok(Json(portal.assembly()?.delegations(&caller).await?))
}

/// Hand on one's vote, on a topic or on all; it can be taken back at any time, and one's own vote comes first.
#[utoipa::path(put, path = "/api/delegations", tag = "decide", request_body = Delegate, responses(
    (status = 200, body = DelegationsView),
    (status = 400, description = "It would go in a circle or too far, or the constitution has no delegation", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 404, description = "There is no such active member", body = ErrorBody),
))]
pub(crate) async fn delegate(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(wanted): Sent<Delegate>,
) -> Result<Json<DelegationsView>, Refused> {
    Ok(Json(portal.assembly()?.delegate(&caller, wanted, now()).await?))
}

/// Which delegation.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct OnTopic {
    #[serde(default)]
    topic: String,
}

/// Speak for oneself again.
#[utoipa::path(delete, path = "/api/delegations", tag = "decide",
    params(("topic" = Option<Topic>, Query, description = "On this topic; absent: the delegation for all others")),
    responses(
        (status = 200, body = DelegationsView),
        (status = 400, description = "There is no such topic", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such delegation", body = ErrorBody),
    ))]
pub(crate) async fn end_delegation(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Query(on): Query<OnTopic>,
) -> Result<Json<DelegationsView>, Refused> {
    let topic = match on.topic.as_str() {
        "" => None,
        word => Some(serde_json::from_value(word.into()).map_err(|_| {
            ApiError::invalid_param("topic", "there is no such topic; GET /api/constitution names them")
        })?),
    };
    Ok(Json(portal.assembly()?.end_delegation(&caller, topic, now()).await?))
}
