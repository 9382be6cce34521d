//! Through whom each member speaks in one vote.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Delegation, as_count, in_force};
use crate::constitution::DelegationRule;
use crate::decision::Topic;
use crate::ids::MemberId;

/// Through whom every member speaks in one vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resolved {
    /// Each member who may vote, once.
    pub voices: BTreeMap<MemberId, Voice>,
}

/// Through whom one member speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "voice", rename_all = "snake_case")]
pub enum Voice {
    /// They voted.
    Own,
    /// Through the last of these, who voted; nearest first.
    Through {
        /// The chain, never empty.
        path: Vec<MemberId>,
    },
    /// They do not count in this vote.
    Silent {
        /// Why, as a name that a page puts into words.
        why: Silence,
    },
}

/// Why a member does not count in a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// They did not vote, and have not handed on their vote.
    DidNotVote,
    /// The last of the chain neither voted nor handed on.
    ChainEnds,
    /// The chain reaches somebody who may not vote.
    NotAVoter,
    /// The chain is a circle.
    Circle,
    /// Nobody voted within the allowed number of steps.
    TooLong,
    /// The one who voted carries as many votes as one may carry.
    TooMany,
}

impl Resolved {
    /// How many votes each voter carries, the voter's own among them.
    #[must_use]
    pub fn weights(&self) -> BTreeMap<&MemberId, u32> {
        let mut weights = BTreeMap::new();
        for (member, voice) in &self.voices {
            let voter = match voice {
                Voice::Own => Some(member),
                Voice::Through { path } => path.last(),
                Voice::Silent { .. } => None,
            };
            if let Some(voter) = voter {
                let weight: &mut u32 = weights.entry(voter).or_default();
                *weight = weight.saturating_add(1);
            }
        }
        weights
    }

    /// How many speak through another.
    #[must_use]
    pub fn delegated(&self) -> u32 {
        as_count(self.voices.values().filter(|voice| matches!(voice, Voice::Through { .. })).count())
    }
}

/// Says through whom every member of the electorate speaks, when `voters` have voted themselves.
///
/// Voters outside of the electorate are nobody. Without a rule delegations do not count. The order of the lists does not
/// matter, but where a member has several delegations for one topic the last one holds.
#[must_use]
pub fn resolve(
    electorate: &[MemberId],
    voters: &[MemberId],
    delegations: &[Delegation],
    topic: Topic,
    rule: Option<&DelegationRule>,
) -> Resolved {
    let members: BTreeSet<&MemberId> = electorate.iter().collect();
    let voters: BTreeSet<&MemberId> = voters.iter().filter(|voter| members.contains(voter)).collect();
    let max_length = rule.map_or(0, |rule| usize::from(rule.max_length));
    let trusted = if rule.is_some() { in_force(delegations, Some(topic)) } else { BTreeMap::new() };
    let vote = Vote { members: &members, voters: &voters, trusted: &trusted, max_length };
    let mut found: BTreeMap<&MemberId, Result<Vec<&MemberId>, Silence>> =
        members.iter().map(|&member| (member, vote.chain(member))).collect();
    if let Some(max_votes) = rule.and_then(|rule| rule.max_votes) {
        carry_at_most(max_votes, &mut found);
    }
    let voices = found.into_iter().map(|(member, chain)| (member.clone(), voice(chain))).collect();
    Resolved { voices }
}

fn voice(chain: Result<Vec<&MemberId>, Silence>) -> Voice {
    match chain {
        Ok(chain) if chain.is_empty() => Voice::Own,
        Ok(chain) => Voice::Through { path: chain.into_iter().cloned().collect() },
        Err(why) => Voice::Silent { why },
    }
}

struct Vote<'r, 'a> {
    members: &'r BTreeSet<&'a MemberId>,
    voters: &'r BTreeSet<&'a MemberId>,
    trusted: &'r BTreeMap<&'a MemberId, &'a MemberId>,
    max_length: usize,
}

impl<'a> Vote<'_, 'a> {
    /// The chain from a member (not in it) to the one who voted; empty for those who voted themselves.
    fn chain(&self, member: &'a MemberId) -> Result<Vec<&'a MemberId>, Silence> {
        let mut chain = Vec::new();
        let mut here = member;
        while !self.voters.contains(here) {
            let Some(&next) = self.trusted.get(here) else {
                return Err(if chain.is_empty() { Silence::DidNotVote } else { Silence::ChainEnds });
            };
            if !self.members.contains(next) {
                return Err(Silence::NotAVoter);
            }
            // A chain that runs in a circle ends here too: nobody on it voted, and it has no other end.
            if chain.len() == self.max_length {
                return Err(if is_circle(member, &chain, next) { Silence::Circle } else { Silence::TooLong });
            }
            chain.push(next);
            here = next;
        }
        Ok(chain)
    }
}

/// Whether somebody stands on the way twice.
fn is_circle(member: &MemberId, chain: &[&MemberId], next: &MemberId) -> bool {
    let mut seen = BTreeSet::from([member]);
    chain.iter().copied().chain([next]).any(|member| !seen.insert(member))
}

/// Leaves each voter the nearest of those who speak through them.
fn carry_at_most(max_votes: u32, found: &mut BTreeMap<&MemberId, Result<Vec<&MemberId>, Silence>>) {
    let mut carried: BTreeMap<&MemberId, Vec<(usize, &MemberId)>> = BTreeMap::new();
    for (&member, chain) in found.iter() {
        if let Ok(chain) = chain
            && let Some(&voter) = chain.last()
        {
            carried.entry(voter).or_default().push((chain.len(), member));
        }
    }
    // The voter's own vote is one of them, and always counts.
    let others = usize::try_from(max_votes.saturating_sub(1)).unwrap_or(usize::MAX);
    for mut members in carried.into_values() {
        members.sort_unstable();
        for (_, member) in members.into_iter().skip(others) {
            found.insert(member, Err(Silence::TooMany));
        }
    }
}
