//! The versions of a document, what changed between them, the way back, and the files as they came.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use banyan_knowledge::{Added, Change, ChangeKind, DocumentId};
use banyan_openai::ErrorBody;
use http::{HeaderValue, header};

use super::pace::Act;
use super::params::Params;
use super::patron::Patron;
use super::types::{AddedView, Diff, DiffPart, Restore, VersionView};
use super::views::Views;
use super::{encoded, not_there};
use crate::Portal;
use crate::community::{Named, Refused, Sent, now};

/// Blocks that are shown before and after each change.
const AROUND: usize = 2;

/// The versions of a document, the newest first. What waits or was refused, only its giver and librarians see.
#[utoipa::path(get, path = "/api/library/documents/{id}/versions", tag = "library", operation_id = "library_versions",
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = Vec<VersionView>),
        (status = 404, description = "There is no such document, or it is not open to the caller", body = ErrorBody),
    ))]
pub(crate) async fn versions(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<DocumentId>,
) -> Result<Json<Vec<VersionView>>, Refused> {
    patron.paced(&portal, Act::Read)?;
    patron.sees(&id).await?;
    let versions = patron.library.history(id, patron.reader.clone()).await?;
    let views = Views::of(&portal, &patron).await?;
    Ok(Json(versions.into_iter().map(|version| views.version(version)).collect()))
}

/// What changed from one version to another. Of what stayed, only what stands next to a change.
#[utoipa::path(get, path = "/api/library/documents/{id}/diff", tag = "library", operation_id = "library_diff",
    params(
        ("id" = String, Path, description = "Which"),
        ("from" = u32, Query, description = "The number of a version"),
        ("to" = u32, Query, description = "The number of another one"),
    ),
    responses(
        (status = 200, body = Diff),
        (status = 400, description = "A parameter is not what it should be", body = ErrorBody),
        (status = 404, description = "There is no such document or version, or it is not open to the caller", body = ErrorBody),
    ))]
pub(crate) async fn diff(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<DocumentId>,
    params: Params,
) -> Result<Json<Diff>, Refused> {
    patron.paced(&portal, Act::Read)?;
    patron.sees(&id).await?;
    params.needed("from")?;
    params.needed("to")?;
    let (from, to) = (params.read("from")?.unwrap_or(0), params.read("to")?.unwrap_or(0));
    let changes = patron.library.diff(id, from, to, patron.reader.clone()).await?;
    Ok(Json(Diff { from, to, changes: shortened(changes) }))
}

/// The same with long runs of what stayed left out.
pub(super) fn shortened(changes: Vec<Change>) -> Vec<DiffPart> {
    let changed: Vec<usize> = changes
        .iter()
        .enumerate()
        .filter_map(|(place, change)| (change.kind != ChangeKind::Same).then_some(place))
        .collect();
    let is_near = |place: usize| {
        let next = changed.partition_point(|other| *other < place);
        let nearest = [next.checked_sub(1).and_then(|before| changed.get(before)), changed.get(next)];
        nearest.into_iter().flatten().any(|other| other.abs_diff(place) <= AROUND)
    };
    let mut parts: Vec<DiffPart> = Vec::new();
    for (place, change) in changes.into_iter().enumerate() {
        if is_near(place) {
            parts.push(DiffPart { kind: change.kind, text: Some(change.text), blocks: 1 });
            continue;
        }
        match parts.last_mut() {
            Some(DiffPart { text: None, blocks, .. }) => *blocks += 1,
            _ => parts.push(DiffPart { kind: ChangeKind::Same, text: None, blocks: 1 }),
        }
    }
    parts
}

/// Make an earlier version the one that is read, as a new version: its giver or a librarian.
#[utoipa::path(post, path = "/api/library/documents/{id}/restore", tag = "library", operation_id = "library_restore", request_body = Restore,
    params(("id" = String, Path, description = "Which")),
    responses(
        (status = 200, body = AddedView),
        (status = 400, description = "The reason is missing", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Somebody else gave it", body = ErrorBody),
        (status = 404, description = "There is no such document or version, or it is not open to the caller", body = ErrorBody),
        (status = 409, description = "That version is read already, or was never accepted", body = ErrorBody),
    ))]
pub(crate) async fn restore(
    patron: Patron,
    Named(id): Named<DocumentId>,
    Sent(wanted): Sent<Restore>,
) -> Result<Json<AddedView>, Refused> {
    let hand = patron.hand()?;
    patron.sees(&id).await?;
    let restored = patron.library.restore(id, wanted.version, wanted.why, hand, now().0).await?;
    Ok(Json(restored.into()))
}

impl From<Added> for AddedView {
    fn from(added: Added) -> Self {
        let Added { document, version, waiting, warnings, .. } = added;
        Self { document, version, waiting, warnings }
    }
}

/// The file of a version as it came, to be kept, never to be shown: what a member uploaded does not run in another
/// member's browser.
#[utoipa::path(get, path = "/api/library/documents/{id}/original", tag = "library", operation_id = "library_original",
    params(
        ("id" = String, Path, description = "Which"),
        ("version" = Option<u32>, Query, description = "Which version; absent: the one that is searched and cited"),
    ),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, description = "There is no such document or version, it is not open to the caller, or its file is not kept", body = ErrorBody),
    ))]
pub(crate) async fn original(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<DocumentId>,
    params: Params,
) -> Result<Response, Refused> {
    patron.paced(&portal, Act::Read)?;
    patron.sees(&id).await?;
    let found = patron.library.original(id, params.read("version")?, patron.reader.clone()).await?;
    let (name, bytes) = found.ok_or_else(|| not_there("file"))?;
    Ok((attachment(&name), Body::from(bytes)).into_response())
}

/// What makes a browser keep a file instead of showing it, whatever is in it and whatever it is called.
fn attachment(name: &str) -> [(header::HeaderName, HeaderValue); 3] {
    let plain: String = name
        .chars()
        .map(|one| if one.is_ascii_alphanumeric() || " .-_()".contains(one) { one } else { '_' })
        .collect();
    let disposition =
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", encoded(name).replace('/', "%2F"));
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
        ),
        // The guard says the same of every answer; here it must not depend on that.
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_what_stands_next_to_a_change_and_counts_the_rest() {
        let of = |kinds: &str| -> Vec<Change> {
            let kind = |one| match one {
                '+' => ChangeKind::Added,
                '-' => ChangeKind::Removed,
                _ => ChangeKind::Same,
            };
            kinds.chars().map(|one| Change { kind: kind(one), text: one.to_string() }).collect()
        };
        let shown = |kinds: &str| -> String {
            let parts = shortened(of(kinds));
            parts.iter().map(|part| part.text.clone().unwrap_or(format!("({})", part.blocks))).collect()
        };
        assert_eq!(shown("======-+======="), "(4)==-+==(5)");
        assert_eq!(shown("=+===-="), "=+===-=");
        assert_eq!(shown("===="), "(4)");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn a_files_name_never_breaks_out_of_its_header() {
        for name in ["a\"; filename=\"x.html", "maji\r\nset-cookie: a=b", "ماء.pdf", "../../etc/passwd", ""]
        {
            let [_, (_, disposition), _] = attachment(name);
            let text = disposition.to_str().unwrap();
            assert!(text.starts_with("attachment; filename=\"") && text.matches('"').count() == 2, "{text}");
            assert!(!text.contains('/') && text.matches("filename=").count() == 1, "{text}");
        }
    }
}
