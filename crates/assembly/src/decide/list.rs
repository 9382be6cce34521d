//! All proposals, in a line each.

use banyan_governance::method::Method;
use banyan_governance::proposal::ProposalState;
use banyan_governance::{MemberId, Permission, ProposalId, Time, Topic};
use banyan_store::rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use super::rows::{self, Kept};
use super::view::{MemberName, Names, visible};
use crate::assembly::Assembly;
use crate::error::AssemblyError;
use crate::people::Caller;

/// All proposals that a member may see.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProposalList {
    /// Newest first.
    pub proposals: Vec<ProposalLine>,
    /// Those that the community wanted to look at again by now, the longest due first.
    pub reviews: Vec<ProposalId>,
}

/// A proposal in a line.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProposalLine {
    /// Its name.
    pub id: ProposalId,
    /// In a line.
    pub title: String,
    /// What it is about.
    pub topic: Topic,
    /// Where it stands.
    pub state: ProposalState,
    /// Whose.
    pub author: MemberName,
    /// When it was begun.
    pub created: Time,
    /// When the vote opened.
    pub opened: Option<Time>,
    /// When the vote closes at the latest; absent while none is open.
    pub closes: Option<Time>,
    /// Whether the caller has voted.
    pub voted: bool,
    /// How it is decided.
    pub method: Method,
    /// How many comments there are.
    pub comments: u32,
    /// How many have voted.
    pub votes: u32,
}

impl Assembly {
    /// All proposals that the caller may see.
    pub async fn proposals(&self, caller: &Caller, now: Time) -> Result<ProposalList, AssemblyError> {
        caller.require(Permission::Read)?;
        let member = caller.member.clone();
        self.read(move |connection| {
            let names = Names::load(connection)?;
            let kept = rows::all(connection)?;
            let seen = kept.into_iter().filter(|kept| visible(kept, &member).is_ok());
            let lines = seen.map(|kept| line(connection, &kept, &member, &names));
            let proposals = lines.collect::<Result<_, AssemblyError>>()?;
            Ok(ProposalList { proposals, reviews: rows::due_for_review(connection, now)? })
        })
        .await
    }
}

fn line(
    connection: &Connection,
    kept: &Kept,
    member: &MemberId,
    names: &Names,
) -> Result<ProposalLine, AssemblyError> {
    let proposal = &kept.proposal;
    let id = &proposal.id;
    Ok(ProposalLine {
        id: id.clone(),
        title: proposal.title.clone(),
        topic: proposal.topic,
        state: proposal.state,
        author: names.of(&proposal.author),
        created: proposal.created,
        opened: proposal.opened,
        closes: proposal.closes().filter(|_| proposal.state == ProposalState::Open),
        voted: rows::has_voted(connection, id, member)?,
        method: proposal.rule.method.clone(),
        comments: rows::count(
            connection,
            "SELECT count(*) FROM comments WHERE proposal = ?1 AND held IS NULL AND words IS NOT NULL",
            id,
        )?,
        votes: rows::count(connection, "SELECT count(*) FROM ballots WHERE proposal = ?1", id)?,
    })
}
