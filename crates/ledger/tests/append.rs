//! What may go into the ledger, and what the database itself refuses.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use banyan_identity::SigningKey;
use banyan_ledger::{LedgerError, append, entry, head, page, verify};
use common::{add, empty, key, ledger};
use proptest::prelude::*;

#[test]
fn entries_are_numbered_from_one_and_chained() {
    let mut connection = empty();
    assert_eq!(head(&connection).unwrap(), None);
    let (first, second) = (add(&mut connection, &key(), 1), add(&mut connection, &key(), 2));
    assert_eq!((first.seq, second.seq), (1, 2));
    assert_eq!(second.previous, first.hash);
    assert_eq!(entry(&connection, 2).unwrap(), Some(second.clone()));
    assert_eq!(entry(&connection, 3).unwrap(), None);
    assert_eq!(head(&connection).unwrap().unwrap().hash, second.hash);
    assert_eq!(page(&connection, None, 10).unwrap(), [second, first.clone()]);
    assert_eq!(page(&connection, Some(2), 10).unwrap(), [first]);
}

#[test]
fn an_entry_whose_change_is_undone_was_never_there() {
    let mut connection = ledger(3);
    let tx = connection.transaction().unwrap();
    append(&tx, &key(), 0, "decision", b"{}").unwrap();
    tx.rollback().unwrap();
    assert_eq!(add(&mut connection, &key(), 4).seq, 4);
    assert_eq!(verify(&connection, &key().public(), |_| ()).unwrap().entries, 4);
}

#[test]
fn the_database_refuses_to_change_delete_replace_or_skip_an_entry() {
    let connection = ledger(3);
    for statement in [
        "UPDATE ledger SET time = 0 WHERE seq = 2",
        "UPDATE ledger SET payload = payload",
        "DELETE FROM ledger WHERE seq = 3",
        "DELETE FROM ledger",
        "INSERT OR REPLACE INTO ledger SELECT seq, 0, kind, payload, previous, hash, signature FROM ledger WHERE seq = 2",
        "REPLACE INTO ledger SELECT seq, 0, kind, payload, previous, hash, signature FROM ledger WHERE seq = 3",
        "INSERT INTO ledger SELECT seq + 5, time, kind, payload, previous, hash, signature FROM ledger WHERE seq = 3",
        "UPDATE OR REPLACE ledger SET seq = 1 WHERE seq = 2",
    ] {
        let error = connection.execute(statement, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
    assert_eq!(verify(&connection, &key().public(), |_| ()).unwrap().entries, 3);
}

#[test]
fn what_is_no_json_or_too_much_or_of_no_kind_is_refused_and_nothing_is_written() {
    let mut connection = ledger(1);
    let large = format!("\"{}\"", "x".repeat(banyan_ledger::MAX_PAYLOAD));
    for (kind, payload) in [
        ("decision", "not json"),
        ("decision", ""),
        ("decision", "{} {}"),
        ("decision", large.as_str()),
        ("", "{}"),
        ("Decision", "{}"),
        ("a decision", "{}"),
    ] {
        let tx = connection.transaction().unwrap();
        let error = append(&tx, &key(), 0, kind, payload.as_bytes()).unwrap_err();
        assert!(matches!(error, LedgerError::Payload(_) | LedgerError::Kind(_)), "{kind}: {error}");
        drop(tx);
    }
    assert_eq!(page(&connection, None, 10).unwrap().len(), 1);
}

#[test]
fn a_box_with_another_key_does_not_go_on_with_the_ledger() {
    let mut connection = ledger(2);
    let tx = connection.transaction().unwrap();
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let error = append(&tx, &stranger, 0, "decision", b"{}").unwrap_err();
    assert!(matches!(error, LedgerError::OtherKey(key) if key == stranger.public()), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Against a plain list: transactions that are committed or undone, of one or more entries.
    #[test]
    fn the_ledger_has_what_was_committed_in_that_order_and_verifies(
        changes in proptest::collection::vec((any::<bool>(), proptest::collection::vec((any::<i64>(), "[a-z_]{1,40}", ".*"), 1..4)), 0..12),
    ) {
        let mut connection = empty();
        let mut model = Vec::new();
        for (commits, entries) in changes {
            let tx = connection.transaction().unwrap();
            let mut made = Vec::new();
            for (time, kind, text) in entries {
                let payload = serde_json::to_vec(&text).unwrap();
                made.push(append(&tx, &key(), time, &kind, &payload).unwrap());
            }
            if commits {
                tx.commit().unwrap();
                model.extend(made);
            }
        }
        prop_assert_eq!(verify(&connection, &key().public(), |_| ()).unwrap().entries, model.len() as u64);
        let mut all = page(&connection, None, 100).unwrap();
        all.reverse();
        prop_assert_eq!(all, model);
    }
}
