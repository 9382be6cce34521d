//! When a worker is started, ended and started again: values in, values out; no clock, no process, no socket.
//!
//! ```text
//!                    Spawned                 Ready
//!   due ─▶ spawning ────────▶ starting ──────────────▶ ready ──┐
//!    ▲         │                 │  ▲                   │  ▲    │ Failed / Loading: the worker answers, and
//!    │         │ SpawnFailed     │  └───────────────────┘  └────┘ says itself how it is (`failed` is looked at
//!    │         ▼                 │ Exited                         again after a while, by a fresh process)
//!    └────── waiting ◀───────────┴──── ending ◀── no answer for too long, Restart, Failed for too long
//!    back-off is over                    │
//!                                        └─ Exited while stopping ─▶ stopped
//! ```
//! One task owns each [`Policy`] (the loop in [`super`]) and calls it so: `handle` for all that happened, then `poll`
//! until it gives nothing, then sleep until `deadline` or the next happening. Times are monotonic, counted from the
//! supervisor's start; the wall clock of a box without a battery may jump, and nothing here notices.
//!
//! It never gives a worker up: nobody is there to press a button. It only waits longer between attempts.

use std::time::Duration;

/// Time since the supervisor started.
pub(crate) type Instant = Duration;

/// How patient the supervisor is with a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without an answer for so long after its start or its last answer, the worker hangs and is killed. Long enough
    /// for a machine that is so busy that nothing is answered for seconds; short enough that members who wait are
    /// still there.
    pub(crate) hung_after: Duration,
    /// Not ready for so long although it answers, a worker is started afresh: reading the biggest model from the
    /// slowest card takes some minutes, so one that takes longer will never be ready.
    pub(crate) starting_at_most: Duration,
    /// From SIGTERM to SIGKILL: time to end the streams that run.
    pub(crate) grace: Duration,
    /// Before the first restart. Not zero, so that a worker that dies at once costs little; not long, because after
    /// `kill -9` members wait for it.
    pub(crate) first_pause: Duration,
    /// The pause doubles up to this: a broken worker then costs two starts a minute, and is back half a minute after
    /// the reason has gone.
    pub(crate) longest_pause: Duration,
    /// Ready for so long, earlier failures count no more.
    pub(crate) stable_after: Duration,
    /// A worker that says that it cannot work (no model) is started afresh after this, in case someone mended it.
    pub(crate) retry_failed: Duration,
}

/// What happened to the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// The process asked for by [`Action::Spawn`] runs.
    Spawned { pid: u32 },
    /// It could not be started.
    SpawnFailed { reason: String },
    /// It answered.
    Answered(Answer),
    /// The process is gone, and why.
    Exited { reason: String },
    /// A person or another part wants a fresh process (a new model, say).
    Restart,
    /// The box stops.
    Stop,
}

/// What a worker says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Ready,
    /// Not yet, and what it does meanwhile.
    Loading(Option<String>),
    /// It cannot, and says why.
    Failed(String),
}

/// What the shell has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Spawn,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// How a worker is, in the words of the status socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Starting,
    Ready,
    Failed,
    BackingOff,
    Stopped,
}

/// One worker's life.
#[derive(Debug)]
pub(crate) struct Policy {
    patience: Patience,
    phase: Phase,
    /// When the state that [`Policy::state`] shows was entered.
    since: Instant,
    stopping: bool,
    /// Ends that were not asked for, one after the other without a stable time between.
    failures: u32,
    starts: u32,
    pid: Option<u32>,
    last_exit: Option<String>,
}

#[derive(Debug)]
enum Phase {
    Due,
    Spawning,
    Alive {
        last_answer: Instant,
        answer: Answer,
    },
    /// A signal is to be sent (`signal`) or was sent; the exit is waited for.
    Ending {
        signal: Option<Action>,
        kill_at: Option<Instant>,
        cause: Cause,
    },
    Waiting {
        until: Instant,
        pause: Duration,
    },
    Stopped,
}

