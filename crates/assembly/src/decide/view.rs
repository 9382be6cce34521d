//! A proposal as one member sees it.

use std::collections::BTreeMap;

use banyan_governance::delegation::{Voice, resolve};
use banyan_governance::method::Choice;
use banyan_governance::policy::Policy;
use banyan_governance::proposal::{Proposal, ProposalState};
use banyan_governance::tally::Outcome;
use banyan_governance::{Decision, MemberId, Permission, ProposalId, Time};
use banyan_store::rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::comments::{self, CommentView};
use super::count::{self, Count};
use super::rows::{self, Kept};
use crate::assembly::Assembly;
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;
use crate::people::{self, Caller};

/// A member, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberName {
    /// Who.
    pub id: MemberId,
    /// What they are called; the id of one who is gone and whose name is erased.
    pub name: String,
}

/// A proposal with everything that its page shows.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProposalView {
    /// The proposal itself.
    pub proposal: Proposal,
    /// What its author is called.
    pub author_name: String,
    /// When the vote closes at the latest; absent while none is open.
    pub closes: Option<Time>,
    /// When the vote opens at the earliest; absent when it has, or is a draft.
    pub opens_earliest: Option<Time>,
    /// How the caller has voted, while the vote is open.
    pub my_ballot: Option<Choice>,
    /// Through whom the caller speaks now, when not for themselves.
    pub my_delegate: Option<MemberName>,
    /// How many have voted themselves.
    pub voted: u32,
    /// How many have a vote.
    pub electorate: u32,
    /// The result, once the vote has closed.
    pub outcome: Option<Outcome>,
    /// Open votes that have closed: who voted how.
    pub ballots: Option<Vec<BallotLine>>,
    /// What is said about it.
    pub comments: Vec<CommentView>,
    /// The ledger entry that enacted it.
    pub enacted_entry: Option<u64>,
    /// What a proposed policy changes, line by line: `+` comes, `-` goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub diff: Option<Vec<String>>,
    /// What the caller may do with it now.
    pub may: MayDo,
    /// Paper codes that nobody has used yet.
    pub paper_codes_open: u32,
}

/// How a member voted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BallotLine {
    /// Who.
    pub name: String,
    /// How.
    pub choice: Choice,
    /// Through whom; absent: by themselves.
    pub via: Option<String>,
}

/// What one member may do with a proposal at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MayDo {
    /// Give it another wording.
    pub amend: bool,
    /// Begin its discussion.
    pub submit: bool,
    /// Open the vote.
    pub open: bool,
    /// Take it back.
    pub withdraw: bool,
    /// Vote.
    pub vote: bool,
    /// Say something about it.
    pub comment: bool,
}

impl Assembly {
    /// One proposal.
    pub async fn proposal(
        &self,
        caller: &Caller,
        id: ProposalId,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require(Permission::Read)?;
        let caller = caller.clone();
        self.read(move |connection| ProposalView::load(connection, &caller, &id, now)).await
    }
}

impl ProposalView {
    /// Reads it for this member; others' drafts are not there.
    pub(super) fn load(
        connection: &Connection,
        caller: &Caller,
        id: &ProposalId,
        now: Time,
    ) -> Result<Self, AssemblyError> {
        let kept = rows::load(connection, id)?;
        visible(&kept, &caller.member)?;
        let in_force = InForce::load(connection)?;
        let names = Names::load(connection)?;
        let proposal = &kept.proposal;
        let is_open = proposal.state == ProposalState::Open;
        let electorate = count::electorate(connection, proposal, now)?;
        let may = may(caller, proposal, electorate.contains(&caller.member), now);
        let my_delegate = match (&in_force.constitution, is_open) {
            (Some(constitution), true) => {
                let count = Count::now(connection, proposal, constitution, now)?;
                through(&count, proposal, constitution.delegation.as_ref(), &caller.member)
            }
            _ => None,
        };
        Ok(Self {
            author_name: names.of(&proposal.author).name,
            closes: proposal.closes().filter(|_| is_open),
            opens_earliest: proposal.opens_earliest().filter(|_| proposal.state == ProposalState::Discussion),
            my_ballot: rows::ballot_of(connection, id, &caller.member)?,
            my_delegate: my_delegate.map(|member| names.of(&member)),
            voted: rows::count(connection, "SELECT count(*) FROM ballots WHERE proposal = ?1", id)?,
            electorate: match &kept.outcome {
                Some(outcome) => outcome.electorate,
                None => u32::try_from(electorate.len()).unwrap_or(u32::MAX),
            },
            ballots: ballot_lines(connection, &kept, &names)?,
            comments: comments::of(connection, id, caller, &names)?,
            enacted_entry: kept.entry,
            diff: diff(connection, proposal)?,
            may,
            paper_codes_open: rows::count(
                connection,
                "SELECT count(*) FROM paper_codes WHERE proposal = ?1 AND used_at IS NULL",
                id,
            )?,
            outcome: kept.outcome,
            proposal: kept.proposal,
        })
    }
}

