//! Who is signed in. A session is a random token that only the browser has; the store keeps its hash, and the member's
//! data key sealed under it. Sessions are looked up with every request, so one that ended has ended at once.
//!
//! Signing in and out is not written into the ledger: it would be a public diary of who uses the box when.

use std::collections::BTreeSet;

use banyan_governance::decision::SanctionStep;
use banyan_governance::{MemberId, Permission, Role, Time};
use banyan_identity::{random_bytes, seal};
use banyan_store::rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::sanctions::{self, SanctionInForce};
use super::secret::MemberKey;
use super::{id, roles};
use crate::assembly::Assembly;
use crate::error::{AssemblyError, Refusal};

/// Days after which a member signs in again: a season. A lost phone does not stay signed in for ever.
pub const SESSION_DAYS: u32 = 90;

/// The most sessions of a member; the oldest makes room. Nobody has so many browsers.
const MAX_SESSIONS: u32 = 20;

const CONTEXT: &str = "banyan session data key v1";

/// Which session; not its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub(crate) i64);

/// Who is signed in, and what they may do at this moment.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub member: MemberId,
    /// What they are called.
    pub name: String,
    /// Their roles that are in force now, `Member` included.
    pub roles: BTreeSet<Role>,
    /// In which session.
    pub session: SessionId,
    /// The severest sanction that is in force.
    pub sanction: Option<SanctionInForce>,
    key: MemberKey,
}

impl Caller {
    /// Whether a role in force allows it, and no suspension takes it away. Suspended members may still appeal.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        (permission == Permission::Report || !self.is_suspended())
            && self.roles.iter().any(|role| role.permissions().contains(&permission))
    }

    /// As [`may`](Self::may); a refusal in words when not.
    pub fn require(&self, permission: Permission) -> Result<(), Refusal> {
        if self.may(permission) { Ok(()) } else { Err(Refusal::NotAllowed(permission)) }
    }

    /// Whether they may propose and comment: not while they are muted. Asking and voting stay.
    pub fn require_voice(&self) -> Result<(), Refusal> {
        self.require(Permission::Decide)?;
        match &self.sanction {
            Some(SanctionInForce { step: SanctionStep::Mute { .. }, until: Some(until) }) => {
                Err(Refusal::WrongState {
                    code: "muted",
                    message: format!(
                        "by a decision you may not propose or comment until {}; asking and voting stay",
                        words(*until)
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether a moderator looks at their comments first.
    #[must_use]
    pub fn comments_are_held(&self) -> bool {
        matches!(self.sanction, Some(SanctionInForce { step: SanctionStep::Hold { .. }, .. }))
    }

    /// Whether the community decided that they may not use the box for now.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        matches!(self.sanction, Some(SanctionInForce { step: SanctionStep::Suspend { .. }, .. }))
    }

    /// What the member's own things are closed with.
    #[must_use]
    pub fn key(&self) -> &MemberKey {
        &self.key
    }
}

/// The moment as people without a table of seconds can read it: the day, in UTC.
fn words(time: Time) -> String {
    // Days since 1970 to a date: Howard Hinnant's `civil_from_days`.
    let days = time.0.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A token on its way: 256 random bits, 64 hexadecimal digits in a cookie.
pub(crate) struct Token([u8; 32]);

impl Token {
    fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }

    fn hash(&self) -> [u8; 32] {
        blake3::derive_key("banyan session hash v1", &self.0)
    }

    fn sealing_key(&self) -> [u8; 32] {
        blake3::derive_key("banyan session seal v1", &self.0)
    }

    fn written(&self) -> String {
        blake3::Hash::from(self.0).to_hex().to_string()
    }
}

/// Begins a session; gives its token, which is not kept. Part of a change.
pub(super) fn begin(
    tx: &Connection,
    member: &MemberId,
    key: &MemberKey,
    now: Time,
) -> Result<String, AssemblyError> {
    let token = Token(random_bytes()?);
    let sealed = seal::seal(&token.sealing_key(), CONTEXT, key.as_bytes())?;
    tx.execute("DELETE FROM sessions WHERE expires <= ?1", [now.0])?;
    tx.execute(
        "DELETE FROM sessions WHERE member = ?1 AND id NOT IN
             (SELECT id FROM sessions WHERE member = ?1 ORDER BY id DESC LIMIT ?2)",
        params![member.as_str(), MAX_SESSIONS - 1],
    )?;
    tx.execute(
        "INSERT INTO sessions (token_hash, member, data_key, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![token.hash(), member.as_str(), sealed, now.0, now.plus_days(SESSION_DAYS).0],
    )?;
    Ok(token.written())
}

/// Ends all sessions of a member but one.
pub(super) fn end_all(
    tx: &Connection,
    member: &MemberId,
    but: Option<SessionId>,
) -> Result<(), AssemblyError> {
    let but = but.map_or(0, |session| session.0);
    tx.execute("DELETE FROM sessions WHERE member = ?1 AND id <> ?2", params![member.as_str(), but])?;
    Ok(())
}

fn find(connection: &Connection, token: &Token, now: Time) -> Result<Option<Caller>, AssemblyError> {
    let sql = "SELECT sessions.id, members.id, members.name, sessions.data_key
               FROM sessions JOIN members ON members.id = sessions.member
               WHERE token_hash = ?1 AND expires > ?2 AND members.gone IS NULL";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![token.hash(), now.0], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Vec<u8>>(3)?,
            ))
        })
        .optional()?;
    let Some((session, member, name, sealed)) = found else { return Ok(None) };
    let member: MemberId = id(&member)?;
    let opened = Zeroizing::new(seal::open(&token.sealing_key(), CONTEXT, &sealed)?);
    let Some(key) = MemberKey::from_slice(&opened) else { return Ok(None) };
    let roles = roles::active_roles(connection, &member, now)?;
    let sanction = sanctions::in_force(connection, &member, now)?;
    Ok(Some(Caller { member, name, roles, session: SessionId(session), sanction, key }))
}

impl Assembly {
    /// Who is signed in with this token; none when it is unknown, has ended or expired.
    pub async fn session(&self, token: &str, now: Time) -> Result<Option<Caller>, AssemblyError> {
        let Some(token) = Token::parse(token) else { return Ok(None) };
        self.read(move |connection| find(connection, &token, now)).await
    }

    /// Ends the caller's session, or all of theirs. It has ended when this returns.
    pub async fn sign_out(&self, caller: &Caller, everywhere: bool, now: Time) -> Result<(), AssemblyError> {
        let (member, session) = (caller.member.clone(), caller.session);
        self.change(now, move |change| {
            if everywhere {
                return end_all(change.tx, &member, None);
            }
            change.tx.execute("DELETE FROM sessions WHERE id = ?1", [session.0])?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_a_date() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_790_000_000, "2026-09-21"),
            (-1, "1969-12-31"),
        ] {
            assert_eq!(words(Time(seconds)), date);
        }
    }

    #[test]
    fn a_token_is_read_as_it_is_written_and_nothing_else_is() {
        let token = Token(random_bytes().unwrap());
        assert_eq!(Token::parse(&token.written()).unwrap().hash(), token.hash());
        for text in ["", "x", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }
}
