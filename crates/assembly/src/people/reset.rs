//! Help with a forgotten secret: a steward makes a code, the member sets a new secret with it, and the ledger says that
//! it happened. The steward never learns the new secret.
//!
//! The member's data key was sealed under the old secret, so whatever was closed with it (kept conversations) cannot be
//! opened by anybody any more and is erased. That is the price of a key that no steward has.

use banyan_governance::{MemberId, Permission, Time};
use banyan_store::rusqlite::{OptionalExtension as _, params};
use serde::Serialize;
use utoipa::ToSchema;

use super::attempts::Attempt;
use super::secret::{MemberKey, Secret};
use super::session::{self, Caller};
use super::sign_in::SignIn;
use super::{id, members, random};
use crate::assembly::Assembly;
use crate::error::{AssemblyError, Refusal};

/// Hours for which a reset code can be used: until the evening of the next day.
const VALID_HOURS: u32 = 36;

/// A code by which a member may set a new secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResetCode {
    /// The code; shown at this moment only.
    pub code: String,
    /// Until when it can be used.
    pub expires: Time,
}

#[derive(Serialize)]
struct Allowed<'a> {
    member: &'a MemberId,
    by: &'a MemberId,
}

#[derive(Serialize)]
struct Used<'a> {
    member: &'a MemberId,
}

impl Assembly {
    /// Makes a code for a member who forgot their secret. The one who does it is written into the ledger.
    pub async fn allow_reset(
        &self,
        caller: &Caller,
        member: &MemberId,
        now: Time,
    ) -> Result<ResetCode, AssemblyError> {
        caller.require(Permission::Operate)?;
        let (by, member) = (caller.member.clone(), member.clone());
        self.change(now, move |change| {
            members::name(change.tx, &member)?;
            let (code, expires) = (random::code()?, change.now.plus_hours(VALID_HOURS));
            change.tx.execute(
                "INSERT OR REPLACE INTO resets (member, code_hash, made_by, expires) VALUES (?1, ?2, ?3, ?4)",
                params![member.as_str(), random::code_hash(&code), by.as_str(), expires.0],
            )?;
            change.record("reset.allowed", &Allowed { member: &member, by: &by })?;
            Ok(ResetCode { code, expires })
        })
        .await
    }

    /// Sets a new secret with such a code and signs the member in. All other sessions end; kept conversations are
    /// lost.
    pub async fn reset(&self, code: &str, secret: &str, now: Time) -> Result<SignIn, AssemblyError> {
        let secret = Secret::new(secret, "secret")?;
        let hash = random::code_hash(code);
        let sql = "SELECT member FROM resets WHERE code_hash = ?1 AND expires > ?2";
        self.read(move |connection| {
            if connection.prepare(sql)?.exists(params![hash, now.0])? { Ok(()) } else { Err(invalid()) }
        })
        .await?;
        let key = MemberKey::generate()?;
        let sealed = secret.seal(&key).await?;
        let token = self
            .change(now, move |change| {
                let found = change
                    .tx
                    .query_row(sql, params![hash, now.0], |row| row.get::<_, String>(0))
                    .optional()?;
                let member: MemberId = id(&found.ok_or_else(invalid)?)?;
                change.tx.execute("DELETE FROM resets WHERE member = ?1", [member.as_str()])?;
                let sql = "UPDATE members SET secret = ?2 WHERE id = ?1 RETURNING name_key";
                let name_key: String =
                    change.tx.query_row(sql, params![member.as_str(), sealed], |row| row.get(0))?;
                Attempt::new(&name_key, "").forgive(change.tx)?;
                session::end_all(change.tx, &member, None)?;
                // Sealed under the old key, which nobody has any more.
                change.tx.execute("DELETE FROM history WHERE member = ?1", [member.as_str()])?;
                change.record("reset.used", &Used { member: &member })?;
                session::begin(change.tx, &member, &key, change.now)
            })
            .await?;
        self.signed_in(token, now).await
    }
}

fn invalid() -> AssemblyError {
    let message = "this code is not valid, or not any more; ask a steward for a new one".into();
    Refusal::Invalid { field: "code", code: "code_invalid", message }.into()
}
