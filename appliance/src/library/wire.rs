//! What the command asks of the library and what it hears while that is done: the same whether a running box does it or,
//! where none runs, the command itself.
//!
//! ```text
//!   banyan library … ──▶ node.sock: POST /library {"add": …} ──▶ Desk ──▶ {"progress": …} {"line": …} … "done"
//!                   └──(no box runs)──▶ the store itself ──────▲
//! ```

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use banyan_knowledge::NewCollection;
use banyan_openai::{Client, ClientError};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Where the node takes orders.
pub(crate) const PATH: &str = "/library";

/// Bytes of one line that is heard: far more than any has.
const MAX_LINE: usize = 1 << 20;

/// So often a bar moves at most.
const OFTEN: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    New { collection: NewCollection, or_keep: bool },
    Add(Add),
    Collections,
    Documents { collection: String },
    Imports,
    Unwatch { path: PathBuf },
    Withdraw { id: String, why: String },
}

/// Files, folders and archives to be taken in. Paths are absolute: a box runs in another folder than the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Add {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) collection: String,
    pub(crate) watch: bool,
    pub(crate) retry: bool,
    pub(crate) origin: String,
    pub(crate) attribution: String,
    pub(crate) licence: String,
    pub(crate) language: String,
}

/// What is heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// How far it is, and with what.
    Progress { done: u64, total: u64, now: String },
    /// A line for people.
    Line(String),
    /// Why it was not done; nothing comes after it.
    Failed(String),
    /// Nothing comes after it.
    Done,
}

/// Tells whoever asked.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    to: mpsc::Sender<Event>,
    told: Option<Instant>,
}

impl Say {
    /// With the ear at the other end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (to, heard) = mpsc::channel(64);
        (Self { to, told: None }, heard)
    }

    /// Whether nobody listens any more: the command was ended.
    pub(crate) fn is_alone(&self) -> bool {
        self.to.is_closed()
    }

    /// That nobody listens is seen by [`Say::is_alone`].
    pub(crate) async fn event(&self, event: Event) {
        let _ = self.to.send(event).await;
    }

    pub(crate) async fn line(&self, line: impl Into<String>) {
        self.event(Event::Line(line.into())).await;
    }

    /// On a thread that may wait.
    pub(crate) fn line_blocking(&self, line: impl Into<String>) {
        let _ = self.to.blocking_send(Event::Line(line.into()));
    }

    /// On a thread that may wait. Leaves out what nobody could follow.
    pub(crate) fn progress_blocking(&mut self, done: u64, total: u64, now: &str) {
        if self.told.is_some_and(|told| told.elapsed() < OFTEN) {
            return;
        }
        self.told = Some(Instant::now());
        let now = now.chars().take(60).collect();
        let _ = self.to.blocking_send(Event::Progress { done, total, now });
    }
}

/// Asks the box that runs; false where none does.
pub(crate) async fn ask(node: PathBuf, order: &Order, hear: &mut dyn FnMut(Event)) -> Result<bool> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(PATH)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(order)?)))?;
    let response = match Client::new(node).forward(request).await {
        Ok(response) => response,
        Err(ClientError::NotRunning { .. }) => return Ok(false),
        Err(error) => return Err(error).context("the box did not answer"),
    };
    match response.status() {
        StatusCode::OK => {}
        StatusCode::SERVICE_UNAVAILABLE => {
            bail!("the box runs and its store cannot be opened; `banyan status` says why")
        }
        other => bail!("the box refused: {other}; was it started by another version?"),
    }
    let (mut body, mut line) = (response.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.context(CUT_OFF)?;
        for piece in
            frame.data_ref().map(Bytes::as_ref).unwrap_or_default().split_inclusive(|byte| *byte == b'\n')
        {
            line.extend_from_slice(piece);
            if line.len() > MAX_LINE {
                bail!("the box's answer is none that this command understands");
            }
            if line.ends_with(b"\n") {
                let event = serde_json::from_slice(&line).context("the box's answer was garbled")?;
                line.clear();
                match event {
                    Event::Done => return Ok(true),
                    Event::Failed(reason) => bail!("{reason}"),
                    event => hear(event),
                }
            }
        }
    }
    bail!(CUT_OFF)
}

const CUT_OFF: &str =
    "the box stopped before it was done; what was done is kept, and the same command goes on with the rest";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_no_box_runs_nobody_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let asked = ask(dir.path().join("node.sock"), &Order::Imports, &mut |_| ()).await;
        assert!(!asked.unwrap());
    }

    #[test]
    fn orders_come_back_as_they_were_sent() {
        let order = Order::Withdraw { id: "d-0123456789".into(), why: "asked".into() };
        let sent = serde_json::to_string(&order).unwrap();
        assert_eq!(sent, r#"{"withdraw":{"id":"d-0123456789","why":"asked"}}"#);
        assert_eq!(serde_json::from_str::<Order>(&sent).unwrap(), order);
        assert_eq!(serde_json::from_str::<Order>(r#""imports""#).unwrap(), Order::Imports);
    }
}
