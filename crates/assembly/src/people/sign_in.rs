//! Signing in, and a new secret in place of the old one.

use banyan_governance::{MemberId, Time};
use banyan_store::rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use super::attempts::Attempt;
use super::secret::Secret;
use super::session::{self, Caller};
use super::{id, name};
use crate::assembly::Assembly;
use crate::error::{AssemblyError, Refusal};

/// Somebody has signed in.
#[derive(Clone)]
pub struct SignIn {
    /// Who.
    pub caller: Caller,
    /// For the cookie; it can be had at this moment only.
    pub token: String,
}

/// The same words whether the name or the secret was wrong.
fn wrong() -> AssemblyError {
    let message =
        "this name and secret do not belong together; a steward can help when the secret is forgotten";
    Refusal::Invalid { field: "secret", code: "wrong_name_or_secret", message: message.into() }.into()
}

impl Assembly {
    /// Signs in with a name and a PIN or passphrase. `from` is the address, for slowing down who guesses.
    pub async fn sign_in(
        &self,
        name: &str,
        secret: &str,
        from: &str,
        now: Time,
    ) -> Result<SignIn, AssemblyError> {
        let name_key = name::compared(name);
        let attempt = Attempt::new(&name_key, from);
        let (attempt, found) = self
            .change(now, move |change| {
                attempt.begin(change.tx, change.now)?;
                let sql = "SELECT id, secret FROM members WHERE name_key = ?1 AND gone IS NULL";
                let found = change.tx.query_row(sql, [name_key], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
                });
                Ok((attempt, found.optional()?))
            })
            .await?;
        let secret = Secret::typed(secret);
        let Some((member, sealed)) = found else {
            secret.pretend().await?;
            return Err(wrong());
        };
        let Some(key) = secret.open(sealed.clone()).await? else { return Err(wrong()) };
        let member: MemberId = id(&member)?;
        let token = self
            .change(now, move |change| {
                // The secret may have been reset while it was checked.
                let sql = "SELECT 1 FROM members WHERE id = ?1 AND secret = ?2 AND gone IS NULL";
                let still = change.tx.prepare(sql)?.exists(params![member.as_str(), sealed])?;
                if !still {
                    return Err(wrong());
                }
                attempt.succeeded(change.tx)?;
                session::begin(change.tx, &member, &key, change.now)
            })
            .await?;
        self.signed_in(token, now).await
    }

    /// The session that was begun a moment ago.
    pub(super) async fn signed_in(&self, token: String, now: Time) -> Result<SignIn, AssemblyError> {
        let caller = self.session(&token, now).await?.ok_or(Refusal::SignedOut)?;
        Ok(SignIn { caller, token })
    }

    /// Sets a new secret; the old one has to be right. Every other session of the member ends; what was closed with
    /// their key stays theirs.
    pub async fn change_secret(
        &self,
        caller: &Caller,
        old: &str,
        new: &str,
        now: Time,
    ) -> Result<(), AssemblyError> {
        let new = Secret::new(new, "new")?;
        let (member, session) = (caller.member.clone(), caller.session);
        let (attempt, sealed) = self.begin_check(&member, now).await?;
        let Some(key) = Secret::typed(old).open(sealed.clone()).await? else {
            let message = "the old secret is another one".into();
            return Err(Refusal::Invalid { field: "old", code: "wrong_secret", message }.into());
        };
        let renewed = new.seal(&key).await?;
        self.change(now, move |change| {
            attempt.succeeded(change.tx)?;
            let sql = "UPDATE members SET secret = ?3 WHERE id = ?1 AND secret = ?2";
            if change.tx.execute(sql, params![member.as_str(), sealed, renewed])? == 0 {
                let message = "the secret was changed elsewhere at the same moment; sign in again".into();
                return Err(Refusal::WrongState { code: "changed_elsewhere", message }.into());
            }
            session::end_all(change.tx, &member, Some(session))?;
            change.record("secret.changed", &Of { member: &member })?;
            Ok(())
        })
        .await
    }

    /// Before a member's own secret is checked again: whoever holds a stolen session could guess at it, so it is counted
    /// like a sign-in.
    pub(super) async fn begin_check(
        &self,
        member: &MemberId,
        now: Time,
    ) -> Result<(Attempt, Vec<u8>), AssemblyError> {
        let member = member.clone();
        let counted = format!("check {member}");
        let attempt = Attempt::new(&counted, &counted);
        self.change(now, move |change| {
            attempt.begin(change.tx, change.now)?;
            let sql = "SELECT secret FROM members WHERE id = ?1 AND gone IS NULL";
            let sealed = change.tx.query_row(sql, [member.as_str()], |row| row.get(0)).optional()?;
            Ok((attempt, sealed.ok_or(Refusal::SignedOut)?))
        })
        .await
    }
}

/// Whose.
#[derive(Serialize)]
struct Of<'a> {
    member: &'a MemberId,
}
