//! When something went wrong: reports, the moderation desk, appeals and mediation.

use axum::Json;
use axum::extract::State;
use banyan_assembly::answers::Held;
use banyan_assembly::decide::HeldComment;
use banyan_assembly::people::{CaseView, NewReport, Settling};
use banyan_governance::{CaseId, MemberId};
use banyan_openai::ErrorBody;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Named, Refused, Sent, SignedIn, now};
use crate::Portal;

/// What waits for a moderator.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModerationDesk {
    /// Reports: those that wait first, then those that were settled and can still be appealed.
    cases: Vec<CaseView>,
    /// Questions and answers that a rule held.
    held: Vec<Held>,
    /// Comments that a rule or a sanction held.
    comments: Vec<HeldComment>,
}

/// A report that was taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReportTaken {
    /// The case that it began.
    id: CaseId,
}

/// Words in a case.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    /// For the others who are part of it.
    words: String,
}

/// Who is to mediate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MediatorWanted {
    /// A member with the role of a mediator who is no side of the case.
    mediator: MemberId,
}

/// Report an answer, a comment or a member to the moderators.
#[utoipa::path(post, path = "/api/reports", tag = "people", request_body = NewReport, responses(
    (status = 201, body = ReportTaken),
    (status = 400, description = "Words or a reference are missing", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 404, description = "There is no such member or comment", body = ErrorBody),
    (status = 409, description = "Too many reports of this member wait", body = ErrorBody),
))]
pub(crate) async fn report(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(report): Sent<NewReport>,
) -> Result<(StatusCode, Json<ReportTaken>), Refused> {
    let id = portal.assembly()?.report(&caller, report, now()).await?;
    Ok((StatusCode::CREATED, Json(ReportTaken { id })))
}

/// What waits for a moderator, without what concerns this one.
#[utoipa::path(get, path = "/api/moderation", tag = "people", responses(
    (status = 200, body = ModerationDesk),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only moderators", body = ErrorBody),
))]
pub(crate) async fn moderation(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<ModerationDesk>, Refused> {
    let assembly = portal.assembly()?;
    let cases = assembly.desk(&caller, now()).await?;
    let held = assembly.held(&caller).await?;
    let comments = assembly.held_comments(&caller).await?;
    Ok(Json(ModerationDesk { cases, held, comments }))
}

/// Settle a report. A sanction is in force at once, and both sides can appeal.
#[utoipa::path(post, path = "/api/moderation/{case}/settle", tag = "people", request_body = Settling,
    params(("case" = String, Path, description = "Which")),
    responses(
        (status = 200, body = CaseView),
        (status = 400, description = "More than a moderator may do alone", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Only moderators, and nobody their own case", body = ErrorBody),
        (status = 404, description = "There is no such case", body = ErrorBody),
        (status = 409, description = "It was settled already", body = ErrorBody),
    )
)]
pub(crate) async fn settle_case(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(case): Named<CaseId>,
    Sent(settling): Sent<Settling>,
) -> Result<Json<CaseView>, Refused> {
    Ok(Json(portal.assembly()?.settle_case(&caller, &case, settling, now()).await?))
}

/// The cases that one is part of.
#[utoipa::path(get, path = "/api/cases", tag = "people", responses(
    (status = 200, body = Vec<CaseView>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn cases(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<Vec<CaseView>>, Refused> {
    Ok(Json(portal.assembly()?.cases(&caller, now()).await?))
}

/// Appeal against a settlement, within fourteen days.
#[utoipa::path(post, path = "/api/cases/{id}/appeal", tag = "people", request_body = Words,
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = CaseView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such case of this member", body = ErrorBody),
        (status = 409, description = "There is nothing to appeal against, or not any more", body = ErrorBody),
    )
)]
pub(crate) async fn appeal(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(case): Named<CaseId>,
    Sent(said): Sent<Words>,
) -> Result<Json<CaseView>, Refused> {
    Ok(Json(portal.assembly()?.appeal(&caller, &case, &said.words, now()).await?))
}

/// Name a mediator. When both sides have named the same, mediation begins.
#[utoipa::path(post, path = "/api/cases/{id}/mediation", tag = "people", request_body = MediatorWanted,
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = CaseView),
        (status = 400, description = "Somebody who cannot mediate", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such case of this member", body = ErrorBody),
        (status = 409, description = "Nobody has appealed", body = ErrorBody),
    )
)]
pub(crate) async fn mediation(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(case): Named<CaseId>,
    Sent(wanted): Sent<MediatorWanted>,
) -> Result<Json<CaseView>, Refused> {
    Ok(Json(portal.assembly()?.name_mediator(&caller, &case, &wanted.mediator, now()).await?))
}

/// Write an outcome for both sides to agree to, as the mediator of the case.
#[utoipa::path(post, path = "/api/cases/{id}/outcome", tag = "people", request_body = Words,
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = CaseView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Only the mediator whom both sides chose", body = ErrorBody),
        (status = 404, description = "There is no such case of this member", body = ErrorBody),
        (status = 409, description = "There is no mediation", body = ErrorBody),
    )
)]
pub(crate) async fn outcome(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(case): Named<CaseId>,
    Sent(said): Sent<Words>,
) -> Result<Json<CaseView>, Refused> {
    Ok(Json(portal.assembly()?.propose_outcome(&caller, &case, &said.words, now()).await?))
}

/// Agree to the outcome, as a side. When both have, the case is over, and its sanction is lifted.
#[utoipa::path(post, path = "/api/cases/{id}/agree", tag = "people",
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = CaseView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such case of this member", body = ErrorBody),
        (status = 409, description = "There is no outcome to agree to", body = ErrorBody),
    )
)]
pub(crate) async fn agree(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(case): Named<CaseId>,
) -> Result<Json<CaseView>, Refused> {
    Ok(Json(portal.assembly()?.agree_to_outcome(&caller, &case, now()).await?))
}

/// Take a report back, or give up on an appeal or a mediation: the settlement stands.
#[utoipa::path(post, path = "/api/cases/{id}/close", tag = "people",
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = CaseView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such case of this member", body = ErrorBody),
        (status = 409, description = "There is nothing to take back or give up", body = ErrorBody),
    )
)]
pub(crate) async fn close_case(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(case): Named<CaseId>,
) -> Result<Json<CaseView>, Refused> {
    Ok(Json(portal.assembly()?.close_case(&caller, &case, now()).await?))
}
