//! `banyan shares`: the key of the box's data on paper, anew.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use banyan_identity::recovery::{Share, split};
use banyan_store::{KeySource, Store};
use jiff::Timestamp;
use serde_json::json;

use crate::ledger;
use crate::paths::Paths;

/// The kind of the ledger entry that tells everybody that there are new shares.
const ENTRY: &str = "shares";
/// Words on a line of the paper.
const ON_A_LINE: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many shares shall be needed to rebuild the key
    needed: u8,
    /// How many shares to make, one for each steward
    of: u8,
}

pub(crate) fn command(paths: &Paths, args: &Args) -> Result<()> {
    print!("{}", make(paths, args, Timestamp::now().as_second())?);
    eprintln!(
        "Write each share on its own paper and clear this screen. Shares that were made earlier still work among \
         themselves: have them destroyed."
    );
    Ok(())
}

fn make(paths: &Paths, args: &Args, now: i64) -> Result<String> {
    if !Store::exists(&paths.data) {
        bail!(
            "{} has no data that shares could protect yet; start the box first: banyan run",
            paths.data.display()
        );
    }
    let key = KeySource::of_box(&paths.data).load()?;
    let store = Store::open(&paths.data, &key, &[banyan_ledger::ROOM])?;
    let shares = split(key.as_bytes(), args.needed, args.of)?;
    // First: nobody has shares that the community does not know of.
    ledger::note(&store, &paths.data, &key, now, ENTRY, &json!({ "needed": args.needed, "of": args.of }))
        .context("no shares were made, since the ledger could not take note of them")?;
    Ok(shares.iter().map(on_paper).collect())
}

fn on_paper(share: &Share) -> String {
    let words = share.to_words();
    let words: Vec<&str> = words.split(' ').collect();
    let mut paper = format!("Share {}, {} needed\n", share.index, share.needed);
    for (line, words) in words.chunks(ON_A_LINE).enumerate() {
        let numbered =
            words.iter().zip(line * ON_A_LINE + 1..).map(|(word, number)| format!("{number:>4}. {word:<10}"));
        // Writing into memory cannot fail.
        let _ = writeln!(paper, "{}", numbered.collect::<String>().trim_end());
    }
    paper + "\n"
}

#[cfg(test)]
mod tests {
    use banyan_identity::recovery::combine;

    use super::*;

    #[test]
    fn new_shares_are_printed_in_a_form_that_recover_reads_and_the_ledger_tells_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(Some(dir.path().to_owned()), None, "desk".into(), None).unwrap();
        let args = Args { needed: 2, of: 3 };
        assert!(make(&paths, &args, 7).unwrap_err().to_string().contains("banyan run"));
        let key = KeySource::of_box(dir.path()).load_or_create(false).unwrap();
        let store = Store::open(dir.path(), &key, &[banyan_ledger::ROOM]).unwrap();
        assert!(make(&paths, &Args { needed: 4, of: 3 }, 7).is_err());
        let papers = make(&paths, &args, 7).unwrap();
        let papers: Vec<&str> = papers.split_terminator("\n\n").collect();
        assert_eq!(papers.len(), 3);
        let typed = |paper: &str| Share::from_words(paper.split_once('\n').unwrap().1).unwrap();
        let rebuilt = combine(&[typed(papers[2]), typed(papers[0])]).unwrap();
        assert_eq!(*rebuilt, *key.as_bytes());
        let entries = store.read_blocking(|connection| banyan_ledger::page(connection, None, 9)).unwrap();
        assert_eq!(entries.len(), 1, "the refused ones made no entry");
        assert_eq!(
            (entries[0].kind.as_str(), &entries[0].payload[..]),
            (ENTRY, &br#"{"needed":2,"of":3}"#[..])
        );
    }
}
