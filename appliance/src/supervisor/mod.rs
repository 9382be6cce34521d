//! The supervisor: keeps the workers alive, and says how they are.
//!
//! What it does *not* do, and why: it never reads a member's bytes (it is root on a box), never waits for a worker
//! without a limit (a hung one must not hang it), runs no model and no page, and never gives up on a worker (nobody is
//! there to press a button).
//!
//! Map: [`workers`] the table · [`policy`] when to start and end, as a pure machine · [`process`] one child ·
//! [`probe`] asks it how it is · [`socket`] the supervisor's own socket · [`lock`] one supervisor a folder.
//!
//! One task, the loop in [`run`], owns every machine; the others only send it what they saw. Everything is on one
//! thread: children ask the kernel to end them when *the thread* that started them is gone.

pub(crate) mod lock;
mod policy;
mod probe;
mod process;
pub(crate) mod socket;
pub(crate) mod workers;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::lock::Lock;
pub(crate) use self::policy::State;
use self::policy::{Action, Input, Policy};
use self::process::Process;
use self::socket::Request;
use self::workers::{WORKERS, Worker};
use crate::paths::Paths;
use crate::status::{Status, WorkerState, WorkerStatus};

/// Why a supervisor does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SupervisorError {
    #[error("the socket {} could not be opened: {source}", path.display())]
    Socket { path: PathBuf, source: std::io::Error },
    #[error("signals could not be received: {0}")]
    Signals(std::io::Error),
}

/// What the loop is woken by.
enum Event {
    /// A worker's process; `start` counts the starts, so that a late word of an earlier process is not taken for the
    /// present one's.
    Worker {
        index: usize,
        start: u64,
        input: Input,
    },
    Asked(Request),
}

/// Runs the workers until a signal or `POST /stop`. `ready` is called once, when members are served.
pub(crate) async fn run(
    paths: &Paths,
    profile: &str,
    lock: Lock,
    listener: TcpListener,
    address: String,
    ready: impl FnOnce(),
) -> Result<(), SupervisorError> {
    let mut terminated = signal(SignalKind::terminate()).map_err(SupervisorError::Signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(SupervisorError::Signals)?;
    let (requests, mut asked) = mpsc::unbounded_channel();
    let mut supervisor = Supervisor::new(paths, profile, listener, address);
    let own_socket = open_socket(paths)?;
    tokio::task::spawn_local(socket::serve(own_socket, supervisor.published.subscribe(), requests));
    let mut ready = Some(ready);
    while !supervisor.turn() {
        if supervisor.serves_members()
            && let Some(ready) = ready.take()
        {
            ready();
        }
        let deadline = supervisor.deadline();
        let event = tokio::select! {
            event = supervisor.events.1.recv() => event,
            request = asked.recv() => request.map(Event::Asked),
            _ = terminated.recv() => Some(Event::Asked(Request::Stop)),
            _ = interrupted.recv() => Some(Event::Asked(Request::Stop)),
            () = sleep_until(deadline) => None,
        };
        if let Some(event) = event {
            supervisor.take(event);
        }
    }
    // Absent, the socket says by itself that nobody is there.
    let _ = std::fs::remove_file(paths.supervisor_socket());
    drop(lock);
    tracing::info!(event = "supervisor.stopped", "stopped");
    Ok(())
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The lock is held, so whatever lies at the socket's place is left over from a process that is gone.
fn open_socket(paths: &Paths) -> Result<UnixListener, SupervisorError> {
    let path = paths.supervisor_socket();
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path).map_err(|source| SupervisorError::Socket { path, source })
}

struct Supervisor<'a> {
    paths: &'a Paths,
    profile: &'a str,
    listener: TcpListener,
    address: String,
    began: Instant,
    began_at: Timestamp,
    slots: Vec<Slot>,
    starts: u64,
    events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    published: watch::Sender<Arc<Status>>,
}

/// A worker and what belongs to its present process.
struct Slot {
    worker: &'static Worker,
    policy: Policy,
    start: u64,
    process: Option<Process>,
    probe: Option<AbortHandle>,
    /// The state that was logged last, and how many failures there had been.
    logged: (State, u32),
}

