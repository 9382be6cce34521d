//! The library within the node: what `banyan library` orders over the node's socket, and the watched folders.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::{StatusCode, header};

use crate::library::{Desk, Order, PATH, Say};

/// So often watched folders are looked at. Listing a folder of a thousand files takes a few milliseconds.
const LOOK: Duration = Duration::from_secs(30);

/// Takes orders; without a store none.
pub(super) fn routes(desk: Option<Desk>) -> Router {
    Router::new().route(PATH, post(order)).with_state(desk)
}

/// One line for each event, as it happens. The work is done also when nobody listens any more, but for what takes long:
/// that ends, and goes on when it is ordered again.
async fn order(State(desk): State<Option<Desk>>, Json(order): Json<Order>) -> Response {
    let Some(desk) = desk else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (say, heard) = Say::new();
    tokio::spawn(async move { desk.perform(order, say).await });
    let lines = futures_util::stream::unfold(heard, async |mut heard| {
        let event = heard.recv().await?;
        let mut line = serde_json::to_vec(&event).ok()?;
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), heard))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// Looks after the watched folders as long as the node runs. A reason is logged once, not at every look.
pub(super) async fn watch(desk: Desk) {
    let mut told = Vec::new();
    while !desk.is_stopping() {
        let reasons = desk.look_around().await;
        for reason in reasons.iter().filter(|reason| !told.contains(*reason)) {
            tracing::warn!(%reason, "a watched folder cannot be taken in; it is looked at again");
        }
        told = reasons;
        tokio::time::sleep(LOOK).await;
    }
}
