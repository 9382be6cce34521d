//! For the tests of the rooms above.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::room::{Room, migrate};

/// Builds every earlier version of a room, brings each to the newest, and compares its tables, indexes and triggers
/// with those of a new database. The error names the first that differs.
pub fn check_upwards(room: &Room) -> Result<(), StoreError> {
    let newest = schema(&at(room, room.steps.len(), None)?)?;
    for earlier in 0..room.steps.len() {
        let migrated = schema(&at(room, room.steps.len(), Some(earlier))?)?;
        if migrated != newest {
            let reason = format!("from version {earlier} it becomes {migrated:#?} instead of {newest:#?}");
            let step = u32::try_from(room.steps.len()).unwrap_or(u32::MAX);
            return Err(StoreError::Migration { room: room.name.to_owned(), step, reason });
        }
    }
    Ok(())
}

/// A database in memory with a room at a version, by way of an earlier one.
fn at(room: &Room, version: usize, earlier: Option<usize>) -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch("PRAGMA foreign_keys = ON")?;
    for steps in [earlier.unwrap_or(version), version] {
        migrate(&mut connection, &[Room { name: room.name, steps: &room.steps[..steps] }])?;
    }
    Ok(connection)
}

fn schema(connection: &Connection) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
