//! Files that are written while they are sent: the ledger, an export of the library. One that could not be written to its
//! end ends as a broken download: half of it must not look like the whole.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Bytes of a piece of the download. Larger ones gain nothing, and several people may download at a time.
const PIECE: usize = 64 * 1024;

/// How long a phone may take no piece before its download ends: the store's reader is not kept for one that left.
const STALLED: Duration = Duration::from_secs(30);

/// The answer that is kept under this name, with what `write` writes on a thread that may wait.
pub(crate) fn download<F>(
    kind: &'static str,
    name: &'static str,
    write: impl FnOnce(Pieces) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(2);
    let out = Pieces { full: Vec::with_capacity(PIECE), sender: sender.clone(), runtime: Handle::current() };
    tokio::spawn(async move {
        if let Err(error) = write(out).await {
            let _ = sender.send(Err(error)).await;
        }
    });
    let body = stream::unfold(receiver, |mut receiver| async move {
        let piece: io::Result<Bytes> = receiver.recv().await?;
        Some((piece, receiver))
    });
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    (headers, Body::from_stream(body)).into_response()
}

/// What is written, on its way to a phone. Writing waits, so not for async code.
pub(crate) struct Pieces {
    full: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full.extend_from_slice(bytes);
        if self.full.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.full.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.full, Vec::with_capacity(PIECE)));
        let sent = self.runtime.block_on(async { timeout(STALLED, self.sender.send(Ok(piece))).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody downloads any more")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the download stood still")),
        }
    }
}