/// Why a process is being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// Somebody asked for it: the next start is at once.
    Asked,
    /// It hung or had failed: the next start comes after a pause.
    Fault(String),
}

impl Policy {
    /// A worker that is to be started now.
    pub(crate) fn new(patience: Patience, now: Instant) -> Policy {
        Policy {
            patience,
            phase: Phase::Due,
            since: now,
            stopping: false,
            failures: 0,
            starts: 0,
            pid: None,
            last_exit: None,
        }
    }

    pub(crate) fn state(&self) -> State {
        match &self.phase {
            Phase::Due | Phase::Spawning => State::Starting,
            Phase::Alive { answer: Answer::Ready, .. } => State::Ready,
            Phase::Alive { answer: Answer::Loading(_), .. } => State::Starting,
            Phase::Alive { answer: Answer::Failed(_), .. } => State::Failed,
            Phase::Ending { .. } if self.stopping => State::Stopped,
            Phase::Ending { .. } | Phase::Waiting { .. } => State::BackingOff,
            Phase::Stopped => State::Stopped,
        }
    }

    /// When the state was entered.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Ends that were not asked for, since it was last stable.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Starts after the first.
    pub(crate) fn restarts(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    /// How the last process ended.
    pub(crate) fn last_exit(&self) -> Option<&str> {
        self.last_exit.as_deref()
    }

    /// What it does or lacks, in words.
    pub(crate) fn detail(&self) -> Option<String> {
        match &self.phase {
            Phase::Alive { answer: Answer::Loading(detail), .. } => detail.clone(),
            Phase::Alive { answer: Answer::Failed(reason), .. } => Some(reason.clone()),
            Phase::Ending { cause: Cause::Fault(reason), .. } => Some(reason.clone()),
            Phase::Waiting { pause, .. } => {
                Some(format!("there is a pause of {:.1} s before it is started again", pause.as_secs_f64()))
            }
            _ => None,
        }
    }

    /// Whether there is nothing left to do for ever.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// Takes in what happened. Inputs that do not fit (an answer of a process that is being ended) change nothing.
    pub(crate) fn handle(&mut self, now: Instant, input: Input) {
        let before = self.state();
        match input {
            Input::Spawned { pid } => self.spawned(now, pid),
            Input::SpawnFailed { reason } => self.ended(now, reason),
            Input::Exited { reason } => self.ended(now, reason),
            Input::Answered(answer) => self.answered(now, answer),
            Input::Restart => self.restart(),
            Input::Stop => self.stop(),
        }
        if self.state() != before {
            self.since = now;
        }
    }

    /// What to do now; to be called until it gives `None`.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Action> {
        let before = self.state();
        let action = self.step(now);
        if self.state() != before {
            self.since = now;
        }
        action
    }

