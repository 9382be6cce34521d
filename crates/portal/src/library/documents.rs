//! Documents: the list, reading, what is known of one, and withdrawing it.

use axum::Json;
use axum::extract::State;
use banyan_knowledge::{CollectionId, DocumentEdit, DocumentId, Hand, Listing, Reading, Trace};
use banyan_openai::ErrorBody;

use super::not_there;
use super::pace::Act;
use super::params::Params;
use super::part::{Wanted, part};
use super::patron::Patron;
use super::types::{DocumentPage, DocumentReading, DocumentView};
use super::views::Views;
use crate::Portal;
use crate::community::{Named, Refused, Sent, now};

/// Documents on one page of the list, unless the caller says otherwise.
pub(super) const LISTED: u32 = 50;

/// Documents that the caller may read, by title; of what waits for a librarian only one's own.
#[utoipa::path(get, path = "/api/library/documents", tag = "library", operation_id = "library_documents",
    params(
        ("collection" = Option<String>, Query, description = "Only of this collection"),
        ("contains" = Option<String>, Query, description = "Only with these words in the title or the author's name"),
        ("after" = Option<u32>, Query, description = "What `next` said; absent: from the beginning"),
        ("limit" = Option<u32>, Query, description = "How many, at most 200; absent: 50"),
    ),
    responses(
        (status = 200, body = DocumentPage),
        (status = 400, description = "A parameter is not what it should be", body = ErrorBody),
    ))]
pub(crate) async fn list(
    State(portal): State<Portal>,
    patron: Patron,
    params: Params,
) -> Result<Json<DocumentPage>, Refused> {
    patron.paced(&portal, Act::Read)?;
    let limit = params.read("limit")?.unwrap_or(LISTED).clamp(1, banyan_knowledge::MAX_PAGE);
    let listing = Listing {
        collection: params.read::<CollectionId>("collection")?,
        contains: params.text("contains").map(str::to_owned),
        skip: params.read("after")?.unwrap_or(0),
        limit,
        ..Listing::default()
    };
    Ok(Json(page(&portal, &patron, listing).await?))
}

/// A page of documents, for a page too.
pub(super) async fn page(
    portal: &Portal,
    patron: &Patron,
    listing: Listing,
) -> Result<DocumentPage, Refused> {
    let (skip, limit) = (listing.skip, listing.limit);
    let documents = patron.library.documents(listing, patron.reader.clone()).await?;
    let full = u32::try_from(documents.len()).is_ok_and(|listed| listed == limit);
    let views = Views::of(portal, patron).await?;
    let documents = documents.into_iter().map(|document| views.document(document)).collect();
    Ok(DocumentPage { documents, next: full.then(|| skip.saturating_add(limit)) })
}

/// A document, or the part of it that is asked for.
///
/// With `from` and `to`, bytes of the plain text as search gives them, it is the part where that passage stands, and the
/// passage is marked.
#[utoipa::path(get, path = "/api/library/documents/{id}", tag = "library", operation_id = "library_document",
    params(
        ("id" = String, Path, description = "Which"),
        ("version" = Option<u32>, Query, description = "Which version; absent: the one that is searched and cited"),
        ("from" = Option<usize>, Query, description = "Where a passage begins"),
        ("to" = Option<usize>, Query, description = "Where it ends"),
        ("at" = Option<usize>, Query, description = "The part with this byte"),
    ),
    responses(
        (status = 200, body = DocumentReading),
        (status = 400, description = "A parameter is not what it should be", body = ErrorBody),
        (status = 404, description = "There is no such document or version, or it is not open to the caller", body = ErrorBody),
        (status = 429, description = "Too much at once", body = ErrorBody),
    ))]
pub(crate) async fn read(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<DocumentId>,
    params: Params,
) -> Result<Json<DocumentReading>, Refused> {
    patron.paced(&portal, Act::Read)?;
    let version = params.read("version")?;
    let wanted = wanted(&params)?;
    Ok(Json(reading(&portal, &patron, id, version, wanted).await?))
}

/// What of a text is asked for in an address.
pub(super) fn wanted(params: &Params) -> Result<Wanted, Refused> {
    let cited = params.read("from")?.zip(params.read("to")?);
    Ok(Wanted { at: params.read("at")?, cited })
}

/// A document to be read, for a page too.
pub(super) async fn reading(
    portal: &Portal,
    patron: &Patron,
    id: DocumentId,
    version: Option<u32>,
    wanted: Wanted,
) -> Result<DocumentReading, Refused> {
    patron.sees(&id).await?;
    let Reading { document, version, blocks, .. } =
        patron.library.read(id, version, patron.reader.clone()).await?;
    let views = Views::of(portal, patron).await?;
    Ok(DocumentReading {
        current: document.version == Some(version.number),
        document: views.document(document),
        version: views.version(version),
        part: part(&blocks, wanted),
    })
}

/// Change what is known of a document: its giver or a librarian. What it may be used for holds from this moment on; only
/// its giver widens it.
#[utoipa::path(patch, path = "/api/library/documents/{id}", tag = "library", operation_id = "library_edit_document", request_body = DocumentEdit,
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = DocumentView),
        (status = 400, description = "Something in it makes no sense", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Somebody else gave it", body = ErrorBody),
        (status = 404, description = "There is no such document, or it is not open to the caller", body = ErrorBody),
    ))]
pub(crate) async fn edit(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<DocumentId>,
    Sent(edit): Sent<DocumentEdit>,
) -> Result<Json<DocumentView>, Refused> {
    let hand = patron.hand()?;
    patron.sees(&id).await?;
    if let Some(collection) = &edit.collection {
        let shelves = patron.library.collections(patron.reader.audience).await?;
        if !shelves.iter().any(|shelf| shelf.id == *collection) {
            return Err(not_there("collection"));
        }
    }
    let edited = patron.library.edit(id, edit, hand, now().0).await?;
    Ok(Json(Views::of(&portal, &patron).await?.document(edited)))
}

/// Withdraw a document: its giver, also while suspended, or a librarian. Text, index, vectors and file go at once; that it
/// was there, and why it went, stays.
#[utoipa::path(delete, path = "/api/library/documents/{id}", tag = "library", operation_id = "library_withdraw_document",
    params(
        ("id" = String, Path, description = "Which"),
        ("why" = String, Query, description = "The reason"),
    ),
    responses(
        (status = 200, body = Trace),
        (status = 400, description = "The reason is missing", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Somebody else gave it", body = ErrorBody),
        (status = 404, description = "There is no such document, or it is not open to the caller", body = ErrorBody),
    ))]
pub(crate) async fn withdraw(
    patron: Patron,
    Named(id): Named<DocumentId>,
    params: Params,
) -> Result<Json<Trace>, Refused> {
    let hand = changes(&patron, &id).await?;
    let why = params.needed("why")?.to_owned();
    Ok(Json(patron.library.withdraw(id, why, hand, now().0).await?))
}

/// The hand of somebody who may change this document. Whose it is, the library asks again.
async fn changes(patron: &Patron, id: &DocumentId) -> Result<Hand, Refused> {
    let hand = patron.own_hand()?;
    let document = patron.sees(id).await?;
    if !patron.keeps() && document.contributor != patron.reader.member {
        return Err(banyan_knowledge::LibraryError::NotYours.into());
    }
    Ok(hand)
}
