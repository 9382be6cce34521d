//! What the supervisor says about the box, and `banyan status`, `stop` and `restart`, which ask it.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use banyan_openai::{Client, ClientError};
use banyan_portal::EngineView;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

use crate::paths::Paths;
use crate::supervisor::workers::STOPPED_WITHIN;
use crate::{engine, node};

/// The whole box. Times as in RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) profile: String,
    pub(crate) started_at: Option<Timestamp>,
    /// Where the page is.
    pub(crate) address: String,
    pub(crate) workers: Vec<WorkerStatus>,
    /// The engines that answer, as the node sees them; the supervisor does not know of them.
    #[serde(default)]
    pub(crate) engines: Vec<EngineView>,
    /// Where the community is founded, while there is none.
    #[serde(default)]
    pub(crate) setup: Option<String>,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkerStatus {
    pub(crate) name: String,
    pub(crate) state: WorkerState,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u32,
    pub(crate) since: Timestamp,
    /// How its last process ended.
    pub(crate) last_exit: Option<String>,
    /// What it does or lacks.
    pub(crate) detail: Option<String>,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkerState {
    Starting,
    Ready,
    BackingOff,
    Stopped,
    Failed,
}

impl From<crate::supervisor::State> for WorkerState {
    fn from(state: crate::supervisor::State) -> WorkerState {
        use crate::supervisor::State;
        match state {
            State::Starting => WorkerState::Starting,
            State::Ready => WorkerState::Ready,
            State::Failed => WorkerState::Failed,
            State::BackingOff => WorkerState::BackingOff,
            State::Stopped => WorkerState::Stopped,
        }
    }
}

impl WorkerState {
    fn words(self) -> &'static str {
        match self {
            WorkerState::Starting => "starting",
            WorkerState::Ready => "ready",
            WorkerState::BackingOff => "waits before it is started again",
            WorkerState::Stopped => "stopped",
            WorkerState::Failed => "cannot work",
        }
    }
}

/// The status of a running box; `None` when none runs on this data folder.
pub(crate) async fn ask(paths: &Paths) -> Result<Option<Status>> {
    let Some(body) = send(&paths.supervisor_socket(), Method::GET, "/status").await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&body).context("the supervisor's answer is not a status")?))
}

/// `banyan status`
pub(crate) async fn show(paths: &Paths, json: bool) -> Result<()> {
    let Some(mut status) = ask(paths).await? else { bail!("{}", not_running(paths)) };
    // A node that is away is among the workers.
    status.engines = engines(paths).await.ok().flatten().unwrap_or_default();
    status.setup = node::setup_address(paths, &status.address);
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{}", table(&status, Timestamp::now()));
    }
    Ok(())
}

/// The engines as the running node sees them; `None` when no node runs.
pub(crate) async fn engines(paths: &Paths) -> Result<Option<Vec<EngineView>>> {
    let Some(body) = send(&paths.node_socket(), Method::GET, "/engines").await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&body).context("the node's answer is no list of engines")?))
}

