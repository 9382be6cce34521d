//! What happens to a proposal by itself: its vote opens, closes, is counted, and what passed is enacted.
//!
//! Everything is worked out from what the store holds and the time, so it does not matter who looks first, how often,
//! or what was cut off in between: closing, counting, erasing who voted how, the ledger's entries and the enactment are
//! one transaction.

use std::collections::BTreeMap;

use banyan_governance::constitution::Constitution;
use banyan_governance::delegation::{Voice, resolve};
use banyan_governance::method::{Choice, Method};
use banyan_governance::proposal::{Proposal, Step};
use banyan_governance::tally::Outcome;
use banyan_governance::{MemberId, ProposalId};
use banyan_store::rusqlite::params;
use rand::seq::SliceRandom as _;
use serde::Serialize;

use super::count::Count;
use super::rows::{self, Kept};
use super::{refused, words};
use crate::assembly::Change;
use crate::enact::try_enact;
use crate::error::AssemblyError;
use crate::in_force::InForce;

/// Lets everything happen that is due by now; says whether anything was.
pub(super) fn settle(change: &Change<'_>, kept: &mut Kept) -> Result<bool, AssemblyError> {
    let mut happened = false;
    // Read anew in each round: what was enacted in the last one may be a new constitution.
    while let Some(constitution) = InForce::load(change.tx)?.constitution {
        match due(change, kept, &constitution)? {
            None => break,
            Some(Step::Open) => open(change, kept)?,
            Some(Step::Close) => close(change, kept, &constitution)?,
        }
        happened = true;
    }
    Ok(happened)
}

fn due(change: &Change<'_>, kept: &Kept, constitution: &Constitution) -> Result<Option<Step>, AssemblyError> {
    let by_time = kept.proposal.due(change.now, false);
    let when_complete = kept.proposal.due(change.now, true);
    // Counting is the dear part: only where it makes a difference.
    if by_time.is_some() || when_complete.is_none() {
        return Ok(by_time);
    }
    let count = Count::now(change.tx, &kept.proposal, constitution, change.now)?;
    Ok(when_complete.filter(|_| count.is_complete()))
}

/// Opens the vote.
pub(super) fn open(change: &Change<'_>, kept: &mut Kept) -> Result<(), AssemblyError> {
    #[derive(Serialize)]
    struct Opened<'a> {
        proposal: &'a ProposalId,
        rule: &'a banyan_governance::method::MethodRule,
    }
    kept.proposal.open(change.now).map_err(|error| refused(&error))?;
    let opened = Opened { proposal: &kept.proposal.id, rule: &kept.proposal.rule };
    change.record("proposal.opened", &opened)?;
    rows::save(change.tx, kept)
}

#[derive(Serialize)]
struct Closed<'a> {
    proposal: &'a ProposalId,
    outcome: Outcome,
}

/// Some of many; however many there are, a ledger entry stays small.
#[derive(Serialize)]
struct Part<'a, T> {
    proposal: &'a ProposalId,
    part: &'a [T],
}

/// How many votes or reasons one ledger entry holds: some 50 KiB of a quarter of a megabyte.
const PART: usize = 500;

/// A vote that counted.
#[derive(Debug, Clone, Serialize)]
struct Vote {
    voter: MemberId,
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<MemberId>,
    choice: Choice,
}

impl Vote {
    fn without_reason(self) -> Self {
        Self { choice: words::without_reason(&self.choice), ..self }
    }
}

fn record_in_parts<T: Serialize>(
    change: &Change<'_>,
    kind: &str,
    proposal: &ProposalId,
    all: &[T],
) -> Result<(), AssemblyError> {
    for part in all.chunks(PART) {
        change.record(kind, &Part { proposal, part })?;
    }
    Ok(())
}

fn close(change: &Change<'_>, kept: &mut Kept, constitution: &Constitution) -> Result<(), AssemblyError> {
    let count = Count::now(change.tx, &kept.proposal, constitution, change.now)?;
    let votes = votes(&count, &kept.proposal, constitution);
    let enactment = kept.proposal.close(&count.outcome, change.now);
    let id = kept.proposal.id.clone();
    let is_secret = kept.proposal.rule.secret;
    keep_what_counted(change, &id, &votes, is_secret)?;
    let (outcome, reasons) = words::without_reasons(change, &count.outcome)?;
    record_in_parts(change, "proposal.reasons", &id, &reasons)?;
    if !is_secret {
        let votes: Vec<Vote> = votes.into_iter().map(Vote::without_reason).collect();
        record_in_parts(change, "proposal.votes", &id, &votes)?;
    }
    change.record("proposal.closed", &Closed { proposal: &id, outcome })?;
    kept.outcome = Some(count.outcome);
    rows::save(change.tx, kept)?;
    if let Some(enactment) = enactment {
        match try_enact(change, &enactment)? {
            Ok(entry) => {
                kept.entry = Some(entry);
                kept.proposal.enacted(change.now);
            }
            Err(refusal) => {
                #[derive(Serialize)]
                struct NotEnacted<'a> {
                    proposal: &'a ProposalId,
                    reason: &'a str,
                }
                let reason = refusal.to_string();
                change.record("proposal.not_enacted", &NotEnacted { proposal: &id, reason: &reason })?;
                kept.proposal.cannot_be_enacted(&reason);
            }
        }
        rows::save(change.tx, kept)?;
    }
    Ok(())
}

/// One vote for each member whose vote counts.
fn votes(count: &Count, proposal: &Proposal, constitution: &Constitution) -> Vec<Vote> {
    let rule = constitution.delegation.as_ref().filter(|_| proposal.rule.method != Method::SenseCheck);
    let choices: BTreeMap<&MemberId, &Choice> =
        count.ballots.iter().map(|ballot| (&ballot.voter, &ballot.choice)).collect();
    let voters: Vec<MemberId> = choices.keys().copied().cloned().collect();
    let resolved = resolve(&count.electorate, &voters, &count.delegations, proposal.topic, rule);
    let vote = |(member, voice): (MemberId, Voice)| {
        let through = match voice {
            Voice::Own => None,
            Voice::Through { path } => Some(path.last()?.clone()),
            Voice::Silent { .. } => return None,
        };
        let choice = (*choices.get(through.as_ref().unwrap_or(&member))?).clone();
        Some(Vote { voter: member, through, choice })
    };
    resolved.voices.into_iter().filter_map(vote).collect()
}

/// Keeps what counted, and erases who voted how. In a secret vote nothing leads back: the rows have no names and a
/// random order.
fn keep_what_counted(
    change: &Change<'_>,
    id: &ProposalId,
    votes: &[Vote],
    is_secret: bool,
) -> Result<(), AssemblyError> {
    let mut order: Vec<&Vote> = votes.iter().collect();
    if is_secret {
        order.shuffle(&mut rand::rng());
    }
    let mut statement = change.tx.prepare(
        "INSERT INTO counted (proposal, place, voter, through, choice) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (place, vote) in (0_i64..).zip(order) {
        let voter = (!is_secret).then(|| vote.voter.as_str());
        let through = vote.through.as_ref().filter(|_| !is_secret).map(MemberId::as_str);
        statement.execute(params![
            id.as_str(),
            place,
            voter,
            through,
            serde_json::to_string(&vote.choice)?
        ])?;
    }
    rows::erase_choices(change.tx, id)
}
