//! The ledger, to read, to check and to take along.

use std::io;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use banyan_assembly::record::{LedgerPage, LedgerVerdict};
use banyan_governance::Permission;
use banyan_openai::ErrorBody;
use serde::Deserialize;

use super::{Refused, SignedIn};
use crate::Portal;
use crate::download::download;

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
    Ok(download("application/jsonl", "banyan-ledger.jsonl", move |out| async move {
        assembly.export_ledger(&caller, out).await.map(|_| ()).map_err(io::Error::other)
    }))
}
