//! Collections and archives.

use axum::Json;
use axum::extract::State;
use banyan_assembly::Assembly;
use banyan_governance::decision::SourceUse;
use banyan_knowledge::{Collection, CollectionId, NewCollection, Use, ZimArchive, ZimState};
use banyan_openai::ErrorBody;
use http::StatusCode;

use super::patron::Patron;
use super::types::{Archive, ShelfView, Shelves};
use super::uploads::{ENDINGS, MAX_UPLOAD};
use crate::Portal;
use crate::community::{Named, Refused, Sent, now};

/// The collections and archives that the caller may read, and what else the caller may do here. Answers everybody.
#[utoipa::path(get, path = "/api/library/collections", tag = "library", operation_id = "library_collections", responses(
    (status = 200, body = Shelves),
    (status = 401, description = "The box is closed to guests for now", body = ErrorBody),
    (status = 503, description = "There is no library on this box", body = ErrorBody),
))]
pub(crate) async fn list(State(portal): State<Portal>, patron: Patron) -> Result<Json<Shelves>, Refused> {
    let (collections, archives) = all(&portal, &patron).await?;
    Ok(Json(Shelves {
        collections,
        archives,
        may_offer: patron.offers() && portal.importer().is_some(),
        may_keep: patron.keeps(),
        max_upload_bytes: MAX_UPLOAD,
        endings: ENDINGS.iter().map(|ending| (*ending).to_owned()).collect(),
    }))
}

/// Collections and archives, for a page too.
pub(super) async fn all(portal: &Portal, patron: &Patron) -> Result<(Vec<ShelfView>, Vec<Archive>), Refused> {
    let collections = patron.library.collections(patron.reader.audience).await?;
    let collections = collections.into_iter().map(|collection| {
        let grounds = grounds(portal.maybe_assembly(), &collection);
        ShelfView { collection, grounds }
    });
    Ok((collections.collect(), archives(portal, patron).await?))
}

/// Whether answers may rest on a collection: by its consent, and once there is a community by its decisions.
fn grounds(assembly: Option<&Assembly>, collection: &Collection) -> bool {
    let decided = assembly.map(Assembly::in_force).filter(|in_force| in_force.is_founded());
    let id = collection.id.as_str();
    let approved = decided.is_none_or(|in_force| {
        let uses = in_force.sources.get(id).is_some_and(|uses| uses.contains(&SourceUse::Grounding));
        uses && in_force.policy.sources.as_ref().is_none_or(|sources| sources.contains(id))
    });
    collection.consent.allows(Use::Grounding) && approved
}

async fn archives(portal: &Portal, patron: &Patron) -> Result<Vec<Archive>, Refused> {
    let Some(shelf) = portal.zim() else { return Ok(Vec::new()) };
    let (shelf, reader) = (shelf.clone(), patron.reader.clone());
    let archives = super::on_a_thread(move || shelf.archives(reader)).await?;
    Ok(archives.into_iter().map(archive).collect())
}

fn archive(archive: ZimArchive) -> Archive {
    let percent = |done: u64, total: u64| u8::try_from(done * 100 / total.max(1)).unwrap_or(100).min(100);
    let (readable, indexed) = match &archive.state {
        ZimState::Ready => (true, 100),
        ZimState::Indexing { done, total } | ZimState::Bounded { done, total } => {
            (true, percent(*done, *total))
        }
        ZimState::Missing { .. } => (false, 0),
    };
    Archive {
        id: archive.id,
        title: archive.title,
        collection: archive.collection.to_string(),
        articles: archive.articles,
        language: archive.languages.into_iter().next(),
        attribution: archive.attribution,
        licence: archive.licence,
        readable,
        indexed,
    }
}

/// Make a collection.
#[utoipa::path(post, path = "/api/library/collections", tag = "library", operation_id = "library_make_collection", request_body = NewCollection, responses(
    (status = 201, body = Collection),
    (status = 400, description = "The name is taken, or something in it makes no sense", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only librarians", body = ErrorBody),
))]
pub(crate) async fn make(
    patron: Patron,
    Sent(new): Sent<NewCollection>,
) -> Result<(StatusCode, Json<Collection>), Refused> {
    let hand = patron.keeper()?;
    let made = patron.library.add_collection(new, hand, now().0).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Change a collection. Documents keep the consent that they were given with; the audience holds for all at once.
#[utoipa::path(patch, path = "/api/library/collections/{id}", tag = "library", operation_id = "library_change_collection", request_body = NewCollection,
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = Collection),
        (status = 400, description = "The name is taken, or something in it makes no sense", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Only librarians", body = ErrorBody),
        (status = 404, description = "There is no such collection", body = ErrorBody),
    ))]
pub(crate) async fn change(
    patron: Patron,
    Named(id): Named<CollectionId>,
    Sent(new): Sent<NewCollection>,
) -> Result<Json<Collection>, Refused> {
    let hand = patron.keeper()?;
    Ok(Json(patron.library.edit_collection(id, new, hand, now().0).await?))
}
