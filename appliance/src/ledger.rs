//! `banyan ledger …`: the community's record, looked at, taken along, and verified by anybody.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use banyan_identity::{BoxKey, PublicKey, SigningKey, to_hex};
use banyan_ledger::{Entry, Verified, append, export, head_of_file, page, verify_against, verify_file};
use banyan_store::{KeySource, Store, StoreKey};
use clap::Subcommand;
use jiff::Timestamp;

use crate::countersign;
use crate::paths::Paths;

/// What the box key's file is sealed under is derived from the store key with these words; never changed.
const BOX_KEY: &str = "banyan box key v1";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check every entry, of an exported FILE or of this box; exits with 1 and names the first bad entry if there is one
    #[command(after_help = "Examples:\n  banyan ledger verify banyan-ledger.jsonl\n  \
                            banyan ledger verify banyan-ledger.jsonl --known banyan-ledger-of-last-year.jsonl")]
    Verify {
        /// An exported ledger; needs no box and no database [default: this box's own ledger]
        file: Option<PathBuf>,
        /// The key that must have signed it, as it stands on the box's Ledger page
        #[arg(long, value_name = "KEY")]
        key: Option<PublicKey>,
        /// An older export, which must be the beginning of this one
        #[arg(long, value_name = "OLDER FILE")]
        known: Option<PathBuf>,
    },
    /// Print the newest entries, the newest last
    Show {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Write the whole ledger into a new file that anybody can verify
    Export {
        /// Where to; must not exist
        file: PathBuf,
    },
    /// Verify this box's ledger and put a steward's own signature under its end
    Countersign(countersign::Key),
    /// Make a steward's key, closed with a passphrase, for `countersign`
    NewKey(countersign::Key),
}

pub(crate) fn command(paths: &Paths, command: Command) -> Result<()> {
    match command {
        Command::Verify { file, key, known } => {
            let known = known.map(|older| head_of_file(&older)).transpose()?.flatten();
            let known = known.as_slice();
            let (key, verified) = match file {
                Some(file) => {
                    let checked = verify_file(&file, key.as_ref(), known, |_| ())?;
                    (checked.key, checked.verified)
                }
                None => {
                    let (store, own) = open(&paths.data)?;
                    let key = key.unwrap_or_else(|| own.public());
                    let known = known.to_vec();
                    let verified = store
                        .read_blocking(move |connection| verify_against(connection, &key, &known, |_| ()))?;
                    (key, verified)
                }
            };
            print!("{}", in_words(&key, &verified));
        }
        Command::Countersign(args) => {
            let (store, own) = open(&paths.data)?;
            let signed = countersign::sign(&store, own.public(), &args)?;
            println!(
                "The ledger is whole, and countersigned up to entry {} by {}.",
                signed.seq, signed.signer
            );
        }
        Command::NewKey(args) => {
            println!("{}", countersign::make_key(&args)?);
            eprintln!(
                "That is how others know the key. The file alone signs nothing without its passphrase."
            );
        }
        Command::Show { limit } => {
            let (store, _) = open(&paths.data)?;
            let entries = store.read_blocking(move |connection| page(connection, None, limit))?;
            for entry in entries.iter().rev() {
                println!("{}", line(entry));
            }
        }
        Command::Export { file } => {
            let (store, key) = open(&paths.data)?;
            let made = File::create_new(&file)
                .with_context(|| format!("{} could not be made; is there one already?", file.display()))?;
            let entries =
                store.read_blocking(move |connection| -> Result<u64, banyan_ledger::LedgerError> {
                    let mut out = BufWriter::new(made);
                    let entries = export(connection, &key.public(), &mut out)?;
                    out.flush()?;
                    out.get_ref().sync_all()?;
                    Ok(entries)
                })?;
            println!(
                "{entries} entries are in {}. To check it anywhere: banyan ledger verify FILE",
                file.display()
            );
        }
    }
    Ok(())
}

/// The store of this box and the key that signs its ledger. Makes neither.
fn open(data: &Path) -> Result<(Store, SigningKey)> {
    if !Store::exists(data) {
        bail!(
            "{} has no ledger yet: `banyan run` starts one, and --data names another folder",
            data.display()
        );
    }
    let store_key = KeySource::of_box(data).load()?;
    let store = Store::open(data, &store_key, &[banyan_ledger::ROOM])?;
    let key = box_key(data, &store_key)?;
    Ok((store, key))
}

