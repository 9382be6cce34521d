//! The one gate, held by looking at the source: no code but `enact` writes what is in force, who has which role, or who
//! is under which sanction. What the types cannot say (an SQL text is only a text) is said here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stand outside the test functions")]

use std::fs;
use std::path::{Path, PathBuf};

/// Tables that only a decision changes.
const GUARDED: [&str; 5] = ["in_force", "policies", "constitutions", "role_grants", "sanctions"];

/// Where they may be written: the gate itself, and the two files of `people` whose writers take an `Enactment`.
const GATE: [&str; 2] = ["crates/assembly/src/enact.rs", "crates/assembly/src/enact/"];
const BEHIND_THE_GATE: [&str; 2] =
    ["crates/assembly/src/people/roles.rs", "crates/assembly/src/people/sanctions.rs"];

/// What they are called with; only the gate does.
const KEPT_FOR_THE_GATE: [&str; 4] = ["grant_role(", "end_role(", "sanction(", "lift_sanction("];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every source file of the product, with its path from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("appliance")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "tests" | "node_modules") {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
                let from_root = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((from_root, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The guarded table that a text writes, if it does.
fn writes(source: &str) -> Option<&'static str> {
    let plain = source.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let verbs = [
        "insert into ",
        "insert or replace into ",
        "insert or ignore into ",
        "replace into ",
        "update ",
        "delete from ",
        "drop table ",
        "alter table ",
    ];
    GUARDED.into_iter().find(|table| {
        verbs.iter().any(|verb| {
            let sql = format!("{verb}{table}");
            plain.match_indices(&sql).any(|(at, _)| {
                let next = plain[at + sql.len()..].chars().next();
                !next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_')
            })
        })
    })
}

/// The functions and other items of a file, each from its first word on.
fn items(source: &str) -> Vec<&str> {
    let begins =
        |line: &str| ["pub", "fn ", "impl ", "mod ", "///"].iter().any(|word| line.starts_with(word));
    let mut starts: Vec<usize> =
        source.match_indices('\n').map(|(at, _)| at + 1).filter(|at| begins(&source[*at..])).collect();
    starts.push(source.len());
    starts.windows(2).map(|pair| &source[pair[0]..pair[1]]).collect()
}

/// Whether a function of exactly this name is called.
fn calls(body: &str, helper: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    body.match_indices(helper).any(|(at, _)| !body[..at].ends_with(is_name))
}

fn is_gate(path: &str) -> bool {
    GATE.iter().any(|gate| path.starts_with(gate))
}

#[test]
fn only_the_gate_writes_what_a_decision_changes() {
    for (path, source) in sources() {
        if is_gate(&path) || BEHIND_THE_GATE.contains(&path.as_str()) {
            continue;
        }
        assert_eq!(
            writes(&source),
            None,
            "{path} writes a table that only crates/assembly/src/enact may write"
        );
    }
}

#[test]
fn who_writes_behind_the_gate_takes_an_enactment() {
    for (path, source) in sources() {
        if !BEHIND_THE_GATE.contains(&path.as_str()) {
            continue;
        }
        let items = items(&source);
        let name = |item: &str| item.split("fn ").nth(1)?.split('(').next().map(|name| format!("{name}("));
        let helpers: Vec<String> = items
            .iter()
            .filter(|item| item.starts_with("fn ") && writes(item).is_some())
            .filter_map(|item| name(item))
            .collect();
        let mut writers = 0;
        for item in items.iter().filter(|item| item.starts_with("pub")) {
            let (head, body) = item.split_once('{').unwrap_or((item, ""));
            if writes(body).is_some() || helpers.iter().any(|helper| calls(body, helper)) {
                writers += 1;
                assert!(head.contains("&Enactment"), "{path}: `{head}` writes without an enactment");
            }
        }
        assert!(writers > 0, "{path} has no writer any more; take it off the list");
    }
}

#[test]
fn only_the_gate_calls_those_who_write_behind_it() {
    for (path, source) in sources() {
        if is_gate(&path)
            || BEHIND_THE_GATE.contains(&path.as_str())
            || !path.starts_with("crates/assembly/src/")
        {
            continue;
        }
        for name in KEPT_FOR_THE_GATE {
            for module in ["people::", "roles::", "sanctions::"] {
                assert!(!source.contains(&format!("{module}{name}")), "{path} calls {module}{name}…)");
            }
        }
    }
}

#[test]
fn a_table_that_is_written_is_found_however_the_text_is_broken() {
    assert_eq!(writes("UPDATE\n    in_force SET value = 1"), Some("in_force"));
    assert_eq!(writes("insert into role_grants (member)"), Some("role_grants"));
    assert_eq!(writes("SELECT value FROM in_force"), None);
    assert_eq!(writes("UPDATE sanctions_seen SET x = 1"), None);
}
