//! Wrong keys, damaged files, full and read-only disks: told apart, in words, and nothing is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use banyan_store::{BlobId, Room, Store, StoreError, StoreKey};

const ROOM: Room = Room { name: "notes", steps: &["CREATE TABLE notes (text TEXT NOT NULL) STRICT"] };

fn key() -> StoreKey {
    StoreKey::from_bytes([1; 32])
}

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(folder, &key(), &[ROOM])
}

fn add(store: &Store, text: &str) -> Result<usize, StoreError> {
    let text = text.to_owned();
    store.write_blocking(move |tx| Ok(tx.execute("INSERT INTO notes VALUES (?1)", [text])?))
}

fn count(store: &Store) -> i64 {
    let count = store.read_blocking(|c| -> Result<i64, StoreError> {
        Ok(c.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?)
    });
    count.unwrap()
}

/// A store with a few hundred notes, closed.
fn filled(folder: &Path) -> Vec<u8> {
    let store = open(folder).unwrap();
    for number in 0..200 {
        add(&store, &format!("note {number} {}", "word ".repeat(200))).unwrap();
    }
    drop(store);
    fs::read(folder.join("banyan.db")).unwrap()
}

#[test]
fn nothing_readable_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    add(&store, "the well behind the school").unwrap();
    for name in ["banyan.db", "banyan.db-wal"] {
        let bytes = fs::read(dir.path().join(name)).unwrap();
        assert!(!bytes.is_empty());
        for word in [&b"the well"[..], b"CREATE TABLE", b"SQLite format"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word), "{name}");
        }
    }
}

#[test]
fn a_wrong_key_opens_nothing_changes_nothing_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path());
    let other = StoreKey::from_bytes([2; 32]);
    let error = Store::open(dir.path(), &other, &[ROOM]).unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
    assert!(
        error.to_string().contains("banyan recover") && error.to_string().contains("banyan.db"),
        "{error}"
    );
    assert_eq!(fs::read(dir.path().join("banyan.db")).unwrap(), before);
    assert!(!Store::is_key_of(dir.path(), &other).unwrap() && Store::is_key_of(dir.path(), &key()).unwrap());
    assert_eq!(count(&open(dir.path()).unwrap()), 200);
}

#[test]
fn a_file_that_was_cut_off_is_told_from_a_wrong_key_and_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let whole = filled(dir.path());
    let path = dir.path().join("banyan.db");
    for length in [0, 10, 16, 100, 4096, 3 * 4096, whole.len() / 2, whole.len() - 4096] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(
            matches!(&error, StoreError::Damaged { path: named, .. } if *named == path),
            "{length}: {error}"
        );
        assert!(error.to_string().contains("banyan restore"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), &whole[..length], "cut to {length} bytes");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(count(&open(dir.path()).unwrap()), 200);
}

#[test]
fn a_page_that_was_changed_is_never_read_as_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let whole = filled(dir.path());
    let path = dir.path().join("banyan.db");
    for at in (20..whole.len()).step_by(4096 + 511) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        let texts = open(dir.path()).and_then(|store| {
            store.read_blocking(|c| -> Result<Vec<String>, StoreError> {
                let mut rows = c.prepare("SELECT text FROM notes")?;
                let texts = rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok(texts)
            })
        });
        match texts {
            Err(StoreError::Damaged { .. }) => {}
            Err(error) => panic!("byte {at}: {error}"),
            Ok(texts) => {
                assert!(
                    texts.len() == 200 && texts.iter().all(|text| text.starts_with("note ")),
                    "byte {at}"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_whole_and_fits_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let pages = |limit: i64| {
        let set = move |tx: &banyan_store::rusqlite::Transaction<'_>| -> Result<i64, StoreError> {
            Ok(tx.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |row| row.get(0))?)
        };
        store.write_blocking(set).unwrap()
    };
    pages(20);
    let mut kept = 0;
    let error = loop {
        match add(&store, &"word ".repeat(500)) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("nothing was lost"), "{error}");
    assert!(kept > 3 && count(&store) == kept);
    pages(10_000);
    add(&store, &"word ".repeat(500)).unwrap();
    drop(store);
    assert_eq!(count(&open(dir.path()).unwrap()), kept + 1);
}

