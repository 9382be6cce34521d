//! Whoever has the store's key can change the database; verifying names the first bad entry.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use banyan_identity::{Domain, PublicKey, SigningKey};
use banyan_ledger::{
    Countersignature, Head, LedgerError, countersign, countersignatures, head, verify, verify_against,
};
use banyan_store::rusqlite::{Connection, params};
use common::{add, break_in, key, ledger};

/// The first bad entry; none when the ledger is whole.
fn first_bad(connection: &Connection, known: &[Head]) -> Option<u64> {
    match verify_against(connection, &key().public(), known, |_| ()) {
        Ok(_) => None,
        Err(error) => Some(error.first_bad().unwrap_or_else(|| panic!("{error}")).seq),
    }
}

/// Tries a change and takes it back.
fn after(connection: &Connection, change: impl FnOnce(&Connection) -> bool) -> Option<Option<u64>> {
    connection.execute_batch("SAVEPOINT before").unwrap();
    let found = change(connection).then(|| first_bad(connection, &[]));
    connection.execute_batch("ROLLBACK TO before; RELEASE before").unwrap();
    found
}

#[test]
fn a_whole_ledger_is_whole() {
    let connection = ledger(5);
    let mut seen = 0;
    let verified = verify(&connection, &key().public(), |entries| seen = entries).unwrap();
    assert_eq!((verified.entries, verified.head), (5, head(&connection).unwrap()));
    assert_eq!(verify(&common::empty(), &key().public(), |_| ()).unwrap().entries, 0);
}

#[test]
fn every_flipped_bit_of_every_row_is_found_at_its_entry() {
    const ENTRIES: i64 = 4;
    let connection = ledger(ENTRIES as u64);
    break_in(&connection);
    let mut flips = 0;
    for seq in 1..=ENTRIES {
        for bit in 0..64 {
            let flipped = seq ^ (1 << bit);
            let update =
                |c: &Connection| c.execute("UPDATE ledger SET seq = ? WHERE seq = ?", [flipped, seq]).is_ok();
            // A number that another entry has cannot be taken. Whatever goes below 1 stands before all others.
            if let Some(found) = after(&connection, update) {
                assert_eq!(
                    found,
                    Some(if flipped < 1 { 1 } else { seq as u64 }),
                    "number {seq} became {flipped}"
                );
                flips += 1;
            }
            let update = |c: &Connection| {
                c.execute(
                    "UPDATE ledger SET time = (time | ?1) - (time & ?1) WHERE seq = ?2",
                    [1_i64 << bit, seq],
                )
                .is_ok()
            };
            assert_eq!(after(&connection, update), Some(Some(seq as u64)), "bit {bit} of the time of {seq}");
            flips += 1;
        }
        for column in ["kind", "payload", "previous", "hash", "signature"] {
            let sql = format!("SELECT CAST({column} AS BLOB) FROM ledger WHERE seq = ?");
            let bytes: Vec<u8> = connection.query_row(&sql, [seq], |row| row.get(0)).unwrap();
            let value = if column == "kind" { "CAST(? AS TEXT)" } else { "?" };
            let sql = format!("UPDATE ledger SET {column} = {value} WHERE seq = ?");
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let found = after(&connection, |c| c.execute(&sql, params![flipped, seq]).is_ok());
                assert_eq!(found, Some(Some(seq as u64)), "bit {bit} of {column} of entry {seq}");
                flips += 1;
            }
        }
    }
    assert!(flips > 4 * 1300, "{flips} flips only");
    assert_eq!(first_bad(&connection, &[]), None, "everything was taken back");
}

#[test]
fn a_dropped_entry_is_missed_and_the_last_one_by_whoever_saw_it() {
    let connection = ledger(6);
    let seen = head(&connection).unwrap().unwrap();
    break_in(&connection);
    for seq in 1..6 {
        let found = after(&connection, |c| c.execute("DELETE FROM ledger WHERE seq = ?", [seq]).is_ok());
        assert_eq!(found, Some(Some(seq as u64)));
    }
    connection.execute("DELETE FROM ledger WHERE seq > 4", []).unwrap();
    assert_eq!(first_bad(&connection, &[]), None, "a shorter ledger is a ledger");
    assert_eq!(first_bad(&connection, &[seen]), Some(5), "but not the one that was seen");
}

#[test]
fn entries_that_changed_places_are_found_at_the_first_of_them() {
    let connection = ledger(5);
    break_in(&connection);
    for first in 1..=5_i64 {
        for second in first + 1..=5 {
            let exchange = |c: &Connection| {
                [(first, 100), (second, first), (100, second)].into_iter().all(|(from, to)| {
                    c.execute("UPDATE ledger SET seq = ? WHERE seq = ?", [to, from]).is_ok()
                })
            };
            assert_eq!(after(&connection, exchange), Some(Some(first as u64)), "{first} and {second}");
        }
    }
}

#[test]
fn an_inserted_entry_is_found_whatever_it_pretends() {
    let connection = ledger(5);
    break_in(&connection);
    for place in 1..=5_i64 {
        // A copy of an entry, with all that come after it moved up by one.
        let insert = |c: &Connection| {
            c.execute("UPDATE ledger SET seq = seq + 1000 WHERE seq >= ?", [place]).is_ok()
                && c.execute("UPDATE ledger SET seq = seq - 999 WHERE seq >= 1000", []).is_ok()
                && c.execute(
                    "INSERT INTO ledger SELECT ?1, time, kind, payload, previous, hash, signature FROM ledger WHERE seq = ?1 + 1",
                    [place],
                )
                .is_ok()
        };
        // The copy is entry `place` itself, so the first that is not what was signed comes after it.
        assert_eq!(after(&connection, insert), Some(Some(place as u64 + 1)));
    }
}

