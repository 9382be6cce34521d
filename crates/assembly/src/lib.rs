//! The community's memory: governance's rules applied to what the store holds.
//!
//! [`Assembly`] opens the store, keeps a snapshot of what is in force ([`InForce`]), and offers what members, stewards
//! and moderators can do. Each change and the ledger entry that records it are one transaction (`Assembly::change`).
//! What is in force is changed in `enact` only, and only with a [`banyan_governance::Enactment`].
//!
//! Every function that depends on the time is told it.

pub mod answers;
mod assembly;
pub mod decide;
mod enact;
mod error;
mod in_force;
pub mod people;
pub mod record;
#[cfg(test)]
mod testing;

pub use assembly::{Assembly, rooms};
pub use error::{AssemblyError, Refusal};
pub use in_force::InForce;