/// Runs one of the tests below in a mount namespace of its own, with a small disk. Where the system allows none (some
/// containers), they show nothing and say so.
fn on_small_disk(test: &str, kib: u32) {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size={kib}k small '{0}' || exit 77; BANYAN_TEST_DISK='{0}' exec \"$1\" --exact {test} --ignored --nocapture",
        dir.path().display()
    );
    let child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .output();
    let output = match child {
        Ok(output) => output,
        Err(error) => return eprintln!("not shown here: unshare: {error}"),
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if said.contains("unshare failed") || output.status.code() == Some(77) {
        return eprintln!("not shown here, this system lends no small disk: {said}");
    }
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn disk() -> Option<std::path::PathBuf> {
    std::env::var_os("BANYAN_TEST_DISK").map(Into::into)
}

#[test]
fn a_full_disk_loses_nothing_and_the_store_goes_on_when_there_is_room() {
    on_small_disk("child_full_disk", 1500);
}

#[test]
#[ignore = "run by the test above, with a disk of its own"]
fn child_full_disk() {
    let Some(disk) = disk() else { return };
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 300 * 1024]).unwrap();
    let store = open(&disk).unwrap();
    let mut kept = 0;
    let error = loop {
        match add(&store, &"word ".repeat(2000)) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert_eq!(count(&store), kept);
    let blob = store.blobs().put(&vec![7; 400 * 1024]).unwrap_err();
    assert!(matches!(blob, StoreError::DiskFull { .. }), "{blob:?}");
    assert_eq!(store.blobs().list().unwrap(), []);

    let backup = banyan_store::backup(&disk, &key(), &disk.join("b"), None, false, &mut |_| {}).unwrap_err();
    assert!(matches!(backup, StoreError::DiskFull { .. }), "{backup:?}");
    assert!(!disk.join("b").exists());

    fs::remove_file(ballast).unwrap();
    add(&store, "again").unwrap();
    drop(store);
    assert_eq!(count(&open(&disk).unwrap()), kept + 1);
    let left: Vec<_> = fs::read_dir(&disk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".tmp-")), "{left:?}");
}

#[test]
fn a_read_only_disk_is_refused_in_words_and_a_backup_of_it_can_be_made() {
    on_small_disk("child_read_only_disk", 20_000);
}

#[test]
#[ignore = "run by the test above, with a disk of its own"]
fn child_read_only_disk() {
    let Some(disk) = disk() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let store = open(&disk).unwrap();
    add(&store, "one").unwrap();
    let blob: BlobId = store.blobs().put(b"a letter").unwrap();
    // As after a crash: the log is not in the database yet.
    let copy = |name: &str| fs::copy(disk.join(name), elsewhere.path().join(name)).unwrap();
    let (database, log) = (copy("banyan.db"), copy("banyan.db-wal"));
    assert!(database > 0 && log > 0);
    drop(store);
    for name in ["banyan.db", "banyan.db-wal"] {
        fs::copy(elsewhere.path().join(name), disk.join(name)).unwrap();
    }
    let mount = |how: &str| {
        let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&disk).status();
        assert!(status.unwrap().success());
    };
    mount("ro");
    let error = open(&disk).unwrap_err();
    assert!(matches!(&error, StoreError::ReadOnly { path } if path.ends_with("banyan.db")), "{error:?}");
    assert!(error.to_string().contains("backup"), "{error}");

    let file = elsewhere.path().join("saved");
    banyan_store::backup(&disk, &key(), &file, Some("five words make it long"), false, &mut |_| {}).unwrap();
    let new = tempfile::tempdir().unwrap();
    banyan_store::restore(new.path(), &file, Some("five words make it long"), &[ROOM], false, &mut |_| {})
        .unwrap();
    let restored = open(new.path()).unwrap();
    assert_eq!((count(&restored), restored.blobs().get(&blob).unwrap().unwrap()), (1, b"a letter".to_vec()));

    mount("rw");
    assert_eq!(count(&open(&disk).unwrap()), 1);
}
