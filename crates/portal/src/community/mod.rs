//! The community's part of the API: who is signed in, what a request brings, and how a refusal is said.
//!
//! A handler takes [`SignedIn`] (401 when nobody is) or [`MaybeSignedIn`], ids from the path as [`Named`], a JSON body as
//! [`Sent`], and answers `Result<_, Refused>`; what the assembly refuses becomes an answer through `?`. What a role
//! allows is asked of the caller (`caller.require(…)`), in the assembly rather than here, so that no handler can forget
//! it.

mod ballots;
mod conduct;
mod delegations;
mod emergency;
mod founding;
mod invitations;
mod ledger;
mod people;
mod policy;
mod proposals;
mod session;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use banyan_assembly::people::Caller;
use banyan_assembly::{Assembly, AssemblyError, Refusal};
use banyan_governance::Time;
use banyan_openai::ApiError;
use http::request::Parts;
use http::{Request, StatusCode};
use serde::de::DeserializeOwned;

pub(crate) use self::ballots::*;
pub(crate) use self::conduct::*;
pub(crate) use self::delegations::*;
pub(crate) use self::emergency::*;
pub(crate) use self::founding::*;
pub(crate) use self::invitations::*;
pub(crate) use self::ledger::*;
pub(crate) use self::people::*;
pub(crate) use self::policy::*;
pub(crate) use self::proposals::*;
pub(crate) use self::session::{begun, ended, session_of};
use crate::visit::Visit;
use crate::{Portal, body};

/// Who is signed in; 401 in words when nobody is.
pub(crate) struct SignedIn(pub(crate) Caller);

/// Who is signed in, if anybody is.
pub(crate) struct MaybeSignedIn(pub(crate) Option<Caller>);

/// The last part of the path that is a name, such as a `MemberId`; 404 in words when it cannot be one.
pub(crate) struct Named<T>(pub(crate) T);

/// A JSON body of at most [`crate::api::MAX_BODY`]; 400 in words when it is not what the description says.
pub(crate) struct Sent<T>(pub(crate) T);

/// A refusal on its way to become an answer; made from the assembly's errors by `?`.
#[derive(Debug)]
pub(crate) struct Refused(Box<ApiError>);

/// What time it is. Asked here, at the edge, and handed down.
pub(crate) fn now() -> Time {
    Time(jiff::Timestamp::now().as_second())
}

impl Portal {
    /// The assembly; 503 in words on a box that was started without one.
    pub(crate) fn assembly(&self) -> Result<&Assembly, Refused> {
        self.maybe_assembly().ok_or_else(|| {
            let words = "this portal runs without a community: it has no store; start it with `banyan run`";
            Refused::from(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "server_error",
                Some("no_community"),
                words,
            ))
        })
    }
}

impl FromRequestParts<Portal> for SignedIn {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Refused> {
        portal.assembly()?;
        caller(parts).map(Self).ok_or_else(|| Refusal::SignedOut.into())
    }
}

impl FromRequestParts<Portal> for MaybeSignedIn {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _portal: &Portal) -> Result<Self, Self::Rejection> {
        Ok(Self(caller(parts)))
    }
}

/// The guard looked the session up before anything else.
fn caller(parts: &Parts) -> Option<Caller> {
    parts.extensions.get::<Visit>().and_then(|visit| visit.caller.clone())
}

impl<T> FromRequestParts<Portal> for Named<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Refused> {
        let text = match Path::<String>::from_request_parts(parts, portal).await {
            Ok(Path(text)) => text,
            Err(rejection) => return Err(ApiError::not_found(rejection.body_text()).into()),
        };
        text.parse().map(Self).map_err(|error: T::Err| ApiError::not_found(error.to_string()).into())
    }
}

impl<T: DeserializeOwned> FromRequest<Portal> for Sent<T> {
    type Rejection = Refused;

    async fn from_request(request: Request<Body>, portal: &Portal) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let limit = crate::api::MAX_BODY;
        let read = body::read(&parts.headers, body, limit, portal.limits().body_within).await;
        let body = read.map_err(|fault| match fault.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(limit),
            status => {
                let words = "the request did not arrive whole; send it again";
                ApiError::new(status, "invalid_request_error", None, words)
            }
        })?;
        // Where everything has a default, nothing at all will do too.
        let json: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(json).map(Self).map_err(|error| {
            ApiError::invalid_request(format!("the request cannot be read: {error}; see /api/openapi.json"))
                .into()
        })
    }
}

impl Refused {
    /// What is answered, for those who say it in another form.
    pub(crate) fn error(&self) -> &ApiError {
        &self.0
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(Box::new(error))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::Invalid { code, .. } => (StatusCode::BAD_REQUEST, *code),
            Refusal::SignedOut => (StatusCode::UNAUTHORIZED, "signed_out"),
            Refusal::NotAllowed(_) => (StatusCode::FORBIDDEN, "not_allowed"),
            Refusal::NotYours(_) => (StatusCode::FORBIDDEN, "not_yours"),
            Refusal::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Refusal::WrongState { code, .. } => (StatusCode::CONFLICT, *code),
            Refusal::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, "too_often"),
        };
        let mut error = ApiError::new(status, "invalid_request_error", Some(code), refusal.to_string());
        match refusal {
            Refusal::Invalid { field, .. } => error = error.with_param(field),
            Refusal::TooOften(until) => {
                let seconds = u32::try_from(until.0.saturating_sub(now().0)).unwrap_or(0).max(1);
                error.detail.message = format!("too many attempts; try again in {}", in_words(seconds));
                error = error.with_retry_after(seconds);
            }
            _ => {}
        }
        error.into()
    }
}

impl From<AssemblyError> for Refused {
    fn from(error: AssemblyError) -> Self {
        match error {
            AssemblyError::Refused(refusal) => refusal.into(),
            other => {
                tracing::error!(error = %other, "the community's store failed");
                ApiError::internal("the box could not do this; its log says why, a steward can read it")
                    .into()
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.to_response().map(Body::new)
    }
}

fn in_words(seconds: u32) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_status_and_says_when_to_come_back() {
        let invalid = Refusal::Invalid { field: "name", code: "name_taken", message: "taken".into() };
        let state = Refusal::WrongState { code: "closed", message: "it is closed".into() };
        let cases = [
            (invalid, 400),
            (Refusal::SignedOut, 401),
            (Refusal::NotYours("this is not yours"), 403),
            (Refusal::NotFound("case"), 404),
            (state, 409),
            (Refusal::TooOften(Time(now().0 + 90)), 429),
        ];
        for (refusal, status) in cases {
            let response = Refused::from(refusal.clone()).into_response();
            assert_eq!(response.status().as_u16(), status, "{refusal}");
            assert_eq!(response.headers().contains_key("retry-after"), status == 429, "{refusal}");
        }
    }

    #[test]
    fn waiting_times_are_said_in_the_unit_that_fits() {
        for (seconds, words) in [(90, "90 seconds"), (600, "10 minutes"), (43_200, "12 hours")] {
            assert_eq!(in_words(seconds), words);
        }
    }
}
