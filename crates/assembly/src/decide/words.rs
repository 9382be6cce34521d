//! What people write: kept beside the ledger, where it can be erased, while the ledger keeps a salted hash of it.

use banyan_governance::method::Choice;
use banyan_governance::proposal::{Proposal, ProposalOption};
use banyan_governance::tally::{Detail, Outcome};
use banyan_ledger::withheld::{self, Withheld};
use banyan_store::rusqlite::Connection;
use serde::Serialize;

use crate::assembly::Change;
use crate::error::AssemblyError;

/// Keeps words beside the ledger; what is given back goes into it.
pub(super) fn keep(change: &Change<'_>, text: &str) -> Result<Withheld, AssemblyError> {
    Ok(withheld::conceal(change.tx, text)?)
}

/// The words of this name; absent once they are erased.
pub(super) fn read(connection: &Connection, id: &str) -> Result<Option<String>, AssemblyError> {
    Ok(withheld::reveal(connection, id)?)
}

/// Erases them for ever; the ledger stays whole.
pub(super) fn erase(change: &Change<'_>, id: &str) -> Result<(), AssemblyError> {
    withheld::erase(change.tx, id)?;
    Ok(())
}

/// Keeps the wording of a proposal. It is one JSON text, so that whoever has it can hold it to the ledger.
pub(super) fn keep_wording(
    change: &Change<'_>,
    proposal: &Proposal,
    reason: Option<&str>,
) -> Result<Withheld, AssemblyError> {
    #[derive(Serialize)]
    struct Wording<'a> {
        title: &'a str,
        text: &'a str,
        options: Vec<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    }
    let options = proposal.options.iter().map(|option| option.title.as_str()).collect();
    let wording = Wording { title: &proposal.title, text: &proposal.text, options, reason };
    keep(change, &serde_json::to_string(&wording)?)
}

/// The decisions of the options, whole: those are the community's, not a person's words.
pub(super) fn decisions(options: &[ProposalOption]) -> Vec<Option<&banyan_governance::Decision>> {
    options.iter().map(|option| option.decision.as_ref()).collect()
}

/// A result as the ledger has it, and beside it the reasons of its objections.
pub(super) fn without_reasons(
    change: &Change<'_>,
    outcome: &Outcome,
) -> Result<(Outcome, Vec<Withheld>), AssemblyError> {
    let mut outcome = outcome.clone();
    let reasons = match &mut outcome.detail {
        Detail::YesNo { reasons, .. } => std::mem::take(reasons),
        _ => Vec::new(),
    };
    let withheld = reasons.iter().map(|reason| keep(change, reason)).collect::<Result<_, _>>()?;
    Ok((outcome, withheld))
}

/// A choice as the ledger has it: that there was a reason, not which; that stands beside the result.
pub(super) fn without_reason(choice: &Choice) -> Choice {
    match choice {
        Choice::Object { .. } => Choice::Object { reason: String::new() },
        other => other.clone(),
    }
}
