//! A steward's own signature under the ledger: what makes it impossible to write history anew, even for somebody who
//! has the whole box.

use std::fs::{self, File};
use std::io::{BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use banyan_identity::{PublicKey, SealedKey, SigningKey};
use banyan_ledger::{Countersignature, VerifyError, countersign, verify};
use banyan_store::Store;

/// Characters that a passphrase has at least: whoever finds the file can guess at it for years.
const MIN_PASSPHRASE: usize = 12;

#[derive(Debug, clap::Args)]
pub(crate) struct Key {
    /// The steward's key; best on a stick that the steward keeps
    key_file: PathBuf,
    /// A file with the passphrase of the key [default: read from standard input]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Makes a steward's key in a new file; gives what others know it by.
pub(crate) fn make_key(args: &Key) -> Result<PublicKey> {
    let passphrase = passphrase(args.passphrase_file.as_deref(), &mut std::io::stdin().lock())?;
    if passphrase.chars().count() < MIN_PASSPHRASE {
        bail!("the passphrase has fewer than {MIN_PASSPHRASE} characters; give five words or so");
    }
    let key = SigningKey::generate()?;
    let sealed = serde_json::to_string(&SealedKey::seal(&key, &passphrase)?)?;
    let mut file =
        File::options().write(true).create_new(true).mode(0o600).open(&args.key_file).with_context(|| {
            format!("{} could not be made; is there one already?", args.key_file.display())
        })?;
    writeln!(file, "{sealed}")?;
    file.sync_all()?;
    Ok(key.public())
}

/// Verifies the whole ledger and puts the steward's signature under its end. Nobody vouches for what was not checked.
pub(crate) fn sign(store: &Store, box_key: PublicKey, args: &Key) -> Result<Countersignature> {
    let verified = store.read_blocking(move |connection| verify(connection, &box_key, |_| ()))?;
    let head = verified.head.context("the ledger has no entry yet that could be countersigned")?;
    let sealed = fs::read_to_string(&args.key_file)
        .with_context(|| format!("{} could not be read", args.key_file.display()))?;
    let sealed: SealedKey = serde_json::from_str(&sealed)
        .with_context(|| format!("{} is no steward's key", args.key_file.display()))?;
    if verified.countersigned.iter().any(|one| one.seq == head.seq && one.signer == sealed.public) {
        bail!("you have countersigned entry {} already, and nothing came after it", head.seq);
    }
    let passphrase = passphrase(args.passphrase_file.as_deref(), &mut std::io::stdin().lock())?;
    let countersignature = head.countersignature(&sealed.open(&passphrase)?);
    store.write_blocking(move |tx| countersign(tx, &countersignature).map_err(VerifyError::from))?;
    Ok(countersignature)
}

/// The first line of a file, or of the input.
fn passphrase(file: Option<&Path>, input: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    match file {
        Some(path) => {
            line =
                fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))?;
        }
        None => {
            eprintln!("Type the passphrase of the steward's key (it can be seen on the screen), then Enter.");
            input.read_line(&mut line).context("the passphrase could not be read")?;
        }
    }
    Ok(line.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use banyan_ledger::{LedgerError, append};
    use banyan_store::StoreKey;

    use super::*;

    #[test]
    fn a_steward_signs_under_the_whole_ledger_once_and_only_with_the_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("words"), "tall trees catch much wind\n").unwrap();
        fs::write(path("wrong"), "tall trees catch no wind\n").unwrap();
        let key = |words: &str| Key { key_file: path("amina.key"), passphrase_file: Some(path(words)) };
        let steward = make_key(&key("words")).unwrap();
        assert!(make_key(&key("words")).is_err(), "a key is never overwritten");

        let store =
            Store::open(&path("data"), &StoreKey::from_bytes([5; 32]), &[banyan_ledger::ROOM]).unwrap();
        let signs = SigningKey::from_bytes(&[7; 32]);
        let public = signs.public();
        assert!(sign(&store, public, &key("words")).unwrap_err().to_string().contains("no entry yet"));
        store
            .write_blocking(move |tx| {
                append(tx, &signs, 1, "decision", b"{}")?;
                Ok::<_, LedgerError>(())
            })
            .unwrap();
        assert!(sign(&store, public, &key("wrong")).is_err());
        let signed = sign(&store, public, &key("words")).unwrap();
        assert_eq!((signed.seq, signed.signer), (1, steward));
        assert!(sign(&store, public, &key("words")).unwrap_err().to_string().contains("already"));
        let verified = store.read_blocking(move |c| verify(c, &public, |_| ())).unwrap();
        assert_eq!(verified.countersigned, [signed]);
    }

    #[test]
    fn a_ledger_that_is_not_whole_or_another_boxs_is_not_countersigned() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &StoreKey::from_bytes([5; 32]), &[banyan_ledger::ROOM]).unwrap();
        let signs = SigningKey::from_bytes(&[7; 32]);
        store.write_blocking(move |tx| append(tx, &signs, 1, "decision", b"{}").map(|_| ())).unwrap();
        let args = Key { key_file: dir.path().join("none"), passphrase_file: None };
        let error = sign(&store, SigningKey::from_bytes(&[8; 32]).public(), &args).unwrap_err().to_string();
        assert!(error.contains("the ledger is broken: entry 1"), "{error}");
    }

    #[test]
    fn a_passphrase_that_is_guessed_soon_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("words"), "amina1\n").unwrap();
        let args =
            Key { key_file: dir.path().join("amina.key"), passphrase_file: Some(dir.path().join("words")) };
        assert!(make_key(&args).is_err());
        assert!(!args.key_file.exists());
    }
}
