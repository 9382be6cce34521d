//! The key to the one gate is made in four places only, each of which has checked the rules first.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside the test functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn an_enactment_is_made_where_a_vote_closes_a_kit_founds_a_case_ends_or_stewards_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let makers: BTreeSet<String> = sources(&root)
        .into_iter()
        .filter(|path| fs::read_to_string(path).unwrap().contains("Enactment::new("))
        .map(|path| path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"))
        .collect();
    let known = ["conflict/case.rs", "emergency.rs", "kits.rs", "proposal/life.rs"];
    assert_eq!(makers, BTreeSet::from(known.map(str::to_owned)));
}

#[test]
fn an_enactment_is_written_and_never_read_back() {
    let source = include_str!("../src/enactment.rs");
    let before = source.split("pub struct Enactment").next().unwrap();
    let derives = before.rsplit("#[derive(").next().unwrap();
    assert!(!derives.contains("Deserialize"), "whoever can read one can make one up");
}
