//! Guessing is slow. A PIN has ten thousand values, so what keeps it is how seldom one may try.
//!
//! * For an account: five attempts, then a pause that doubles with each further one, up to half a day. A success
//!   forgets them; a steward's reset does too, so nobody can lock another out for good.
//! * For an address, and for the box as a whole: a bucket that empties by the hour, so that one PIN cannot be tried on
//!   every account.
//!
//! An attempt counts as failed before it is checked, so many at the same time are no way round. Names and addresses are
//! kept as hashes, and for a week.

use banyan_governance::Time;
use banyan_store::rusqlite::{Connection, OptionalExtension, params};

use crate::error::{AssemblyError, Refusal};

/// Attempts before the first pause.
const FREE: u32 = 5;
/// Seconds of the first pause; each further one is twice as long.
const FIRST_PAUSE: i64 = 30;
/// The longest pause: two guesses a day are a tenth of all PINs with four digits in a year and a half.
const LONGEST_PAUSE: i64 = 12 * 3600;
/// After so long without an attempt they are forgotten.
const FORGOTTEN_AFTER: i64 = 7 * 86_400;

/// So many that went wrong at once, and in each hour: from one address, and in all.
const FROM_ADDRESS: f64 = 20.0;
const IN_ALL: f64 = 120.0;
/// Joining without an invitation, where everybody may.
const OPEN_JOINS: f64 = 60.0;

/// What an attempt is counted for.
pub(crate) struct Attempt {
    account: String,
    address: String,
}

impl Attempt {
    /// To sign in under this name (as it is compared) from this address.
    pub(crate) fn new(name_key: &str, from: &str) -> Self {
        let hash = |what: &str, text: &str| {
            let hash = blake3::derive_key("banyan attempts v1", text.as_bytes());
            format!("{what}:{}", blake3::Hash::from(hash).to_hex())
        };
        Self { account: hash("account", name_key), address: hash("address", from) }
    }

    /// Counts it; refused when it comes too soon.
    pub(crate) fn begin(&self, tx: &Connection, now: Time) -> Result<(), AssemblyError> {
        tx.execute("DELETE FROM attempts WHERE last < ?1", [now.0 - FORGOTTEN_AFTER])?;
        let (failures, last) = load(tx, &self.account, now)?;
        let until = last.saturating_add(pause_after(failures));
        if now.0 < until {
            return Err(Refusal::TooOften(Time(until)).into());
        }
        fill(tx, &self.address, FROM_ADDRESS, now)?;
        fill(tx, "all", IN_ALL, now)?;
        save(tx, &self.account, failures + 1.0, now)
    }

    /// It was the right secret.
    pub(crate) fn succeeded(&self, tx: &Connection) -> Result<(), AssemblyError> {
        self.forgive(tx)?;
        tx.execute(
            "UPDATE attempts SET level = max(0, level - 1) WHERE scope IN ('all', ?1)",
            [&self.address],
        )?;
        Ok(())
    }

    /// Forgets what went wrong with this account.
    pub(crate) fn forgive(&self, tx: &Connection) -> Result<(), AssemblyError> {
        tx.execute("DELETE FROM attempts WHERE scope = ?1", [&self.account])?;
        Ok(())
    }
}

/// Counts somebody who joins without an invitation.
pub(crate) fn open_join(tx: &Connection, now: Time) -> Result<(), AssemblyError> {
    fill(tx, "joins", OPEN_JOINS, now)
}

/// Seconds to wait after so many failures in a row.
fn pause_after(failures: f64) -> i64 {
    let beyond = failures - f64::from(FREE);
    if beyond < 0.0 {
        return 0;
    }
    let doublings = beyond.min(30.0) as u32;
    (FIRST_PAUSE << doublings).min(LONGEST_PAUSE)
}

/// One more into a bucket of this size that empties in an hour.
fn fill(tx: &Connection, scope: &str, size: f64, now: Time) -> Result<(), AssemblyError> {
    let (level, last) = load(tx, scope, now)?;
    let per_second = size / 3600.0;
    let level = (level - (now.0 - last) as f64 * per_second).max(0.0) + 1.0;
    if level > size {
        let wait = ((level - size) / per_second).ceil() as i64;
        return Err(Refusal::TooOften(Time(now.0 + wait.max(1))).into());
    }
    save(tx, scope, level, now)
}

/// How many, and when the last was. A clock that was set back does not make anybody wait for it to catch up.
fn load(tx: &Connection, scope: &str, now: Time) -> Result<(f64, i64), AssemblyError> {
    let found = tx
        .query_row("SELECT level, last FROM attempts WHERE scope = ?1", [scope], |row| {
            Ok((row.get::<_, f64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let (level, last) = found.unwrap_or((0.0, now.0));
    Ok((level, last.min(now.0)))
}

fn save(tx: &Connection, scope: &str, level: f64, now: Time) -> Result<(), AssemblyError> {
    let sql = "INSERT INTO attempts (scope, level, last) VALUES (?1, ?2, ?3)
               ON CONFLICT (scope) DO UPDATE SET level = excluded.level, last = excluded.last";
    tx.execute(sql, params![scope, level, now.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::ROOM.steps[0]).unwrap();
        connection
    }

    /// Until when it is refused.
    fn refused(result: Result<(), AssemblyError>) -> Option<i64> {
        match result {
            Ok(()) => None,
            Err(AssemblyError::Refused(Refusal::TooOften(until))) => Some(until.0),
            Err(other) => unreachable!("{other}"),
        }
    }

    #[test]
    fn whoever_guesses_without_pause_gets_some_hundreds_of_guesses_in_a_year() {
        let database = database();
        let attempt = Attempt::new("ana", "10.0.0.7");
        let (mut now, mut guesses) = (1_000_000_i64, 0);
        let end = now + 365 * 86_400;
        while now < end {
            match refused(attempt.begin(&database, Time(now))) {
                None => guesses += 1,
                Some(until) => now = until,
            }
        }
        assert!((700..800).contains(&guesses), "{guesses}");
    }

    #[test]
    fn a_mistyped_secret_costs_nothing_at_first_and_a_success_forgets_it() {
        let database = database();
        let attempt = Attempt::new("ana", "10.0.0.7");
        for _ in 0..3 {
            for _ in 0..FREE {
                assert_eq!(refused(attempt.begin(&database, Time(1000))), None);
            }
            assert_eq!(refused(attempt.begin(&database, Time(1000))), Some(1030));
            attempt.succeeded(&database).unwrap();
        }
    }

    #[test]
    fn one_secret_cannot_be_tried_on_every_account() {
        let database = database();
        let from_one = (0..500).filter(|n| {
            refused(Attempt::new(&n.to_string(), "10.0.0.7").begin(&database, Time(1000))).is_none()
        });
        assert_eq!(from_one.count(), 20);
        let from_many = (0..500).filter(|n| {
            refused(Attempt::new(&n.to_string(), &format!("10.0.1.{n}")).begin(&database, Time(1000)))
                .is_none()
        });
        assert_eq!(from_many.count(), 100);
        assert_eq!(refused(Attempt::new("x", "10.0.2.1").begin(&database, Time(1000 + 30))), None);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out_for_longer() {
        let database = database();
        let attempt = Attempt::new("ana", "10.0.0.7");
        for _ in 0..FREE {
            attempt.begin(&database, Time(1_000_000)).unwrap();
        }
        assert_eq!(refused(attempt.begin(&database, Time(10))), Some(40));
    }
}
