//! Handing one's vote to somebody one trusts.
//!
//! A delegation is for one topic or, without a topic, for all; the one for a topic comes before the one for all. It
//! holds until it is revoked, and everybody can see along whom their vote would go ([`path`]). In a vote [`resolve()`]
//! says for every member through whom they speak:
//!
//! * One's own vote comes first: who votes speaks for themselves, whatever they have delegated.
//! * Otherwise the vote goes to the one they trust; if that one does not vote, on to the one *they* trust, at most
//!   [`DelegationRule::max_length`] steps, until somebody is found who votes.
//! * Circles, chains that are too long, and chains that end at somebody who neither votes nor hands on count for nobody.
//!   The same goes for a chain that reaches somebody who may not vote (who left, who is suspended).
//! * Where [`DelegationRule::max_votes`] limits what one member may carry, the nearest are carried first (fewest steps),
//!   and of equally near ones those whose names come first; the others do not count.
//!
//! [`check`] refuses a new delegation that would close a circle or begin a chain that is too long. Circles can come up
//! all the same, when the delegation for a topic is revoked and the one for all takes its place, which is why
//! [`resolve()`] trusts in nothing.
//!
//! Not here: who may delegate at all, which is the constitution's matter, and keeping at most one delegation a member
//! and topic, which is the store's; of several the last in the list holds.

mod resolve;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::constitution::DelegationRule;
use crate::decision::Topic;
use crate::ids::MemberId;

pub use resolve::{Resolved, Silence, Voice, resolve};

/// One member's trust in another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Whose vote.
    pub from: MemberId,
    /// Who speaks for them.
    pub to: MemberId,
    /// On this topic; absent: on all for which there is no other.
    #[serde(default)]
    pub topic: Option<Topic>,
}

/// A delegation that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DelegationError {
    /// The constitution says nothing about delegation.
    #[error(
        "this community has not decided that votes may be handed on; propose it as a change of the constitution"
    )]
    NotAllowed,
    /// To oneself.
    #[error("{member} cannot delegate to themselves; to vote yourself, revoke the delegation or simply vote")]
    ToSelf {
        /// Who.
        member: MemberId,
    },
    /// It would come back to the one who gives it.
    #[error("the delegation would go in a circle ({}); choose somebody outside of it", written(.path))]
    Circle {
        /// From the member back to the member.
        path: Vec<MemberId>,
    },
    /// The chain that begins with it is longer than allowed.
    #[error("the vote would go {} steps ({}), and {max_length} are allowed; delegate to somebody further along", .path.len().saturating_sub(1), written(.path))]
    TooLong {
        /// From the member to the end.
        path: Vec<MemberId>,
        /// Allowed steps.
        max_length: u8,
    },
}

/// Whether a new delegation may stand beside the others (it replaces the member's own for the same topic).
pub fn check(
    new: &Delegation,
    others: &[Delegation],
    rule: Option<&DelegationRule>,
) -> Result<(), DelegationError> {
    let max_length = rule.ok_or(DelegationError::NotAllowed)?.max_length;
    if new.from == new.to {
        return Err(DelegationError::ToSelf { member: new.from.clone() });
    }
    if let Some(path) = would_cycle(new, others) {
        return Err(DelegationError::Circle { path });
    }
    let longest = paths_with(new, others).max_by_key(Vec::len).unwrap_or_default();
    if longest.len() > usize::from(max_length) + 1 {
        return Err(DelegationError::TooLong { path: longest, max_length });
    }
    Ok(())
}

/// The circle that a new delegation would close, from its giver back to the giver.
#[must_use]
pub fn would_cycle(new: &Delegation, others: &[Delegation]) -> Option<Vec<MemberId>> {
    paths_with(new, others).find(|path| path.len() > 1 && path.first() == path.last())
}

/// Along whom a member's vote would go, nearest first, if none of them voted themselves; for a topic, or by the
/// delegations for all topics alone. Ends before it would come to somebody for the second time.
#[must_use]
pub fn path(from: &MemberId, delegations: &[Delegation], topic: Option<Topic>) -> Vec<MemberId> {
    let trusted = in_force(delegations, topic);
    let mut path = walk(from, &trusted);
    if path.len() > 1 && path.last() == Some(&from) {
        path.pop();
    }
    path.into_iter().skip(1).cloned().collect()
}

/// The chains that would begin with a new delegation, its giver first, by every topic in which it would hold.
fn paths_with(new: &Delegation, others: &[Delegation]) -> impl Iterator<Item = Vec<MemberId>> {
    let mut all: Vec<Delegation> =
        others.iter().filter(|other| (&other.from, other.topic) != (&new.from, new.topic)).cloned().collect();
    all.push(new.clone());
    let topics: Vec<Option<Topic>> = match new.topic {
        Some(topic) => vec![Some(topic)],
        None => std::iter::once(None).chain(Topic::ALL.map(Some)).collect(),
    };
    let (from, to) = (new.from.clone(), new.to.clone());
    topics.into_iter().filter_map(move |topic| {
        let trusted = in_force(&all, topic);
        (trusted.get(&from) == Some(&&to)).then(|| walk(&from, &trusted).into_iter().cloned().collect())
    })
}

/// From a member along whom they trust, the member first; ends after the first one who comes again, who is the member
/// when the chain is a circle through them, and is left out when the circle lies further on.
fn walk<'a>(from: &'a MemberId, trusted: &BTreeMap<&'a MemberId, &'a MemberId>) -> Vec<&'a MemberId> {
    let mut path = vec![from];
    let mut seen = BTreeSet::from([from]);
    let mut here = from;
    while let Some(&next) = trusted.get(here) {
        if next == from {
            path.push(from);
        }
        if !seen.insert(next) {
            break;
        }
        path.push(next);
        here = next;
    }
    path
}

/// Who trusts whom in a topic.
fn in_force(delegations: &[Delegation], topic: Option<Topic>) -> BTreeMap<&MemberId, &MemberId> {
    let of = |scope: Option<Topic>| {
        delegations
            .iter()
            .filter(move |delegation| delegation.topic == scope)
            .map(|delegation| (&delegation.from, &delegation.to))
    };
    // Later ones replace earlier ones: those for the topic stand behind those for all.
    let for_all = topic.is_some().then(|| of(None)).into_iter().flatten();
    for_all.chain(of(topic)).collect()
}

/// A number of members.
pub(crate) fn as_count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn written(path: &[MemberId]) -> String {
    path.iter().map(MemberId::as_str).collect::<Vec<_>>().join(" → ")
}
