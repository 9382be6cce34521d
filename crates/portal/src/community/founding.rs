//! The first start: a kit is chosen, the first steward signs in, the shares are printed.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use banyan_assembly::Assembly;
use banyan_assembly::people::{Founding, KitView, Me};
use banyan_knowledge::{Audience, Use};
use banyan_openai::ErrorBody;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::invitations::{InvitationCode, shown};
use super::session::begun;
use super::{Refused, Sent, now};
use crate::Portal;

/// What the community can begin with.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundingView {
    /// Whether it has begun.
    founded: bool,
    /// The constitution kits.
    kits: Vec<KitView>,
}

/// The community is there.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundedView {
    /// The founder, signed in.
    me: Me,
    /// The recovery shares as words, one for each steward's paper. They can be seen at this moment only.
    shares: Vec<String>,
    /// For those who found with them.
    invitation: InvitationCode,
}

/// The constitution kits, and whether one was chosen. Answers everybody.
#[utoipa::path(get, path = "/api/founding", tag = "people", responses(
    (status = 200, body = FoundingView),
    (status = 503, description = "This portal runs without a community", body = ErrorBody),
))]
pub(crate) async fn founding(State(portal): State<Portal>) -> Result<Json<FoundingView>, Refused> {
    let founded = portal.assembly()?.in_force().is_founded();
    Ok(Json(FoundingView { founded, kits: Assembly::kits() }))
}

/// Found the community: once, with the setup code that the box showed at its first start.
#[utoipa::path(post, path = "/api/founding", tag = "people", request_body = Founding, responses(
    (status = 201, description = "The community is founded, and the founder signed in", body = FoundedView),
    (status = 400, description = "The setup code, or something else, will not do", body = ErrorBody),
    (status = 409, description = "There is a community already", body = ErrorBody),
    (status = 503, description = "This portal runs without a community", body = ErrorBody),
))]
pub(crate) async fn found(
    State(portal): State<Portal>,
    headers: HeaderMap,
    Sent(founding): Sent<Founding>,
) -> Result<Response, Refused> {
    let assembly = portal.assembly()?;
    let sources = grounding_sources(&portal).await?;
    let founded = assembly.found(founding, &sources, portal.data_dir(), now()).await?;
    let view = FoundedView {
        me: assembly.me(Some(&founded.sign_in.caller), portal.community_name(), now()),
        shares: founded.shares,
        invitation: shown(&portal, &headers, founded.invitation),
    };
    Ok(begun(&founded.sign_in.token, (StatusCode::CREATED, Json(view))))
}

/// The collections on which answers may rest at this moment: the founding approves what was there, and what comes later
/// takes a decision.
async fn grounding_sources(portal: &Portal) -> Result<Vec<String>, Refused> {
    let Some(library) = portal.maybe_library() else { return Ok(Vec::new()) };
    let collections = library.collections(Audience::Librarians).await?;
    let grounding = collections.into_iter().filter(|collection| collection.consent.allows(Use::Grounding));
    Ok(grounding.map(|collection| collection.id.to_string()).collect())
}
