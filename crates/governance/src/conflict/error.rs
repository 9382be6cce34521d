//! Why a step of a case cannot be taken.

use crate::conflict::{APPEAL_DAYS, CaseState};
use crate::decision::MODERATORS_HOURS;

/// Why a step of a case cannot be taken, and what can be done instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The step does not fit where the case stands.
    #[error("this is not possible in the state {state:?} of the case; {remedy}")]
    WrongState {
        /// Where it stands.
        state: CaseState,
        /// What can be done.
        remedy: &'static str,
    },
    /// One cannot report oneself.
    #[error("you are about to report yourself; if you want to say sorry, write to the other person")]
    Yourself,
    /// The role is missing.
    #[error("only somebody with the role of a {0} can do this; the Roles page says who has it")]
    NotTheRole(&'static str),
    /// It is their own case.
    #[error(
        "you are a side of this case yourself, so another moderator has to settle it; where there is none, propose one"
    )]
    OwnCase,
    /// Nobody is reported.
    #[error(
        "nobody is reported here, so nobody can be warned or held; dismiss the report, or propose a change of policy"
    )]
    NobodyReported,
    /// More than a moderator may do.
    #[error(
        "a moderator may hold comments for 1 to {MODERATORS_HOURS} hours; {0} hours need a decision of the community: \
         make a proposal"
    )]
    TooHigh(u32),
    /// Not a side of the case.
    #[error("only the sides of a case can do this, and you are none")]
    NotASide,
    /// Not the mediator of the case.
    #[error("only the mediator whom both sides chose can do this")]
    NotTheMediator,
    /// Who is named cannot mediate.
    #[error("this member is a side of the case or settled it; name a mediator who is neither")]
    NotNeutral,
    /// The days for an appeal are over.
    #[error("an appeal is possible for {APPEAL_DAYS} days, and they are over; make a report if it goes on")]
    TooLate,
    /// Nothing to agree to.
    #[error("there is no outcome to agree to yet; the mediator writes one")]
    NoOutcome,
}