#[test]
fn an_entry_that_the_box_did_not_sign_is_found_though_its_hashes_fit() {
    let mut connection = ledger(3);
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let mut forged = add(&mut connection, &key(), 4);
    break_in(&connection);
    forged.payload = b"{}".to_vec();
    let hash = forged.computed_hash();
    for signature in [
        stranger.sign(banyan_ledger::ENTRY, &hash),
        key().sign(Domain::new("ledger head v1"), &hash),
        forged.signature,
    ] {
        let forge = |c: &Connection| {
            let sql = "UPDATE ledger SET payload = ?, hash = ?, signature = ? WHERE seq = 4";
            c.execute(sql, params![forged.payload, hash, signature.as_bytes()]).is_ok()
        };
        assert_eq!(after(&connection, forge), Some(Some(4)));
    }
}

/// Each entry is signed by the box; but they are of two histories.
#[test]
fn entries_that_the_box_signed_in_another_history_do_not_follow() {
    let mut connection = ledger(1);
    let mut other = ledger(1);
    for number in 2..=5 {
        add(&mut connection, &key(), number);
        add(&mut other, &key(), number + 100);
    }
    break_in(&connection);
    for seq in 2..=5 {
        let there = banyan_ledger::entry(&other, seq).unwrap().unwrap();
        let splice = |c: &Connection| {
            let sql = "UPDATE ledger SET time = ?, payload = ?, previous = ?, hash = ?, signature = ? WHERE seq = ?";
            let signature = there.signature.as_bytes();
            c.execute(
                sql,
                params![there.time, there.payload, there.previous, there.hash, signature, seq as i64],
            )
            .is_ok()
        };
        // Entry 2 follows in both histories, so what comes after it does not.
        let bad = if seq == 2 { 3 } else { seq };
        assert_eq!(after(&connection, splice), Some(Some(bad)), "entry {seq} of the other history");
    }
}

#[test]
fn the_first_bad_entry_is_named_also_when_a_later_one_breaks_the_chain() {
    let connection = ledger(6);
    break_in(&connection);
    connection.execute("UPDATE ledger SET signature = zeroblob(64) WHERE seq = 2", []).unwrap();
    connection.execute("DELETE FROM ledger WHERE seq = 5", []).unwrap();
    assert_eq!(first_bad(&connection, &[]), Some(2));
}

#[test]
fn another_boxs_key_does_not_verify_and_is_told_at_the_first_entry() {
    let connection = ledger(2);
    let error = verify(&connection, &SigningKey::from_bytes(&[8; 32]).public(), |_| ()).unwrap_err();
    assert_eq!(error.first_bad().map(|bad| bad.seq), Some(1));
}

#[test]
fn a_ledger_written_anew_by_the_box_itself_does_not_pass_whoever_countersigned() {
    let steward = SigningKey::from_bytes(&[9; 32]);
    let mut connection = ledger(4);
    let seen = head(&connection).unwrap().unwrap();
    let countersignature = seen.countersignature(&steward);
    let tx = connection.transaction().unwrap();
    countersign(&tx, &countersignature).unwrap();
    tx.commit().unwrap();
    let verified = verify(&connection, &key().public(), |_| ()).unwrap();
    assert_eq!(verified.countersigned, [countersignature]);
    add(&mut connection, &key(), 5);
    assert_eq!(first_bad(&connection, &[]), None);

    // Everything from entry 3 on is written anew with the box's own key, as somebody with the whole box could.
    break_in(&connection);
    connection.execute("DELETE FROM ledger WHERE seq > 2", []).unwrap();
    assert_eq!(first_bad(&connection, &[]), Some(3), "cut off below what was countersigned");
    for number in [13, 14, 15] {
        add(&mut connection, &key(), number);
    }
    assert_eq!(first_bad(&connection, &[]), Some(4));
    assert_eq!(first_bad(&connection, &[seen]), Some(4));
}

#[test]
fn only_a_right_countersignature_is_kept_and_each_once() {
    let steward = SigningKey::from_bytes(&[9; 32]);
    let mut connection = ledger(2);
    let seen = head(&connection).unwrap().unwrap();
    let right = seen.countersignature(&steward);
    let wrong = [
        Countersignature { seq: 1, ..right },
        Countersignature { signer: PublicKey::from_bytes([3; 32]), ..right },
        Countersignature { signature: seen.signature, ..right },
    ];
    let tx = connection.transaction().unwrap();
    for wrong in &wrong {
        assert!(matches!(countersign(&tx, wrong), Err(LedgerError::Identity(_))));
    }
    assert!(matches!(countersign(&tx, &Countersignature { seq: 3, ..right }), Err(LedgerError::NoEntry(3))));
    countersign(&tx, &right).unwrap();
    assert!(countersign(&tx, &right).is_err());
    tx.commit().unwrap();
    for statement in ["DELETE FROM ledger_countersignatures", "UPDATE ledger_countersignatures SET seq = 1"] {
        assert!(connection.execute(statement, []).is_err(), "{statement}");
    }
    assert_eq!(countersignatures(&connection).unwrap(), [right]);
}
