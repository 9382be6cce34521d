//! Votes, on the phone and on paper.

use axum::Json;
use axum::extract::State;
use banyan_assembly::decide::{CastBallot, IssuePaperCodes, PaperBallot, PaperCodes, ProposalView};
use banyan_governance::ProposalId;
use banyan_openai::ErrorBody;
use http::StatusCode;

use super::{Named, Refused, Sent, SignedIn, now};
use crate::Portal;

/// Vote, or vote otherwise than before, until the vote closes.
#[utoipa::path(put, path = "/api/proposals/{id}/ballot", tag = "decide", request_body = CastBallot,
    params(("id" = String, Path, description = "The proposal's name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 400, description = "Not a choice of this method; the message says what is", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "The caller has no vote in this", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "No votes are taken now", body = ErrorBody),
    ))]
pub(crate) async fn vote(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
    Sent(ballot): Sent<CastBallot>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.vote(&caller, id, ballot, now()).await?))
}

/// Take one's vote back, until the vote closes.
#[utoipa::path(delete, path = "/api/proposals/{id}/ballot", tag = "decide",
    params(("id" = String, Path, description = "The proposal's name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "No votes are taken now", body = ErrorBody),
    ))]
pub(crate) async fn take_back_vote(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.take_back_vote(&caller, id, now()).await?))
}

/// Make codes for sheets of paper; they can be seen at this moment only.
#[utoipa::path(post, path = "/api/proposals/{id}/paper-codes", tag = "decide", request_body = IssuePaperCodes,
    params(("id" = String, Path, description = "The proposal's name")),
    responses(
        (status = 201, body = PaperCodes),
        (status = 400, description = "More than there are members with a vote", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "The caller is no steward", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "It is neither discussed nor voted on", body = ErrorBody),
    ))]
pub(crate) async fn issue_paper_codes(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
    Sent(wanted): Sent<IssuePaperCodes>,
) -> Result<(StatusCode, Json<PaperCodes>), Refused> {
    let codes = portal.assembly()?.issue_paper_codes(&caller, id, wanted, now()).await?;
    Ok((StatusCode::CREATED, Json(codes)))
}

/// Type a sheet of paper in, for a member who has not voted yet.
#[utoipa::path(post, path = "/api/proposals/{id}/paper-ballot", tag = "decide", request_body = PaperBallot,
    params(("id" = String, Path, description = "The proposal's name")),
    responses(
        (status = 204, description = "Done"),
        (status = 400, description = "No sheet has this code, or not a choice of this method", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "The member has no vote in this", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "The member has voted already, or no votes are taken now", body = ErrorBody),
    ))]
pub(crate) async fn cast_paper_ballot(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
    Sent(ballot): Sent<PaperBallot>,
) -> Result<StatusCode, Refused> {
    portal.assembly()?.cast_paper_ballot(&caller, id, ballot, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
