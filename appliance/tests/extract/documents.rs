//! Documents as other programs write them (`tests/data/documents`), through the worker.

use super::{data, text};

/// Each says the same, in the order in which a person reads it.
const SAYINGS: [&str; 5] =
    ["The well", "open from six to eight", "Bring a bottle", "Monday", "It closes when it rains"];

#[test]
fn the_same_letter_is_read_in_every_format() {
    for ending in ["txt", "md", "html", "pdf", "docx", "odt", "epub", "mbox"] {
        let found = text(&data("documents").join(format!("letter.{ending}")));
        let mut rest = found.as_str();
        for saying in SAYINGS {
            let Some((_, after)) = rest.split_once(saying) else {
                panic!("letter.{ending} does not say \"{saying}\" where it should: {found}");
            };
            rest = after;
        }
        assert!(!found.contains('<') && !found.contains("w:t"), "letter.{ending} keeps its markup: {found}");
    }
}
