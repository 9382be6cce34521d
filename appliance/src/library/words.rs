//! What `banyan library` says.

use banyan_knowledge::{
    Audience, Collection, Document, DocumentState, Import, ImportState, ImportedFile, ZimArchive, ZimState,
};

pub(super) const NO_COLLECTION: &str =
    "There is no collection yet. Make one with: banyan library new NAME --licence LICENCE";

pub(super) fn made(one: &Collection) -> String {
    format!("{} is there. Add documents with: banyan library add PATH --collection \"{0}\"", one.name)
}

pub(super) fn collection(one: &Collection) -> String {
    let audience = match one.audience {
        Audience::Guests => "guests",
        Audience::Members => "members",
        Audience::Librarians => "librarians",
    };
    format!("{:<32} {:>6} documents  for {audience}, {}", one.name, one.documents, one.licence)
}

pub(super) fn archive(one: &ZimArchive) -> String {
    let state = match &one.state {
        ZimState::Ready => "every word is found".to_owned(),
        ZimState::Indexing { done, total } => {
            format!("titles are found, the words of {done} of {total} articles too")
        }
        ZimState::Bounded { done, total } => {
            format!("titles are found, and the words of the first {done} of {total} articles")
        }
        ZimState::Missing { reason } => format!("not there: {reason}"),
    };
    format!("{}  {}: {} articles ({state})", one.id, one.title, one.articles)
}

pub(super) fn document(one: &Document) -> String {
    let waits = match one.state {
        DocumentState::WaitingReview => "  (waits for review)",
        DocumentState::Published => "",
    };
    format!("{}  {}{waits}", one.id, one.title)
}

pub(super) fn import(one: &Import) -> String {
    let progress = &one.progress;
    let state = match (one.state, one.watched) {
        (ImportState::Ready, _) => "not begun",
        (ImportState::Running, _) => "running or cut off; `banyan library add` goes on with it",
        (ImportState::Done, true) => "done, and watched",
        (ImportState::Done, false) => "done",
    };
    format!(
        "{}: {} of {} files: {} added, {} updated, {} known, {} refused ({state})",
        if one.origin.is_empty() { &one.path } else { &one.origin },
        progress.done(),
        progress.total,
        progress.added,
        progress.updated,
        progress.known,
        progress.refused
    )
}

pub(super) fn refused(one: &ImportedFile) -> String {
    format!("  refused: {}: {}", one.path, one.reason)
}
