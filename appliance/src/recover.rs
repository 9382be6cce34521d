//! `banyan recover`: the store's key from the stewards' shares on paper.

use std::fs;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use banyan_identity::recovery::{RecoveryError, Share, WORDS, combine};
use banyan_store::{KeySource, Store, StoreKey};
use jiff::Timestamp;
use serde_json::json;

use crate::ledger;
use crate::paths::Paths;

/// The kind of the ledger entry that tells everybody of a recovery.
const ENTRY: &str = "recovery";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with the words of one share; once for each share [default: they are asked for]
    #[arg(long = "share", value_name = "FILE")]
    shares: Vec<PathBuf>,
}

pub(crate) fn command(paths: &Paths, args: &Args) -> Result<()> {
    let mut shares = Vec::new();
    for path in &args.shares {
        let words =
            fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))?;
        add(&mut shares, &words).with_context(|| path.display().to_string())?;
    }
    let input = std::io::stdin();
    let is_person = input.is_terminal();
    ask_for_the_rest(&mut shares, &mut input.lock(), &mut std::io::stderr(), is_person)?;
    println!("{}", put_in_place(&paths.data, &shares, Timestamp::now().as_second())?);
    Ok(())
}

/// Takes a share, when it goes with those that are there.
fn add(shares: &mut Vec<Share>, words: &str) -> Result<(), RecoveryError> {
    shares.push(Share::from_words(words)?);
    match combine(shares) {
        Ok(_) | Err(RecoveryError::TooFew { .. }) => Ok(()),
        Err(error) => {
            shares.pop();
            Err(error)
        }
    }
}

fn missing(shares: &[Share]) -> bool {
    shares.first().is_none_or(|first| shares.len() < usize::from(first.needed))
}

/// Reads words until there are shares enough. A person gets another try after a mistake, a file does not.
fn ask_for_the_rest(
    shares: &mut Vec<Share>,
    input: &mut impl BufRead,
    out: &mut impl Write,
    is_person: bool,
) -> Result<()> {
    while missing(shares) {
        let of = shares.first().map_or_else(String::new, |first| format!(" of {}", first.needed));
        if is_person {
            writeln!(
                out,
                "Share {}{of}: type its {WORDS} words, on one line or several, then an empty line.",
                shares.len() + 1
            )?;
        }
        let Some(words) = words_of_a_share(input)? else {
            let error = match shares.first() {
                Some(first) => RecoveryError::TooFew { given: shares.len(), needed: first.needed },
                None => RecoveryError::Length { found: 0 },
            };
            bail!(error);
        };
        match add(shares, &words) {
            Ok(()) => {}
            Err(error) if is_person => writeln!(out, "That is not it: {error}. Once more.")?,
            Err(error) => return Err(error).with_context(|| format!("share {}", shares.len() + 1)),
        }
    }
    Ok(())
}

/// Lines until there are words enough, or an empty one after some. None at the end of the input.
fn words_of_a_share(input: &mut impl BufRead) -> Result<Option<String>> {
    let mut words = String::new();
    loop {
        let mut line = String::new();
        let is_end = input.read_line(&mut line).context("the words could not be read")? == 0;
        let has_words = !words.trim().is_empty();
        if is_end || (line.trim().is_empty() && has_words) {
            return Ok(has_words.then_some(words));
        }
        words += &line;
        let count = words.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).count();
        if count >= WORDS {
            return Ok(Some(words));
        }
    }
}

