//! Whatever the bytes, a parser gives words or a reason, within the limits. Each case is a real file with some bytes
//! changed, cut or doubled, or plain noise. `cargo xtask fuzz` runs many more of them. PDFs are fuzzed through the worker
//! (`appliance/tests/extract`), since some of their faults end a process.

use std::io::Cursor;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{Format, Limits, extract, zipped};

const FORMATS: [Format; 8] = [
    Format::Text,
    Format::Markdown,
    Format::Html,
    Format::Csv,
    Format::Mbox,
    Format::Docx,
    Format::Odt,
    Format::Epub,
];

/// A good file of each kind, to be spoilt.
fn sample(format: Format) -> Vec<u8> {
    match format {
        Format::Docx => zipped(&[(
            "word/document.xml",
            "<w:document><w:body><w:p><w:r><w:t>Bread &amp; water</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r>\
             <w:t>Mon</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>",
        )]),
        Format::Odt => zipped(&[(
            "content.xml",
            "<o><text:h text:outline-level='2'>Bread</text:h><text:p>and<text:s text:c='3'/>water</text:p></o>",
        )]),
        Format::Epub => zipped(&[
            ("META-INF/container.xml", "<c><rootfile full-path='b.opf'/></c>"),
            ("b.opf", "<p><item id='a' href='a.html'/><itemref idref='a'/></p>"),
            ("a.html", "<h1>Bread</h1><p>and water"),
        ]),
        Format::Mbox => b"From a\nSubject: =?utf-8?q?Br=C3=A9ad?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
            Content-Type: text/html\n\n<p>and water\n--b--\n"
            .to_vec(),
        _ => "---\ntitle: b\n---\n# Bread\n\n- a;b\n- 1,2\n\n<table><tr><td>x</table><!-- é & &amp; -->\u{c}`c`\n| a | b |\n"
            .as_bytes()
            .to_vec(),
    }
}

#[derive(Debug, Clone)]
enum Harm {
    Set(Index, u8),
    Cut(Index),
    Double(Index, Index),
    Insert(Index, Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        any::<Index>().prop_map(Harm::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Harm::Double(from, to)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
    ]
}

fn spoil(bytes: &mut Vec<u8>, harm: &Harm) {
    if bytes.is_empty() {
        return;
    }
    match harm {
        Harm::Set(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Harm::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Harm::Double(from, to) => {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let part = bytes[from.min(to)..from.max(to)].to_vec();
            bytes.extend(part);
        }
        Harm::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
    }
}

fn check(format: Format, bytes: &[u8]) -> Result<(), TestCaseError> {
    let limits = Limits { text: 2000, blocks: 50, expanded: 1 << 20, ..Limits::default() };
    if let Ok(read) = extract(format, &mut Cursor::new(bytes), &limits) {
        prop_assert!(!read.blocks.is_empty() && read.blocks.len() <= 50);
        prop_assert!(read.blocks.iter().map(|block| block.text.len()).sum::<usize>() <= 2000);
        for block in read.blocks {
            prop_assert!(block.text.chars().all(|c| !c.is_control() || c == '\n'), "{:?}", block.text);
        }
    }
    let _ = Format::sniff(bytes, "fuzz");
    Ok(())
}

proptest! {
    #[test]
    fn a_spoilt_file_gives_words_or_a_reason(
        format in prop::sample::select(&FORMATS[..]),
        harms in prop::collection::vec(harm(), 1..8),
    ) {
        let mut bytes = sample(format);
        for harm in &harms {
            spoil(&mut bytes, harm);
        }
        check(format, &bytes)?;
    }

    #[test]
    fn noise_gives_words_or_a_reason(
        format in prop::sample::select(&FORMATS[..]),
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        check(format, &bytes)?;
    }

    #[test]
    fn a_picture_of_noise_has_a_size_or_none(
        sign in prop::sample::select(vec![&b"\x89PNG"[..], b"GIF8", b"BM", b"RIFF0000WEBPVP8X", b"\xff\xd8", b"II*\0", b"MM\0*"]),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = super::super::image::size(&[sign, noise.as_slice()].concat());
    }
}
