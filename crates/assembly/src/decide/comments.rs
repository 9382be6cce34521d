//! What is said beside a vote. The words are kept apart from the ledger, which has a hash of them: whoever wrote them can
//! erase them, and the chain stays whole. The community's moderation rules and sanctions hold here as they do for
//! questions; what is held, its author and the moderators see.

use banyan_governance::moderation::Rules;
use banyan_governance::policy::ModerationAction;
use banyan_governance::{MemberId, Permission, ProposalId, Time};
use banyan_ledger::withheld::Withheld;
use banyan_store::rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{MemberName, Names, ProposalView, is_discussed, visible};
use super::{rows, words};
use crate::assembly::{Assembly, Change};
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;
use crate::people::Caller;

/// Characters of a comment: a screen of a phone, twice.
const MAX_COMMENT: usize = 2_000;

/// Comments of one member in an hour. A lively discussion, not a flood.
const MAX_AN_HOUR: u32 = 30;

/// A comment as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    /// What is said.
    pub text: String,
}

/// What a moderator says about a held comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleComment {
    /// Whether everybody can read it. If not, one that is held is erased, and another one is held.
    pub allow: bool,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommentView {
    /// Its number.
    pub id: i64,
    /// Who.
    pub by: MemberName,
    /// When.
    pub at: Time,
    /// What is said.
    pub text: String,
    /// Whether a moderator looks first; until then only its author and moderators see it.
    pub held: bool,
}

/// A comment that waits for a moderator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeldComment {
    /// On which proposal.
    pub proposal: ProposalId,
    /// What is said, and by whom.
    pub comment: CommentView,
    /// Why it is held: the rules that fired, `sanction`, or `moderator`.
    pub why: String,
}

impl Assembly {
    /// Says something about a proposal.
    pub async fn comment(
        &self,
        caller: &Caller,
        id: ProposalId,
        comment: NewComment,
        now: Time,
    ) -> Result<ProposalView, AssemblyError> {
        caller.require_voice()?;
        let caller = caller.clone();
        self.change(now, move |change| {
            write(change, &caller, &id, comment.text.trim())?;
            ProposalView::load(change.tx, &caller, &id, change.now)
        })
        .await
    }

    /// The comments that wait for a moderator, oldest first.
    pub async fn held_comments(&self, caller: &Caller) -> Result<Vec<HeldComment>, AssemblyError> {
        caller.require(Permission::Moderate)?;
        self.read(held).await
    }

    /// Lets everybody read a held comment, or erases it; one that is not held yet is held.
    pub async fn settle_comment(
        &self,
        caller: &Caller,
        id: i64,
        settled: SettleComment,
        now: Time,
    ) -> Result<(), AssemblyError> {
        caller.require(Permission::Moderate)?;
        let by = caller.member.clone();
        self.change(now, move |change| {
            let found = find(change, id)?;
            if found.author == by {
                return Err(Refusal::NotYours("another moderator looks at your own comment").into());
            }
            if !found.is_held {
                if settled.allow {
                    let message = "everybody can read this comment already".into();
                    return Err(Refusal::WrongState { code: "not_held", message }.into());
                }
                change.tx.execute("UPDATE comments SET held = 'moderator' WHERE id = ?1", [id])?;
                return record(change, "comment.held", id, &by);
            }
            if settled.allow {
                change.tx.execute("UPDATE comments SET held = NULL WHERE id = ?1", [id])?;
                return record(change, "comment.released", id, &by);
            }
            erase(change, id, &found)?;
            record(change, "comment.refused", id, &by)
        })
        .await
    }

    /// Erases the words of one's own comment, for ever.
    pub async fn erase_comment(&self, caller: &Caller, id: i64, now: Time) -> Result<(), AssemblyError> {
        let by = caller.member.clone();
        self.change(now, move |change| {
            let found = find(change, id)?;
            if found.author != by {
                return Err(Refusal::NotYours("this comment is another member's; report it instead").into());
            }
            erase(change, id, &found)?;
            record(change, "comment.erased", id, &by)
        })
        .await
    }
}

fn write(change: &Change<'_>, caller: &Caller, id: &ProposalId, text: &str) -> Result<(), AssemblyError> {
    #[derive(Serialize)]
    struct Written<'a> {
        comment: i64,
        proposal: &'a ProposalId,
        by: &'a MemberId,
        words: &'a Withheld,
        held: bool,
    }
    let length = text.chars().count();
    if !(1..=MAX_COMMENT).contains(&length) {
        let message = format!("a comment needs 1 to {MAX_COMMENT} characters and has {length}");
        return Err(Refusal::Invalid { field: "text", code: "text_length", message }.into());
    }
    let kept = rows::load(change.tx, id)?;
    visible(&kept, &caller.member)?;
    if !is_discussed(&kept.proposal) {
        let message = "a draft is not discussed yet, and what was withdrawn not any more".into();
        return Err(Refusal::WrongState { code: "not_discussed", message }.into());
    }
    not_too_often(change, &caller.member)?;
    let held = why_held(change, caller, text)?;
    let words = words::keep(change, text)?;
    change.tx.execute(
        "INSERT INTO comments (proposal, author, at, words, held) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id.as_str(), caller.member.as_str(), change.now.0, words.id, held],
    )?;
    let comment = change.tx.last_insert_rowid();
    let by = &caller.member;
    let written = Written { comment, proposal: id, by, words: &words, held: held.is_some() };
    change.record("comment.written", &written)?;
    Ok(())
}

