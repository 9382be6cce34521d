//! The table of workers: everything that the supervisor keeps alive, and with which patience.

use std::time::Duration;

use super::policy::Patience;

/// One kind of worker.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its name in the status, in logs, and as the subcommand of this binary that it runs.
    pub(crate) name: &'static str,
    /// The socket in the run folder on which it answers `GET /health`.
    pub(crate) socket: &'static str,
    /// Whether it serves members, on the address that the supervisor opened for it.
    pub(crate) serves_members: bool,
    pub(crate) patience: Patience,
}

/// Common to all: see [`Patience`] for what each means and why.
const USUAL: Patience = Patience {
    hung_after: Duration::from_secs(20),
    starting_at_most: Duration::from_secs(900),
    // The portal lets running answers go on for ten seconds, the engine for five.
    grace: Duration::from_secs(12),
    first_pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(30),
    stable_after: Duration::from_secs(60),
    retry_failed: Duration::from_secs(60),
};

/// Who runs, in the order of the status. They start together: each is usable before the others (the node's page says
/// that the engine is not ready yet), so none waits for another.
pub(crate) const WORKERS: [Worker; 2] = [
    Worker { name: "node", socket: "node.sock", serves_members: true, patience: USUAL },
    // Loading a big model takes minutes, but the socket answers meanwhile.
    Worker { name: "infer", socket: "infer.sock", serves_members: false, patience: USUAL },
];

/// How long all together may take to stop, for those who wait for it: the longest grace and some time for the kernel.
pub(crate) const STOPPED_WITHIN: Duration = Duration::from_secs(15);
