//! Who one is, signing in and out, and who the others are.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use banyan_assembly::people::{Me, MemberView, ResetCode, RoleView, SignIn};
use banyan_governance::MemberId;
use banyan_openai::ErrorBody;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::session::{begun, ended};
use super::{MaybeSignedIn, Named, Refused, Sent, SignedIn, now};
use crate::Portal;
use crate::visit::Visit;

/// Whether there is a community, and who one is in it. Answers everybody.
#[utoipa::path(get, path = "/api/me", tag = "people", responses((status = 200, body = Me)))]
pub(crate) async fn me(State(portal): State<Portal>, MaybeSignedIn(caller): MaybeSignedIn) -> Json<Me> {
    let name = portal.community_name();
    Json(match portal.maybe_assembly() {
        Some(assembly) => assembly.me(caller.as_ref(), name, now()),
        None => Me::unfounded(name, false),
    })
}

/// Somebody joins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Join {
    /// The invitation; may be left out where the community is open.
    #[serde(default)]
    code: Option<String>,
    /// What they want to be called.
    name: String,
    /// A PIN of at least four digits, or a passphrase.
    secret: String,
}

/// Become a member.
#[utoipa::path(post, path = "/api/join", tag = "people", request_body = Join, responses(
    (status = 201, description = "A member, and signed in", body = Me),
    (status = 400, description = "The code, the name or the secret will not do", body = ErrorBody),
    (status = 409, description = "There is no community yet", body = ErrorBody),
    (status = 429, description = "Too many join without an invitation", body = ErrorBody),
))]
pub(crate) async fn join(State(portal): State<Portal>, Sent(join): Sent<Join>) -> Result<Response, Refused> {
    let sign_in = portal.assembly()?.join(join.code.as_deref(), &join.name, &join.secret, now()).await?;
    welcome(&portal, StatusCode::CREATED, &sign_in)
}

/// Somebody signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// However it is typed: case and spaces do not matter.
    name: String,
    /// The PIN or passphrase.
    secret: String,
}

/// Sign in. Who guesses has to wait, longer each time.
#[utoipa::path(post, path = "/api/sign-in", tag = "people", request_body = Credentials, responses(
    (status = 200, description = "Signed in", body = Me),
    (status = 400, description = "Name and secret do not belong together", body = ErrorBody),
    (status = 429, description = "Too many attempts; `Retry-After` says when", body = ErrorBody),
))]
pub(crate) async fn sign_in(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    Sent(credentials): Sent<Credentials>,
) -> Result<Response, Refused> {
    let from = visit.address.to_string();
    let sign_in = portal.assembly()?.sign_in(&credentials.name, &credentials.secret, &from, now()).await?;
    welcome(&portal, StatusCode::OK, &sign_in)
}

/// How somebody signs out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignOut {
    /// Whether everywhere, such as after losing a phone.
    everywhere: bool,
}

/// Sign out. The session has ended when this answers.
#[utoipa::path(post, path = "/api/sign-out", tag = "people", request_body = SignOut, responses(
    (status = 204, description = "Signed out"),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn sign_out(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(how): Sent<SignOut>,
) -> Result<Response, Refused> {
    portal.assembly()?.sign_out(&caller, how.everywhere, now()).await?;
    Ok(ended(StatusCode::NO_CONTENT))
}

/// A new secret in place of the old one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSecret {
    /// The one so far.
    old: String,
    /// The one from now on.
    new: String,
}

/// Change one's secret. All other sessions end; kept conversations stay.
#[utoipa::path(post, path = "/api/me/secret", tag = "people", request_body = NewSecret, responses(
    (status = 204, description = "Changed"),
    (status = 400, description = "The old secret is another one, or the new one will not do", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 429, description = "Too many attempts", body = ErrorBody),
))]
pub(crate) async fn change_secret(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(secret): Sent<NewSecret>,
) -> Result<StatusCode, Refused> {
    portal.assembly()?.change_secret(&caller, &secret.old, &secret.new, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Good-bye.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Leave {
    /// The PIN or passphrase, so that whoever finds the phone cannot do it.
    secret: String,
}

/// Leave the community. Name, roles, kept conversations and delegations are erased; what was decided stays. The last
/// steward cannot leave.
#[utoipa::path(post, path = "/api/me/leave", tag = "people", request_body = Leave, responses(
    (status = 204, description = "Gone"),
    (status = 400, description = "The secret is another one", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 409, description = "The last steward", body = ErrorBody),
))]
pub(crate) async fn leave(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(leave): Sent<Leave>,
) -> Result<Response, Refused> {
    portal.assembly()?.leave(&caller, &leave.secret, now()).await?;
    Ok(ended(StatusCode::NO_CONTENT))
}

/// A new secret by a steward's code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    /// The code that a steward made.
    code: String,
    /// The new PIN or passphrase.
    secret: String,
}

/// Set a new secret with a steward's code, and sign in. All sessions end, and kept conversations are lost: they were
/// closed with the old secret, and nobody else can open them.
#[utoipa::path(post, path = "/api/reset", tag = "people", request_body = Reset, responses(
    (status = 200, description = "Signed in with the new secret", body = Me),
    (status = 400, description = "The code is not valid, or the secret will not do", body = ErrorBody),
))]
pub(crate) async fn reset(
    State(portal): State<Portal>,
    Sent(reset): Sent<Reset>,
) -> Result<Response, Refused> {
    let sign_in = portal.assembly()?.reset(&reset.code, &reset.secret, now()).await?;
    welcome(&portal, StatusCode::OK, &sign_in)
}

/// Make a code with which a member who forgot their secret can set a new one. The ledger says who did it.
#[utoipa::path(post, path = "/api/members/{id}/reset", tag = "people",
    params(("id" = String, Path, description = "Whose")),
    responses(
        (status = 201, description = "The code; it can be seen at this moment only", body = ResetCode),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Only stewards", body = ErrorBody),
        (status = 404, description = "There is no such member", body = ErrorBody),
    )
)]
pub(crate) async fn allow_reset(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(member): Named<MemberId>,
) -> Result<(StatusCode, Json<ResetCode>), Refused> {
    let code = portal.assembly()?.allow_reset(&caller, &member, now()).await?;
    Ok((StatusCode::CREATED, Json(code)))
}

/// Who belongs to the community.
#[utoipa::path(get, path = "/api/members", tag = "people", responses(
    (status = 200, body = Vec<MemberView>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Not while suspended", body = ErrorBody),
))]
pub(crate) async fn members(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<Vec<MemberView>>, Refused> {
    Ok(Json(portal.assembly()?.members(&caller, now()).await?))
}

/// The roles, what they allow, and who has them.
#[utoipa::path(get, path = "/api/roles", tag = "people", responses(
    (status = 200, body = Vec<RoleView>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Not while suspended", body = ErrorBody),
))]
pub(crate) async fn roles(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<Vec<RoleView>>, Refused> {
    Ok(Json(portal.assembly()?.roles(&caller, now()).await?))
}

/// What somebody sees who has just signed in, with the cookie.
fn welcome(portal: &Portal, status: StatusCode, sign_in: &SignIn) -> Result<Response, Refused> {
    let me = portal.assembly()?.me(Some(&sign_in.caller), portal.community_name(), now());
    Ok(begun(&sign_in.token, (status, Json(me))))
}