impl<'a> Supervisor<'a> {
    fn new(paths: &'a Paths, profile: &'a str, listener: TcpListener, address: String) -> Supervisor<'a> {
        let slots = WORKERS.iter().map(|worker| Slot {
            worker,
            policy: Policy::new(worker.patience, Duration::ZERO),
            start: 0,
            process: None,
            probe: None,
            logged: (State::Starting, 0),
        });
        let mut supervisor = Supervisor {
            paths,
            profile,
            listener,
            address,
            began: Instant::now(),
            began_at: Timestamp::now(),
            slots: slots.collect(),
            starts: 0,
            events: mpsc::unbounded_channel(),
            published: watch::Sender::default(),
        };
        supervisor.publish();
        supervisor
    }

    fn now(&self) -> policy::Instant {
        self.began.elapsed()
    }

    /// Does what is due and tells how it stands; true when there is nothing left to do for ever.
    fn turn(&mut self) -> bool {
        let now = self.now();
        for index in 0..self.slots.len() {
            while let Some(action) = self.slots[index].policy.poll(now) {
                self.act(index, action);
            }
        }
        self.publish();
        self.slots.iter().all(|slot| slot.policy.is_over())
    }

    fn act(&mut self, index: usize, action: Action) {
        let process = self.slots[index].process.as_ref();
        match (action, process) {
            (Action::Spawn, _) => self.spawn(index),
            (Action::Terminate, Some(process)) => process.signal(Signal::SIGTERM),
            (Action::Kill, Some(process)) => {
                tracing::warn!(
                    event = "worker.kill",
                    worker = self.slots[index].worker.name,
                    pid = process.pid
                );
                process.signal(Signal::SIGKILL);
            }
            (Action::Terminate | Action::Kill, None) => {}
        }
    }

    fn spawn(&mut self, index: usize) {
        let now = self.now();
        self.starts += 1;
        let start = self.starts;
        let slot = &mut self.slots[index];
        let socket = self.paths.run_dir.join(slot.worker.socket);
        // Left over from a process that was killed; the new one could not open its own.
        let _ = std::fs::remove_file(&socket);
        let events = self.events.0.clone();
        let tell = move |input| {
            // The loop owns the receiver; without the loop nobody wants to know.
            let _ = events.send(Event::Worker { index, start, input });
        };
        let exited = tell.clone();
        slot.start = start;
        match process::start(slot.worker, self.paths, &self.listener, move |reason| {
            exited(Input::Exited { reason });
        }) {
            Ok(process) => {
                tracing::info!(event = "worker.start", worker = slot.worker.name, pid = process.pid);
                slot.policy.handle(now, Input::Spawned { pid: process.pid });
                slot.process = Some(process);
                let asking = probe::ask(socket, move |answer| tell(Input::Answered(answer)));
                slot.probe = Some(tokio::task::spawn_local(asking).abort_handle());
            }
            Err(error) => {
                let reason = format!("it could not be started: {error}");
                slot.policy.handle(now, Input::SpawnFailed { reason });
            }
        }
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Worker { index, start, input } => {
                let slot = &mut self.slots[index];
                if slot.start != start {
                    return;
                }
                if matches!(input, Input::Exited { .. }) {
                    slot.process = None;
                    if let Some(probe) = slot.probe.take() {
                        probe.abort();
                    }
                }
                slot.policy.handle(now, input);
            }
            Event::Asked(Request::Restart(index)) => self.slots[index].policy.handle(now, Input::Restart),
            Event::Asked(Request::Stop) => {
                tracing::info!(event = "supervisor.stop", "stopping the workers");
                for slot in &mut self.slots {
                    slot.policy.handle(now, Input::Stop);
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.policy.deadline()).min().map(|at| self.began + at)
    }

    fn serves_members(&self) -> bool {
        let mut serving = self.slots.iter().filter(|slot| slot.worker.serves_members);
        serving.all(|slot| slot.policy.state() == State::Ready)
    }

    fn publish(&mut self) {
        let now = self.now();
        for slot in &mut self.slots {
            log_change(slot);
        }
        let wall = Timestamp::now();
        let workers = self.slots.iter().map(|slot| WorkerStatus {
            name: slot.worker.name.into(),
            state: WorkerState::from(slot.policy.state()),
            pid: slot.policy.pid(),
            restarts: slot.policy.restarts(),
            // By the wall clock of this moment, because the clock may have been set since.
            since: wall - now.saturating_sub(slot.policy.since()),
            last_exit: slot.policy.last_exit().map(str::to_owned),
            detail: slot.policy.detail(),
        });
        self.published.send_replace(Arc::new(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            profile: self.profile.into(),
            started_at: Some(self.began_at),
            address: self.address.clone(),
            workers: workers.collect(),
            engines: Vec::new(),
            setup: None,
        }));
    }
}

fn log_change(slot: &mut Slot) {
    let state = slot.policy.state();
    let now = (state, slot.policy.failures());
    if std::mem::replace(&mut slot.logged, now) == now {
        return;
    }
    let worker = slot.worker.name;
    let detail = slot.policy.detail().unwrap_or_default();
    match state {
        State::Ready => tracing::info!(event = "worker.ready", worker),
        State::Starting | State::Stopped => tracing::info!(event = "worker.state", worker, ?state),
        State::Failed => tracing::error!(event = "worker.failed", worker, detail),
        State::BackingOff => {
            let why = slot.policy.last_exit().unwrap_or_default();
            tracing::warn!(event = "worker.backing_off", worker, why, detail);
        }
    }
}