/// A draft is there for its author only.
pub(super) fn visible(kept: &Kept, member: &MemberId) -> Result<(), Refusal> {
    if kept.proposal.state == ProposalState::Draft && kept.proposal.author != *member {
        return Err(Refusal::NotFound("proposal"));
    }
    Ok(())
}

/// Whether people may say something about it: from the discussion on, and after the vote as well.
pub(super) fn is_discussed(proposal: &Proposal) -> bool {
    !matches!(proposal.state, ProposalState::Draft | ProposalState::Withdrawn)
}

fn may(caller: &Caller, proposal: &Proposal, has_a_vote: bool, now: Time) -> MayDo {
    use ProposalState::{Discussion, Draft, Open};
    let state = proposal.state;
    let is_author = proposal.author == caller.member && caller.may(Permission::Decide);
    let has_voice = caller.require_voice().is_ok();
    MayDo {
        amend: is_author && has_voice && matches!(state, Draft | Discussion),
        submit: is_author && has_voice && state == Draft,
        open: is_author && state == Discussion && proposal.opens_earliest().is_some_and(|least| least <= now),
        withdraw: is_author && matches!(state, Draft | Discussion | Open),
        vote: caller.may(Permission::Decide)
            && has_a_vote
            && state == Open
            && proposal.due(now, false).is_none(),
        comment: has_voice && is_discussed(proposal),
    }
}

fn through(
    count: &Count,
    proposal: &Proposal,
    rule: Option<&banyan_governance::constitution::DelegationRule>,
    member: &MemberId,
) -> Option<MemberId> {
    let voters: Vec<MemberId> = count.ballots.iter().map(|ballot| ballot.voter.clone()).collect();
    let resolved = resolve(&count.electorate, &voters, &count.delegations, proposal.topic, rule);
    match resolved.voices.get(member)? {
        Voice::Through { path } => path.last().cloned(),
        // The one they trust has not voted yet, and may still.
        Voice::Silent { .. } => {
            banyan_governance::delegation::path(member, &count.delegations, Some(proposal.topic))
                .into_iter()
                .next()
        }
        Voice::Own => None,
    }
    .filter(|_| rule.is_some())
}

fn ballot_lines(
    connection: &Connection,
    kept: &Kept,
    names: &Names,
) -> Result<Option<Vec<BallotLine>>, AssemblyError> {
    if kept.proposal.rule.secret || kept.outcome.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare(
        "SELECT voter, through, choice FROM counted WHERE proposal = ?1 AND voter IS NOT NULL ORDER BY place",
    )?;
    let rows = statement.query_map([kept.proposal.id.as_str()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
    })?;
    let lines = rows.map(|row| {
        let (voter, through, choice) = row?;
        let via = through.map(|through| rows::name(&through)).transpose()?;
        Ok(BallotLine {
            name: names.of(&rows::name(&voter)?).name,
            choice: serde_json::from_str(&choice)?,
            via: via.map(|via| names.of(&via).name),
        })
    });
    lines.collect::<Result<_, AssemblyError>>().map(Some)
}

/// What the first policy among the options changes in the one it was written from, in the words of the policy page.
fn diff(connection: &Connection, proposal: &Proposal) -> Result<Option<Vec<String>>, AssemblyError> {
    let proposed = proposal.options.iter().find_map(|option| match &option.decision {
        Some(Decision::SetPolicy { policy, based_on }) => Some((policy, *based_on)),
        _ => None,
    });
    let Some((policy, based_on)) = proposed else { return Ok(None) };
    let before: Option<String> = connection
        .query_row("SELECT value FROM policies WHERE version = ?1", [based_on.cast_signed()], |row| {
            row.get(0)
        })
        .optional()?;
    let before: Policy = before.map(|before| serde_json::from_str(&before)).transpose()?.unwrap_or_default();
    let change = before.change_to(policy);
    let goes = change.gone.iter().map(|sentence| format!("- {}", sentence.text));
    let comes = change.new.iter().map(|sentence| format!("+ {}", sentence.text));
    Ok(Some(goes.chain(comes).collect()))
}

/// What members are called.
#[derive(Debug, Clone)]
pub(super) struct Names(BTreeMap<MemberId, String>);

impl Names {
    pub(super) fn load(connection: &Connection) -> Result<Self, AssemblyError> {
        Ok(Self(people::names(connection)?))
    }

    pub(super) fn of(&self, member: &MemberId) -> MemberName {
        let name = self.0.get(member).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| member.as_str().to_owned(), Clone::clone);
        MemberName { id: member.clone(), name }
    }

    /// A text of governance's, which knows members by their ids, in which they are called by their names.
    pub(super) fn spell(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id.as_str(), name))
    }
}