/// `banyan stop`: asks, and waits until the box is gone.
pub(crate) async fn stop(paths: &Paths) -> Result<()> {
    let socket = paths.supervisor_socket();
    if send(&socket, Method::POST, "/stop").await?.is_none() {
        println!("No box runs on {}.", paths.data.display());
        return Ok(());
    }
    let asked = Instant::now();
    while send(&socket, Method::GET, "/status").await.is_ok_and(|answer| answer.is_some()) {
        if asked.elapsed() > STOPPED_WITHIN {
            bail!(
                "the box has not stopped after {} s; `banyan status` shows what it waits for",
                STOPPED_WITHIN.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("Stopped.");
    Ok(())
}

/// Asks for a fresh process of a worker; `false` when no box runs.
pub(crate) async fn restart(paths: &Paths, worker: &str) -> Result<bool> {
    let answer =
        send(&paths.supervisor_socket(), Method::POST, &format!("/workers/{worker}/restart")).await?;
    Ok(answer.is_some())
}

/// `banyan restart`
pub(crate) async fn restart_command(paths: &Paths, worker: &str) -> Result<()> {
    if !restart(paths, worker).await? {
        bail!("{}", not_running(paths));
    }
    println!("{worker} is started afresh; `banyan status` shows when it is ready.");
    Ok(())
}

/// What to do when there is no box.
pub(crate) fn not_running(paths: &Paths) -> String {
    format!("no box runs on {}; start it with `banyan run`", paths.data.display())
}

async fn send(socket: &Path, method: Method, path: &str) -> Result<Option<Vec<u8>>> {
    let request = Request::builder().method(method).uri(path).body(Empty::<bytes::Bytes>::new())?;
    let response = match Client::new(socket).forward(request).await {
        Ok(response) => response,
        Err(ClientError::NotRunning { .. }) => return Ok(None),
        Err(error) => return Err(error).context("the box did not answer"),
    };
    let status = response.status();
    let body = response.into_body().collect().await.context("the box's answer was cut off")?;
    if status == StatusCode::NOT_FOUND {
        bail!("the box knows no {path}");
    }
    if !status.is_success() {
        bail!("the box refused: {status}");
    }
    Ok(Some(body.to_bytes().to_vec()))
}

/// The status for people.
fn table(status: &Status, now: Timestamp) -> String {
    let mut text = format!("Banyan {} at {} (profile {})\n", status.version, status.address, status.profile);
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{words}");
    };
    for worker in &status.workers {
        let (state, since) = (worker.state.words(), ago(worker.since, now));
        let pid = worker.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        line(format_args!("  {:<6} {state} since {since}{pid}", worker.name));
        if let Some(detail) = &worker.detail {
            line(format_args!("         {detail}"));
        }
        if let (1.., Some(last)) = (worker.restarts, &worker.last_exit) {
            line(format_args!("         restarts: {}; the last process: {last}", worker.restarts));
        }
    }
    if let Some(address) = &status.setup {
        line(format_args!("There is no community yet. Whoever opens this address founds it:"));
        line(format_args!("  {address}"));
    }
    if status.engines.len() > 1 {
        line(format_args!("Engines:"));
        for view in &status.engines {
            line(format_args!("  {:<16} {}", view.name, engine::state(view)));
        }
    }
    text
}

fn ago(since: Timestamp, now: Timestamp) -> String {
    let span = (now - since).round(jiff::SpanRound::new().smallest(Unit::Second).largest(Unit::Hour));
    match span {
        Ok(span) => format!("{span:#}"),
        Err(_) => "an unknown time".into(),
    }
}

#[cfg(test)]
mod tests {
    use banyan_portal::{EngineState, OWN_ENGINE};

    use super::*;

    #[test]
    fn the_status_reads_like_a_sentence() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let worker = |name: &str, state, restarts| WorkerStatus {
            name: name.into(),
            state,
            pid: Some(12),
            restarts,
            since: at(0),
            last_exit: (restarts > 0).then(|| "it was killed (SIGKILL)".into()),
            detail: (state == WorkerState::Failed).then(|| "there is no model".into()),
        };
        let status = Status {
            version: "0.1.0".into(),
            profile: "desk".into(),
            started_at: Some(at(0)),
            address: "http://192.168.1.5:8080".into(),
            workers: vec![worker("node", WorkerState::Ready, 0), worker("infer", WorkerState::Failed, 2)],
            engines: vec![view(OWN_ENGINE, EngineState::Away), view("hall", EngineState::Ready)],
            setup: Some("http://192.168.1.5:8080/#/start?code=ABCD".into()),
        };
        assert_eq!(
            table(&status, at(3725)),
            "Banyan 0.1.0 at http://192.168.1.5:8080 (profile desk)\n  \
               node   ready since 1h 2m 5s, process 12\n  \
               infer  cannot work since 1h 2m 5s, process 12\n         \
                 there is no model\n         \
                 restarts: 2; the last process: it was killed (SIGKILL)\n\
             There is no community yet. Whoever opens this address founds it:\n  \
               http://192.168.1.5:8080/#/start?code=ABCD\n\
             Engines:\n  \
               this box         away, 1 of 4 places taken\n  \
               hall             ready, 1 of 4 places taken\n"
        );
    }

    fn view(name: &str, state: EngineState) -> EngineView {
        EngineView { name: name.into(), address: String::new(), state, slots: 4, in_flight: 1, reason: None }
    }

    #[test]
    fn states_are_spelt_as_the_contract_says() {
        let spelt = serde_json::to_string(&WorkerState::BackingOff).unwrap();
        assert_eq!(spelt, r#""backing_off""#);
    }
}
