//! Searching: words at once, meaning where the embedding model is quick enough.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use banyan_knowledge::{CollectionId, MAX_HITS, Query, Results, Use};
use banyan_openai::{ApiError, ErrorBody};

use super::pace::Act;
use super::params::Params;
use super::patron::Patron;
use super::types::{Found, FoundHit};
use super::{href, words};
use crate::Portal;
use crate::community::Refused;

/// Characters of what is looked for: a long sentence. More is a text, not a question.
pub(super) const MAX_QUERY: usize = 500;

/// Passages, unless the caller says otherwise: some screens of a phone.
const HITS: usize = 10;

/// The most passages for guests.
const GUESTS_HITS: usize = 20;

/// How long a search waits for the embedding model. It takes some milliseconds; while answers are written it may take
/// longer, and then words alone are better than waiting.
const PATIENCE: Duration = Duration::from_millis(300);

/// Find passages that the caller may read, the best first.
#[utoipa::path(get, path = "/api/library/search", tag = "library", operation_id = "library_search",
    params(
        ("q" = String, Query, description = "What is looked for, at most 500 characters"),
        ("collection" = Option<Vec<String>>, Query, description = "Only in these collections"),
        ("language" = Option<Vec<String>>, Query, description = "Only in these languages (BCP 47)"),
        ("limit" = Option<usize>, Query, description = "How many, at most 50, for guests 20; absent: 10"),
    ),
    responses(
        (status = 200, body = Found),
        (status = 400, description = "Nothing to look for, or too much", body = ErrorBody),
        (status = 429, description = "Too much at once", body = ErrorBody),
    ))]
pub(crate) async fn search(
    State(portal): State<Portal>,
    patron: Patron,
    params: Params,
) -> Result<Json<Found>, Refused> {
    patron.paced(&portal, Act::Search)?;
    params.needed("q")?;
    Ok(Json(found(&portal, &patron, &params).await?))
}

/// What is found, for a page too.
pub(super) async fn found(portal: &Portal, patron: &Patron, params: &Params) -> Result<Found, Refused> {
    let text = params.text("q").unwrap_or_default().to_owned();
    if text.chars().count() > MAX_QUERY {
        let words = format!("q: it is longer than {MAX_QUERY} characters; look for a few words");
        return Err(ApiError::invalid_param("q", words).into());
    }
    let collections: Vec<CollectionId> = params.read_all("collection")?;
    let languages: Vec<String> = params.all("language").map(str::to_lowercase).collect();
    let most = if patron.offers() { MAX_HITS } else { GUESTS_HITS };
    let query = Query {
        text,
        r#use: Use::Search,
        reader: patron.reader.clone(),
        collections: (!collections.is_empty()).then_some(collections),
        languages: (!languages.is_empty()).then_some(languages),
        limit: params.read("limit")?.unwrap_or(HITS).clamp(1, most),
    };
    let Results { hits, how } = patron.library.search(&query, portal.embedder(), PATIENCE).await?;
    let looked_for = words::looked_for(&query.text);
    let hits = hits.into_iter().map(|hit| FoundHit {
        href: href(&hit.place),
        marks: words::marks16(&hit.text, &looked_for),
        hit,
    });
    Ok(Found { hits: hits.collect(), how })
}
