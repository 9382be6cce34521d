//! The review desk: what members gave and a librarian looks at first.

use axum::Json;
use axum::extract::{Path, State};
use banyan_knowledge::DocumentId;
use banyan_openai::{ApiError, ErrorBody};
use http::StatusCode;

use super::patron::Patron;
use super::types::{Review, WaitingView};
use super::views::Views;
use crate::Portal;
use crate::community::{Refused, Sent, now};

/// What waits for a librarian, the oldest first.
#[utoipa::path(get, path = "/api/library/review", tag = "library", operation_id = "library_review", responses(
    (status = 200, body = Vec<WaitingView>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only librarians", body = ErrorBody),
))]
pub(crate) async fn desk(
    State(portal): State<Portal>,
    patron: Patron,
) -> Result<Json<Vec<WaitingView>>, Refused> {
    patron.keeper()?;
    let views = Views::of(&portal, &patron).await?;
    let waiting = patron.library.review_desk().await?.into_iter().map(|waiting| WaitingView {
        replaces: waiting.document.version,
        document: views.document(waiting.document),
        version: views.version(waiting.version),
    });
    Ok(Json(waiting.collect()))
}

/// Let a version be read, or refuse it and say why.
#[utoipa::path(post, path = "/api/library/review/{id}/{version}", tag = "library", operation_id = "library_settle_review", request_body = Review,
    params(
        ("id" = String, Path, description = "Which document"),
        ("version" = u32, Path, description = "Which version"),
    ),
    responses(
        (status = 204, description = "Done"),
        (status = 400, description = "It is refused without a reason", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Only librarians", body = ErrorBody),
        (status = 404, description = "There is no such version", body = ErrorBody),
        (status = 409, description = "Somebody has looked at it already", body = ErrorBody),
    ))]
pub(crate) async fn settle(
    patron: Patron,
    Path((id, version)): Path<(String, String)>,
    Sent(review): Sent<Review>,
) -> Result<StatusCode, Refused> {
    let hand = patron.keeper()?;
    let id: DocumentId = id.parse().map_err(not_found)?;
    let version: u32 = version.parse().map_err(not_found)?;
    if review.accept {
        patron.library.accept(id, version, hand, now().0).await?;
    } else {
        patron.library.refuse(id, version, review.why, hand, now().0).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn not_found(error: impl std::fmt::Display) -> Refused {
    ApiError::not_found(error.to_string()).into()
}
