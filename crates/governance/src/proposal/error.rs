//! Why a step of a proposal cannot be taken.

use crate::decision::{DecisionError, Topic};
use crate::proposal::ProposalState;
use crate::time::Time;

/// Why a step of a proposal cannot be taken, and what can be done instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// It is another member's.
    #[error("this proposal is another member's; comment on it, or write your own")]
    NotTheAuthor,
    /// The step does not fit where the proposal stands.
    #[error("this is not possible any more, or not yet: the proposal is in the state {state:?}; {remedy}")]
    WrongState {
        /// Where it stands.
        state: ProposalState,
        /// What can be done.
        remedy: &'static str,
    },
    /// The hours of discussion are not over.
    #[error("discussion goes on until {until}; the vote opens by itself then")]
    StillDiscussed {
        /// Until then.
        until: Time,
    },
    /// A text is empty or too long.
    #[error("{field} needs 1 to {most} characters and has {has}")]
    Text {
        /// Which.
        field: String,
        /// The most characters.
        most: usize,
        /// Characters that it has.
        has: usize,
    },
    /// Not the number of options that the method needs.
    #[error(
        "{topic:?} is decided by {method}, which needs {least} to {most} options; this has {has}. {remedy}"
    )]
    Options {
        /// What it is about.
        topic: Topic,
        /// By which method.
        method: &'static str,
        /// The least options.
        least: usize,
        /// The most options.
        most: usize,
        /// Options that it has.
        has: usize,
        /// What can be done.
        remedy: &'static str,
    },
    /// Two options have the same title.
    #[error(
        "two options are called \"{title}\"; give each its own title, so that everybody knows what they vote for"
    )]
    SameTitle {
        /// The title.
        title: String,
    },
    /// The options are about different things.
    #[error("one option is about {one:?} and another about {other:?}; make a proposal for each")]
    MixedTopics {
        /// About this.
        one: Topic,
        /// And about that.
        other: Topic,
    },
    /// One option takes something from a member and another is about something else.
    #[error(
        "one option takes something from a member, who has no vote on it, and another is about something else; make a \
         proposal for each, so that nobody loses a vote on the other question"
    )]
    MixedPeople,
    /// The amended wording would be decided in another way.
    #[error(
        "the amended proposal would be about {wanted:?}, or need another method, but people discuss it as one about \
         {topic:?}; withdraw it and make a new one"
    )]
    AnotherProposal {
        /// What it is about.
        topic: Topic,
        /// What it would be about.
        wanted: Topic,
    },
    /// Too many amendments.
    #[error("this proposal was amended {0} times; withdraw it and make a new one, so that people can follow")]
    TooOften(usize),
    /// What would be decided means nothing.
    #[error("option {option}: {error}")]
    Decision {
        /// Number of the option, from 1.
        option: usize,
        /// What is wrong.
        error: DecisionError,
    },
}
