//! The whole library to take along.

use std::io::{self, BufWriter, Write as _};

use axum::response::Response;
use banyan_knowledge::{ExportOf, Library};
use banyan_openai::ErrorBody;

use super::patron::Patron;
use crate::community::Refused;
use crate::download::{Pieces, download};

/// Everything in open formats: text, every version, the files as they came, what is known of each, what was withdrawn.
#[utoipa::path(get, path = "/api/library/export", tag = "library", operation_id = "library_export", responses(
    (status = 200, description = "A ZIP archive", content_type = "application/zip", body = Vec<u8>),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only librarians", body = ErrorBody),
))]
pub(crate) async fn export(patron: Patron) -> Result<Response, Refused> {
    patron.keeper()?;
    Ok(archive(&patron.library, ExportOf::Everything, "library.zip"))
}

/// An export on its way, written while it is sent.
pub(super) fn archive(library: &Library, of: ExportOf, name: &'static str) -> Response {
    let library = library.clone();
    download("application/zip", name, move |out: Pieces| async move {
        let written = tokio::task::spawn_blocking(move || {
            let mut out = BufWriter::new(out);
            library.export_blocking(&of, &mut out).map_err(io::Error::other)?;
            out.flush()
        });
        written.await.unwrap_or_else(|_| Err(io::Error::other("the export met a mistake of ours")))
    })
}
