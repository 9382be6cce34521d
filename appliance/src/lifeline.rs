//! A worker must not outlive its supervisor: nobody would restart it, and its sockets would be in the next one's way.

use std::ffi::CStr;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

/// Asks the kernel to kill this process when its supervisor is gone, however that ended. SIGKILL, because start-up is
/// the recovery path anyway, and a worker that hangs must go as well.
pub(crate) fn tie_to(supervisor: u32, name: &CStr) -> std::io::Result<()> {
    // What `ps` and `top` show; it would be `exe`, by the way the supervisor starts us.
    prctl::set_name(name)?;
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have gone before the kernel was asked.
    if getppid().as_raw().cast_unsigned() != supervisor {
        return Err(std::io::Error::other("the supervisor has gone already"));
    }
    Ok(())
}

/// Ends when the process is asked to stop.
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}
