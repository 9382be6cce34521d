//! Files made in memory for the tests of each parser, the hostile files, and the fuzzing of all of them.

mod fuzz;
mod hostile;

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{ExtractError, Format, Limits, extract};
use crate::{BlockKind, Extracted};

/// The words of a file, within the usual limits.
pub(super) fn extracted(format: Format, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    extract(format, &mut Cursor::new(bytes), &Limits::default())
}

/// Its blocks.
pub(super) fn blocks(format: Format, bytes: &[u8]) -> Vec<(BlockKind, String)> {
    extracted(format, bytes).unwrap().blocks.into_iter().map(|block| (block.kind, block.text)).collect()
}

/// An archive of these parts.
pub(super) fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A PDF with a line on each page.
pub(super) fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!(
            "<</Type/Pages/Count {}/Kids[{}]>>",
            pages.len(),
            (0..pages.len()).map(|page| format!("{} 0 R ", 5 + 2 * page)).collect::<String>()
        ),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        "<</Title(A test)>>".to_owned(),
    ];
    for (page, text) in pages.iter().enumerate() {
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 400]/Resources<</Font<</F 3 0 R>>>>/Contents {} 0 R>>",
            6 + 2 * page
        ));
        let content = format!("BT /F 12 Tf 20 300 Td ({text}) Tj ET");
        objects.push(format!("<</Length {}>>stream\n{content}\nendstream", content.len()));
    }
    let mut file = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        places.push(file.len());
        writeln!(file, "{number} 0 obj\n{object}\nendobj").unwrap();
    }
    let start = file.len();
    writeln!(file, "xref\n0 {}\n0000000000 65535 f ", objects.len() + 1).unwrap();
    for place in places {
        writeln!(file, "{place:010} 00000 n ").unwrap();
    }
    writeln!(
        file,
        "trailer\n<</Size {}/Root 1 0 R/Info 4 0 R>>\nstartxref\n{start}\n%%EOF",
        objects.len() + 1
    )
    .unwrap();
    file.into_bytes()
}
