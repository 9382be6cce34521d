//! What one gave oneself: to see, to take along and to withdraw. It stays so while one is suspended.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use banyan_knowledge::ExportOf;
use banyan_openai::ErrorBody;

use super::export::archive;
use super::patron::Patron;
use super::types::{Mine, Why, Withdrawn};
use super::views::Views;
use crate::Portal;
use crate::community::{Refused, Sent, now};

/// All that the caller gave, in whatever state, and what is left of what went.
#[utoipa::path(get, path = "/api/library/mine", tag = "library", operation_id = "library_mine", responses(
    (status = 200, body = Mine),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn list(State(portal): State<Portal>, patron: Patron) -> Result<Json<Mine>, Refused> {
    let member = patron.signed_in()?.member.to_string();
    let given = patron.library.contributions(member).await?;
    let views = Views::of(&portal, &patron).await?;
    let documents = given.documents.into_iter().map(|document| views.document(document)).collect();
    Ok(Json(Mine { documents, traces: given.traces }))
}

/// All that the caller gave, in open formats: text, every version, the files as they came.
#[utoipa::path(get, path = "/api/library/mine/export", tag = "library", operation_id = "library_export_mine", responses(
    (status = 200, description = "A ZIP archive", content_type = "application/zip", body = Vec<u8>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn export(patron: Patron) -> Result<Response, Refused> {
    let member = patron.signed_in()?.member.to_string();
    Ok(archive(&patron.library, ExportOf::Member(member), "my-library.zip"))
}

/// Withdraw all that the caller gave, at once.
#[utoipa::path(delete, path = "/api/library/mine", tag = "library", operation_id = "library_withdraw_mine", request_body = Why, responses(
    (status = 200, body = Withdrawn),
    (status = 400, description = "The reason is missing", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn withdraw(patron: Patron, Sent(said): Sent<Why>) -> Result<Json<Withdrawn>, Refused> {
    let hand = patron.own_hand()?;
    let member = patron.signed_in()?.member.to_string();
    let traces = patron.library.withdraw_all_of(member, said.why, hand, now().0).await?;
    Ok(Json(Withdrawn { traces }))
}
