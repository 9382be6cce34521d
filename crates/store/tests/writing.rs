//! Many at once: each change is kept whole or undone whole, whatever happens to those that share its transaction.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::collections::BTreeSet;

use banyan_store::{Room, Store, StoreError, StoreKey};
use proptest::prelude::*;

const ROOM: Room = Room {
    name: "marks",
    steps: &["CREATE TABLE marks (id INTEGER PRIMARY KEY, half INTEGER UNIQUE) STRICT"],
};

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(dir.path(), &StoreKey::from_bytes([1; 32]), &[ROOM]).unwrap()
}

fn marks(store: &Store) -> BTreeSet<i64> {
    let ids = store.read_blocking(|c| -> Result<BTreeSet<i64>, StoreError> {
        let mut rows = c.prepare("SELECT id FROM marks")?;
        let ids = rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(ids)
    });
    ids.unwrap()
}

/// What a change does after it has written something.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Keeps,
    Refuses,
    Panics,
    BreaksARule,
}

#[derive(Debug, PartialEq)]
enum Failure {
    Refused,
    Store,
}

impl From<StoreError> for Failure {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

async fn change(store: Store, id: i64, ending: Ending) -> (i64, Result<(), Failure>) {
    let result = store.write(move |tx| {
        let written = tx.execute("INSERT INTO marks (id) VALUES (?1)", [id]);
        written.map_err(StoreError::from)?;
        match ending {
            Ending::Keeps => Ok(()),
            Ending::Refuses => Err(Failure::Refused),
            Ending::Panics => panic!("a mistake, on purpose"),
            Ending::BreaksARule => {
                let broken = tx.execute("INSERT INTO marks (id) VALUES (?1)", [id]);
                broken.map(|_| ()).map_err(|error| StoreError::from(error).into())
            }
        }
    });
    (id, result.await)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_is_there_and_nothing_else(
        endings in prop::collection::vec(
            prop_oneof![
                4 => Just(Ending::Keeps), 1 => Just(Ending::Refuses), 1 => Just(Ending::Panics), 1 => Just(Ending::BreaksARule)
            ],
            1..120,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let kept: BTreeSet<i64> = runtime().block_on(async {
            let under_way: Vec<_> = endings.iter().enumerate().map(|(id, ending)| {
                tokio::spawn(change(store.clone(), i64::try_from(id).unwrap(), *ending))
            }).collect();
            let mut kept = BTreeSet::new();
            for change in under_way {
                let (id, result) = change.await.unwrap();
                let expected = match endings[usize::try_from(id).unwrap()] {
                    Ending::Keeps => { kept.insert(id); Ok(()) }
                    Ending::Refuses => Err(Failure::Refused),
                    Ending::Panics | Ending::BreaksARule => Err(Failure::Store),
                };
                assert_eq!(result, expected);
            }
            kept
        });
        prop_assert_eq!(&marks(&store), &kept);
        drop(store);
        prop_assert_eq!(marks(&open(&dir)), kept);
    }
}

#[test]
fn who_reads_after_an_acknowledgement_sees_the_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    runtime().block_on(async {
        for id in 0..200 {
            assert_eq!(change(store.clone(), id, Ending::Keeps).await.1, Ok(()));
            let seen = store.read(move |c| -> Result<i64, StoreError> {
                Ok(c.query_row("SELECT count(*) FROM marks WHERE id = ?1", [id], |row| row.get(0))?)
            });
            assert_eq!(seen.await.unwrap(), 1);
        }
    });
}

#[test]
fn a_read_sees_one_moment_and_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let writes = store.clone();
    let counts = store.read_blocking(move |c| -> Result<(i64, i64), StoreError> {
        let count = || c.query_row("SELECT count(*) FROM marks", [], |row| row.get::<_, i64>(0));
        let before = count()?;
        writes.write_blocking(|tx| {
            tx.execute("INSERT INTO marks (id) VALUES (1)", []).map_err(StoreError::from)
        })?;
        Ok((before, count()?))
    });
    assert_eq!(counts.unwrap(), (0, 0));
    assert_eq!(marks(&store).len(), 1);
    let refused = store.read_blocking(|c| c.execute("DELETE FROM marks", []).map_err(StoreError::from));
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
}

#[test]
fn a_panic_while_reading_is_an_error_and_reading_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for _ in 0..10 {
        let result = store.read_blocking(|_| -> Result<(), StoreError> { panic!("a mistake, on purpose") });
        assert!(matches!(result, Err(StoreError::Panicked)));
    }
    assert!(marks(&store).is_empty());
}

#[test]
fn a_change_is_made_also_when_nobody_waits_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    runtime().block_on(async {
        let under_way = change(store.clone(), 7, Ending::Keeps);
        // Polled once, then dropped.
        let _ = tokio::time::timeout(std::time::Duration::ZERO, under_way).await;
    });
    drop(store);
    assert_eq!(marks(&open(&dir)), BTreeSet::from([7]));
}

#[test]
fn two_stores_on_one_folder_in_one_process_do_not_hurt_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(&dir);
    let second = open(&dir);
    for id in 0..20 {
        let store = if id % 2 == 0 { &first } else { &second };
        store
            .write_blocking(move |tx| {
                tx.execute("INSERT INTO marks (id) VALUES (?1)", [id]).map_err(StoreError::from)
            })
            .unwrap();
    }
    drop(first);
    assert_eq!(marks(&second).len(), 20);
}
