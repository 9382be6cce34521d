//! Conversations that a member keeps on the box. The box stores what it cannot read while the member is signed out.

use banyan_governance::Time;
use banyan_identity::seal;
use banyan_store::rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Assembly;
use crate::error::{AssemblyError, Refusal};
use crate::people::Caller;

/// The most bytes of one conversation.
pub const MAX_CONVERSATION: usize = 256 * 1024;

/// The most conversations of one member: 200 of them are 50 MiB at the very most.
const MAX_OF_A_MEMBER: i64 = 200;

/// What a member keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// Whether the community's policy lets members keep conversations on the box.
    pub kept: bool,
    /// Days after which one that did not change is erased.
    pub days: u32,
    /// The newest first.
    pub conversations: Vec<Conversation>,
}

/// A kept conversation, from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    /// As the app calls it.
    pub id: String,
    /// When it changed last.
    pub updated: Time,
    /// Bytes, sealed.
    pub size: u64,
}

impl Assembly {
    /// The caller's conversations.
    pub async fn history(&self, caller: &Caller) -> Result<History, AssemblyError> {
        let member = caller.member.as_str().to_owned();
        let keeping = self.in_force().policy.keeping.clone();
        let conversations = self
            .read(move |connection| {
                let sql = "SELECT id, updated, length(sealed) FROM history WHERE member = ?1 ORDER BY updated DESC, id";
                let mut statement = connection.prepare_cached(sql)?;
                let rows = statement.query_map([member], |row| {
                    let size: i64 = row.get(2)?;
                    Ok(Conversation { id: row.get(0)?, updated: Time(row.get(1)?), size: size.unsigned_abs() })
                })?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            })
            .await?;
        Ok(History { kept: keeping.conversations, days: keeping.conversation_days, conversations })
    }

    /// One of the caller's conversations, as it was kept.
    pub async fn conversation(&self, caller: &Caller, id: &str) -> Result<Vec<u8>, AssemblyError> {
        let (member, named) = (caller.member.as_str().to_owned(), checked(id)?.to_owned());
        let context = context(&member, id);
        let sealed: Option<Vec<u8>> = self
            .read(move |connection| {
                let sql = "SELECT sealed FROM history WHERE member = ?1 AND id = ?2";
                Ok(connection.query_row(sql, params![member, named], |row| row.get(0)).optional()?)
            })
            .await?;
        let sealed = sealed.ok_or(Refusal::NotFound("conversation"))?;
        Ok(seal::open(caller.key().as_bytes(), &context, &sealed)?)
    }

    /// Keeps a conversation of the caller's, in place of an earlier state of it.
    pub async fn keep_conversation(
        &self,
        caller: &Caller,
        id: &str,
        words: &[u8],
        now: Time,
    ) -> Result<(), AssemblyError> {
        let (member, named) = (caller.member.as_str().to_owned(), checked(id)?.to_owned());
        if !self.in_force().policy.keeping.conversations {
            let message =
                "the community decided that conversations are not kept on the box; they stay on this phone";
            return Err(Refusal::WrongState { code: "history_off", message: message.into() }.into());
        }
        if words.len() > MAX_CONVERSATION {
            return Err(Refusal::Invalid {
                field: "conversation",
                code: "too_large",
                message: format!(
                    "a kept conversation has at most {} KiB; begin a new one",
                    MAX_CONVERSATION / 1024
                ),
            }
            .into());
        }
        let sealed = seal::seal(caller.key().as_bytes(), &context(&member, id), words)?;
        self.change(now, move |change| {
            let others: i64 = change.tx.query_row(
                "SELECT count(*) FROM history WHERE member = ?1 AND id <> ?2",
                params![member, named],
                |row| row.get(0),
            )?;
            if others >= MAX_OF_A_MEMBER {
                let message =
                    format!("{others} conversations are kept already; erase one that is not needed");
                return Err(Refusal::WrongState { code: "too_many_conversations", message }.into());
            }
            change.tx.execute(
                "INSERT INTO history (member, id, updated, sealed) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (member, id) DO UPDATE SET updated = excluded.updated, sealed = excluded.sealed",
                params![member, named, change.now.0, sealed],
            )?;
            Ok(())
        })
        .await
    }

    /// Erases one of the caller's conversations; one that is not there is gone already.
    pub async fn forget_conversation(
        &self,
        caller: &Caller,
        id: &str,
        now: Time,
    ) -> Result<(), AssemblyError> {
        let (member, named) = (caller.member.as_str().to_owned(), checked(id)?.to_owned());
        self.change(now, move |change| {
            change.tx.execute("DELETE FROM history WHERE member = ?1 AND id = ?2", params![member, named])?;
            Ok(())
        })
        .await
    }
}

fn checked(id: &str) -> Result<&str, Refusal> {
    let well_formed = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if well_formed {
        return Ok(id);
    }
    Err(Refusal::Invalid {
        field: "id",
        code: "bad_id",
        message: "a conversation's name has 1 to 64 letters, digits, - and _".into(),
    })
}

/// A sealed conversation opens under its own name and its own member only.
fn context(member: &str, id: &str) -> String {
    format!("banyan history v1 {member} {id}")
}
