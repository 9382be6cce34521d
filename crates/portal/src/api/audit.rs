//! "Why this answer?": `GET /api/audit/{entry}`.

use axum::Json;
use axum::extract::State;
use banyan_assembly::answers::Audit;
use banyan_openai::ErrorBody;

use crate::Portal;
use crate::community::{Named, Refused};

/// By what an answer was made.
///
/// The ledger entry of one answer: model, adapter, policy version, rules that applied, sources and times; not what was
/// asked, nor by whom. The event `done` of an answer has its number. Everybody at the box may read it.
#[utoipa::path(
    get,
    path = "/api/audit/{entry}",
    tag = "app",
    params(("entry" = u64, Path, description = "Number of the ledger entry")),
    responses(
        (status = 200, body = Audit),
        (status = 404, description = "There is no entry about an answer of that number", body = ErrorBody),
        (status = 503, description = "The box runs without a community", body = ErrorBody),
    )
)]
pub(crate) async fn audit(
    State(portal): State<Portal>,
    Named(entry): Named<u64>,
) -> Result<Json<Audit>, Refused> {
    Ok(Json(portal.assembly()?.audit(entry).await?))
}
