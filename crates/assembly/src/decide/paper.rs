//! Votes on paper, for members who have no phone at hand or want help.
//!
//! As in any polling station there are sheets and a roll. A steward prints sheets, each with a code that opens the box
//! once. Whoever types a sheet in says for which member it is, and the member is ticked off: one vote a member, in
//! whichever way it comes. Who has voted already is not voted for; and who signs in later can still change what was typed
//! in for them. The ledger has how many sheets were printed, by whom, and for whom one was typed in, by whom.

use banyan_governance::method::Choice;
use banyan_governance::proposal::ProposalState;
use banyan_governance::{MemberId, Permission, ProposalId, Time};
use banyan_store::rusqlite::params;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::count::electorate;
use super::rows;
use super::vote::{Cast, cast};
use crate::assembly::Assembly;
use crate::error::{AssemblyError, Refusal};
use crate::people::Caller;

/// Letters and digits that are not mistaken for each other in handwriting (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a code: 60 random bits. Nobody guesses one of a few hundred while a vote is open.
const CHARACTERS: u32 = 12;

/// A wish for sheets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuePaperCodes {
    /// How many; no more can be in use than there are members with a vote.
    pub count: u32,
}

/// Codes for sheets; they can be had at this moment only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PaperCodes {
    /// One for each sheet.
    pub codes: Vec<String>,
}

/// A sheet that is typed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaperBallot {
    /// The sheet's code.
    pub code: String,
    /// Whose vote it is.
    pub member: MemberId,
    /// What it says.
    pub choice: Choice,
}

impl Assembly {
    /// Makes codes for sheets of paper.
    pub async fn issue_paper_codes(
        &self,
        caller: &Caller,
        id: ProposalId,
        wanted: IssuePaperCodes,
        now: Time,
    ) -> Result<PaperCodes, AssemblyError> {
        #[derive(Serialize)]
        struct Issued<'a> {
            proposal: &'a ProposalId,
            by: &'a MemberId,
            count: u32,
        }
        caller.require(Permission::Operate)?;
        let by = caller.member.clone();
        self.change(now, move |change| {
            let kept = rows::load(change.tx, &id)?;
            if !matches!(kept.proposal.state, ProposalState::Discussion | ProposalState::Open) {
                let message = "sheets are made while a proposal is discussed or voted on".into();
                return Err(Refusal::WrongState { code: "vote_not_open", message }.into());
            }
            let electorate = electorate(change.tx, &kept.proposal, change.now)?;
            let voters = u32::try_from(electorate.len()).unwrap_or(u32::MAX);
            let unused = "SELECT count(*) FROM paper_codes WHERE proposal = ?1 AND used_at IS NULL";
            let left = voters.saturating_sub(rows::count(change.tx, unused, &id)?);
            if !(1..=left).contains(&wanted.count) {
                let message = format!("{left} more sheets can be made: one for each member with a vote");
                return Err(Refusal::Invalid { field: "count", code: "too_many_codes", message }.into());
            }
            let codes: Vec<String> = (0..wanted.count).map(|_| written(rand::rng().random())).collect();
            for code in &codes {
                change.tx.execute(
                    "INSERT INTO paper_codes (hash, proposal, issued_by, issued_at) VALUES (?1, ?2, ?3, ?4)",
                    params![hash(&id, code), id.as_str(), by.as_str(), change.now.0],
                )?;
            }
            change.record("paper.issued", &Issued { proposal: &id, by: &by, count: wanted.count })?;
            Ok(PaperCodes { codes })
        })
        .await
    }

    /// Types a sheet in, for a member who has not voted yet.
    pub async fn cast_paper_ballot(
        &self,
        caller: &Caller,
        id: ProposalId,
        ballot: PaperBallot,
        now: Time,
    ) -> Result<(), AssemblyError> {
        caller.require(Permission::Decide)?;
        let helper = caller.member.clone();
        self.change(now, move |change| {
            let used = change.tx.execute(
                "UPDATE paper_codes SET used_at = ?3 WHERE hash = ?1 AND proposal = ?2 AND used_at IS NULL",
                params![hash(&id, &ballot.code), id.as_str(), change.now.0],
            )?;
            if used == 0 {
                let message = "no sheet of this vote has this code, or it was typed in already".into();
                return Err(Refusal::Invalid { field: "code", code: "no_such_code", message }.into());
            }
            cast(change, &id, &Cast { voter: &ballot.member, choice: &ballot.choice, helper: Some(&helper) })
        })
        .await
    }
}

/// A code as it is printed: three groups of four.
fn written(bits: u64) -> String {
    let character = |place: u32| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31]);
    let groups: Vec<String> =
        (0..CHARACTERS / 4).map(|group| (4 * group..4 * group + 4).map(character).collect()).collect();
    groups.join("-")
}

/// What is kept of a code. Spaces, hyphens and capitals are how people write, and o, i and l how they read.
fn hash(proposal: &ProposalId, code: &str) -> [u8; 32] {
    let plain: String = code
        .chars()
        .filter(|character| character.is_ascii_alphanumeric())
        .map(|character| match character.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    let mut hasher = blake3::Hasher::new_derive_key("banyan paper code v1");
    hasher.update(proposal.as_str().as_bytes());
    hasher.update(plain.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_again_as_people_write_it() {
        let id = ProposalId::from_random(7);
        let code = written(0x0123_4567_89ab_cdef);
        assert_eq!(code.len(), 14, "{code}");
        let scribbled = code.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l");
        assert_eq!(hash(&id, &scribbled), hash(&id, &code));
        assert_ne!(hash(&ProposalId::from_random(8), &code), hash(&id, &code));
    }
}
