//! The fair queue before the engines: whose turn it is, and what whoever waits is told.
//!
//! * [`FairQueue`] (`fair`) decides. It is a plain state machine: time is a parameter, and the number of free places
//!   too. Its parts: the ring of one class (`lane`), token buckets, the estimate of service times.
//! * [`Turns`] is the shell around it: a clock, engines that come and go, tickets that are waited for.
//! * [`QueueSettings`] is what it goes by: weights, quotas, classes, limits, all of them data.
//!
//! Promises, each held by a property test: whoever has nothing running goes before whoever has, so nobody's second
//! request overtakes another's first; the place of a member's only request never grows, except by a higher class;
//! nobody starves; no place is idle while somebody may have it; quotas hold.

mod bucket;
mod estimate;
mod fair;
mod lane;
mod member;
mod policy;
mod settings;
#[cfg(test)]
mod tests;
mod ticket;
mod turn;
mod turns;

use std::time::Duration;

pub(crate) use self::bucket::Bucket;
pub(crate) use self::fair::{Ask, FairQueue};
pub(crate) use self::member::Member;
pub use self::settings::{
    Admission, BackgroundRule, Classes, CrisisRule, QueueSettings, Quota, Quotas, Rate, Weights,
};
pub(crate) use self::ticket::{Progress, Ticket};
pub(crate) use self::turn::{AfterFailure, Turn};
pub(crate) use self::turns::Turns;

/// A request in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TicketId(u64);

/// Classes of priority, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Crisis,
    Normal,
    /// Work that nobody waits for.
    Background,
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Crisis, Self::Normal, Self::Background];
}

/// The engines' places at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) free: usize,
    /// All together; 0 while no engine is ready.
    pub(crate) capacity: usize,
}

/// How a waiting request stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    /// 1 is the next.
    pub(crate) place: u32,
    /// Until its turn, if nobody more urgent comes; none when that cannot be told yet.
    pub(crate) expected: Option<Duration>,
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// This member has asked for as much as it may.
    #[error("this is more than one may ask for at a time; ask again in {} s", .retry_after.as_secs_f64().ceil())]
    Quota { retry_after: Duration },
    /// Too many wait already.
    #[error("too many questions wait already; ask again in {} s", .retry_after.as_secs_f64().ceil())]
    Full { retry_after: Duration },
    /// It would wait longer than it wants to, or than the box lets anybody wait.
    #[error("its turn would come in {} s, which is too late; ask again in {} s", .expected.as_secs_f64().ceil(), .retry_after.as_secs_f64().ceil())]
    TooLongAWait { expected: Duration, retry_after: Duration },
}
