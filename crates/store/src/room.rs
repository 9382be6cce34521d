//! Numbered migrations, one list for each room above.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::error::StoreError;

/// What one room above keeps here.
///
/// Version n is reached by the first n steps. A step that was released is never changed again; what is to be different
/// comes as a new step at the end. Each step is SQL; all that are needed run in one transaction with foreign keys in
/// force (a step that rebuilds a table begins with `PRAGMA defer_foreign_keys = ON`).
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// What the room is called; never changed.
    pub name: &'static str,
    /// The steps, oldest first.
    pub steps: &'static [&'static str],
}

impl Room {
    fn version(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}

/// Brings every room to its newest version: all of them or none. Writes nothing when they are there already.
pub(crate) fn migrate(connection: &mut Connection, rooms: &[Room]) -> Result<(), StoreError> {
    if plan(connection, rooms)?.is_empty() {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    )?;
    // Again: another process may have been first.
    for (room, from) in plan(&tx, rooms)? {
        run(&tx, room, from)?;
    }
    tx.commit()?;
    Ok(())
}

/// Refuses what a newer program wrote; changes nothing.
pub(crate) fn refuse_newer(connection: &Connection, rooms: &[Room]) -> Result<(), StoreError> {
    plan(connection, rooms).map(|_| ())
}

/// Which rooms are behind, and at which version they are. Refuses what a newer program wrote.
fn plan<'r>(connection: &Connection, rooms: &'r [Room]) -> Result<Vec<(&'r Room, u32)>, StoreError> {
    let has_rooms = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'rooms'")?
        .exists([])?;
    let mut behind = Vec::new();
    for room in rooms {
        let query = "SELECT version FROM rooms WHERE name = ?1";
        let found: Option<u32> = match has_rooms {
            true => connection.query_row(query, [room.name], |row| row.get(0)).optional()?,
            false => None,
        };
        let (found, known) = (found.unwrap_or(0), room.version());
        if found > known {
            return Err(StoreError::Newer { room: room.name.to_owned(), found, known });
        }
        if found < known {
            behind.push((room, found));
        }
    }
    Ok(behind)
}

fn run(tx: &Transaction<'_>, room: &Room, from: u32) -> Result<(), StoreError> {
    for (step, sql) in (1..).zip(room.steps).skip(from as usize) {
        let failed = |reason: String| StoreError::Migration { room: room.name.to_owned(), step, reason };
        tx.execute_batch(sql).map_err(|error| match StoreError::from(error) {
            // A mistake in the step. A full disk stays a full disk.
            StoreError::Sql(error) => failed(error.to_string()),
            other => other,
        })?;
        if tx.prepare("PRAGMA foreign_key_check")?.exists([])? {
            return Err(failed("it leaves rows that refer to nothing".to_owned()));
        }
    }
    tx.execute(
        "INSERT INTO rooms (name, version) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
        (room.name, room.version()),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, StoreKey};

    const ONE: &str = "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT";
    const TWO: &str = "ALTER TABLE things ADD COLUMN weight INTEGER NOT NULL DEFAULT 1";
    const THREE: &str = "CREATE INDEX things_by_weight ON things (weight)";
    const BROKEN: &str = "CREATE TABLE other (id INTEGER PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES (1)";

    fn things(steps: &'static [&'static str]) -> Room {
        Room { name: "things", steps }
    }

    #[test]
    fn every_earlier_version_comes_to_the_same_newest_one_and_keeps_its_rows() {
        let key = StoreKey::from_bytes([1; 32]);
        const ALL: &[&str] = &[ONE, TWO, THREE];
        for earlier in 1..ALL.len() {
            let dir = tempfile::tempdir().unwrap();
            let old = Store::open(dir.path(), &key, &[things(&ALL[..earlier])]).unwrap();
            old.write_blocking(|tx| {
                tx.execute("INSERT INTO things (name) VALUES ('spade')", []).map_err(StoreError::from)
            })
            .unwrap();
            drop(old);
            let new = Store::open(dir.path(), &key, &[things(ALL)]).unwrap();
            let row = new.read_blocking(|c| -> Result<(String, i64), StoreError> {
                Ok(c.query_row("SELECT name, weight FROM things", [], |row| Ok((row.get(0)?, row.get(1)?)))?)
            });
            assert_eq!(row.unwrap(), ("spade".to_owned(), 1), "from version {earlier}");
        }
        crate::testing::check_upwards(&things(ALL)).unwrap();
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused_in_words_and_left_alone() {
        let (dir, key) = (tempfile::tempdir().unwrap(), StoreKey::from_bytes([1; 32]));
        drop(Store::open(dir.path(), &key, &[things(&[ONE, TWO])]).unwrap());
        let error = Store::open(dir.path(), &key, &[things(&[ONE])]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("install the banyan that wrote it"), "{error}");
        Store::open(dir.path(), &key, &[things(&[ONE, TWO])]).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_every_room_as_it_was() {
        let (dir, key) = (tempfile::tempdir().unwrap(), StoreKey::from_bytes([1; 32]));
        drop(Store::open(dir.path(), &key, &[things(&[ONE])]).unwrap());
        let first = Room { name: "first", steps: &["CREATE TABLE first (id INTEGER) STRICT"] };
        let error = Store::open(dir.path(), &key, &[first, things(&[ONE, BROKEN])]).unwrap_err();
        assert!(matches!(&error, StoreError::Migration { step: 2, room, .. } if room == "things"), "{error}");
        let store = Store::open(dir.path(), &key, &[things(&[ONE])]).unwrap();
        let tables = store.read_blocking(|c| -> Result<i64, StoreError> {
            Ok(c.query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name IN ('first', 'other')",
                [],
                |row| row.get(0),
            )?)
        });
        assert_eq!(tables.unwrap(), 0);
    }

    #[test]
    fn a_step_that_leaves_rows_referring_to_nothing_is_undone() {
        let (dir, key) = (tempfile::tempdir().unwrap(), StoreKey::from_bytes([1; 32]));
        const ORPHANS: &str = "PRAGMA defer_foreign_keys = ON; CREATE TABLE parts (thing INTEGER REFERENCES things (id)) \
                               STRICT; INSERT INTO parts VALUES (7)";
        let error = Store::open(dir.path(), &key, &[things(&[ONE, ORPHANS])]).unwrap_err();
        assert!(error.to_string().contains("refer to nothing"), "{error}");
    }
}
