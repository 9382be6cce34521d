//! Proposals and what is said about them.

use axum::Json;
use axum::extract::State;
use banyan_assembly::decide::{
    AmendProposal, HeldComment, NewComment, NewProposal, ProposalList, ProposalView, SettleComment,
};
use banyan_governance::ProposalId;
use banyan_openai::ErrorBody;
use http::StatusCode;

use super::{Named, Refused, Sent, SignedIn, now};
use crate::Portal;

/// All proposals, newest first; of drafts one's own only.
#[utoipa::path(get, path = "/api/proposals", tag = "decide", responses(
    (status = 200, body = ProposalList),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn proposals(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<ProposalList>, Refused> {
    Ok(Json(portal.assembly()?.proposals(&caller, now()).await?))
}

/// Begin a proposal: a draft, or with `submit` one that everybody can discuss.
#[utoipa::path(post, path = "/api/proposals", tag = "decide", request_body = NewProposal, responses(
    (status = 201, body = ProposalView),
    (status = 400, description = "Something in it makes no sense; the message says what", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 409, description = "The caller may not propose for now", body = ErrorBody),
))]
pub(crate) async fn propose(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(wanted): Sent<NewProposal>,
) -> Result<(StatusCode, Json<ProposalView>), Refused> {
    let view = portal.assembly()?.propose(&caller, wanted, now()).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// One proposal, with its comments, its votes as far as they can be seen, and what the caller may do.
#[utoipa::path(get, path = "/api/proposals/{id}", tag = "decide",
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
    ))]
pub(crate) async fn proposal(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.proposal(&caller, id, now()).await?))
}

/// Give one's proposal another wording. The hours of discussion begin again; the wording before is kept.
#[utoipa::path(put, path = "/api/proposals/{id}", tag = "decide", request_body = AmendProposal,
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 400, description = "Something in it makes no sense; the message says what", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "It is another member's", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "It cannot be amended any more", body = ErrorBody),
    ))]
pub(crate) async fn amend(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
    Sent(wanted): Sent<AmendProposal>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.amend_proposal(&caller, id, wanted, now()).await?))
}

/// Begin the discussion of one's draft.
#[utoipa::path(post, path = "/api/proposals/{id}/submit", tag = "decide",
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "It is no draft any more", body = ErrorBody),
    ))]
pub(crate) async fn submit(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.submit_proposal(&caller, id, now()).await?))
}

/// Open the vote on one's proposal, once its discussion has been long enough. The box does it by itself, too.
#[utoipa::path(post, path = "/api/proposals/{id}/open", tag = "decide",
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "It is another member's", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "Discussion is not over", body = ErrorBody),
    ))]
pub(crate) async fn open(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.open_proposal(&caller, id, now()).await?))
}

/// Take one's proposal back, as long as it is not decided.
#[utoipa::path(post, path = "/api/proposals/{id}/withdraw", tag = "decide",
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "It is another member's", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "It is decided", body = ErrorBody),
    ))]
pub(crate) async fn withdraw(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.withdraw_proposal(&caller, id, now()).await?))
}

/// Say something about a proposal.
#[utoipa::path(post, path = "/api/proposals/{id}/comments", tag = "decide", request_body = NewComment,
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = ProposalView),
        (status = 400, description = "Empty, too long, or refused by the policy", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such proposal", body = ErrorBody),
        (status = 409, description = "It is not discussed, or the caller may not comment for now", body = ErrorBody),
        (status = 429, description = "Too many comments in an hour", body = ErrorBody),
    ))]
pub(crate) async fn comment(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<ProposalId>,
    Sent(wanted): Sent<NewComment>,
) -> Result<Json<ProposalView>, Refused> {
    Ok(Json(portal.assembly()?.comment(&caller, id, wanted, now()).await?))
}

/// The comments that wait for a moderator, oldest first.
#[utoipa::path(get, path = "/api/comments/held", tag = "decide", responses(
    (status = 200, body = Vec<HeldComment>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "The caller is no moderator", body = ErrorBody),
))]
pub(crate) async fn held_comments(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<Vec<HeldComment>>, Refused> {
    Ok(Json(portal.assembly()?.held_comments(&caller).await?))
}

/// Let everybody read a held comment, or erase it; hold one that is not held yet.
#[utoipa::path(post, path = "/api/comments/{id}", tag = "decide", request_body = SettleComment,
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 204, description = "Done"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "The caller is no moderator, or wrote it", body = ErrorBody),
        (status = 404, description = "There is no such comment", body = ErrorBody),
        (status = 409, description = "Everybody can read it already", body = ErrorBody),
    ))]
pub(crate) async fn settle_comment(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<i64>,
    Sent(settled): Sent<SettleComment>,
) -> Result<StatusCode, Refused> {
    portal.assembly()?.settle_comment(&caller, id, settled, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erase the words of one's own comment, for ever.
#[utoipa::path(delete, path = "/api/comments/{id}", tag = "decide",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 204, description = "Done"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "It is another member's", body = ErrorBody),
        (status = 404, description = "There is no such comment", body = ErrorBody),
    ))]
pub(crate) async fn erase_comment(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<i64>,
) -> Result<StatusCode, Refused> {
    portal.assembly()?.erase_comment(&caller, id, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
