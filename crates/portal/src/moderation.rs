//! The community's rules in the way of an answer.
//!
//! * [`Effective`] is what holds for an answer that begins now: the policy that is in force, compiled once a version.
//!   [`Effectives`] gives it out; an answer goes by the policy with which it began.
//! * A question is judged before any engine sees it ([`Effective::judge`]); an answer goes through a [`Filter`] as it is
//!   written.
//! * `meaning` knows what is near to an example; `tail` what the box adds itself.
//!
//! Deliberately absent: what the rules mean. `banyan_governance::moderation` decides, on texts alone.

mod effective;
mod filter;
mod follow;
mod judge;
mod meaning;
mod tail;

pub(crate) use self::effective::{Effective, Effectives};
pub(crate) use self::filter::{Filter, Passed};
pub(crate) use self::follow::{follow, queue_under};
pub(crate) use self::judge::Verdict;
