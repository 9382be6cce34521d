//! The real model with a library: passages before its first word, and its answer looked at against them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::test_box::{PATIENCE, TestBox, parts, text};

const HANDBOOK: &str = "# Water handbook\n\n## Making water safe\n\nBring the water to a rolling boil for one minute. \
    Above 2,000 metres boil it for three minutes. Let it cool in a covered pot.\n\n## The well\n\nThe well of Riverside is \
    34 metres deep. Amina keeps the key of the pump house. The pump is greased every Friday.\n\n## Seeds\n\nStore seeds \
    dry and cool in a closed jar with a spoon of ash.\n";

#[test]
fn the_first_question_to_a_library_is_answered_with_the_passages_first_and_what_the_answer_rests_on_last() {
    let Some(parts) = parts() else { return };
    let running = TestBox::with_models(&parts);
    let new = ["library", "new", "Water", "--licence", "CC0-1.0", "--audience", "guests"];
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("handbook.md"), HANDBOOK).unwrap();
    let path = files.path().canonicalize().unwrap();
    let add = [
        "library",
        "add",
        path.to_str().unwrap(),
        "--collection",
        "Water",
        "--attribution",
        "The water group",
    ];
    for words in [&new[..], &add] {
        let output = running.banyan(words);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    }

    let (events, passages_after, first_word_after) = ask(&running, "How deep is the well of Riverside?");
    let answer = words(&events);
    println!("passages after {passages_after:?}, the first word after {first_word_after:?}: {answer}");
    assert!(passages_after < first_word_after, "passages come first");
    let found = of_kind(&events, "passages").expect("something is found");
    assert_eq!(found["covered"], true, "{found}");
    assert!(found["passages"][0]["text"].as_str().unwrap().contains("34 metres"), "{found}");
    assert_eq!(found["passages"][0]["attribution"], "The water group");
    // A model of this size may say it badly; what it rests on is said all the same.
    let cites = of_kind(&events, "cites").expect("the answer is looked at");
    println!("{cites}");
    assert!(answer.contains("34"), "{answer}");
    assert_eq!(cites["cited"], json!([1]), "{answer}: {cites}");

    let (events, ..) = ask(&running, "Who won the football championship in Argentina?");
    println!("{}", words(&events));
    assert_eq!(of_kind(&events, "passages").expect("it is said")["covered"], false);
    assert!(of_kind(&events, "cites").is_none());
}

/// The events of an answer, and after how long the passages and the first word came.
fn ask(running: &TestBox, question: &str) -> (Vec<Value>, Duration, Duration) {
    let body = json!({
        "messages": [{ "role": "user", "content": question }], "temperature": 0, "max_tokens": 48
    });
    let body = body.to_string();
    let host = running.host();
    let begun = Instant::now();
    let mut stream = TcpStream::connect(&host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /api/chat HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let (mut whole, mut piece) = (Vec::new(), [0; 4096]);
    let (mut passages, mut word) = (None, None);
    loop {
        let read = stream.read(&mut piece).unwrap();
        whole.extend_from_slice(&piece[..read]);
        let so_far = text(&whole);
        if so_far.contains("\"type\":\"passages\"") {
            passages.get_or_insert_with(|| begun.elapsed());
        }
        if so_far.contains("\"type\":\"token\"") {
            word.get_or_insert_with(|| begun.elapsed());
        }
        if read == 0 {
            break;
        }
    }
    let whole = text(&whole);
    let events = whole.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
    (events.collect(), passages.expect("passages came"), word.unwrap_or(PATIENCE))
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Option<&'a Value> {
    events.iter().find(|event| event["type"] == kind)
}

fn words(events: &[Value]) -> String {
    events
        .iter()
        .filter(|event| event["type"] == "token")
        .filter_map(|event| event["text"].as_str())
        .collect()
}
