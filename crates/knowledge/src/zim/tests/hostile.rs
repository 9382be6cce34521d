//! Archives that are broken or made to harm: an error in words, no panic, no more memory than is stated.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use crate::zim::index::{Batch, Index};
use crate::zim::testing::{Maker, Packing};
use crate::zim::{Zim, ZimError};

fn small(packing: Packing) -> Maker {
    Maker { packing, main_page: Some("Well"), ..Maker::default() }
        .about("Title", "Book")
        .article("Well", "Well", &["A well gives water.", "Cover it."])
        .article("Fire", "Fire", &["Fire needs wood."])
        .redirect("Spring", "Spring", "Well")
}

/// The number at this place of the header, changed.
fn with(bytes: &[u8], at: usize, number: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + number.len()].copy_from_slice(number);
    bytes
}

/// Whatever can be asked of an archive.
fn ask_everything(path: &Path) -> Result<(), ZimError> {
    let zim = Zim::open(path)?;
    let mut first = Ok(());
    let mut note = |result: Result<(), ZimError>| {
        if first.is_ok() {
            first = result;
        }
    };
    note(zim.metadata("Title").map(drop));
    note(zim.main_page().map(drop));
    for title in ["", "Well", "\u{10FFFF}"] {
        note(zim.titles_from(title, 10).map(drop));
    }
    for path in ["Well", "Fire", "Spring", "A/Well"] {
        note(zim.article(path).map(drop));
    }
    for entry in 0..zim.entries().min(20) {
        note(zim.resolve(entry).map(drop));
        note(zim.entry(entry).and_then(|entry| zim.content(&entry, 1 << 20)).map(drop));
    }
    note(zim.verify(&|| false).map(drop));
    first
}

fn asked(bytes: &[u8]) -> Result<(), ZimError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zim");
    std::fs::write(&path, bytes).unwrap();
    ask_everything(&path)
}

#[test]
fn what_an_archive_says_of_itself_is_not_believed() {
    let good = small(Packing::Plain).bytes();
    let end = (good.len() as u64 - 3).to_le_bytes();
    for (what, bytes, words) in [
        ("nothing", Vec::new(), "not a ZIM archive"),
        ("another file", b"PK\x03\x04 and so on and so on".to_vec(), "not a ZIM archive"),
        ("only a header's beginning", good[..79].to_vec(), "not a ZIM archive"),
        ("a version to come", with(&good, 4, &[9, 0]), "version 9"),
        ("entries without number", with(&good, 24, &[0xFF; 4]), "4294967295 entries"),
        ("clusters without number", with(&good, 28, &[0xFF; 4]), "4294967295 clusters"),
        ("more entries than fit", with(&good, 24, &[0xFF, 0xFF, 0, 0]), "beyond the end of the file"),
        ("paths beyond the end", with(&good, 32, &end), "beyond the end of the file"),
        ("paths beyond all numbers", with(&good, 32, &[0xFF; 8]), "beyond the end of the file"),
        ("clusters beyond the end", with(&good, 48, &end), "beyond the end of the file"),
        ("content types without end", with(&good, 56, &end), "content types"),
        ("cut in the middle", good[..good.len() / 2].to_vec(), "is damaged"),
    ] {
        let error = asked(&bytes).expect_err(what).to_string();
        assert!(error.contains(words), "{what}: {error}");
    }
}

#[test]
fn redirects_that_lead_round_in_a_circle_end() {
    let maker =
        Maker::default().redirect("A", "A", "B").redirect("B", "B", "A").redirect("C", "C", "nowhere");
    let folder = tempfile::tempdir().unwrap();
    let zim = Zim::open(&maker.write(folder.path(), "a.zim")).unwrap();
    for (path, words) in [("A", "circle"), ("C", "names entry 4294967295")] {
        let error = zim.article(path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// A frame of Zstandard that says this of its window, with blocks of 128 KiB of one byte.
fn bomb(descriptor: &[u8], blocks: usize) -> Vec<u8> {
    let mut bytes = [&[5, 0x28, 0xB5, 0x2F, 0xFD], descriptor].concat();
    for block in 0..blocks {
        let last = u32::from(block + 1 == blocks);
        let head = ((128 << 10) << 3) | (1 << 1) | last;
        bytes.extend(&u32::to_le_bytes(head)[..3]);
        bytes.push(0);
    }
    bytes
}

#[test]
fn a_cluster_that_unpacks_to_gigabytes_is_refused_before_they_are_there() {
    use crate::zim::cluster::{Clusters, MAX_CLUSTER};
    use crate::zim::source::Source;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster");
    // Windows of 8 MiB, of 128 MiB, of 3.75 TiB; and a single segment of 2^60 bytes.
    for (descriptor, blocks) in [
        (&[0x00, 13 << 3][..], 100_000),
        (&[0x00, 17 << 3][..], 100_000),
        (&[0x00, 0xFF][..], 100_000),
        (&[0xE0, 0, 0, 0, 0, 0, 0, 0, 0x10][..], 10),
    ] {
        std::fs::write(&path, bomb(descriptor, blocks)).unwrap();
        let source = Source::open(&path).unwrap();
        let before = resident();
        let error = Clusters::default().blob(&source, (0, 0), 0, MAX_CLUSTER).unwrap_err().to_string();
        assert!(error.contains("more than 32 MB"), "{descriptor:?}: {error}");
        let grown = resident().saturating_sub(before);
        // Other tests of this process take some too.
        assert!(grown < 300 << 20, "{descriptor:?}: {grown} bytes more");
    }
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn an_index_grows_past_whatever_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let mut maker = small(Packing::Plain);
    maker.per_cluster = 1;
    let mut bytes = maker.bytes();
    // The first article's cluster says that it is packed with what nobody unpacks.
    let at = bytes.windows(6).position(|part| part == b"<html>").unwrap();
    bytes[at - 9] = 2;
    let path = folder.path().join("a.zim");
    std::fs::write(&path, bytes).unwrap();
    let zim = Zim::open(&path).unwrap();
    let index = Index::at(folder.path().join("a.index"), zim.fingerprint());
    let batch = Batch { zim: &zim, languages: &["en".to_owned()] };
    index.batch(&batch).unwrap();
    let grown = index.batch(&batch).unwrap();
    assert!(grown.done && grown.articles == 2 && grown.words == 2, "{grown:?}");
}

static GOOD: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let mut wide = small(Packing::Plain);
    wide.wide = true;
    wide.one_namespace = false;
    [small(Packing::Zstandard).bytes(), small(Packing::Plain).bytes(), wide.bytes()]
});

proptest! {
    #[test]
    fn an_archive_with_any_bytes_changed_is_read_or_refused(
        which in 0..3_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = GOOD[which].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = asked(&bytes);
    }

    #[test]
    fn an_archive_with_any_header_is_read_or_refused(header in proptest::collection::vec(any::<u8>(), 76)) {
        let mut bytes = GOOD[1].clone();
        bytes[4] = 6;
        bytes[5] = 0;
        bytes[6..80].copy_from_slice(&header[2..]);
        let _ = asked(&bytes);
    }
}
