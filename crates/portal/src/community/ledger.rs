//! The ledger, to read, to check and to take along.

use std::io::{self, Write};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use banyan_assembly::record::{LedgerPage, LedgerVerdict};
use banyan_governance::Permission;
use banyan_openai::ErrorBody;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Refused, SignedIn};
use crate::Portal;

/// Bytes of a piece of the download. Larger ones gain nothing, and several people may download at a time.
const PIECE: usize = 64 * 1024;

/// How long a phone may take no piece before its download ends: the store's reader is not kept for one that left.
const STALLED: Duration = Duration::from_secs(30);

/// Which page.
#[derive(Debug, Deserialize)]
pub(crate) struct WhichPage {
    before: Option<u64>,
    limit: Option<u32>,
}

/// A page of the ledger, newest first.
#[utoipa::path(get, path = "/api/ledger", tag = "decide",
    params(
        ("before" = Option<u64>, Query, description = "The entries before this number; absent: the newest"),
        ("limit" = Option<u32>, Query, description = "How many, at most 200; absent: 50"),
    ),
    responses(
        (status = 200, body = LedgerPage),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
    ))]
pub(crate) async fn ledger(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Query(which): Query<WhichPage>,
) -> Result<Json<LedgerPage>, Refused> {
    Ok(Json(portal.assembly()?.ledger_page(&caller, which.before, which.limit).await?))
}

/// Check every entry of the ledger now.
#[utoipa::path(post, path = "/api/ledger/verify", tag = "decide", responses(
    (status = 200, body = LedgerVerdict),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
))]
pub(crate) async fn verify_ledger(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Json<LedgerVerdict>, Refused> {
    Ok(Json(portal.assembly()?.verify_ledger(&caller).await?))
}

/// The whole ledger as a file, which `banyan ledger verify` checks on any machine.
#[utoipa::path(get, path = "/api/ledger/export", tag = "decide", responses(
    (status = 200, description = "The ledger, an entry a line", content_type = "application/jsonl", body = String),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Not while suspended", body = ErrorBody),
))]
pub(crate) async fn export_ledger(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Result<Response, Refused> {
    let assembly = portal.assembly()?.clone();
    // Before the first piece: after it the status has been said.
    caller.require(Permission::Read)?;
    let (sender, receiver) = mpsc::channel(2);
    let out = Pieces { full: Vec::with_capacity(PIECE), sender: sender.clone(), runtime: Handle::current() };
    tokio::spawn(async move {
        if let Err(error) = assembly.export_ledger(&caller, out).await {
            // Ends the body as a broken one: half a ledger must not look like a whole one.
            let _ = sender.send(Err(io::Error::other(error))).await;
        }
    });
    let body = stream::unfold(receiver, |mut receiver| async move {
        let piece: io::Result<Bytes> = receiver.recv().await?;
        Some((piece, receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"banyan-ledger.jsonl\""),
        ),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// What the store's thread writes, on its way to a phone.
struct Pieces {
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
