//! What stewards may do alone, for a short time, in the open.

use axum::Json;
use axum::extract::State;
use banyan_assembly::people::{EmergencyView, EmergencyWanted};
use banyan_governance::EmergencyId;
use banyan_openai::ErrorBody;
use http::StatusCode;

use super::{Named, Refused, Sent, SignedIn, now};
use crate::Portal;

/// What stewards may do alone, and what they did.
#[utoipa::path(get, path = "/api/emergency", tag = "people", responses(
    (status = 200, body = EmergencyView),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Not while suspended", body = ErrorBody),
))]
pub(crate) async fn emergencies(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<EmergencyView>, Refused> {
    Ok(Json(portal.assembly()?.emergencies(&caller, now()).await?))
}

/// Ask for an emergency power. It ends by itself, and the community has to confirm it.
#[utoipa::path(post, path = "/api/emergency", tag = "people", request_body = EmergencyWanted, responses(
    (status = 201, body = EmergencyView),
    (status = 400, description = "A reason is missing", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only stewards", body = ErrorBody),
    (status = 409, description = "The constitution does not give it, or it rests, or it is in use", body = ErrorBody),
))]
pub(crate) async fn ask_emergency(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(wanted): Sent<EmergencyWanted>,
) -> Result<(StatusCode, Json<EmergencyView>), Refused> {
    Ok((StatusCode::CREATED, Json(portal.assembly()?.ask_emergency(&caller, wanted, now()).await?)))
}

/// Agree to an emergency power that another steward asked for.
#[utoipa::path(post, path = "/api/emergency/{id}/agree", tag = "people",
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = EmergencyView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Only stewards", body = ErrorBody),
        (status = 404, description = "Nobody asked for it", body = ErrorBody),
        (status = 409, description = "It does not wait for anybody", body = ErrorBody),
    )
)]
pub(crate) async fn agree_to_emergency(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(emergency): Named<EmergencyId>,
) -> Result<Json<EmergencyView>, Refused> {
    Ok(Json(portal.assembly()?.agree_to_emergency(&caller, &emergency, now()).await?))
}
