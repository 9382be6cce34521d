//! Becoming a member: with an invitation, or without one where the community is open.

use banyan_governance::{MemberId, Time};
use banyan_store::rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::name::Name;
use super::secret::{MemberKey, Secret};
use super::session;
use super::sign_in::SignIn;
use super::{attempts, random};
use crate::assembly::{Assembly, Change};
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;

/// What the ledger says of a member who joined.
#[derive(Serialize)]
struct Joined<'a> {
    member: &'a MemberId,
    /// Whose invitation; absent: nobody's, the community is open.
    invited_by: Option<String>,
}

impl Assembly {
    /// Makes somebody a member and signs them in.
    pub async fn join(
        &self,
        code: Option<&str>,
        name: &str,
        secret: &str,
        now: Time,
    ) -> Result<SignIn, AssemblyError> {
        let (name, secret) = (Name::new(name)?, Secret::new(secret, "secret")?);
        let code = code.map(str::trim).filter(|code| !code.is_empty()).map(random::code_hash);
        // Looked at and counted before the secret is made safe: that takes a moment of the box's few cores.
        self.change(now, {
            let key = name.key.clone();
            move |change| match may_join(change.tx, code.as_ref(), &key, change.now)? {
                None => attempts::open_join(change.tx, change.now),
                Some(_) => Ok(()),
            }
        })
        .await?;
        let key = MemberKey::generate()?;
        let sealed = secret.seal(&key).await?;
        let token = self
            .change(now, move |change| {
                let invitation = may_join(change.tx, code.as_ref(), &name.key, change.now)?;
                if let Some((id, _)) = &invitation {
                    change
                        .tx
                        .execute("UPDATE invitations SET uses_left = uses_left - 1 WHERE id = ?1", [id])?;
                }
                let member = add(change, &name, &sealed)?;
                let invited_by = invitation.map(|(_, made_by)| made_by);
                change.record("member.joined", &Joined { member: &member, invited_by })?;
                session::begin(change.tx, &member, &key, change.now)
            })
            .await?;
        self.signed_in(token, now).await
    }
}

/// Writes the member down. The caller records why.
pub(super) fn add(change: &Change<'_>, name: &Name, sealed: &[u8]) -> Result<MemberId, AssemblyError> {
    let member = MemberId::from_random(random::bits()?);
    change.tx.execute(
        "INSERT INTO members (id, name, name_key, secret, joined) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![member.as_str(), name.shown, name.key, sealed, change.now.0],
    )?;
    Ok(member)
}

/// The invitation and who made it; none where everybody may join.
fn may_join(
    connection: &Connection,
    code: Option<&[u8; 32]>,
    name_key: &str,
    now: Time,
) -> Result<Option<(i64, String)>, AssemblyError> {
    let in_force = InForce::load(connection)?;
    let Some(constitution) = &in_force.constitution else {
        let message =
            "there is no community yet; whoever set the box up founds it with the setup code".into();
        return Err(Refusal::WrongState { code: "not_founded", message }.into());
    };
    let invitation = match code {
        Some(hash) => Some(invitation(connection, hash, now)?),
        None if constitution.joining.open => None,
        None => {
            let message = "this community is joined by invitation; ask a member for a code".into();
            return Err(Refusal::Invalid { field: "code", code: "code_needed", message }.into());
        }
    };
    let taken = connection.prepare("SELECT 1 FROM members WHERE name_key = ?1")?.exists([name_key])?;
    if taken {
        let message =
            "somebody here has this name already, or one that looks the same; add a second name".into();
        return Err(Refusal::Invalid { field: "name", code: "name_taken", message }.into());
    }
    Ok(invitation)
}

fn invitation(connection: &Connection, hash: &[u8; 32], now: Time) -> Result<(i64, String), AssemblyError> {
    let sql = "SELECT id, made_by FROM invitations WHERE code_hash = ?1 AND uses_left > 0 AND expires > ?2";
    let found =
        connection.query_row(sql, params![hash, now.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    found.ok_or_else(|| {
        let message = "this code is not valid, or not any more; ask for a new one".into();
        Refusal::Invalid { field: "code", code: "code_invalid", message }.into()
    })
}
