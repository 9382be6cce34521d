//! Files that members give: they arrive on the disk, wait for the extractor, which reads one at a time, and become
//! documents, or do not and say why.
//!
//! ```text
//!   arriving ──▶ queued ──▶ reading ──▶ done (a document; perhaps it waits for a librarian)
//!       └───────────┴───────────┴─────▶ refused, with the reason
//! ```
//!
//! How each is doing is kept for a day, so a page that is loaded again finds it. It is kept in memory: when the box
//! starts anew, what had not become a document is gone, and so is its file. While it is read the file lies as it came
//! in a folder that only the box can open; it is removed right after.

mod arriving;
mod desk;

use std::path::Path;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use banyan_knowledge::{
    CollectionId, Consent, DocumentId, Extracted, Hand, Importer, Library, LibraryError, NewDocument, Reader,
    Upload,
};
use banyan_openai::{ApiError, ErrorBody};
use http::{Request, StatusCode};
use serde::de::DeserializeOwned;
use tempfile::TempPath;

use self::desk::Outcome;
pub(crate) use self::desk::Uploads;
use super::not_there;
use super::params::Params;
use super::patron::Patron;
use super::types::{UploadTaken, UploadView};
use crate::Portal;
use crate::community::{Named, Refused, now};

/// Bytes of a file: what the extractor reads, too.
pub(super) const MAX_UPLOAD: u64 = 128 << 20;

/// Endings of the files that can be read.
pub(super) const ENDINGS: &[&str] = &[
    "txt", "md", "html", "htm", "pdf", "docx", "odt", "epub", "csv", "tsv", "mbox", "eml", "png", "jpg",
    "jpeg", "tif", "tiff",
];

/// The folder of files on their way, in the data folder.
const FOLDER: &str = "uploads";

/// What is to become of a file.
struct Offer {
    name: String,
    about: NewDocument,
    replaces: Option<(DocumentId, String)>,
    hand: Hand,
    reader: Reader,
}

/// Give a file to the library; its bytes are the body. When this answers the file has arrived; whether it became a
/// document, `/api/library/uploads/{upload}` says.
#[utoipa::path(post, path = "/api/library/documents", tag = "library", operation_id = "library_give",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file, at most 128 MiB"),
    params(
        ("name" = String, Query, description = "What the file is called"),
        ("collection" = Option<String>, Query, description = "Where it is to stand; needed for a new document"),
        ("title" = Option<String>, Query, description = "Absent: what the file calls itself"),
        ("author" = Option<String>, Query, description = "Absent: whom the file names"),
        ("attribution" = Option<String>, Query, description = "How its author wants to be named"),
        ("licence" = Option<String>, Query, description = "Absent: the collection's"),
        ("language" = Option<String>, Query, description = "Absent: as it is recognized"),
        ("use" = Option<Vec<String>>, Query, description = "What it may be used for; with `level`; absent: as the collection says"),
        ("level" = Option<String>, Query, description = "How far it may go"),
        ("document" = Option<String>, Query, description = "The document of which this is the next version"),
        ("why" = Option<String>, Query, description = "Why there is a next version; needed for one"),
    ),
    responses(
        (status = 202, body = UploadTaken),
        (status = 400, description = "A parameter is missing or makes no sense, or the file did not arrive whole", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Not while suspended, or somebody else gave the document", body = ErrorBody),
        (status = 404, description = "There is no such collection or document, or it is not open to the caller", body = ErrorBody),
        (status = 413, description = "The file is too large", body = ErrorBody),
        (status = 429, description = "Too many files wait already", body = ErrorBody),
        (status = 503, description = "There is no space, or this box cannot read files", body = ErrorBody),
    ))]
pub(crate) async fn give(
    State(portal): State<Portal>,
    patron: Patron,
    params: Params,
    request: Request<Body>,
) -> Result<(StatusCode, Json<UploadTaken>), Refused> {
    let (parts, body) = request.into_parts();
    let taken = match offer(&portal, &patron, &params).await {
        Ok((offer, importer)) => {
            let member = patron.signed_in()?.member.to_string();
            let announced = arriving::announced(&parts.headers);
            let ticket = portal.uploads().enter(member, &offer.name, announced, MAX_UPLOAD, now().0);
            ticket.map(|ticket| (offer, importer, ticket))
        }
        Err(refused) => Err(refused),
    };
    let (offer, importer, ticket) = match taken {
        Ok(taken) => taken,
        Err(refused) => {
            // A browser reads an answer only after it could send what it wanted to, if that is not too much.
            crate::body::throw_away(body, portal.limits().body_within).await;
            return Err(refused);
        }
    };
    let folder = portal.data_dir().join(FOLDER);
    let file = arriving::arrive(body, &folder, &ticket).await?;
    let upload = ticket.id().to_owned();
    let uploads = portal.uploads().clone();
    let library = patron.library.clone();
    tokio::spawn(async move {
        let _turn = uploads.turn().await;
        ticket.reading();
        let outcome = read(&importer, &library, offer, file).await;
        ticket.ended(outcome);
    });
    Ok((StatusCode::ACCEPTED, Json(UploadTaken { upload })))
}

