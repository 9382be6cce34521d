//! One child process: started from this very binary, signalled, and waited for by the task that owns it.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::workers::Worker;
use crate::paths::Paths;

/// A handle to a running child. Dropping it kills the child.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    signals: mpsc::UnboundedSender<Signal>,
}

impl Process {
    pub(crate) fn signal(&self, signal: Signal) {
        // When the owner is gone the process is gone, which is what any signal here is for.
        let _ = self.signals.send(signal);
    }
}

/// Starts a worker. `exited` is called once, with the reason, when it is gone.
///
/// A worker that serves members gets the listening socket as its standard input: opened once by the supervisor, so
/// that members' connections wait while a dead node is started again, and a port below 1024 needs no privilege in it.
pub(crate) fn start(
    worker: &Worker,
    paths: &Paths,
    listener: &TcpListener,
    exited: impl FnOnce(String) + 'static,
) -> std::io::Result<Process> {
    // The very program that runs, even when its file has been replaced by an update meanwhile: then supervisor and
    // workers go on speaking the same language until the box is started anew.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(std::env::args_os().next().unwrap_or_else(|| "banyan".into()))
        .args(paths.as_arguments())
        .arg(worker.name)
        .arg("--supervised-by")
        .arg(std::process::id().to_string());
    if worker.serves_members {
        command.args(["--listen", "stdin"]).stdin(OwnedFd::from(listener.try_clone()?));
    } else {
        command.stdin(Stdio::null());
    }
    // Its own group: Ctrl-C in a terminal is for the supervisor, which stops its children in order.
    let child = command.process_group(0).kill_on_drop(true).spawn()?;
    let pid = child.id().ok_or_else(|| std::io::Error::other("the process ended before it began"))?;
    let (signals, received) = mpsc::unbounded_channel();
    tokio::task::spawn_local(own(child, received, exited));
    Ok(Process { pid, signals })
}

/// Waits for the exit and passes signals on. Both in one task: a number is only signalled while its process has not
/// been collected, so it cannot belong to another one yet.
async fn own(
    mut child: Child,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    exited: impl FnOnce(String) + 'static,
) {
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            signal = signals.recv() => match (signal, child.id()) {
                (Some(signal), Some(pid)) => {
                    if let Err(error) = kill(Pid::from_raw(pid.cast_signed()), signal) {
                        tracing::warn!(pid, %signal, %error, "a signal could not be sent");
                    }
                }
                (Some(_), None) => {}
                // The handle was dropped; so is the child, which kills it.
                (None, _) => return,
            },
        }
    };
    exited(match status {
        Ok(status) => words(status),
        Err(error) => format!("its end could not be seen: {error}"),
    });
}

/// How a process ended, for people.
fn words(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("it ended with exit code {code}");
    }
    match status.signal().map(Signal::try_from) {
        Some(Ok(signal)) if status.core_dumped() => format!("it crashed ({signal})"),
        Some(Ok(signal)) => format!("it was killed ({signal})"),
        _ => format!("it ended ({status})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_told_in_words() {
        for (raw, expected) in [
            (0, "it ended with exit code 0"),
            (2 << 8, "it ended with exit code 2"),
            (9, "it was killed (SIGKILL)"),
            (11 | 0x80, "it crashed (SIGSEGV)"),
        ] {
            assert_eq!(words(ExitStatus::from_raw(raw)), expected);
        }
    }
}
