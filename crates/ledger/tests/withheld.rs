//! Texts that can be withdrawn, beside a ledger that stays whole.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use banyan_ledger::withheld::{conceal, erase, reveal, reveal_proved};
use banyan_ledger::{append, page, verify};
use common::{empty, key};

#[test]
fn an_erased_text_is_gone_and_the_ledger_that_names_it_verifies() {
    let mut connection = empty();
    let tx = connection.transaction().unwrap();
    let text = "Amina asked that this be taken back";
    let withheld = conceal(&tx, text).unwrap();
    let payload = serde_json::to_vec(&withheld).unwrap();
    append(&tx, &key(), 1, "report", &payload).unwrap();
    tx.commit().unwrap();
    assert_eq!(reveal(&connection, &withheld.id).unwrap().as_deref(), Some(text));
    assert_eq!(reveal_proved(&connection, &withheld).unwrap().as_deref(), Some(text));

    let tx = connection.transaction().unwrap();
    assert!(erase(&tx, &withheld.id).unwrap());
    assert!(!erase(&tx, &withheld.id).unwrap(), "once");
    tx.commit().unwrap();
    assert_eq!(reveal(&connection, &withheld.id).unwrap(), None);
    assert_eq!(verify(&connection, &key().public(), |_| ()).unwrap().entries, 1);
    let entry = page(&connection, None, 1).unwrap().remove(0);
    assert!(!String::from_utf8(entry.payload).unwrap().contains("Amina"));
}

#[test]
fn the_same_text_twice_has_two_hashes_so_that_nobody_can_guess_at_it() {
    let mut connection = empty();
    let tx = connection.transaction().unwrap();
    let (one, other) = (conceal(&tx, "yes").unwrap(), conceal(&tx, "yes").unwrap());
    assert_ne!(one.hash, other.hash);
    assert_ne!(one.id, other.id);
}

#[test]
fn a_text_that_was_exchanged_for_another_is_not_taken_for_the_one_in_the_ledger() {
    let mut connection = empty();
    let tx = connection.transaction().unwrap();
    let (one, other) = (conceal(&tx, "I object").unwrap(), conceal(&tx, "I agree").unwrap());
    // The rows as they are, under each other's name: neither opens.
    tx.execute("UPDATE withheld SET id = 'x' WHERE id = ?", [&one.id]).unwrap();
    tx.execute("UPDATE withheld SET id = ? WHERE id = ?", [&one.id, &other.id]).unwrap();
    assert!(reveal(&tx, &one.id).is_err());
    tx.execute("UPDATE withheld SET id = ? WHERE id = ?", [&other.id, &one.id]).unwrap();
    let mixed = banyan_ledger::withheld::Withheld { id: other.id.clone(), hash: one.hash };
    assert!(reveal_proved(&tx, &mixed).is_err());
    assert_eq!(reveal_proved(&tx, &other).unwrap().as_deref(), Some("I agree"));
}
