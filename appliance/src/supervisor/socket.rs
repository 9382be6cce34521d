//! The supervisor's own socket: `GET /status`, `POST /stop`, `POST /workers/{name}/restart`.
//!
//! It takes no other input: no body is read, and a name that is not in the table is refused.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};

use super::workers::WORKERS;
use crate::status::Status;

/// What a person asks of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Stop,
    /// The place of the worker in the table.
    Restart(usize),
}

#[derive(Clone)]
struct Shared {
    status: watch::Receiver<Arc<Status>>,
    requests: mpsc::UnboundedSender<Request>,
}

/// Answers until the runtime ends.
pub(crate) async fn serve(
    listener: UnixListener,
    status: watch::Receiver<Arc<Status>>,
    requests: mpsc::UnboundedSender<Request>,
) {
    let router = Router::new()
        .route("/status", get(show))
        .route("/stop", post(stop))
        .route("/workers/{name}/restart", post(restart))
        .with_state(Shared { status, requests });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the supervisor's socket does not answer any more");
    }
}

async fn show(State(shared): State<Shared>) -> Json<Status> {
    let status = Status::clone(&shared.status.borrow());
    Json(status)
}

async fn stop(State(shared): State<Shared>) -> StatusCode {
    accepted(&shared, Request::Stop)
}

async fn restart(State(shared): State<Shared>, Path(name): Path<String>) -> StatusCode {
    match WORKERS.iter().position(|worker| worker.name == name) {
        Some(index) => accepted(&shared, Request::Restart(index)),
        None => StatusCode::NOT_FOUND,
    }
}

fn accepted(shared: &Shared, request: Request) -> StatusCode {
    match shared.requests.send(request) {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
