//! The session's cookie: the token of a session, that only the browser has.

use axum::response::{IntoResponse, Response};
use banyan_assembly::AssemblyError;
use banyan_assembly::people::{Caller, SESSION_DAYS};
use http::{HeaderMap, HeaderValue, header};

use super::now;
use crate::Portal;
use crate::visit::{Reader, Visit, cookie, is_file};

/// Name of the cookie.
const SESSION_COOKIE: &str = "banyan_session";

/// Who is signed in, by the request's cookie. Programs go by their key, files are everybody's.
pub(crate) async fn session_of(
    portal: &Portal,
    visit: &Visit,
    path: &str,
    headers: &HeaderMap,
) -> Result<Option<Caller>, AssemblyError> {
    let (Some(assembly), Some(token)) = (portal.maybe_assembly(), cookie(headers, SESSION_COOKIE)) else {
        return Ok(None);
    };
    if visit.reader == Reader::Program || is_file(path) {
        return Ok(None);
    }
    assembly.session(token, now()).await
}

/// The answer with the cookie of a session that has begun. Scripts cannot read it, and no other site's form carries it.
pub(crate) fn begun(token: &str, answer: impl IntoResponse) -> Response {
    let seconds = u64::from(SESSION_DAYS) * 86_400;
    with_cookie(
        &format!("{SESSION_COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"),
        answer,
    )
}

/// The answer that makes the browser forget the cookie.
pub(crate) fn ended(answer: impl IntoResponse) -> Response {
    with_cookie(&format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"), answer)
}

fn with_cookie(cookie: &str, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
