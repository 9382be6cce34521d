//! Text in pictures, where the program that reads them is installed; elsewhere these tests say that they were skipped.

use super::{data, reason, text, written};

const WORDS: [&str; 3] = ["The well is open", "from six to eight", "Bring a bottle"];

fn installed() -> bool {
    banyan_knowledge::extract::ocr_installed()
}

/// True when the rest of the test has to be left out, which it says.
fn skipped(test: &str) -> bool {
    if !installed() {
        eprintln!("SKIPPED {test}: tesseract is not installed (apt-get install tesseract-ocr)");
    }
    !installed()
}

fn says_all(found: &str) {
    for words in WORDS {
        assert!(found.contains(words), "\"{words}\" was not recognized in: {found}");
    }
}

#[test]
fn a_photographed_notice_is_read() {
    if skipped("a_photographed_notice_is_read") {
        return;
    }
    for name in ["notice.png", "notice.jpg", "notice.tif"] {
        says_all(&text(&data("documents").join(name)));
    }
}

#[test]
fn a_scanned_pdf_is_read_however_its_pages_are_stored() {
    if skipped("a_scanned_pdf_is_read_however_its_pages_are_stored") {
        return;
    }
    for name in ["scan-jpeg.pdf", "scan-fax.pdf", "scan-flate.pdf", "scan-bits.pdf"] {
        says_all(&text(&data("documents").join(name)));
    }
}

#[test]
fn without_the_program_a_picture_is_refused_with_what_to_install() {
    if installed() {
        eprintln!(
            "SKIPPED without_the_program_a_picture_is_refused_with_what_to_install: tesseract is installed"
        );
        return;
    }
    assert!(reason(&[], &data("documents/notice.png")).contains("tesseract-ocr"));
    assert!(reason(&[], &data("documents/scan-jpeg.pdf")).contains("pictures of pages"));
}

#[test]
fn a_picture_that_is_none_is_a_reason() {
    if skipped("a_picture_that_is_none_is_a_reason") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut picture = std::fs::read(data("documents/notice.png")).unwrap();
    picture.truncate(60);
    let reason = reason(&[], &written(&dir, "notice.png", &picture));
    assert!(reason.contains("could not be read") || reason.contains("no text"), "{reason}");
}
