//! A ledger to try things on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests; a failure here is a failed test")]
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its own part")]

use banyan_identity::SigningKey;
use banyan_ledger::{Entry, append};
use banyan_store::rusqlite::Connection;

pub const BEGAN: i64 = 1_790_000_000;

pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// An empty ledger in memory.
pub fn empty() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for step in banyan_ledger::ROOM.steps {
        connection.execute_batch(step).unwrap();
    }
    connection
}

/// A ledger with so many entries.
pub fn ledger(entries: u64) -> Connection {
    let mut connection = empty();
    for number in 1..=entries {
        add(&mut connection, &key(), number);
    }
    connection
}

/// One more entry.
pub fn add(connection: &mut Connection, key: &SigningKey, number: u64) -> Entry {
    let tx = connection.transaction().unwrap();
    let payload = format!(r#"{{"number":{number},"what":"a \"rule\""}}"#);
    let entry = append(&tx, key, BEGAN + number as i64, "decision", payload.as_bytes()).unwrap();
    tx.commit().unwrap();
    entry
}

/// Somebody who has the store's key, and takes the locks off.
pub fn break_in(connection: &Connection) {
    let triggers: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    connection.execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF").unwrap();
}
