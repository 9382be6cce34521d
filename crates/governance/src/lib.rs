//! How a community decides, as plain rules: values in, decisions out. No clock, no disk, no network; `now` is a
//! parameter, and the same input gives the same output on every machine.
//!
//! * [`constitution`] says which [`method`] decides what; a [`proposal`] carries a typed [`Decision`] and is voted on;
//!   [`tally`] counts, and [`delegation`] says who speaks through whom; what passed becomes an [`Enactment`], the only
//!   key to change how the box behaves.
//! * [`policy`] is how the assistant behaves and [`moderation`] what it does about words; [`roles`] are who may do what.
//! * [`kits`] are whole beginnings; [`conflict`] and [`emergency`] are what happens between decisions, within bounds.

pub mod conflict;
pub mod constitution;
pub mod decision;
pub mod delegation;
pub mod emergency;
mod enactment;
mod ids;
pub mod kits;
pub mod method;
pub mod moderation;
pub mod policy;
pub mod proposal;
pub mod roles;
pub mod tally;
mod time;

pub use constitution::{Constitution, EmergencyPower};
pub use decision::{Decision, Topic};
pub use enactment::{Authority, Enactment, Recorded};
pub use ids::{BadId, CaseId, EmergencyId, MemberId, ProposalId, SanctionId};
pub use policy::Policy;
pub use roles::{Permission, Role, RoleGrant};
pub use time::Time;
