//! Voting: one vote a member, changed as often as they like until the vote closes.

use banyan_governance::method::Choice;
use banyan_governance::{MemberId, Permission, ProposalId, Time};
use banyan_store::rusqlite::params;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::close::settle;
use super::count::electorate;
use super::rows::{self, Kept};
use super::view::ProposalView;
use crate::assembly::{Assembly, Change};
use crate::error::{AssemblyError, Refusal};
use crate::people::Caller;

/// To whoever has no vote.
const NO_VOTE: &str =
    "those vote who belonged to the community when the vote opened, except whom the decision is about";

/// A vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CastBallot {
    /// What.
    pub choice: Choice,
}

impl Assembly {
    /// The caller votes, or votes otherwise than before.
    pub async fn vote(
        &self,
        caller: &Caller,
        id: ProposalId,
        ballot: CastBallot,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require(Permission::Decide)?;
        let caller = caller.clone();
        self.change(now, move |change| {
            cast(change, &id, &Cast { voter: &caller.member, choice: &ballot.choice, helper: None })?;
            ProposalView::load(change.tx, &caller, &id, change.now)
        })
        .await
    }

    /// The caller has not voted after all; a delegation counts again.
    pub async fn take_back_vote(
        &self,
        caller: &Caller,
        id: ProposalId,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require(Permission::Decide)?;
        let caller = caller.clone();
        self.change(now, move |change| {
            take_back(change, &id, &caller.member)?;
            ProposalView::load(change.tx, &caller, &id, change.now)
        })
        .await
    }
}

/// A vote on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast<'a> {
    pub(super) voter: &'a MemberId,
    pub(super) choice: &'a Choice,
    /// Who types it in for somebody else.
    pub(super) helper: Option<&'a MemberId>,
}

/// Takes a vote; closes the vote with it where it was the last one.
pub(super) fn cast(change: &Change<'_>, id: &ProposalId, cast: &Cast<'_>) -> Result<(), AssemblyError> {
    let mut kept = open_vote(change, id)?;
    let rule = &kept.proposal.rule;
    cast.choice.check(&rule.method, kept.proposal.options.len()).map_err(|error| Refusal::Invalid {
        field: "choice",
        code: "choice_invalid",
        message: error.to_string(),
    })?;
    if !electorate(change.tx, &kept.proposal, change.now)?.contains(cast.voter) {
        return Err(Refusal::NotYours(NO_VOTE).into());
    }
    let has_voted = rows::has_voted(change.tx, id, cast.voter)?;
    if has_voted && cast.helper.is_some() {
        return Err(Refusal::WrongState {
            code: "has_voted",
            message: "this member has voted already; only they can change it, when they are signed in".into(),
        }
        .into());
    }
    change.tx.execute(
        "INSERT INTO ballots (proposal, voter, choice, cast_at, helper) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (proposal, voter) DO UPDATE SET choice = excluded.choice, cast_at = excluded.cast_at,
             helper = excluded.helper",
        params![
            id.as_str(),
            cast.voter.as_str(),
            serde_json::to_string(cast.choice)?,
            change.now.0,
            cast.helper.map(MemberId::as_str),
        ],
    )?;
    let kind = if has_voted { "ballot.changed" } else { "ballot.cast" };
    record(change, kind, id, cast.voter, cast.helper)?;
    settle(change, &mut kept)?;
    Ok(())
}

/// Takes a vote back; says whether there was one.
pub(super) fn take_back(
    change: &Change<'_>,
    id: &ProposalId,
    voter: &MemberId,
) -> Result<bool, AssemblyError> {
    let mut kept = open_vote(change, id)?;
    let sql = "DELETE FROM ballots WHERE proposal = ?1 AND voter = ?2";
    let taken = change.tx.execute(sql, [id.as_str(), voter.as_str()])? > 0;
    if taken {
        record(change, "ballot.taken_back", id, voter, None)?;
        // With the one they trust in their place, it may be complete.
        settle(change, &mut kept)?;
    }
    Ok(taken)
}

/// The proposal, when it takes votes. What was due before this moment happens first: a vote that comes after the end
/// finds it closed, even where nobody has looked at the clock until then.
fn open_vote(change: &Change<'_>, id: &ProposalId) -> Result<Kept, AssemblyError> {
    let mut kept = rows::load(change.tx, id)?;
    settle(change, &mut kept)?;
    if kept.proposal.accepts_ballots() {
        return Ok(kept);
    }
    Err(Refusal::WrongState {
        code: "vote_not_open",
        message: "no votes are taken on this proposal now; its page says when".into(),
    }
    .into())
}

/// That a vote was cast is in the ledger, what it says is not: nobody learns it before the vote closes, nor ever in a
/// secret one.
fn record(
    change: &Change<'_>,
    kind: &str,
    proposal: &ProposalId,
    voter: &MemberId,
    helper: Option<&MemberId>,
) -> Result<(), AssemblyError> {
    #[derive(Serialize)]
    struct Ballot<'a> {
        proposal: &'a ProposalId,
        voter: &'a MemberId,
        #[serde(skip_serializing_if = "Option::is_none")]
        helper: Option<&'a MemberId>,
    }
    change.record(kind, &Ballot { proposal, voter, helper })?;
    Ok(())
}