    /// When `poll` has something to do next, if nothing happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Due => Some(Instant::ZERO),
            Phase::Spawning | Phase::Stopped => None,
            Phase::Alive { last_answer, answer } => {
                let hung = *last_answer + self.patience.hung_after;
                Some(match answer {
                    Answer::Ready => hung,
                    Answer::Loading(_) => hung.min(self.since + self.patience.starting_at_most),
                    Answer::Failed(_) => hung.min(self.since + self.patience.retry_failed),
                })
            }
            Phase::Ending { signal: Some(_), .. } => Some(Instant::ZERO),
            Phase::Ending { kill_at, .. } => *kill_at,
            Phase::Waiting { until, .. } => Some(*until),
        }
    }

    fn step(&mut self, now: Instant) -> Option<Action> {
        match &mut self.phase {
            Phase::Waiting { until, .. } if now >= *until => self.phase = Phase::Due,
            Phase::Alive { last_answer, answer } => {
                let silent = now.saturating_sub(*last_answer);
                let lasted = now.saturating_sub(self.since);
                let ending = match answer {
                    // No SIGTERM: what hangs does not listen.
                    _ if silent >= self.patience.hung_after => {
                        Some((Action::Kill, format!("it gave no answer for {} s", silent.as_secs())))
                    }
                    Answer::Loading(_) if lasted >= self.patience.starting_at_most => {
                        Some((Action::Kill, format!("it was not ready after {} s", lasted.as_secs())))
                    }
                    Answer::Failed(reason) if lasted >= self.patience.retry_failed => {
                        Some((Action::Terminate, reason.clone()))
                    }
                    _ => None,
                };
                if let Some((signal, fault)) = ending {
                    let cause = Cause::Fault(fault);
                    self.phase = Phase::Ending { signal: Some(signal), kill_at: None, cause };
                }
            }
            _ => {}
        }
        match &mut self.phase {
            Phase::Due => {
                self.phase = Phase::Spawning;
                Some(Action::Spawn)
            }
            Phase::Ending { signal, kill_at, .. } => match (*signal, *kill_at) {
                (Some(Action::Terminate), _) => {
                    *signal = None;
                    *kill_at = Some(now + self.patience.grace);
                    Some(Action::Terminate)
                }
                (Some(_), _) => {
                    *signal = None;
                    *kill_at = None;
                    Some(Action::Kill)
                }
                (None, Some(at)) if now >= at => {
                    *kill_at = None;
                    Some(Action::Kill)
                }
                (None, _) => None,
            },
            _ => None,
        }
    }

    fn spawned(&mut self, now: Instant, pid: u32) {
        if !matches!(self.phase, Phase::Spawning) {
            return;
        }
        self.pid = Some(pid);
        self.starts += 1;
        // Its start counts as an answer: from now on it has `hung_after` to give the first one.
        self.phase = Phase::Alive { last_answer: now, answer: Answer::Loading(None) };
        if self.stopping {
            self.stop();
        }
    }

    fn answered(&mut self, now: Instant, answer: Answer) {
        if let Phase::Alive { last_answer, answer: current } = &mut self.phase {
            let stays_ready = *current == Answer::Ready && answer == Answer::Ready;
            if stays_ready && now.saturating_sub(self.since) >= self.patience.stable_after {
                self.failures = 0;
            }
            *last_answer = now;
            *current = answer;
        }
    }

    fn ended(&mut self, now: Instant, reason: String) {
        let asked = match &self.phase {
            Phase::Ending { cause, .. } => *cause == Cause::Asked,
            Phase::Spawning | Phase::Alive { .. } => false,
            // There was no process that could end.
            Phase::Due | Phase::Waiting { .. } | Phase::Stopped => return,
        };
        self.last_exit = Some(match &self.phase {
            Phase::Ending { cause: Cause::Fault(fault), .. } => format!("{fault}, so it was ended"),
            _ => reason,
        });
        self.pid = None;
        self.phase = if self.stopping {
            Phase::Stopped
        } else if asked {
            Phase::Due
        } else {
            self.failures = self.failures.saturating_add(1);
            let pause = self.pause();
            Phase::Waiting { until: now + pause, pause }
        };
    }

    /// The pause before the next start: doubling from the first to the longest.
    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        self.patience.first_pause.saturating_mul(1 << doublings).min(self.patience.longest_pause)
    }

    fn restart(&mut self) {
        match &self.phase {
            Phase::Alive { .. } => {
                let signal = Some(Action::Terminate);
                self.phase = Phase::Ending { signal, kill_at: None, cause: Cause::Asked };
            }
            // Somebody has mended the cause: no reason to wait.
            Phase::Waiting { .. } => self.phase = Phase::Due,
            Phase::Due | Phase::Spawning | Phase::Ending { .. } | Phase::Stopped => {}
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        match &self.phase {
            Phase::Alive { .. } => {
                let signal = Some(Action::Terminate);
                self.phase = Phase::Ending { signal, kill_at: None, cause: Cause::Asked };
            }
            Phase::Due | Phase::Waiting { .. } => self.phase = Phase::Stopped,
            Phase::Spawning | Phase::Ending { .. } | Phase::Stopped => {}
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