/// The key that signs the ledger of the box with this data folder; made when it is missing, the same as before.
pub(crate) fn box_key(data: &Path, store_key: &StoreKey) -> Result<SigningKey> {
    Ok(BoxKey::load_or_create(&data.join("keys/box.key"), &store_key.derive(BOX_KEY))?)
}

/// Takes note of something that a steward did at the command line. Never a change of what is in force: those are
/// decided, and enacted in one place.
pub(crate) fn note(
    store: &Store,
    data: &Path,
    store_key: &StoreKey,
    now: i64,
    kind: &'static str,
    what: &serde_json::Value,
) -> Result<()> {
    let (key, payload) = (box_key(data, store_key)?, what.to_string());
    store.write_blocking(move |tx| append(tx, &key, now, kind, payload.as_bytes()).map(|_| ()))?;
    Ok(())
}

fn in_words(key: &PublicKey, verified: &Verified) -> String {
    let mut text = match &verified.head {
        Some(head) => format!(
            "The ledger is whole: {} entries, the last with the hash {}.\nSigned by the box {key}.\n",
            verified.entries,
            to_hex(&head.hash)
        ),
        None => format!("The ledger is whole: it has no entry yet.\nIt is of the box {key}.\n"),
    };
    for one in &verified.countersigned {
        text += &format!("Countersigned up to entry {} by {}.\n", one.seq, one.signer);
    }
    text
}

fn line(entry: &Entry) -> String {
    let time =
        Timestamp::from_second(entry.time).map_or_else(|_| entry.time.to_string(), |time| time.to_string());
    format!("{:>6}  {time}  {:<12}  {}", entry.seq, entry.kind, String::from_utf8_lossy(&entry.payload))
}

#[cfg(test)]
mod tests {
    use banyan_ledger::LedgerError;

    use super::*;

    /// A box with so many entries.
    fn founded(entries: usize) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let store_key = KeySource::of_box(dir.path()).load_or_create(false).unwrap();
        let store = Store::open(dir.path(), &store_key, &[banyan_ledger::ROOM]).unwrap();
        let key = box_key(dir.path(), &store_key).unwrap();
        store
            .write_blocking(move |tx| {
                (0..entries)
                    .try_for_each(|_| append(tx, &key, 1_790_000_000, "decision", b"{}").map(|_| ()))?;
                Ok::<_, LedgerError>(())
            })
            .unwrap();
        let paths = Paths::new(Some(dir.path().to_owned()), None, "desk".into(), None).unwrap();
        (dir, paths)
    }

    #[test]
    fn what_a_box_exports_verifies_without_the_box_and_a_changed_file_names_its_entry() {
        let (dir, paths) = founded(3);
        let file = dir.path().join("out.jsonl");
        command(&paths, Command::Export { file: file.clone() }).unwrap();
        assert!(command(&paths, Command::Export { file: file.clone() }).is_err(), "it exists already");
        let elsewhere = Paths::new(Some(dir.path().join("nothing here")), None, "desk".into(), None).unwrap();
        let verify =
            |file: Option<PathBuf>, known| command(&elsewhere, Command::Verify { file, key: None, known });
        verify(Some(file.clone()), Some(file.clone())).unwrap();
        command(&paths, Command::Verify { file: None, key: None, known: Some(file.clone()) }).unwrap();
        assert!(verify(None, None).unwrap_err().to_string().contains("no ledger yet"));

        let changed = std::fs::read_to_string(&file).unwrap().replacen(
            "\"seq\":2,\"time\":17",
            "\"seq\":2,\"time\":18",
            1,
        );
        std::fs::write(&file, changed).unwrap();
        let error = format!("{:#}", verify(Some(file), None).unwrap_err());
        assert_eq!(error.matches("entry 2 was changed").count(), 1, "{error}");
    }

    #[test]
    fn an_entry_is_a_line_with_its_number_time_and_kind() {
        let (_dir, paths) = founded(1);
        let (store, key) = open(&paths.data).unwrap();
        let entries = store.read_blocking(|connection| page(connection, None, 1)).unwrap();
        assert_eq!(line(&entries[0]), "     1  2026-09-21T14:13:20Z  decision      {}");
        let verified = store.read_blocking(move |c| verify_against(c, &key.public(), &[], |_| ())).unwrap();
        assert!(in_words(&PublicKey::from_bytes([1; 32]), &verified).contains("whole: 1 entries"));
        command(&paths, Command::Show { limit: 5 }).unwrap();
    }
}
