//! Request bodies: never more than a limit, never longer than a while.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_http::timeout::{DeadlineBody, TimeoutError};

/// A body that breaks off when it is too large or takes too long.
pub(crate) type Bounded = Limited<DeadlineBody<Body>>;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    TooLarge,
    TooSlow,
    /// The sender went away, or its HTTP is wrong.
    Broken,
}

impl BodyFault {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    /// Reads the reason out of an error's chain of sources.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<LengthLimitError>() {
                return Self::TooLarge;
            }
            if error.is::<TimeoutError>() {
                return Self::TooSlow;
            }
            next = error.source();
        }
        Self::Broken
    }
}

/// How much of a body that is too large is read all the same, and thrown away. A browser shows the page that says so
/// only after it could send everything; what is larger than this was not written by a person.
const THROWN_AWAY: usize = 4 * 1024 * 1024;

/// Reads a whole body.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    within: Duration,
) -> Result<Bytes, BodyFault> {
    if announces_more_than(limit, headers) {
        throw_away(body, within).await;
        return Err(BodyFault::TooLarge);
    }
    let body = Limited::new(DeadlineBody::new(within, body), limit);
    Ok(body.collect().await.map_err(|error| BodyFault::of(&*error))?.to_bytes())
}

/// Reads a body that nobody wants, so that its sender comes to read the answer.
pub(crate) async fn throw_away(body: Body, within: Duration) {
    Limited::new(DeadlineBody::new(within, body), THROWN_AWAY).collect().await.ok();
}

/// Puts both bounds on a body that is passed on; refuses at once where it says itself that it is too large.
pub(crate) fn bound(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    within: Duration,
) -> Result<Bounded, BodyFault> {
    if announces_more_than(limit, headers) {
        return Err(BodyFault::TooLarge);
    }
    Ok(Limited::new(DeadlineBody::new(within, body), limit))
}

fn announces_more_than(limit: usize, headers: &HeaderMap) -> bool {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|bytes| bytes > limit as u64)
}
