//! The exported ledger, verified without a database.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use std::fs;
use std::path::Path;

use banyan_identity::SigningKey;
use banyan_ledger::{VerifyError, countersign, export, head, head_of_file, verify_file};
use common::{add, break_in, key, ledger};
use proptest::prelude::*;

fn exported(entries: u64, countersigned: bool) -> Vec<u8> {
    let mut connection = ledger(entries);
    if countersigned {
        let steward = SigningKey::from_bytes(&[9; 32]);
        let seen = head(&connection).unwrap().unwrap().countersignature(&steward);
        let tx = connection.transaction().unwrap();
        countersign(&tx, &seen).unwrap();
        tx.commit().unwrap();
    }
    let mut file = Vec::new();
    assert_eq!(export(&connection, &key().public(), &mut file).unwrap(), entries);
    file
}

/// The number of the first bad entry in a file with this content; none when it is whole.
fn first_bad(path: &Path, content: &[u8]) -> Result<Option<u64>, VerifyError> {
    fs::write(path, content).unwrap();
    match verify_file(path, Some(&key().public()), &[], |_| ()) {
        Ok(_) => Ok(None),
        Err(VerifyError::Bad(bad)) => Ok(Some(bad.seq)),
        Err(other) => Err(other),
    }
}

#[test]
fn an_exported_ledger_verifies_on_its_own_and_says_who_signed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("banyan-ledger.jsonl");
    for entries in [0, 1, 7] {
        fs::write(&path, exported(entries, entries > 0)).unwrap();
        let file = verify_file(&path, None, &[], |_| ()).unwrap();
        assert_eq!((file.key, file.verified.entries), (key().public(), entries));
        assert_eq!(file.verified.countersigned.len() as u64, entries.min(1));
        assert_eq!(head_of_file(&path).unwrap(), file.verified.head);
    }
}

#[test]
fn the_form_of_the_file_stays() {
    let file = String::from_utf8(exported(1, false)).unwrap();
    let mut lines = file.lines();
    let header: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(header["format"], "banyan-ledger");
    assert_eq!(header["version"], 1);
    assert_eq!(header["entries"], 1);
    assert_eq!(header["key"], key().public().to_string());
    let entry: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(entry["payload"], r#"{"number":1,"what":"a \"rule\""}"#);
    assert_eq!(entry["hash"], header["head"]["hash"]);
    assert_eq!(lines.next(), None);
}

#[test]
fn lines_that_are_dropped_exchanged_doubled_or_cut_off_are_found_at_the_first_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.jsonl");
    let file = String::from_utf8(exported(5, true)).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    let check = |lines: &[&str], bad: Option<u64>, what: &str| {
        let found = first_bad(&path, (lines.join("\n") + "\n").as_bytes()).unwrap();
        assert_eq!(found, bad, "{what}");
    };
    check(&lines, None, "whole");
    for line in 1..=5 {
        let dropped = [&lines[..line], &lines[line + 1..]].concat();
        check(&dropped, Some(line as u64), "dropped");
        let doubled = [&lines[..=line], &lines[line..]].concat();
        check(&doubled, Some(line as u64 + 1), "doubled");
        check(&lines[..line], Some(line as u64), "cut off");
        for other in line + 1..=5 {
            let mut exchanged = lines.clone();
            exchanged.swap(line, other);
            check(&exchanged, Some(line as u64), "exchanged");
        }
    }
    let in_the_middle = file.len() - lines[6].len() - lines[5].len() / 2;
    assert_eq!(first_bad(&path, &file.as_bytes()[..in_the_middle]).unwrap(), Some(5));
}

#[test]
fn a_file_of_another_box_or_no_ledger_at_all_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.jsonl");
    fs::write(&path, exported(2, false)).unwrap();
    let stranger = SigningKey::from_bytes(&[8; 32]).public();
    assert!(matches!(verify_file(&path, Some(&stranger), &[], |_| ()), Err(VerifyError::OtherKey { .. })));
    // The header's key is exchanged too.
    let forged = String::from_utf8(exported(2, false))
        .unwrap()
        .replace(&key().public().to_string(), &stranger.to_string());
    fs::write(&path, forged).unwrap();
    let error = verify_file(&path, None, &[], |_| ()).unwrap_err();
    assert_eq!(error.first_bad().map(|bad| bad.seq), Some(1));
    for content in
        ["", "hello\n", "{}\n", "{\"format\":\"banyan-ledger\",\"version\":2,\"key\":\"\",\"entries\":0}\n"]
    {
        fs::write(&path, content).unwrap();
        let error = verify_file(&path, None, &[], |_| ()).unwrap_err();
        assert!(matches!(error, VerifyError::NotALedger { .. }), "{error}");
    }
    let missing = verify_file(&dir.path().join("missing"), None, &[], |_| ()).unwrap_err();
    assert!(matches!(missing, VerifyError::File { .. }), "{missing}");
}

#[test]
fn a_member_who_kept_an_older_file_sees_that_history_was_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut connection = ledger(3);
    let write = |connection: &_, name: &str| {
        export(connection, &key().public(), &mut fs::File::create(path(name)).unwrap()).unwrap();
    };
    write(&connection, "older");
    let known = head_of_file(&path("older")).unwrap().unwrap();
    add(&mut connection, &key(), 4);
    write(&connection, "newer");
    assert!(verify_file(&path("newer"), None, &[known], |_| ()).is_ok());
    break_in(&connection);
    connection.execute("DELETE FROM ledger WHERE seq >= 3", []).unwrap();
    write(&connection, "shorter");
    add(&mut connection, &key(), 33);
    add(&mut connection, &key(), 44);
    write(&connection, "anew");
    for name in ["shorter", "anew"] {
        assert!(verify_file(&path(name), None, &[], |_| ()).is_ok(), "on its own it is a ledger");
        let error = verify_file(&path(name), None, &[known], |_| ()).unwrap_err();
        assert_eq!(error.first_bad().map(|bad| bad.seq), Some(3), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_flipped_bit_of_a_file_is_found_in_its_line(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let dir = tempfile::tempdir().unwrap();
        let mut file = exported(3, true);
        let place = place.index(file.len());
        let line = file[..place].iter().filter(|byte| **byte == b'\n').count() as u64;
        file[place] ^= 1 << bit;
        match (line, first_bad(&dir.path().join("ledger.jsonl"), &file)) {
            (_, Ok(None)) => prop_assert!(false, "bit {} of byte {} is not noticed", bit, place),
            // The header, and the countersignature, which may come to speak of any entry.
            (0, _) | (4, Ok(Some(_))) => {}
            (line, Ok(Some(seq))) => prop_assert_eq!(seq, line),
            (_, Err(error)) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn whatever_a_file_holds_is_answered_in_words(lines in proptest::collection::vec(".*", 0..8)) {
        let dir = tempfile::tempdir().unwrap();
        let header = String::from_utf8(exported(0, false)).unwrap();
        let content = header + &lines.join("\n");
        let whole = first_bad(&dir.path().join("ledger.jsonl"), content.as_bytes()).unwrap().is_none();
        prop_assert_eq!(whole, lines.join("\n").is_empty());
    }
}