fn not_too_often(change: &Change<'_>, member: &MemberId) -> Result<(), AssemblyError> {
    let hour = 3600;
    let (count, oldest): (u32, Option<i64>) = change.tx.query_row(
        "SELECT count(*), min(at) FROM comments WHERE author = ?1 AND at > ?2",
        params![member.as_str(), change.now.0 - hour],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    match oldest {
        Some(oldest) if count >= MAX_AN_HOUR => Err(Refusal::TooOften(Time(oldest + hour)).into()),
        _ => Ok(()),
    }
}

/// Why a moderator looks first, if one does; refused where the rules say that nobody reads such a thing at all.
fn why_held(change: &Change<'_>, caller: &Caller, text: &str) -> Result<Option<String>, AssemblyError> {
    let policy = InForce::load(change.tx)?.policy;
    // A policy that came in force was checked; should one of its rules not compile all the same, a person looks.
    let Ok(rules) = Rules::compile(&policy) else { return Ok(Some("rules".into())) };
    let ruling = rules.question(text);
    match ruling.action {
        ModerationAction::Refuse => Err(Refusal::Invalid {
            field: "text",
            code: "refused_by_policy",
            message: format!("the community's policy refuses this (rules: {})", ruling.fired.join(", ")),
        }
        .into()),
        ModerationAction::Hold => Ok(Some(ruling.fired.join(", "))),
        ModerationAction::Allow | ModerationAction::Warn => {
            Ok(caller.comments_are_held().then(|| "sanction".into()))
        }
    }
}

struct Found {
    author: MemberId,
    words: String,
    is_held: bool,
}

fn find(change: &Change<'_>, id: i64) -> Result<Found, AssemblyError> {
    let found: Option<(String, String, bool)> = change
        .tx
        .query_row(
            "SELECT author, words, held IS NOT NULL FROM comments WHERE id = ?1 AND words IS NOT NULL",
            [id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (author, words, is_held) = found.ok_or(Refusal::NotFound("comment"))?;
    Ok(Found { author: rows::name(&author)?, words, is_held })
}

fn erase(change: &Change<'_>, id: i64, found: &Found) -> Result<(), AssemblyError> {
    words::erase(change, &found.words)?;
    change.tx.execute("UPDATE comments SET words = NULL, held = NULL WHERE id = ?1", [id])?;
    Ok(())
}

fn record(change: &Change<'_>, kind: &str, comment: i64, by: &MemberId) -> Result<(), AssemblyError> {
    #[derive(Serialize)]
    struct Changed<'a> {
        comment: i64,
        by: &'a MemberId,
    }
    change.record(kind, &Changed { comment, by })?;
    Ok(())
}

/// What this member may read of what is said about a proposal, oldest first.
pub(super) fn of(
    connection: &Connection,
    id: &ProposalId,
    caller: &Caller,
    names: &Names,
) -> Result<Vec<CommentView>, AssemblyError> {
    let sees_all = caller.may(Permission::Moderate);
    let mut statement = connection.prepare(
        "SELECT id, author, at, words, held IS NOT NULL FROM comments
         WHERE proposal = ?1 AND words IS NOT NULL AND (held IS NULL OR ?2 OR author = ?3) ORDER BY id",
    )?;
    let mut found = statement.query(params![id.as_str(), sees_all, caller.member.as_str()])?;
    let mut comments = Vec::new();
    while let Some(row) = found.next()? {
        let Some(text) = words::read(connection, &row.get::<_, String>(3)?)? else { continue };
        let by = names.of(&rows::name(&row.get::<_, String>(1)?)?);
        comments.push(CommentView { id: row.get(0)?, by, at: Time(row.get(2)?), text, held: row.get(4)? });
    }
    Ok(comments)
}

fn held(connection: &Connection) -> Result<Vec<HeldComment>, AssemblyError> {
    let names = Names::load(connection)?;
    let mut statement = connection.prepare(
        "SELECT id, author, at, words, held, proposal FROM comments
         WHERE held IS NOT NULL AND words IS NOT NULL ORDER BY id",
    )?;
    let mut found = statement.query([])?;
    let mut held = Vec::new();
    while let Some(row) = found.next()? {
        let Some(text) = words::read(connection, &row.get::<_, String>(3)?)? else { continue };
        let by = names.of(&rows::name(&row.get::<_, String>(1)?)?);
        let comment = CommentView { id: row.get(0)?, by, at: Time(row.get(2)?), text, held: true };
        held.push(HeldComment {
            proposal: rows::name(&row.get::<_, String>(5)?)?,
            comment,
            why: row.get(4)?,
        });
    }
    Ok(held)
}
