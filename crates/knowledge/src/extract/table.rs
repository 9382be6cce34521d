//! Tables: cells between commas, semicolons or tabs. A row is found by its words, so each row carries the column names
//! with it: `Day: Monday | Opens: 6`.

use std::io::Cursor;

use super::ExtractError;
use super::encoding;
use super::words::{Words, clean};
use crate::BlockKind;

/// So many lines are looked at to find out what stands between the cells.
const SAMPLE: usize = 20;
/// More columns than this are no table but an attack, or data that nobody reads.
const COLUMNS: usize = 1000;

pub(super) fn read(bytes: &[u8], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let text = encoding::decode(bytes, None, words);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&text))
        .from_reader(Cursor::new(text.as_bytes()));
    let mut names: Option<Vec<String>> = None;
    for record in reader.records() {
        words.check_time()?;
        let record = record.map_err(|error| words.broken(error))?;
        if record.len() > COLUMNS {
            return Err(words.too_many("columns", COLUMNS));
        }
        let cells: Vec<String> = record.iter().map(clean).collect();
        match &names {
            None => {
                words.push(BlockKind::Row, &cells.join(" | "))?;
                names = Some(if is_head(&cells) { cells } else { Vec::new() });
            }
            Some(names) => {
                words.push(BlockKind::Row, &row(names, &cells))?;
            }
        }
    }
    Ok(())
}

fn row(names: &[String], cells: &[String]) -> String {
    let mut parts = Vec::new();
    for (at, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        match names.get(at).filter(|name| !name.is_empty()) {
            Some(name) => parts.push(format!("{name}: {cell}")),
            None => parts.push(cell.clone()),
        }
    }
    parts.join(" | ")
}

/// A first row names the columns when every cell of it is a short word that is not a number.
fn is_head(cells: &[String]) -> bool {
    cells.len() > 1
        && cells.iter().all(|cell| {
            !cell.is_empty() && cell.chars().count() <= 60 && cell.replace(',', ".").parse::<f64>().is_err()
        })
}

/// The separator that gives most lines the same number of cells.
fn delimiter(text: &str) -> u8 {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(SAMPLE).collect();
    let agreement = |separator: u8| {
        let counts: Vec<usize> =
            lines.iter().map(|line| line.bytes().filter(|&b| b == separator).count()).collect();
        let first = counts.first().copied().unwrap_or(0);
        let same = counts.iter().filter(|&&count| count == first).count();
        if first == 0 { (0, 0) } else { (same, first) }
    };
    // The last of equals wins, so the commonest comes last.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&separator| agreement(separator)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::extract::tests::blocks;

    #[test]
    fn every_row_says_what_its_cells_are() {
        for text in ["Day;Opens\nMonday;6,5\n;\"a;b\"\n", "Day\tOpens\nMonday\t6,5\n\ta;b\n"] {
            assert_eq!(
                blocks(Format::Csv, text.as_bytes()),
                [
                    (BlockKind::Row, "Day | Opens".into()),
                    (BlockKind::Row, "Day: Monday | Opens: 6,5".into()),
                    (BlockKind::Row, "Opens: a;b".into()),
                ]
            );
        }
        assert_eq!(
            blocks(Format::Csv, b"1,2\n3,4\n"),
            [(BlockKind::Row, "1 | 2".into()), (BlockKind::Row, "3 | 4".into())]
        );
    }
}
