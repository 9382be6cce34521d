//! A proposal's way up to its vote: written, submitted, amended, opened, withdrawn.

use banyan_governance::proposal::{New, Proposal, ProposalOption, ProposalState};
use banyan_governance::{Decision, MemberId, Permission, ProposalId, Time, Topic};
use banyan_ledger::withheld::Withheld;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rows::{self, Kept};
use super::view::ProposalView;
use super::{close, refused, words};
use crate::assembly::{Assembly, Change};
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;
use crate::people::Caller;

/// Bytes of all decisions of a proposal as JSON: what surely fits into one ledger entry.
const MAX_DECISIONS: usize = 200 * 1024;

/// A proposal as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProposal {
    /// In a line.
    pub title: String,
    /// What and why.
    pub text: String,
    /// What it is about, where no decision says it.
    #[serde(default)]
    pub topic: Option<Topic>,
    /// What can be chosen.
    #[serde(default)]
    pub options: Vec<ProposalOption>,
    /// Whether discussion begins at once, instead of keeping it as a draft.
    #[serde(default)]
    pub submit: bool,
}

/// Another wording of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendProposal {
    /// In a line.
    pub title: String,
    /// What and why.
    pub text: String,
    /// What it is about, where no decision says it.
    #[serde(default)]
    pub topic: Option<Topic>,
    /// What can be chosen.
    #[serde(default)]
    pub options: Vec<ProposalOption>,
    /// Why it changes.
    #[serde(default)]
    pub reason: String,
}

impl Assembly {
    /// Begins a proposal; with `submit`, its discussion too.
    pub async fn propose(
        &self,
        caller: &Caller,
        wanted: NewProposal,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require_voice()?;
        let id = ProposalId::from_random(rand::rng().random());
        let caller = caller.clone();
        self.change(now, move |change| {
            let constitution = InForce::load(change.tx)?.constitution.ok_or_else(not_founded)?;
            let NewProposal { title, text, topic, options, submit: submits } = wanted;
            let new = New { title, text, topic_if_none: topic, options };
            let proposal = Proposal::draft(id.clone(), caller.member.clone(), new, &constitution, change.now)
                .map_err(|error| refused(&error))?;
            let mut kept = Kept::new(proposal);
            rows::save(change.tx, &kept)?;
            if submits {
                submit(change, &mut kept, &caller.member)?;
            }
            ProposalView::load(change.tx, &caller, &id, change.now)
        })
        .await
    }

    /// Gives a proposal another wording.
    pub async fn amend_proposal(
        &self,
        caller: &Caller,
        id: ProposalId,
        wanted: AmendProposal,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require_voice()?;
        self.move_on(caller, id, now, move |change, kept, by| {
            let AmendProposal { title, text, topic, options, reason } = wanted;
            let new = New { title, text, topic_if_none: topic, options };
            let was_draft = kept.proposal.state == ProposalState::Draft;
            kept.proposal.amend(by, new, &reason, change.now).map_err(|error| refused(&error))?;
            rows::save(change.tx, kept)?;
            // What only its author has seen is nobody else's business.
            if was_draft {
                return Ok(());
            }
            let words = words::keep_wording(change, &kept.proposal, Some(&reason))?;
            record_wording(change, "proposal.amended", &kept.proposal, words)
        })
        .await
    }

    /// Begins the discussion of a draft.
    pub async fn submit_proposal(
        &self,
        caller: &Caller,
        id: ProposalId,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require_voice()?;
        self.move_on(caller, id, now, submit).await
    }

    /// Opens the vote, once discussion has been long enough.
    pub async fn open_proposal(
        &self,
        caller: &Caller,
        id: ProposalId,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        self.move_on(caller, id, now, |change, kept, by| {
            if kept.proposal.author != *by {
                return Err(Refusal::NotYours("only its author opens the vote on a proposal").into());
            }
            // The clock may have come first.
            if kept.proposal.accepts_ballots() { Ok(()) } else { close::open(change, kept) }
        })
        .await
    }

    /// Takes a proposal back.
    pub async fn withdraw_proposal(
        &self,
        caller: &Caller,
        id: ProposalId,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        self.move_on(caller, id, now, |change, kept, by| {
            #[derive(Serialize)]
            struct Withdrawn<'a> {
                proposal: &'a ProposalId,
                by: &'a MemberId,
            }
            let was_draft = kept.proposal.state == ProposalState::Draft;
            kept.proposal.withdraw(by, change.now).map_err(|error| refused(&error))?;
            rows::erase_choices(change.tx, &kept.proposal.id)?;
            if !was_draft {
                change.record("proposal.withdrawn", &Withdrawn { proposal: &kept.proposal.id, by })?;
            }
            rows::save(change.tx, kept)
        })
        .await
    }

    /// One step of a proposal that its caller may see; what is due by then happens first and after.
    async fn move_on(
        &self,
        caller: &Caller,
        id: ProposalId,
        now: Time,
        step: impl FnOnce(&Change<'_>, &mut Kept, &MemberId) -> Result<(), AssemblyError> + Send + 'static,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require(Permission::Decide)?;
        let caller = caller.clone();
        self.change(now, move |change| {
            let mut kept = rows::load(change.tx, &id)?;
            if kept.proposal.state == ProposalState::Draft && kept.proposal.author != caller.member {
                return Err(Refusal::NotFound("proposal").into());
            }
            close::settle(change, &mut kept)?;
            step(change, &mut kept, &caller.member)?;
            close::settle(change, &mut kept)?;
            ProposalView::load(change.tx, &caller, &id, change.now)
        })
        .await
    }
}

pub(super) fn submit(change: &Change<'_>, kept: &mut Kept, by: &MemberId) -> Result<(), AssemblyError> {
    let constitution = InForce::load(change.tx)?.constitution.ok_or_else(not_founded)?;
    kept.proposal.submit(by, &constitution, change.now).map_err(|error| refused(&error))?;
    rows::save(change.tx, kept)?;
    let words = words::keep_wording(change, &kept.proposal, None)?;
    record_wording(change, "proposal.submitted", &kept.proposal, words)?;
    close::settle(change, kept)?;
    Ok(())
}

/// What is proposed is in the ledger whole where it is a decision, and as a hash where it is somebody's words.
fn record_wording(
    change: &Change<'_>,
    kind: &str,
    proposal: &Proposal,
    words: Withheld,
) -> Result<(), AssemblyError> {
    #[derive(Serialize)]
    struct Proposed<'a> {
        proposal: &'a ProposalId,
        author: &'a MemberId,
        topic: Topic,
        decisions: Vec<Option<&'a Decision>>,
        words: Withheld,
    }
    let Proposal { id, author, topic, options, .. } = proposal;
    let decisions = words::decisions(options);
    let size = serde_json::to_vec(&decisions)?.len();
    if size > MAX_DECISIONS {
        let message = format!(
            "what would be decided has {size} bytes and can have {MAX_DECISIONS}; propose it in parts"
        );
        return Err(Refusal::Invalid { field: "options", code: "decisions_too_large", message }.into());
    }
    change.record(kind, &Proposed { proposal: id, author, topic: *topic, decisions, words })?;
    Ok(())
}

fn not_founded() -> Refusal {
    Refusal::WrongState {
        code: "not_founded",
        message: "there is no community on this box yet; a steward founds it first".into(),
    }
}
