//! Invitations, as a code, an address and a QR code of it.

use axum::Json;
use axum::extract::State;
use banyan_assembly::people::{Invitation, NewInvitation};
use banyan_openai::ErrorBody;
use http::{HeaderMap, StatusCode, header};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Named, Refused, Sent, SignedIn, now};
use crate::Portal;

/// How wide the QR code is drawn at least, in CSS pixels: half of a small phone.
const QR_WIDTH: u32 = 180;

/// What an invitation is to be like.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InvitationWanted {
    /// How many it lets in.
    uses: u32,
    /// For how many days.
    days: u32,
}

impl Default for InvitationWanted {
    fn default() -> Self {
        Self { uses: 1, days: 7 }
    }
}

/// A new invitation. Its code can be seen at this moment only.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationCode {
    /// Its number.
    id: String,
    /// To read out.
    code: String,
    /// To open.
    url: String,
    /// To scan; empty where the address is too long for one.
    qr_svg: String,
}

/// The invitations that are still valid: one's own, for stewards everybody's.
#[utoipa::path(get, path = "/api/invitations", tag = "people", responses(
    (status = 200, body = Vec<Invitation>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only stewards invite here", body = ErrorBody),
))]
pub(crate) async fn invitations(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<Vec<Invitation>>, Refused> {
    Ok(Json(portal.assembly()?.invitations(&caller, now()).await?))
}

/// Invite.
#[utoipa::path(post, path = "/api/invitations", tag = "people", request_body = InvitationWanted, responses(
    (status = 201, body = InvitationCode),
    (status = 400, description = "Too many or too long", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only stewards invite here", body = ErrorBody),
))]
pub(crate) async fn invite(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
    Sent(wanted): Sent<InvitationWanted>,
) -> Result<(StatusCode, Json<InvitationCode>), Refused> {
    let made = portal.assembly()?.invite(&caller, wanted.uses, wanted.days, now()).await?;
    Ok((StatusCode::CREATED, Json(shown(&portal, &headers, made))))
}

/// Take an invitation back: one's own; stewards any.
#[utoipa::path(delete, path = "/api/invitations/{id}", tag = "people",
    params(("id" = String, Path, description = "Its number")),
    responses(
        (status = 204, description = "It lets nobody in any more"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "There is no such invitation of this member", body = ErrorBody),
    )
)]
pub(crate) async fn withdraw_invitation(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Named(id): Named<String>,
) -> Result<StatusCode, Refused> {
    portal.assembly()?.withdraw_invitation(&caller, &id, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The invitation under the address that members use: the one of the settings, else the one of this request.
pub(super) fn shown(portal: &Portal, headers: &HeaderMap, made: NewInvitation) -> InvitationCode {
    let host = || headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("banyan.lan");
    let base = portal.public_url().map_or_else(|| format!("http://{}", host()), ToOwned::to_owned);
    let url = format!("{}/#/join?code={}", base.trim_end_matches('/'), made.code);
    let qr_svg = qr(&url);
    InvitationCode { id: made.id, code: made.code, url, qr_svg }
}

fn qr(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else { return String::new() };
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(QR_WIDTH, QR_WIDTH).build();
    // What goes before is for files, not for pages.
    drawn.find("<svg").map_or_else(String::new, |at| drawn[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_drawn_and_one_that_does_not_fit_is_not() {
        let drawn = qr("http://banyan.lan/#/join?code=7K2QF-0XH4M");
        assert!(
            drawn.starts_with("<svg") && drawn.ends_with("</svg>") && !drawn.contains("style="),
            "{drawn}"
        );
        assert_eq!(qr(&"x".repeat(5000)), "");
    }
}
