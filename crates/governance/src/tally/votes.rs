//! Whose vote counts, and for how many: ballots and delegations become weighted choices.

use std::collections::BTreeMap;

use super::Ballot;
use crate::constitution::DelegationRule;
use crate::decision::Topic;
use crate::delegation::{self, Delegation, as_count};
use crate::ids::MemberId;
use crate::method::{Choice, Method};

/// A choice and the members it speaks for.
pub(super) struct Vote<'a> {
    pub(super) choice: &'a Choice,
    /// The voter, and those who trust the voter.
    pub(super) weight: u32,
}

/// All votes that count. The sum of their weights is `taking_part`, never more than `electorate`; so no sum of weights
/// leaves a `u32`. They are added saturating all the same: a wrong number would then be a large one, not a small one.
pub(super) struct Votes<'a> {
    pub(super) electorate: u32,
    pub(super) taking_part: u32,
    pub(super) delegated: u32,
    /// In the order of the voters' names, so that the order of arrival can matter nowhere.
    pub(super) cast: Vec<Vote<'a>>,
}

impl<'a> Votes<'a> {
    pub(super) fn collect(
        method: &Method,
        options: usize,
        electorate: &[MemberId],
        ballots: &'a [Ballot],
        delegations: &[Delegation],
        topic: Topic,
        rule: Option<&DelegationRule>,
    ) -> Self {
        let own: BTreeMap<&MemberId, &Choice> = ballots
            .iter()
            .filter(|ballot| ballot.choice.check(method, options).is_ok())
            .map(|ballot| (&ballot.voter, &ballot.choice))
            .collect();
        let voters: Vec<MemberId> = own.keys().copied().cloned().collect();
        // Nobody can feel for another.
        let rule = rule.filter(|_| *method != Method::SenseCheck);
        let resolved = delegation::resolve(electorate, &voters, delegations, topic, rule);
        let weights = resolved.weights();
        let cast: Vec<Vote<'_>> = own
            .iter()
            .filter_map(|(voter, &choice)| Some(Vote { choice, weight: *weights.get(voter)? }))
            .collect();
        Self {
            electorate: as_count(resolved.voices.len()),
            taking_part: cast.iter().fold(0, |sum, vote| sum.saturating_add(vote.weight)),
            delegated: resolved.delegated(),
            cast,
        }
    }

    /// Whether as many take part as the rule asks for. A rule that asks for more than everybody asks for everybody:
    /// otherwise nothing could be decided any more, that rule included.
    pub(super) fn meet(&self, quorum_percent: Option<u8>) -> bool {
        quorum_percent.is_none_or(|percent| {
            u64::from(self.taking_part) * 100 >= u64::from(percent.min(100)) * u64::from(self.electorate)
        })
    }
}
