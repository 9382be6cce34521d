//! A process that takes documents in and withdraws them is killed at a random moment, again and again, on one library. A
//! document is there whole, or it is gone whole: text, index, vectors and file. What was said to be withdrawn is gone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use banyan_knowledge::{
    Audience, Block, BlockKind, Consent, DocumentId, Embedder, Embedding, Extracted, Hand, Level, Library,
    LibraryError, NewCollection, NewDocument, Original, Query, Use,
};
use banyan_store::{Store, StoreKey};

const FOLDER: &str = "BANYAN_TEST_LIBRARY";
const ROUND: &str = "BANYAN_TEST_ROUND";
/// The first few are killed at any moment, the others in the middle of a withdrawal, a little later each time.
const ROUNDS: usize = 40;
const ANY_MOMENT: usize = 10;
const LATER: Duration = Duration::from_micros(300);

fn open(folder: &Path) -> Library {
    let store = Store::open(folder, &StoreKey::from_bytes([42; 32]), &banyan_knowledge::rooms()).unwrap();
    Library::open(store).unwrap()
}

/// A vector for each text, at once.
struct Quick;

impl Embedder for Quick {
    fn name(&self) -> String {
        "quick".into()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        Box::pin(async move { Ok(texts.iter().map(|_| vec![0.6, 0.8, 0.0, 0.0]).collect()) })
    }
}

fn say(words: &str) {
    // One write call a line, so that a kill does not cut one.
    std::io::stdout().lock().write_all(format!("\n{words}\n").as_bytes()).unwrap();
}

/// What the killed process runs: not a test of its own.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn add_and_withdraw_until_killed() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else { return };
    let library = open(Path::new(&folder));
    let new = NewCollection {
        name: format!("Round {round}"),
        about: String::new(),
        audience: Audience::Guests,
        consent: Consent { uses: Use::ALL.into(), level: Level::CommonsOk },
        licence: "CC0-1.0".into(),
        language: Some("en".into()),
        review: false,
    };
    let collection = library.add_collection(new, Hand::Box, 1).await.unwrap().id;
    for number in 0_usize.. {
        let word = format!("zq{round}x{number}");
        let paragraph = |part: usize| Block {
            kind: BlockKind::Paragraph,
            text: format!(
                "{word} stands in part {part}. {}",
                "Water is boiled for a minute. ".repeat(30).trim()
            ),
            page: None,
        };
        let blocks = (0..1 + number % 5).map(paragraph).collect();
        let mut new =
            NewDocument::new(collection.clone(), &word, Extracted { blocks, ..Extracted::default() });
        new.original = Some(Original::new(&word, word.repeat(1 + number * 37 % 3000).into_bytes()));
        let id = library.add(new, Hand::Box, 2).await.unwrap().document;
        say(&format!("added {id} {word}"));
        library.embed_pending(&Quick, 64).await.unwrap();
        if number % 3 != 0 {
            say(&format!("withdrawing {id} {word}"));
            library.withdraw(id.clone(), "a test".into(), Hand::Box, 3).await.unwrap();
            say(&format!("withdrew {id} {word}"));
        }
    }
}

