//! Texts that wait for a moderator: the moderator's word, and what the one who asked gets to know.

use axum::extract::State;
use axum::{Extension, Json};
use banyan_assembly::answers::OwnHeld;
use banyan_openai::ErrorBody;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Portal;
use crate::community::{Named, Refused, Sent, SignedIn, now};
use crate::visit::Visit;

/// A moderator's word about a held text.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldWord {
    /// Whether the one who asked gets it.
    pub(crate) allow: bool,
}

/// Let a held text go to the one who asked, or not.
///
/// An answer can be read at once then; a question is answered when nobody else waits. `GET /api/moderation` lists what
/// waits.
#[utoipa::path(
    post,
    path = "/api/held/{id}",
    tag = "app",
    params(("id" = i64, Path, description = "Its number")),
    request_body = HeldWord,
    responses(
        (status = 204, description = "It is settled"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "The caller is no moderator, or the text is their own", body = ErrorBody),
        (status = 404, description = "There is no such text", body = ErrorBody),
        (status = 409, description = "Somebody settled it already", body = ErrorBody),
    )
)]
pub(crate) async fn settle(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<i64>,
    Sent(HeldWord { allow }): Sent<HeldWord>,
) -> Result<StatusCode, Refused> {
    portal.assembly()?.settle_held(&caller, id, allow, now()).await?;
    portal.answers().look_at_allowed();
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's own texts that were held, with the answers that may be read by now.
///
/// For members on every phone where they are signed in, for guests on the one that asked.
#[utoipa::path(
    get,
    path = "/api/held",
    tag = "app",
    responses(
        (status = 200, body = Vec<OwnHeld>),
        (status = 503, description = "The box runs without a community", body = ErrorBody),
    )
)]
pub(crate) async fn own(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
) -> Result<Json<Vec<OwnHeld>>, Refused> {
    let owner = visit.owners().lasting();
    Ok(Json(portal.assembly()?.held_of(owner).await?))
}
