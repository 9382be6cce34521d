//! `banyan library` on a real box, running and stopped, and what it leaves in the ledger.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::test_box::{BANYAN, PATIENCE, TestBox, command, text};

fn said(output: &std::process::Output) -> String {
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// `banyan …` on a box that does not run.
fn stopped(data: &Path, words: &[&str]) -> String {
    let output = command(data, None).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    said(&output)
}

fn running(one: &TestBox, words: &[&str]) -> String {
    let output = one.banyan(words);
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    said(&output)
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| fs::write(dir.path().join(name), text).unwrap());
    dir
}

const NEW: [&str; 7] = ["library", "new", "Water", "--licence", "CC0-1.0", "--audience", "guests"];

/// The id of the document that is called so.
fn id_of(list: &str, title: &str) -> String {
    let line = list.lines().find(|line| line.ends_with(title));
    assert!(line.is_some(), "no {title} in {list}");
    line.unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_box_that_was_never_started_is_given_its_library_and_finds_it_at_the_first_start() {
    assert!(Path::new(BANYAN).exists());
    let data = tempfile::Builder::new().prefix("bl-").tempdir().unwrap();
    let refused = command(data.path(), None).args(["library", "list"]).output().unwrap();
    assert!(!refused.status.success() && said(&refused).contains("banyan run"), "{}", said(&refused));

    assert!(stopped(data.path(), &NEW).contains("Water is there"));
    let kept = stopped(data.path(), &[&NEW[..], &["--or-keep"]].concat());
    assert!(kept.contains("there already"), "{kept}");
    let files = folder(&[
        ("well.md", "# The well\n\nThe well is deep."),
        ("broken.pdf", "%PDF-1.7 and then nothing"),
    ]);
    let words = [
        "library",
        "add",
        files.path().to_str().unwrap(),
        "--collection",
        "water",
        "--attribution",
        "The hall",
    ];
    let told = stopped(data.path(), &words);
    assert!(told.contains("1 added") && told.contains("1 refused") && told.contains("broken.pdf"), "{told}");
    let again = stopped(data.path(), &words);
    assert!(again.contains("0 added") && again.contains("1 known"), "{again}");

    let id = id_of(&stopped(data.path(), &["library", "list", "--collection", "Water"]), "The well");
    let file = data.path().join("all.zip");
    let export = ["library", "export", file.to_str().unwrap()];
    assert!(stopped(data.path(), &export).contains("1 documents and 1 of their files"));
    assert!(!command(data.path(), None).args(export).output().unwrap().status.success(), "it exists already");
    let gone = stopped(data.path(), &["library", "withdraw", &id, "--why", "a secret reason"]);
    assert!(gone.contains("nobody finds or reads it"), "{gone}");
    assert!(stopped(data.path(), &["library", "list", "--collection", "Water"]).is_empty());
    let again = stopped(data.path(), &words);
    assert!(again.contains("0 added") && again.contains("2 refused"), "{again}");

    let ledger = stopped(data.path(), &["ledger", "show"]);
    for kind in ["library.collection", "library.imported", "library.withdrawn"] {
        assert!(ledger.contains(kind), "{ledger}");
    }
    assert!(ledger.contains(&id) && !ledger.contains("secret") && !ledger.contains("well"), "{ledger}");
    assert!(stopped(data.path(), &["ledger", "verify"]).contains("whole"));
}

#[test]
fn a_running_box_takes_in_what_it_is_told_and_what_comes_into_a_watched_folder() {
    let one = TestBox::empty();
    assert!(running(&one, &NEW).contains("Water is there"));
    let files = folder(&[("well.txt", "The well is deep.")]);
    let path = files.path().canonicalize().unwrap();
    let path = path.to_str().unwrap();
    let told = running(&one, &["library", "add", path, "--collection", "Water"]);
    assert!(told.contains("1 added"), "{told}");
    running(&one, &["library", "add", path, "--collection", "Water", "--watch"]);
    assert!(running(&one, &["library", "imports"]).contains("watched"));

    fs::write(files.path().join("rain.txt"), "Rain comes from the sea.").unwrap();
    let began = Instant::now();
    let list = loop {
        let list = running(&one, &["library", "list", "--collection", "Water"]);
        if list.lines().count() == 2 {
            break list;
        }
        assert!(began.elapsed() < PATIENCE, "the new file is not taken in: {list}");
        std::thread::sleep(Duration::from_millis(500));
    };
    let id = id_of(&list, "rain");
    running(&one, &["library", "withdraw", &id, "--why", "a mistake"]);
    let twice = one.banyan(&["library", "withdraw", &id, "--why", "a mistake"]);
    assert!(!twice.status.success() && said(&twice).contains("withdrawn"), "{}", said(&twice));
    let unknown = one.banyan(&["library", "add", path, "--collection", "Wells"]);
    assert!(
        !unknown.status.success() && said(&unknown).contains("no collection \"Wells\""),
        "{}",
        said(&unknown)
    );
    assert!(running(&one, &["library", "unwatch", path]).contains("no more"));
    // What is in a backup is a whole box: the library too.
    let file = one.data.path().join("box.backup");
    running(&one, &["backup", file.to_str().unwrap()]);
}

/// A small website: one page that leads to another, to a file, out of the folder and to another server.
fn website() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            if reader.read_line(&mut first).is_err() {
                continue;
            }
            let mut line = String::new();
            let mut fresh = false;
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                fresh |= line.to_ascii_lowercase().starts_with("if-none-match: \"one\"");
                line.clear();
            }
            let path = first.split(' ').nth(1).unwrap_or_default();
            let (status, kind, body) = match path {
                "/robots.txt" => ("200 OK", "text/plain", "User-agent: *\nDisallow: /docs/private\n"),
                "/docs/" if fresh => ("304 Not Modified", "text/html", ""),
                "/docs/" => (
                    "200 OK",
                    "text/html",
                    "<title>The hall</title><p>Welcome to the hall.</p><a href=keys>keys</a> <a href='/other'>o</a>\
                     <a href=\"notes.txt\">n</a> <a href=private/diary>d</a> <a href=https://other.invalid/>x</a>",
                ),
                "/docs/keys" => ("200 OK", "text/html", "<h1>Keys</h1><p>Amina has the key of the hall.</p>"),
                "/docs/notes.txt" => ("200 OK", "text/plain", "Notes of the meeting in May."),
                _ => ("404 Not Found", "text/plain", "no"),
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\netag: \"one\"\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            );
        }
    });
    host
}