/// Puts the key in place, once it is known to be the right one, and records that; says what was done.
fn put_in_place(data: &Path, shares: &[Share], now: i64) -> Result<String> {
    let key = StoreKey::from_bytes(*combine(shares)?);
    let source = KeySource::of_box(data);
    if source.load().is_ok_and(|present| present.as_bytes() == key.as_bytes()) {
        return Ok("The shares make the key that is in place already. Nothing was changed.".into());
    }
    if Store::exists(data) {
        if !Store::is_key_of(data, &key)? {
            bail!(
                "the shares fit together, but their key does not open the database in {}; are they of another box, or \
                 older than its database? Nothing was changed",
                data.display()
            );
        }
        // The whole way, not only the file's beginning.
        let store = Store::open(data, &key, &[banyan_ledger::ROOM])?;
        source.replace(&key)?;
        // Whoever was there saw all shares together; the community can see that it happened.
        ledger::note(&store, data, &key, now, ENTRY, &json!({ "shares": shares.len() }))
            .context("the key is in place, but the ledger did not take note of it")?;
        return Ok(
            "The key was rebuilt, opens the database, and is in place. Start the box with: banyan run".into(),
        );
    }
    if source.load().is_ok() {
        bail!(
            "{} has no database that could show which key is right, and a key that is not the shares'; move that key \
             away, or give the data folder of the box with --data",
            data.display()
        );
    }
    source.replace(&key)?;
    Ok("The key was rebuilt and is in place. There is no database here yet; bring one back with: banyan restore FILE".into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use banyan_identity::recovery::split;

    use super::*;

    struct LostKey {
        dir: tempfile::TempDir,
        key: StoreKey,
        shares: Vec<Share>,
    }

    /// A box whose key file is gone; two of three shares rebuild it.
    fn lost_key() -> LostKey {
        let dir = tempfile::tempdir().unwrap();
        let key = KeySource::of_box(dir.path()).load_or_create(false).unwrap();
        drop(Store::open(dir.path(), &key, &[banyan_ledger::ROOM]).unwrap());
        fs::remove_file(dir.path().join("keys/store.key")).unwrap();
        let shares = split(key.as_bytes(), 2, 3).unwrap();
        LostKey { dir, key, shares }
    }

    fn typed(text: &str, is_person: bool) -> (Result<Vec<Share>>, String) {
        let (mut shares, mut out) = (Vec::new(), Vec::new());
        let result = ask_for_the_rest(&mut shares, &mut Cursor::new(text.to_owned()), &mut out, is_person);
        (result.map(|()| shares), String::from_utf8(out).unwrap())
    }

    #[test]
    fn two_of_three_stewards_bring_the_box_back() {
        let LostKey { dir, key, shares } = lost_key();
        let text = format!("{}\n\n{}\n", shares[2].to_words(), shares[0].to_words().replace(' ', "\n"));
        let (collected, _) = typed(&text, false);
        let said = put_in_place(dir.path(), &collected.unwrap(), 7).unwrap();
        assert!(said.contains("opens the database"), "{said}");
        assert_eq!(KeySource::of_box(dir.path()).load().unwrap().as_bytes(), key.as_bytes());
        let again = put_in_place(dir.path(), &shares[..2], 8).unwrap();
        assert!(again.contains("in place already"), "{again}");
        let store = Store::open(dir.path(), &key, &[banyan_ledger::ROOM]).unwrap();
        let entries = store.read_blocking(|connection| banyan_ledger::page(connection, None, 9)).unwrap();
        let noted: Vec<_> =
            entries.iter().map(|entry| (entry.time, entry.kind.as_str(), &entry.payload[..])).collect();
        assert_eq!(noted, [(7, ENTRY, &br#"{"shares":2}"#[..])], "once, and no more than that");
    }

    #[test]
    fn a_mistyped_word_is_named_and_a_person_may_try_again() {
        let LostKey { shares, .. } = lost_key();
        let words = shares[0].to_words();
        let (_, rest) = words.split_once(' ').unwrap();
        let text = format!("qqqq {rest}\n{words}\n{words}\n{}\n", shares[1].to_words());
        let (collected, out) = typed(&text, true);
        assert_eq!(collected.unwrap().len(), 2);
        assert!(out.contains("word 1, \"qqqq\", is in no share; is it"), "{out}");
        assert!(out.contains("share 1 was given twice"), "{out}");
        let (collected, _) = typed(&text, false);
        assert!(format!("{:#}", collected.unwrap_err()).contains("word 1"));
    }

    #[test]
    fn too_few_shares_change_nothing() {
        let LostKey { dir, shares, .. } = lost_key();
        let (collected, _) = typed(&shares[0].to_words(), false);
        assert!(collected.unwrap_err().to_string().contains("1 of 2 shares"));
        assert!(typed("", false).0.is_err());
        assert!(!dir.path().join("keys/store.key").exists());
    }

    #[test]
    fn shares_of_another_box_do_not_replace_its_key() {
        let LostKey { dir, key, .. } = lost_key();
        KeySource::of_box(dir.path()).replace(&key).unwrap();
        let strangers = split(&[1; 32], 2, 2).unwrap();
        let error = put_in_place(dir.path(), &strangers, 7).unwrap_err().to_string();
        assert!(error.contains("another box"), "{error}");
        assert_eq!(KeySource::of_box(dir.path()).load().unwrap().as_bytes(), key.as_bytes());
    }

    #[test]
    fn a_new_box_gets_its_key_before_its_backup_but_loses_none() {
        let dir = tempfile::tempdir().unwrap();
        let shares = split(&[1; 32], 2, 2).unwrap();
        assert!(put_in_place(dir.path(), &shares, 7).unwrap().contains("banyan restore"));
        let others = split(&[2; 32], 2, 2).unwrap();
        assert!(put_in_place(dir.path(), &others, 7).unwrap_err().to_string().contains("move that key away"));
        assert_eq!(KeySource::of_box(dir.path()).load().unwrap().as_bytes(), &[1; 32]);
    }
}
