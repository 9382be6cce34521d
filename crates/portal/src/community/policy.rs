//! What is in force, in plain words.

use axum::Json;
use axum::extract::State;
use banyan_assembly::record::{ConstitutionView, PolicyVersion, PolicyView};
use banyan_openai::ErrorBody;

use super::{Refused, SignedIn};
use crate::Portal;

/// The policy in force.
#[utoipa::path(get, path = "/api/policy", tag = "decide", responses(
    (status = 200, body = PolicyView),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn policy(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<PolicyView>, Refused> {
    Ok(Json(portal.assembly()?.policy(&caller).await?))
}

/// Every version of the policy, newest first.
#[utoipa::path(get, path = "/api/policy/history", tag = "decide", responses(
    (status = 200, body = Vec<PolicyVersion>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn policy_history(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<Vec<PolicyVersion>>, Refused> {
    Ok(Json(portal.assembly()?.policy_history(&caller).await?))
}

/// The constitution in force.
#[utoipa::path(get, path = "/api/constitution", tag = "decide", responses(
    (status = 200, body = ConstitutionView),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn constitution(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<ConstitutionView>, Refused> {
    Ok(Json(portal.assembly()?.constitution(&caller).await?))
}
