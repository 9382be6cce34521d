//! What a failed question says about its engine, and whether another may do better.

use std::time::Duration;

use banyan_openai::{ApiError, ClientError};
use http::StatusCode;

use super::pool::Fault;

/// How long to leave an engine alone that says that it is full, and not for how long.
const FULL: Duration = Duration::from_secs(2);

/// What the error says about the engine; none when the fault lies with the question or with whoever asked.
pub(super) fn fault(error: &ClientError, is_own: bool) -> Option<Fault> {
    let rest = match error {
        ClientError::Upload(_) => return None,
        ClientError::Refused(refusal) => match refusal.status {
            StatusCode::TOO_MANY_REQUESTS => Some(full(refusal)),
            StatusCode::SERVICE_UNAVAILABLE if refusal.code() == ApiError::QUEUE_FULL => Some(full(refusal)),
            // The own engine says by its health when it cannot go on; a refusal concerns this one question.
            _ if is_own => return None,
            // Its key or its model's name is wrong in the settings.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => None,
            status if status.is_server_error() => None,
            _ => return None,
        },
        _ => None,
    };
    Some(Fault { reason: error.to_string(), rest })
}

/// Whether the same question may be answered by another engine. What another machine refuses, for instance because its
/// context is shorter, this box may know how to answer; what this box refuses makes no sense anywhere.
pub(super) fn another_may_do_better(error: &ClientError, is_own: bool) -> bool {
    match error {
        ClientError::Upload(_) => false,
        ClientError::Refused(refusal) => {
            !is_own || refusal.status.is_server_error() || refusal.status == StatusCode::TOO_MANY_REQUESTS
        }
        _ => true,
    }
}

fn full(refusal: &ApiError) -> Duration {
    refusal.retry_after.map_or(FULL, |seconds| Duration::from_secs(seconds.into()))
}
