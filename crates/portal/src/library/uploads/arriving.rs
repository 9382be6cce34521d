//! A file on its way to the disk, piece by piece: only one piece is in memory.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use banyan_openai::ApiError;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use tempfile::{NamedTempFile, TempPath};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

use super::MAX_UPLOAD;
use super::desk::{Outcome, Ticket, too_large};
use crate::community::Refused;

/// How long nothing may come. A phone that is carried out of reach comes back sooner, or not at all.
const STALLED: Duration = Duration::from_secs(30);

/// How long all of it may take: 128 MiB through weak Wi-Fi at half a megabit would be longer; they are brought on a stick.
const WITHIN: Duration = Duration::from_secs(30 * 60);

/// How many bytes the sender says there are.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The file, once it is here whole. Why it is not, its ticket says too.
pub(super) async fn arrive(body: Body, folder: &Path, ticket: &Ticket) -> Result<TempPath, Refused> {
    match write(body, folder, ticket).await {
        Ok((path, bytes)) => {
            ticket.queued(bytes);
            Ok(path)
        }
        Err(error) => {
            ticket.ended(Outcome::Refused(error.detail.message.clone()));
            Err(error.into())
        }
    }
}

async fn write(mut body: Body, folder: &Path, ticket: &Ticket) -> Result<(TempPath, u64), ApiError> {
    let (file, path) = create(folder).map_err(|error| disk(&error))?.into_parts();
    let mut file = File::from_std(file);
    let mut bytes = 0_u64;
    let until = Instant::now() + WITHIN;
    loop {
        let left = until.saturating_duration_since(Instant::now()).min(STALLED);
        let Ok(frame) = timeout(left, body.frame()).await else {
            let words = "the file did not arrive in time; move nearer to the box and send it again";
            return Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request_error",
                Some("too_slow"),
                words,
            ));
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| broken())?;
        let Ok(piece) = frame.into_data() else { continue };
        bytes += piece.len() as u64;
        if bytes > MAX_UPLOAD {
            return Err(too_large(MAX_UPLOAD));
        }
        file.write_all(&piece).await.map_err(|error| disk(&error))?;
        ticket.arrived(bytes);
    }
    if bytes == 0 {
        return Err(ApiError::invalid_request("the file is empty; was it saved?"));
    }
    file.flush().await.map_err(|error| disk(&error))?;
    Ok((path, bytes))
}

fn create(folder: &Path) -> io::Result<NamedTempFile> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    NamedTempFile::new_in(folder)
}

fn broken() -> ApiError {
    let words = "the file did not arrive whole; send it again";
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", Some("broken"), words)
}

fn disk(error: &io::Error) -> ApiError {
    tracing::error!(%error, "an upload cannot be written to the disk");
    let words = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "there is no space left on the box for this file; tell a steward"
        }
        _ => "the box could not write this file to its disk; its log says why, a steward can read it",
    };
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", Some("disk"), words)
}