/// What an address asks to be done with a file; refused before the file is on its way.
async fn offer(portal: &Portal, patron: &Patron, params: &Params) -> Result<(Offer, Importer), Refused> {
    let hand = patron.hand()?;
    let importer = portal.importer().ok_or_else(|| {
        let words = "this box cannot read files: it runs without its extractor; start it with `banyan run`";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", Some("no_extractor"), words)
    })?;
    let name = params.needed("name")?.to_owned();
    let replaces: Option<DocumentId> = params.read("document")?;
    let shelves = patron.library.collections(patron.reader.audience).await?;
    let (collection, replaces) = match replaces {
        Some(id) => {
            let document = patron.sees(&id).await?;
            if !patron.keeps() && document.contributor != patron.reader.member {
                return Err(LibraryError::NotYours.into());
            }
            (document.collection, Some((id, params.needed("why")?.to_owned())))
        }
        None => {
            params.needed("collection")?;
            let collection: CollectionId =
                params.read("collection")?.ok_or_else(|| not_there("collection"))?;
            if !shelves.iter().any(|shelf| shelf.id == collection) {
                return Err(not_there("collection"));
            }
            (collection, None)
        }
    };
    // A collection that one does not see any more still gets new versions of what one gave: a librarian looks.
    let reviewed = shelves.iter().find(|shelf| shelf.id == collection).is_none_or(|shelf| shelf.review);
    let said = |field: &str| params.text(field).map(str::to_owned);
    let about = NewDocument {
        title: said("title"),
        author: said("author"),
        attribution: said("attribution"),
        licence: said("licence"),
        language: said("language"),
        consent: consent(params)?,
        review: reviewed && !patron.keeps(),
        ..NewDocument::new(collection, &name, Extracted::default())
    };
    Ok((Offer { name, about, replaces, hand, reader: patron.reader.clone() }, importer.clone()))
}

fn consent(params: &Params) -> Result<Option<Consent>, Refused> {
    let Some(level) = params.text("level") else { return Ok(None) };
    let uses = params.all("use").map(|one| word("use", one)).collect::<Result<_, _>>()?;
    Ok(Some(Consent { uses, level: word("level", level)? }))
}

/// A word as JSON has it.
fn word<T: DeserializeOwned>(field: &str, text: &str) -> Result<T, Refused> {
    serde_json::from_value(text.into())
        .map_err(|error| ApiError::invalid_param(field, format!("{field}: {error}")).into())
}

async fn read(importer: &Importer, library: &Library, offer: Offer, file: TempPath) -> Outcome {
    let Offer { name, about, replaces, hand, reader } = offer;
    let importer = importer.clone();
    let added = super::on_a_thread(move || {
        let upload = Upload { path: &file, name: &name, about, replaces };
        importer.upload(upload, hand, now().0)
    });
    match added.await {
        Ok(added) => Outcome::Done(added),
        Err(error) => Outcome::Refused(reason(error, library, reader).await),
    }
}

/// Why a file became no document, in words for the one who gave it: without what they may not see.
async fn reason(error: LibraryError, library: &Library, reader: Reader) -> String {
    match error {
        // The extractor's own words.
        LibraryError::Invalid { field: "file", message } => message,
        LibraryError::Known { document, title } => match library.document(document.clone(), reader).await {
            Ok(_) => LibraryError::Known { document, title }.to_string(),
            Err(_) => "the collection has this file already; a librarian can tell you more".into(),
        },
        error @ (LibraryError::Store(_)
        | LibraryError::File { .. }
        | LibraryError::Export(_)
        | LibraryError::Unreadable(_)) => {
            tracing::error!(%error, "an uploaded file could not be kept");
            "the box could not keep this file; its log says why, a steward can read it".into()
        }
        other => other.to_string(),
    }
}

/// How one's uploads are doing, the newest first; kept for a day, or until the box starts anew.
#[utoipa::path(get, path = "/api/library/uploads", tag = "library", operation_id = "library_uploads", responses(
    (status = 200, body = Vec<UploadView>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn list(
    State(portal): State<Portal>,
    patron: Patron,
) -> Result<Json<Vec<UploadView>>, Refused> {
    Ok(Json(portal.uploads().of(patron.signed_in()?.member.as_str())))
}

/// How one of them is doing.
#[utoipa::path(get, path = "/api/library/uploads/{id}", tag = "library", operation_id = "library_upload",
    params(("id" = String, Path, description = "As it was called when it was taken")),
    responses(
        (status = 200, body = UploadView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 404, description = "The caller has no such upload", body = ErrorBody),
    ))]
pub(crate) async fn show(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<String>,
) -> Result<Json<UploadView>, Refused> {
    let own = portal.uploads().of(patron.signed_in()?.member.as_str());
    own.into_iter().find(|upload| upload.id == id).map(Json).ok_or_else(|| not_there("upload"))
}

/// Removes files that a power cut left on their way.
pub(crate) fn tidy(data: &Path) {
    let folder = data.join(FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, folder = %folder.display(), "left-over uploads could not be removed");
        }
        _ => {}
    }
}
