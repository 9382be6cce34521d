//! What the box keeps of answers, and for how long.
//!
//! * [`Auditor`] writes an entry into the ledger for each answer: by what it was made, never what was said or by whom.
//! * Held texts wait for a moderator; they are withheld beside the ledger, each under a key of its own ([`Held`]).
//! * Kept conversations are sealed under the member's own key, which the box has only while the member is signed in
//!   ([`History`]).
//!
//! Deliberately absent: any other copy of what members ask. [`Assembly::sweep_answers`](crate::Assembly::sweep_answers)
//! erases what the policy says is old.

mod audit;
mod held;
mod history;
mod sweep;
#[cfg(test)]
mod tests;

use banyan_store::Room;

pub use self::audit::{AnswerAction, AnswerRecord, Audit, Auditor};
pub use self::held::{Allowed, Held, HeldSide, HeldState, NewHeld, OwnHeld, Turn, owner_of};
pub use self::history::{Conversation, History, MAX_CONVERSATION};

/// The tables of held texts and kept conversations.
pub(crate) const ROOM: Room = Room { name: "answers", steps: &[include_str!("../schema/answers_1.sql")] };
