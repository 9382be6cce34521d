//! Out of one box into a file, and into another box.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use banyan_store::{Activity, KeySource, Progress, Room, Store, StoreError, StoreKey, backup, restore};

const ROOM: Room = Room {
    name: "letters",
    steps: &["CREATE TABLE letters (id INTEGER PRIMARY KEY, blob BLOB NOT NULL UNIQUE) STRICT"],
};
const WORDS: &str = "five words make it long";

/// A box with a few letters, its key in a file and another sealed key beside it.
fn filled(data: &Path) -> (StoreKey, Store) {
    let key = KeySource::of_box(data).load_or_create(Store::exists(data)).unwrap();
    let store = Store::open(data, &key, &[ROOM]).unwrap();
    for number in 0..20 {
        add(&store, number);
    }
    fs::write(data.join("keys/box.key"), "sealed").unwrap();
    fs::write(data.join("keys/setup-code"), "1234").unwrap();
    (key, store)
}

fn add(store: &Store, number: i64) {
    let id = store.blobs().put(format!("letter {number} {}", "x".repeat(5000)).as_bytes()).unwrap();
    let added = store.write_blocking(move |tx| {
        tx.execute("INSERT INTO letters VALUES (?1, ?2)", (number, id.as_bytes())).map_err(StoreError::from)
    });
    added.unwrap();
}

/// How many letters there are; each of them is found.
fn letters(data: &Path) -> usize {
    let key = KeySource::of_box(data).load().unwrap();
    let store = Store::open(data, &key, &[ROOM]).unwrap();
    let ids = store.read_blocking(|c| -> Result<Vec<[u8; 32]>, StoreError> {
        let mut rows = c.prepare("SELECT blob FROM letters")?;
        let ids = rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(ids)
    });
    let ids = ids.unwrap();
    for id in &ids {
        let content = store.blobs().get(&banyan_store::BlobId::from_bytes(*id)).unwrap();
        assert!(content.unwrap().starts_with(b"letter "));
    }
    ids.len()
}

fn silent(_: Progress) {}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_community_moves_to_a_new_board_by_file_and_passphrase() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (key, _store) = filled(old.path());
    let file = new.path().join("hall.banyan");
    let mut seen = Vec::new();
    let done =
        backup(old.path(), &key, &file, Some(WORDS), false, &mut |progress| seen.push(progress)).unwrap();
    assert_eq!((done.blobs, done.bytes), (20, fs::metadata(&file).unwrap().len()));
    assert!(seen.iter().any(|p| p.activity == Activity::Writing && p.done == p.total));
    assert!(seen.iter().any(|p| p.activity == Activity::Checking) && seen.iter().all(|p| p.done <= p.total));
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"letter " || window == b"box.key"));

    let data = new.path().join("data");
    let restored = restore(&data, &file, Some(WORDS), &[ROOM], false, &mut silent).unwrap();
    assert_eq!((restored.blobs, restored.before), (20, None));
    assert_eq!(letters(&data), 20);
    assert_eq!(fs::read_to_string(data.join("keys/box.key")).unwrap(), "sealed");
    assert!(!data.join("keys/setup-code").exists());
    let mut left: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["banyan.db", "blobs", "keys"]);
}

#[test]
fn the_key_that_the_stewards_rebuilt_opens_a_backup_without_a_passphrase() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (key, _store) = filled(old.path());
    let file = old.path().join("hall.banyan");
    backup(old.path(), &key, &file, None, false, &mut silent).unwrap();

    let error = restore(new.path(), &file, None, &[ROOM], false, &mut silent).unwrap_err();
    assert!(matches!(error, StoreError::BackupLocked { .. }), "{error}");
    assert!(error.to_string().contains("banyan recover"), "{error}");
    KeySource::of_box(new.path()).replace(&key).unwrap();
    restore(new.path(), &file, None, &[ROOM], false, &mut silent).unwrap();
    assert_eq!(letters(new.path()), 20);
}

#[test]
fn nothing_is_overwritten_without_being_asked_and_what_was_there_is_kept() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (key, _store) = filled(old.path());
    let file = old.path().join("hall.banyan");
    backup(old.path(), &key, &file, Some(WORDS), false, &mut silent).unwrap();
    let again = backup(old.path(), &key, &file, Some(WORDS), false, &mut silent).unwrap_err();
    assert!(matches!(&again, StoreError::Exists { path } if *path == file), "{again}");
    backup(old.path(), &key, &file, Some(WORDS), true, &mut silent).unwrap();

    let (_, other) = filled(new.path());
    add(&other, 99);
    drop(other);
    let refused = restore(new.path(), &file, Some(WORDS), &[ROOM], false, &mut silent).unwrap_err();
    assert!(
        matches!(refused, StoreError::Exists { .. }) && refused.to_string().contains("--replace"),
        "{refused}"
    );
    assert_eq!(letters(new.path()), 21);

    let restored = restore(new.path(), &file, Some(WORDS), &[ROOM], true, &mut silent).unwrap();
    assert_eq!(letters(new.path()), 20);
    assert_eq!(letters(&restored.before.unwrap()), 21, "what was there can still be opened");
}

#[test]
fn a_backup_that_was_cut_or_changed_replaces_nothing() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (key, _store) = filled(old.path());
    let (_, other) = filled(new.path());
    drop(other);
    let file = old.path().join("hall.banyan");
    backup(old.path(), &key, &file, Some(WORDS), false, &mut silent).unwrap();
    KeySource::of_box(new.path()).load().unwrap();
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let error = restore(new.path(), &file, Some(WORDS), &[ROOM], true, &mut silent).unwrap_err();
        assert!(
            matches!(error, StoreError::BackupDamaged { .. } | StoreError::NotABackup { .. }),
            "{} bytes: {error}",
            bytes.len()
        );
        assert_eq!(letters(new.path()), 20);
        assert!(!new.path().join("restoring").exists());
    };
    for length in [0, 100, 1000, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length]);
    }
    for at in [300, whole.len() / 3, whole.len() - 20] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        refused(&changed);
    }
    refused(b"something else altogether, and long enough to be read as a beginning");
}

#[test]
fn a_backup_of_a_newer_version_is_refused_before_anything_is_replaced() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (key, _store) = filled(old.path());
    let file = old.path().join("hall.banyan");
    backup(old.path(), &key, &file, Some(WORDS), false, &mut silent).unwrap();
    let older = Room { name: "letters", steps: &[] };
    let error = restore(new.path(), &file, Some(WORDS), &[older], false, &mut silent).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    assert!(!new.path().join("banyan.db").exists() && !new.path().join("keys").exists());
}

#[test]
fn a_backup_made_while_members_write_is_of_one_moment() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (key, store) = filled(old.path());
    let file = old.path().join("hall.banyan");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (store, done) = (&store, &done);
        scope.spawn(move || {
            for number in (100..).take_while(|_| !done.load(Ordering::Relaxed)) {
                add(store, number);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        // Also when something below fails: the scope waits for the other one.
        let _stop = Stop(done);
        for _ in 0..3 {
            backup(old.path(), &key, &file, Some(WORDS), true, &mut silent).unwrap();
            // Verifies every page, and `letters` that each row has its blob.
            restore(new.path(), &file, Some(WORDS), &[ROOM], true, &mut silent).unwrap();
            assert!(letters(new.path()) >= 20);
        }
    });
}
