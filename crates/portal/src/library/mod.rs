//! The library, for the web app and for programs (`/api/library/…`), and its plain pages (`/library…`).
//!
//! A handler takes a [`Patron`]: who comes, and what they may find and read. What a patron may not see is not there:
//! a wrong name and the name of something hidden get the same answer. What is written is asked of the patron
//! (`offers`, `keeps`) and again, with the same hand, of [`Library`] itself.
//!
//! * `shelves`, `documents`, `history`, `articles`: what there is, and reading it; `part` cuts long texts.
//! * `search`, `uploads`, `review`, `mine`, `export`, `questions`: what their names say.
//! * `pace`: how fast one person may do all that.
//! * `pages`: the same without JavaScript.
//!
//! Files as they came are never shown, only handed out as attachments: what a member uploaded must not run in another
//! member's browser under this box's name.

pub(crate) mod articles;
pub(crate) mod documents;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod mine;
mod pace;
pub(crate) mod pages;
mod params;
mod part;
mod patron;
pub(crate) mod questions;
pub(crate) mod review;
pub(crate) mod search;
pub(crate) mod shelves;
mod types;
pub(crate) mod uploads;
mod views;
mod words;

use banyan_knowledge::{LibraryError, Place};
use banyan_openai::ApiError;
use http::StatusCode;

pub(crate) use self::pace::Pace;
pub(crate) use self::patron::Patron;
pub(crate) use self::uploads::Uploads;
use crate::community::Refused;

impl From<LibraryError> for Refused {
    fn from(error: LibraryError) -> Self {
        let words = error.to_string();
        let refused =
            |status, code| ApiError::new(status, "invalid_request_error", Some(code), words.clone());
        match error {
            LibraryError::NotFound { .. } => refused(StatusCode::NOT_FOUND, "not_found"),
            LibraryError::Invalid { field, .. } => {
                refused(StatusCode::BAD_REQUEST, "invalid").with_param(field)
            }
            LibraryError::Known { .. } => refused(StatusCode::CONFLICT, "known"),
            LibraryError::NotYours => refused(StatusCode::FORBIDDEN, "not_yours"),
            LibraryError::NotALibrarian => refused(StatusCode::FORBIDDEN, "not_allowed"),
            LibraryError::WasWithdrawn { .. } | LibraryError::WrongState(_) => {
                refused(StatusCode::CONFLICT, "wrong_state")
            }
            LibraryError::Stopped => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", Some("stopping"), words)
            }
            other => {
                tracing::error!(error = %other, "the library failed");
                ApiError::internal("the box could not do this; its log says why, a steward can read it")
            }
        }
        .into()
    }
}

/// Runs what waits for the disk where waiting is allowed.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LibraryError> + Send + 'static,
) -> Result<T, LibraryError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(LibraryError::Stopped))
}

/// The page on which a passage is read, marked and in view.
pub(crate) fn href(place: &Place) -> String {
    match place {
        Place::Document { document, version, start, end, .. } => {
            format!("/library/d/{document}?v={version}&from={start}&to={end}#cited")
        }
        Place::Article { zim, path, start, end } => {
            format!("/library/z/{}/{}?from={start}&to={end}#cited", encoded(zim), encoded(path))
        }
    }
}

/// A path for an address: everything but letters, digits and what addresses may hold unescaped is escaped.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push(hex(byte >> 4));
                out.push(hex(byte & 15));
            }
        }
    }
    out
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase()
}

/// There is no such thing, for whoever asks. The words are the same whether there is one that is hidden.
fn not_there(what: &str) -> Refused {
    let words =
        format!("the library has no such {what}, or it is not open to you; it may have been withdrawn");
    ApiError::not_found(words).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_an_article_is_whole_whatever_its_path_holds() {
        let place = Place::Article { zim: "z-0".into(), path: "A/What? ü#1".into(), start: 1, end: 9 };
        assert_eq!(href(&place), "/library/z/z-0/A/What%3F%20%C3%BC%231?from=1&to=9#cited");
    }

    #[test]
    fn a_refusal_of_the_library_has_its_status_and_its_field() {
        let invalid = LibraryError::Invalid { field: "title", message: "it is empty; give one".into() };
        let cases = [
            (LibraryError::NotFound { what: "document", name: "d-1".into() }, 404, None),
            (invalid, 400, Some("title")),
            (LibraryError::NotYours, 403, None),
            (LibraryError::NotALibrarian, 403, None),
            (LibraryError::WrongState("it is read already".into()), 409, None),
            (LibraryError::Stopped, 503, None),
        ];
        for (error, status, field) in cases {
            let refused = Refused::from(error);
            assert_eq!(refused.error().status.as_u16(), status);
            assert_eq!(refused.error().detail.param.as_deref(), field);
        }
    }
}