#[test]
fn a_website_is_taken_in_page_by_page_within_its_folder_and_asked_little_the_second_time() {
    let data = tempfile::Builder::new().prefix("bl-").tempdir().unwrap();
    stopped(data.path(), &NEW);
    let address = format!("http://{}/docs/", website());
    let words = ["library", "add", &address, "--collection", "Water"];
    let told = stopped(data.path(), &words);
    assert!(told.contains("3 files were fetched") && told.contains("3 added"), "{told}");
    assert!(told.contains("robots.txt asks"), "{told}");
    let list = stopped(data.path(), &["library", "list", "--collection", "Water"]);
    assert!(list.contains("The hall") && list.contains("Keys"), "{list}");
    let again = stopped(data.path(), &words);
    assert!(
        again.contains("0 files were fetched, 3 are as they were") && again.contains("0 added"),
        "{again}"
    );
    let watched = command(data.path(), None).args(words).arg("--watch").output().unwrap();
    assert!(said(&watched).contains("run the same command again"), "{}", said(&watched));
    let nowhere = ["library", "add", "http://127.0.0.1:9/", "--collection", "Water"];
    let refused = command(data.path(), None).args(nowhere).output().unwrap();
    assert!(!refused.status.success() && said(&refused).contains("does not answer"), "{}", said(&refused));
}
