//! A process that writes is killed at a random moment, again and again, on one real file. What it said was written is
//! there; what it did not say is there whole or not at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use banyan_store::{Room, Store, StoreError, StoreKey};

/// Each change writes a pair of rows, so that half of one would be seen.
const ROOM: Room = Room {
    name: "crash",
    steps: &["CREATE TABLE halves (round INTEGER, writer INTEGER, number INTEGER, half INTEGER, text TEXT,
              PRIMARY KEY (round, writer, number, half)) STRICT"],
};
const FOLDER: &str = "BANYAN_TEST_STORE";
const ROUND: &str = "BANYAN_TEST_ROUND";
const WRITERS: i64 = 6;

fn key() -> StoreKey {
    StoreKey::from_bytes([42; 32])
}

/// What the killed process runs: not a test of its own.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn write_until_killed() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else { return };
    let round: i64 = round.parse().unwrap();
    let store = Store::open(Path::new(&folder), &key(), &[ROOM]).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for number in 0_i64.. {
                    let text = "x".repeat(usize::try_from(number * 37 % 3000).unwrap());
                    store
                        .write_blocking(move |tx| -> Result<(), StoreError> {
                            for half in [0, 1] {
                                tx.execute(
                                    "INSERT INTO halves VALUES (?1, ?2, ?3, ?4, ?5)",
                                    (round, writer, number, half, &text),
                                )?;
                            }
                            Ok(())
                        })
                        .unwrap();
                    // One write call a line, so that a kill does not cut one.
                    std::io::stdout()
                        .lock()
                        .write_all(format!("wrote {writer} {number}\n").as_bytes())
                        .unwrap();
                }
            });
        }
    });
}

fn start(folder: &Path, round: i64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "write_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..12 {
        let mut child = start(dir.path(), round);
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let words = output.lines().map_while(Result::ok);
            let pairs = words.filter_map(|line| {
                let (writer, number) = line.split_once("wrote ")?.1.split_once(' ')?;
                Some((writer.parse::<i64>().ok()?, number.parse::<i64>().ok()?))
            });
            pairs.collect::<Vec<_>>()
        });
        // From before the database is there to many changes later.
        std::thread::sleep(Duration::from_millis(
            [5, 30, 80, 150, 400, 700][usize::try_from(round % 6).unwrap()],
        ));
        // SIGKILL: no handler, no clean-up.
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged
            .extend(reader.join().unwrap().into_iter().map(|(writer, number)| (round, writer, number)));

        let store = Store::open(dir.path(), &key(), &[ROOM]).unwrap();
        let found = store.read_blocking(|c| -> Result<Vec<(i64, i64, i64, i64)>, StoreError> {
            let mut rows =
                c.prepare("SELECT round, writer, number, count(*) FROM halves GROUP BY 1, 2, 3")?;
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        let found = found.unwrap();
        assert!(found.iter().all(|(.., halves)| *halves == 2), "half a change was kept");
        let found: BTreeSet<_> =
            found.into_iter().map(|(round, writer, number, _)| (round, writer, number)).collect();
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        assert!(found.len() - acknowledged.len() <= usize::try_from((round + 1) * WRITERS).unwrap());
    }
    assert!(acknowledged.len() > 50, "only {} changes: the test shows little", acknowledged.len());
}

/// What the other process runs: opens the store, looks, and closes it in good order.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn open_and_close() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    drop(Store::open(Path::new(&folder), &key(), &[ROOM]).unwrap());
}

/// Who closes a database last writes its log back and removes it; a command that comes and goes must not take itself
/// for the last one.
#[test]
fn a_process_that_opens_and_closes_the_store_takes_nothing_from_the_one_that_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &key(), &[ROOM]).unwrap();
    let add = |number: i64| {
        let added = store.write_blocking(move |tx| {
            tx.execute("INSERT INTO halves VALUES (0, 0, ?1, 0, '')", [number]).map_err(StoreError::from)
        });
        added.unwrap();
    };
    for round in 0..3 {
        add(round * 2);
        drop(Store::open(dir.path(), &key(), &[ROOM]).unwrap());
        assert!(Store::is_key_of(dir.path(), &key()).unwrap());
        let mut other = Command::new(std::env::current_exe().unwrap());
        other.args(["--exact", "open_and_close", "--ignored"]).env(FOLDER, dir.path()).stdout(Stdio::null());
        assert!(other.status().unwrap().success());
        add(round * 2 + 1);
    }
    // As a crash leaves it: what counts is in the files, not in our memory.
    let copy = tempfile::tempdir().unwrap();
    for name in ["banyan.db", "banyan.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let found =
        Store::open(copy.path(), &key(), &[ROOM]).unwrap().read_blocking(|c| -> Result<i64, StoreError> {
            Ok(c.query_row("SELECT count(*) FROM halves", [], |row| row.get(0))?)
        });
    assert_eq!(found.unwrap(), 6);
}
