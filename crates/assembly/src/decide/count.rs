//! Counting an open vote, at any moment, from what the store holds.

use std::collections::BTreeSet;

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
        let electorate = electorate(connection, proposal, now)?;
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

/// Who has a vote on this: active members whom it is not about, and once the vote is open those who belonged to the
/// community when it opened. So nobody brings friends in to turn a vote that has begun.
pub(super) fn electorate(
    connection: &Connection,
    proposal: &Proposal,
    now: Time,
) -> Result<Vec<MemberId>, AssemblyError> {
    let mut members = proposal.voters(&people::electorate(connection, now)?);
    if let Some(opened) = proposal.opened {
        let mut statement = connection.prepare_cached("SELECT id FROM members WHERE joined > ?1")?;
        let late = statement.query_map([opened.0], |row| row.get::<_, String>(0))?;
        let late = late.collect::<Result<BTreeSet<_>, _>>()?;
        members.retain(|member| !late.contains(member.as_str()));
    }
    Ok(members)
}