fn start(folder: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "add_and_withdraw_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[derive(Default)]
struct Said {
    added: BTreeSet<(DocumentId, String)>,
    withdrawing: BTreeSet<(DocumentId, String)>,
    withdrew: BTreeSet<(DocumentId, String)>,
}

impl Said {
    fn hear(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let said = match words.next()? {
            "added" => &mut self.added,
            "withdrawing" => &mut self.withdrawing,
            "withdrew" => &mut self.withdrew,
            _ => return None,
        };
        said.insert((words.next()?.parse().ok()?, words.next()?.to_owned()));
        Some(())
    }
}

/// How many documents the index finds by a word that stands in one only.
async fn found(library: &Library, word: &str) -> usize {
    let query = Query {
        text: word.into(),
        r#use: Use::Search,
        reader: Audience::Guests.into(),
        collections: None,
        languages: None,
        limit: 9,
    };
    let results = library.search(&query, None, Duration::ZERO).await.unwrap();
    results.hits.iter().filter(|hit| hit.text.contains(word)).count()
}

/// Rows that belong to no document, in every table that keeps something of one.
fn orphans(library: &Library) -> Vec<(&'static str, i64)> {
    let tables = [
        ("passages", "SELECT count(*) FROM passages WHERE document NOT IN (SELECT key FROM documents)"),
        ("versions", "SELECT count(*) FROM versions WHERE document NOT IN (SELECT key FROM documents)"),
        ("rows", "SELECT count(*) FROM search_rows WHERE passage NOT IN (SELECT id FROM passages)"),
        ("not indexed", "SELECT count(*) FROM passages WHERE id NOT IN (SELECT passage FROM search_rows)"),
        ("words", "SELECT count(DISTINCT doc) FROM search_places WHERE doc NOT IN (SELECT id FROM passages)"),
        ("vectors", "SELECT count(*) FROM search_vectors WHERE passage NOT IN (SELECT id FROM passages)"),
        ("no longer named", "SELECT count(*) FROM originals_to_remove"),
    ];
    library
        .store()
        .read_blocking(move |connection| {
            let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
            tables.iter().map(|(name, sql)| Ok((*name, count(sql)?))).collect::<Result<_, LibraryError>>()
        })
        .unwrap()
}

fn originals(library: &Library) -> (i64, usize) {
    let named = library.store().read_blocking(|connection| {
        let sql = "SELECT count(DISTINCT original) FROM versions";
        Ok::<_, LibraryError>(connection.query_row(sql, [], |row| row.get(0))?)
    });
    (named.unwrap(), library.store().blobs().list().unwrap().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_every_document_whole_or_gone_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (mut said, mut between) = (Said::default(), BTreeSet::new());
    for round in 0..ROUNDS {
        let mut child = start(dir.path(), round);
        let output = BufReader::new(child.stdout.take().unwrap());
        let (began, withdrawals) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok).inspect(|line| {
                if line.starts_with("withdrawing") {
                    let _ = began.send(());
                }
            });
            lines.collect::<Vec<_>>()
        });
        match round.checked_sub(ANY_MOMENT) {
            // From before the tables are there to many documents later.
            None => std::thread::sleep(Duration::from_millis([30, 170, 260, 390, 555][round % 5])),
            Some(number) => {
                (0..2 + round % 3).for_each(|_| withdrawals.recv().unwrap());
                std::thread::sleep(LATER * u32::try_from(number).unwrap());
            }
        }
        // SIGKILL: no handler, no clean-up.
        child.kill().unwrap();
        child.wait().unwrap();
        for line in reader.join().unwrap() {
            said.hear(&line);
        }

        let library = open(dir.path());
        for (id, word) in &said.added {
            let here = library.document(id.clone(), Audience::Guests).await.is_ok();
            let hits = found(&library, word).await;
            let read = library.read(id.clone(), None, Audience::Guests).await.is_ok();
            let file =
                library.original(id.clone(), None, Audience::Guests).await.is_ok_and(|file| file.is_some());
            let trace = library.trace(id.clone()).await.unwrap().is_some();
            let all = [here, hits > 0, read, file, !trace];
            assert!(all.iter().all(|one| *one == here), "{id} is here in part: {all:?}");
            let one = (id.clone(), word.clone());
            assert!(!(said.withdrew.contains(&one) && here), "{id} was withdrawn and is here");
            assert!(said.withdrawing.contains(&one) || here, "{id} was added and is not here");
            if said.withdrawing.contains(&one) && !said.withdrew.contains(&one) && !here {
                between.insert(one);
            }
        }
        for (what, count) in orphans(&library) {
            assert_eq!(count, 0, "round {round}: {what}");
        }
        let (named, kept) = originals(&library);
        assert_eq!(
            usize::try_from(named).unwrap(),
            kept,
            "files that no version names, or the other way round"
        );
    }
    let (added, withdrew, between) = (said.added.len(), said.withdrew.len(), between.len());
    println!(
        "{ROUNDS} kills: {added} added, {withdrew} withdrawn, {between} more gone whole before it was said"
    );
    assert!(added > 60 && withdrew > 30, "only {added} and {withdrew}: the test shows little");
}
