//! The library without JavaScript: browsing, searching, reading with the cited passage marked and in view, and the
//! questions to the members.

mod questions;
mod reading;
mod search;
mod shelves;
mod text;

use axum::response::Response;
use http::{StatusCode, header};
use minijinja::context;

pub(crate) use self::questions::{answer, ask, list, thread};
pub(crate) use self::reading::{article, document, first_article};
pub(crate) use self::search::search;
pub(crate) use self::shelves::shelves;
use super::params::Params;
use crate::Portal;
use crate::community::Refused;
use crate::visit::{LANGUAGE_COOKIE, Visit};

/// The page of what was refused, in the visitor's language.
fn failed(portal: &Portal, visit: &Visit, refused: &Refused) -> Response {
    let error = refused.error();
    let name = match error.status {
        StatusCode::NOT_FOUND => "gone",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "members",
        StatusCode::TOO_MANY_REQUESTS => "tooOften",
        StatusCode::SERVICE_UNAVAILABLE => "none",
        status => return portal.refuse(visit, status),
    };
    let [title, text] =
        ["title", "text"].map(|part| visit.language.text(&format!("page.library.{name}.{part}")).to_owned());
    let mut response = portal.pages().page(error.status, "refused.html", visit, context! { title, text });
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// What the links to other languages carry along, so that they lead to the same place.
fn kept(params: &Params) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in params.pairs().filter(|(name, _)| *name != LANGUAGE_COOKIE) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("&{query}") }
}

/// The day of a moment, in UTC.
fn day(seconds: i64) -> String {
    let moment = jiff::Timestamp::from_second(seconds).map(|moment| moment.to_string());
    moment.ok().and_then(|moment| moment.get(..10).map(str::to_owned)).unwrap_or_default()
}
