//! The files of `tests/data/hostile`, each of which would harm a parser that trusts it. Those that end a whole process
//! (endless recursion, all the memory) are read by the worker's own tests in `appliance/tests/extract`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::{ExtractError, Format, Limits, extract};
use crate::Extracted;

/// As a small box would have them, so that the files can be small too.
fn limits() -> Limits {
    Limits { expanded: 4 << 20, text: 2 << 20, blocks: 5000, parts: 100, ..Limits::default() }
}

fn read(name: &str) -> Result<Extracted, ExtractError> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/hostile").join(name);
    let mut file = File::open(&path).unwrap();
    let mut head = Vec::new();
    file.by_ref().take(4096).read_to_end(&mut head).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    extract(Format::sniff(&head, name)?, &mut file, &limits())
}

#[test]
fn every_hostile_file_is_refused_with_a_reason() {
    for (name, words) in [
        ("bomb.docx", "unpacks to more than 4 MB"),
        ("lies.docx", "docx"),
        ("deep.odt", "256 levels"),
        ("parts.epub", "more than 100 parts"),
        ("climbing.epub", "no words"),
        ("locked.odt", "password"),
        ("locked.docx", "password"),
        ("cut.pdf", "damaged"),
        ("wide.csv", "more than 1000 columns"),
        ("vast.png", "million points"),
        ("zeros.txt", "does not read"),
        ("noise.pdf", "damaged"),
        ("program.pdf", "program"),
        ("laughs.docx", "no words"),
    ] {
        match read(name) {
            Ok(read) => panic!("{name} was read: {:?}", read.blocks.iter().take(3).collect::<Vec<_>>()),
            Err(error) => assert!(error.to_string().contains(words), "{name}: {error}"),
        }
    }
}

#[test]
fn what_is_merely_odd_is_read_and_what_is_lost_is_said() {
    for (name, words, warning) in [
        ("latin1.txt", "A reunião é amanhã", ""),
        ("open.html", "before", "<svg>"),
        ("nested.eml", "the innermost", ""),
        ("again.epub", "only once", ""),
    ] {
        let read = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let text: Vec<_> = read.blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(text.join("\n").matches(words).count(), 1, "{name}: {text:?}");
        assert!(read.warnings.iter().any(|said| said.contains(warning)) || warning.is_empty(), "{name}");
    }
}

/// Says that it is large, and fails whoever reads it.
struct Nothing(u64);

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("it was read"))
    }
}

impl Seek for Nothing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        Ok(if matches!(to, SeekFrom::End(0)) { self.0 } else { 0 })
    }
}

#[test]
fn two_gigabytes_of_nothing_are_refused_unread() {
    for format in [Format::Text, Format::Pdf, Format::Epub, Format::Mbox, Format::Image] {
        let error = extract(format, &mut Nothing(2 << 30), &Limits::default()).unwrap_err();
        assert!(matches!(error, ExtractError::TooLarge { size: 2_147_483_648, .. }), "{error}");
    }
    assert!(matches!(extract(Format::Text, &mut Nothing(0), &Limits::default()), Err(ExtractError::Empty)));
}

#[test]
fn a_file_that_takes_too_long_is_given_up() {
    let limits = Limits { time: std::time::Duration::ZERO, ..Limits::default() };
    let error = extract(Format::Text, &mut io::Cursor::new(b"words".as_slice()), &limits).unwrap_err();
    assert!(matches!(error, ExtractError::TooSlow { .. }), "{error}");
}
