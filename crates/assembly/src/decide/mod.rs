//! Proposals, votes, delegations, and what is said beside them.
//!
//! The rules are governance's; here is what the store holds, the ledger's entries for each step, and the moments at
//! which something happens by itself. No state is kept outside the store: after a crash at any point the next look at
//! the clock ([`Assembly::settle`](crate::Assembly::settle)) finds what is due.
//!
//! * `life` writes, submits, amends, opens and withdraws; `vote` and `paper` take votes; `close` counts and enacts.
//! * `comments` and `delegate` are what goes on beside a vote; `view` is what a member sees of it all.
//! * `words` keeps what people write out of the ledger.

mod clock;
mod close;
mod comments;
mod count;
mod delegate;
mod life;
mod list;
mod paper;
mod rows;
#[cfg(test)]
mod tests;
mod view;
mod vote;
mod words;

use banyan_governance::proposal::ProposalError;
use banyan_store::Room;

pub use comments::{CommentView, HeldComment, NewComment, SettleComment};
pub use delegate::{Delegate, DelegationsView, FromMember, MyDelegation};
pub use life::{AmendProposal, NewProposal};
pub use list::{ProposalLine, ProposalList};
pub use paper::{IssuePaperCodes, PaperBallot, PaperCodes};
pub use view::{BallotLine, MayDo, MemberName, ProposalView};
pub use vote::CastBallot;

use crate::error::Refusal;

/// What the store keeps of it.
pub(crate) const ROOM: Room = Room { name: "decide", steps: &[include_str!("../schema/decide_1.sql")] };

/// A rule's no, in the assembly's words.
fn refused(error: &ProposalError) -> Refusal {
    let message = error.to_string();
    match error {
        ProposalError::NotTheAuthor => {
            Refusal::NotYours("this proposal is another member's; comment on it, or write your own")
        }
        ProposalError::WrongState { .. } => Refusal::WrongState { code: "wrong_state", message },
        ProposalError::StillDiscussed { .. } => Refusal::WrongState { code: "still_discussed", message },
        ProposalError::AnotherProposal { .. } => Refusal::WrongState { code: "another_proposal", message },
        ProposalError::TooOften(_) => Refusal::WrongState { code: "amended_too_often", message },
        ProposalError::Text { .. } => Refusal::Invalid { field: "text", code: "text_length", message },
        ProposalError::Options { .. } => {
            Refusal::Invalid { field: "options", code: "options_count", message }
        }
        ProposalError::SameTitle { .. } => {
            Refusal::Invalid { field: "options", code: "options_same", message }
        }
        ProposalError::MixedTopics { .. } | ProposalError::MixedPeople => {
            Refusal::Invalid { field: "options", code: "options_mixed", message }
        }
        ProposalError::Decision { .. } => {
            Refusal::Invalid { field: "options", code: "decision_invalid", message }
        }
    }
}
