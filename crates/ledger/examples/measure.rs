//! How fast the ledger is on this machine's disk and processor: `cargo xtask bench ledger` runs it.
//!
//! Prints `NAME VALUE` lines: entries appended a second, each on the disk before the next; seconds to verify 100,000
//! entries in the database, and in an exported file.

use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use banyan_identity::SigningKey;
use banyan_ledger::{LedgerError, ROOM, append, export, verify, verify_file};
use banyan_store::{Store, StoreKey};

const ENTRIES: u64 = 100_000;
/// Entries of a transaction while the ledger is filled.
const TOGETHER: u64 = 5000;
/// How long single entries are appended.
const APPENDING: Duration = Duration::from_secs(5);
/// The size of a real decision.
const PAYLOAD: &[u8] = br#"{"authority":{"by":"proposal","proposal":"p-0123456789"},"decision":{"what":"grant_role","member":"m-0123456789","role":"librarian","until":1800000000}}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("give an empty folder")?);
    fs::create_dir_all(&folder)?;
    let store = Store::open(&folder, &StoreKey::generate()?, &[ROOM])?;
    let key = SigningKey::generate()?;
    let public = key.public();

    let began = Instant::now();
    let mut entries = 0;
    while began.elapsed() < APPENDING {
        entries = fill(&store, &key, 1)?;
    }
    println!("append_per_s {:.1}", entries as f64 / began.elapsed().as_secs_f64());

    while entries < ENTRIES {
        entries = fill(&store, &key, TOGETHER.min(ENTRIES - entries))?;
    }
    let began = Instant::now();
    let verified = store.read_blocking(move |connection| verify(connection, &public, |_| ()))?;
    println!("verify_s {:.3}", began.elapsed().as_secs_f64() * ENTRIES as f64 / verified.entries as f64);

    let path = folder.join("banyan-ledger.jsonl");
    let mut file = BufWriter::new(File::create(&path)?);
    store.read_blocking(move |connection| export(connection, &public, &mut file))?;
    let began = Instant::now();
    let verified = verify_file(&path, Some(&public), &[], |_| ())?.verified;
    println!("verify_file_s {:.3}", began.elapsed().as_secs_f64() * ENTRIES as f64 / verified.entries as f64);
    Ok(())
}

/// Appends so many entries in one transaction; gives the number of the last.
fn fill(store: &Store, key: &SigningKey, entries: u64) -> Result<u64, LedgerError> {
    let key = key.clone();
    store.write_blocking(move |tx| {
        let mut last = 0;
        for _ in 0..entries {
            last = append(tx, &key, 1_790_000_000, "decision", PAYLOAD)?.seq;
        }
        Ok(last)
    })
}
