//! Counting an open vote, at any moment, from what the store holds.

use banyan_governance::constitution::Constitution;
use banyan_governance::delegation::Delegation;
use banyan_governance::proposal::Proposal;
use banyan_governance::tally::{Ballot, Outcome, tally};
use banyan_governance::{MemberId, Time};
use banyan_store::rusqlite::Connection;

use super::{delegate, rows};
use crate::error::AssemblyError;
use crate::people;

/// All that a result follows from.
#[derive(Debug, Clone)]
pub(super) struct Count {
    pub(super) electorate: Vec<MemberId>,
    pub(super) ballots: Vec<Ballot>,
    pub(super) delegations: Vec<Delegation>,
    pub(super) outcome: Outcome,
}

impl Count {
    /// Counts as if the vote closed now.
    pub(super) fn now(
        connection: &Connection,
        proposal: &Proposal,
        constitution: &Constitution,
        now: Time,
    ) -> Result<Self, AssemblyError> {
        let electorate = proposal.voters(&people::electorate(connection, now)?);
        let ballots = rows::ballots(connection, &proposal.id)?;
        let delegations = delegate::all(connection)?;
        let outcome = tally(
            &proposal.rule,
            proposal.options.len(),
            &electorate,
            &ballots,
            &delegations,
            proposal.topic,
            constitution.delegation.as_ref(),
        );
        Ok(Self { electorate, ballots, delegations, outcome })
    }

    /// Whether every member's vote is there, by themselves or through the one they trust.
    pub(super) fn is_complete(&self) -> bool {
        self.outcome.electorate > 0 && self.outcome.taking_part >= self.outcome.electorate
    }
}
