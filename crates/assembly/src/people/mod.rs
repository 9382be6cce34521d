//! Members: how they come in, sign in, and what they may; and what happens when something goes wrong between them.
//!
//! * Coming in: [`Founding`] makes the first member, invitations and open joining the others. A member is a name and a
//!   secret; no e-mail, no address of a device.
//! * [`Caller`] is who is signed in, with the roles and the sanction that are in force at that moment. What each
//!   function needs it asks of the caller itself.
//! * Roles and sanctions are changed by `enact` only; reports, appeals and mediations lead there, through the pure
//!   rules of `banyan_governance::conflict`.
//! * Guessing is slow: see `attempts`. A secret opens the member's data key, and nothing else does.
//!
//! The ledger gets an entry for each change, with ids and counts: never a name, never a word that somebody wrote, and
//! nothing about who signs in when.

mod attempts;
mod cases;
mod emergency;
mod founding;
mod invitations;
mod joining;
mod leaving;
mod me;
mod members;
mod name;
mod random;
mod reset;
mod roles;
mod sanctions;
mod secret;
mod session;
mod setup_code;
mod sign_in;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use banyan_store::Room;
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

pub use self::cases::{CaseView, CaseWords, NamedMediator, NewReport, Settling, SettlingAction};
pub(crate) use self::emergency::ratify;
pub use self::emergency::{EmergencyCall, EmergencyView, EmergencyWanted};
pub use self::founding::{Founded, Founding, KitView, SharesWanted};
pub use self::invitations::{
    Invitation, MAX_DAYS as MAX_INVITATION_DAYS, MAX_USES as MAX_INVITATION_USES, NewInvitation,
};
pub use self::me::{Account, JoiningView, Me, SanctionView};
pub use self::members::MemberView;
pub(crate) use self::members::{name, names};
pub use self::reset::ResetCode;
pub use self::roles::{RoleHolder, RoleOfMember, RoleView, electorate};
pub(crate) use self::roles::{active_roles, end_role, grant_role, holders};
pub use self::sanctions::SanctionInForce;
pub(crate) use self::sanctions::{lift_sanction, sanction};
pub use self::secret::MemberKey;
pub use self::session::{Caller, SESSION_DAYS, SessionId};
pub use self::setup_code::SetupCode;
pub use self::sign_in::SignIn;
use crate::error::AssemblyError;

/// The tables of members and what concerns them.
pub(crate) const ROOM: Room = Room { name: "people", steps: &[include_str!("../schema/people_1.sql")] };

/// Reads a name of something out of the store.
fn id<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, AssemblyError> {
    text.parse().map_err(|error: T::Err| serde_json::Error::custom(error).into())
}

/// A value that is written as one word, such as a role.
fn word(value: &impl Serialize) -> Result<String, AssemblyError> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        other => Ok(other.to_string()),
    }
}

fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, AssemblyError> {
    Ok(serde_json::from_value(serde_json::Value::String(word.to_owned()))?)
}
