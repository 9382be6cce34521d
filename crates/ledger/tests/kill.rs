//! A process dies at any instruction: several append to one real file and are killed without warning.
//! What was acknowledged is there, and the chain is whole.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use banyan_identity::{SigningKey, to_hex};
use banyan_ledger::{LedgerError, ROOM, append, entry, verify};
use banyan_store::{Room, Store, StoreKey};

/// Says to a child where the store is.
const STORE: &str = "BANYAN_LEDGER_TEST_STORE";
const PROCESSES: usize = 3;
/// The test goes on until there are so many entries and so many kills.
const ACKNOWLEDGED: usize = 1000;
const KILLS: usize = 20;

/// The change that each entry records: entry and change are there together or not at all.
const CHANGES: Room =
    Room { name: "changes", steps: &["CREATE TABLE changes (seq INTEGER PRIMARY KEY) STRICT"] };

fn open(folder: &Path) -> Store {
    Store::open(folder, &StoreKey::from_bytes([5; 32]), &[ROOM, CHANGES]).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Not a test of its own: what the other processes do, until they are killed.
#[test]
#[ignore = "run by the test below as another process"]
fn child_that_appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(STORE) else { return };
    let store = open(Path::new(&folder));
    let mut out = std::io::stdout();
    loop {
        let appended = store.write_blocking(|tx| {
            let entry =
                append(tx, &key(), 0, "decision", format!(r#"{{"by":{}}}"#, std::process::id()).as_bytes())?;
            tx.execute("INSERT INTO changes (seq) VALUES (?)", [entry.seq as i64])?;
            Ok::<_, LedgerError>(entry)
        });
        // Another process was faster for too long: nothing was promised.
        let Ok(entry) = appended else { continue };
        writeln!(out, "acknowledged {} {}", entry.seq, to_hex(&entry.hash)).unwrap();
        out.flush().unwrap();
    }
}

type Acknowledged = Arc<Mutex<BTreeMap<u64, String>>>;

struct Appender {
    process: Child,
    reader: JoinHandle<()>,
}

impl Appender {
    fn start(folder: &Path, acknowledged: &Acknowledged) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends_until_it_is_killed", "--ignored", "--nocapture"])
            .env(STORE, folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let acknowledged = acknowledged.clone();
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let words: Vec<&str> = line.split(' ').collect();
                // A line that was cut off by the kill has no whole hash.
                if let ["acknowledged", seq, hash] = words[..]
                    && hash.len() == 64
                {
                    let earlier = acknowledged.lock().unwrap().insert(seq.parse().unwrap(), hash.to_owned());
                    assert_eq!(earlier, None, "entry {seq} was acknowledged twice");
                }
            }
        });
        Self { process, reader }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.reader.join().unwrap();
    }
}

#[test]
fn no_acknowledged_entry_is_lost_when_processes_are_killed_at_random() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    drop(open(&folder));
    let acknowledged = Acknowledged::default();
    let mut appenders: Vec<Appender> =
        (0..PROCESSES).map(|_| Appender::start(&folder, &acknowledged)).collect();
    let began = Instant::now();
    let mut kills = 0;
    while acknowledged.lock().unwrap().len() < ACKNOWLEDGED || kills < KILLS {
        assert!(began.elapsed() < Duration::from_secs(300), "only {}", acknowledged.lock().unwrap().len());
        std::thread::sleep(Duration::from_millis(fastrand::u64(40..250)));
        let unlucky = fastrand::usize(..appenders.len());
        appenders.swap_remove(unlucky).kill();
        kills += 1;
        appenders.push(Appender::start(&folder, &acknowledged));
    }
    appenders.into_iter().for_each(Appender::kill);

    let store = open(&folder);
    let acknowledged = acknowledged.lock().unwrap();
    let verified = store.read_blocking(|c| verify(c, &key().public(), |_| ())).unwrap();
    println!("{} acknowledged, {} on the disk, {kills} kills", acknowledged.len(), verified.entries);
    assert!(verified.entries >= ACKNOWLEDGED as u64);
    for (seq, hash) in acknowledged.iter() {
        let (seq, hash) = (*seq, hash.clone());
        let found = store.read_blocking(move |c| entry(c, seq)).unwrap();
        assert_eq!(found.map(|entry| to_hex(&entry.hash)), Some(hash), "entry {seq}");
    }
    let changes: i64 = store
        .read_blocking(|c| {
            Ok::<_, LedgerError>(c.query_row("SELECT count(*) FROM changes", [], |row| row.get(0))?)
        })
        .unwrap();
    assert_eq!(
        changes as u64, verified.entries,
        "an entry without its change, or a change without its entry"
    );
}
