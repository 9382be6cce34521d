//! Leaving the community. What the member decided with others stays; the name, the roles and what was theirs alone do
//! not.

use banyan_governance::{MemberId, Time};
use banyan_store::rusqlite::params;
use serde::Serialize;

use super::roles;
use super::secret::Secret;
use super::session::{self, Caller};
use crate::assembly::Assembly;
use crate::error::{AssemblyError, Refusal};

/// Whose.
#[derive(Serialize)]
struct Of<'a> {
    member: &'a MemberId,
}

impl Assembly {
    /// Ends the caller's membership. The secret has to be right, so that a found phone cannot do it.
    pub async fn leave(&self, caller: &Caller, secret: &str, now: Time) -> Result<(), AssemblyError> {
        let member = caller.member.clone();
        let (attempt, sealed) = self.begin_check(&member, now).await?;
        if Secret::typed(secret).open(sealed).await?.is_none() {
            let message = "the secret is another one".into();
            return Err(Refusal::Invalid { field: "secret", code: "wrong_secret", message }.into());
        }
        self.change(now, move |change| {
            attempt.succeeded(change.tx)?;
            roles::may_leave(change.tx, &member, change.now)?;
            session::end_all(change.tx, &member, None)?;
            let id = member.as_str();
            for sql in [
                "DELETE FROM history WHERE member = ?1",
                "DELETE FROM invitations WHERE made_by = ?1",
                "DELETE FROM resets WHERE member = ?1",
                "DELETE FROM delegations WHERE giver = ?1 OR receiver = ?1",
            ] {
                change.tx.execute(sql, [id])?;
            }
            // The id stays where it is: in the ledger, and under what was proposed and decided. Roles are of members only,
            // so they end with this.
            let sql = "UPDATE members SET gone = ?2, name = id, name_key = id, secret = x'' WHERE id = ?1";
            change.tx.execute(sql, params![id, change.now.0])?;
            change.record("member.left", &Of { member: &member })?;
            Ok(())
        })
        .await
    }
}
