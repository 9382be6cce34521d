//! Words of the library as HTML: everything is escaped, and only the tags below are written.

use std::fmt::Write as _;
use std::ops::Range;

use crate::library::part::byte_range;
use crate::library::types::{Part, ReadBlock};
use crate::pages::text::escape;

/// Characters of a passage that a list shows, around the first word that was looked for.
const SNIPPET: usize = 320;

/// Characters of it before that word.
const BEFORE: usize = 80;

/// The blocks of a part; the cited passage is marked, and its beginning is where `#cited` leads.
pub(super) fn blocks(part: &Part, cited: Option<(usize, usize)>) -> String {
    let mut out = String::new();
    let mut around = None;
    let mut anchored = false;
    for block in &part.blocks {
        let marked = cited.and_then(|(from, to)| byte_range(block, from, to));
        let tag = Tag::of(block);
        if around != tag.around() {
            close(around, &mut out);
            around = tag.around();
            open(around, &mut out);
        }
        // Whatever could fail here is writing into memory.
        let _ = write!(out, "<{} id=\"b{}\" dir=\"auto\">", tag.name(), block.number);
        match tag {
            Tag::Row => cells(&block.text, marked.as_ref(), &mut anchored, &mut out),
            _ => words(&block.text, marked.as_ref(), &mut anchored, &mut out),
        }
        let _ = writeln!(out, "</{}>", tag.name());
    }
    close(around, &mut out);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Heading(u8),
    Paragraph,
    Item,
    Row,
    Verbatim,
}

impl Tag {
    fn of(block: &ReadBlock) -> Self {
        match block.kind.as_str() {
            // The page's own title is the first heading.
            "heading" => Self::Heading(block.level.unwrap_or(1).clamp(1, 5) + 1),
            "item" => Self::Item,
            "row" => Self::Row,
            "verbatim" => Self::Verbatim,
            _ => Self::Paragraph,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Heading(2) => "h2",
            Self::Heading(3) => "h3",
            Self::Heading(4) => "h4",
            Self::Heading(5) => "h5",
            Self::Heading(_) => "h6",
            Self::Paragraph => "p",
            Self::Item => "li",
            Self::Row => "tr",
            Self::Verbatim => "pre",
        }
    }

    /// What stands around a run of these.
    fn around(self) -> Option<&'static str> {
        match self {
            Self::Item => Some("ul"),
            Self::Row => Some("table"),
            _ => None,
        }
    }
}

fn open(around: Option<&str>, out: &mut String) {
    match around {
        // A wide table scrolls by itself, not the page.
        Some("table") => out.push_str("<div class=\"wide\" tabindex=\"0\"><table>\n"),
        Some(_) => out.push_str("<ul>\n"),
        None => {}
    }
}

fn close(around: Option<&str>, out: &mut String) {
    match around {
        Some("table") => out.push_str("</table></div>\n"),
        Some(_) => out.push_str("</ul>\n"),
        None => {}
    }
}

/// What stands between the cells of a row.
const CELL: &str = " | ";

fn cells(text: &str, marked: Option<&Range<usize>>, anchored: &mut bool, out: &mut String) {
    let mut start = 0;
    for cell in text.split(CELL) {
        let within = marked.and_then(|range| {
            let from = range.start.saturating_sub(start).min(cell.len());
            let to = range.end.saturating_sub(start).min(cell.len());
            (from < to).then_some(from..to)
        });
        out.push_str("<td>");
        words(cell, within.as_ref(), anchored, out);
        out.push_str("</td>");
        start += cell.len() + CELL.len();
    }
}

fn words(text: &str, marked: Option<&Range<usize>>, anchored: &mut bool, out: &mut String) {
    let Some(&Range { start, end }) = marked else { return plain(text, out) };
    plain(text.get(..start).unwrap_or_default(), out);
    out.push_str(if *anchored { "<mark>" } else { "<mark id=\"cited\">" });
    *anchored = true;
    plain(text.get(start..end).unwrap_or_default(), out);
    out.push_str("</mark>");
    plain(text.get(end..).unwrap_or_default(), out);
}

fn plain(text: &str, out: &mut String) {
    text.chars()
        .filter(|one| !one.is_control() || matches!(one, '\n' | '\t'))
        .for_each(|one| escape(one, out));
}

/// The piece of a passage around the first of these places, with all of them marked.
pub(super) fn snippet(text: &str, marks: &[Range<usize>]) -> String {
    let first = marks.first().map_or(0, |mark| mark.start);
    let before = text.get(..first).unwrap_or_default();
    let start = match before.char_indices().rev().nth(BEFORE) {
        None => 0,
        // At the beginning of a word, where there is one.
        Some((place, _)) => {
            let word = text.get(place..first).and_then(|piece| piece.find(char::is_whitespace));
            word.map_or(place, |space| place + space)
        }
    };
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.char_indices().nth(SNIPPET).map_or(text.len(), |(place, _)| start + place);
    let mut out = String::new();
    let mut at = start;
    if start > 0 {
        out.push('…');
    }
    for mark in marks.iter().filter(|mark| mark.start >= start && mark.end <= end) {
        plain(text.get(at..mark.start).unwrap_or_default(), &mut out);
        out.push_str("<mark>");
        plain(text.get(mark.clone()).unwrap_or_default(), &mut out);
        out.push_str("</mark>");
        at = mark.end;
    }
    plain(text.get(at..end).unwrap_or_default(), &mut out);
    if end < text.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use banyan_knowledge::PlacedBlock;
    use proptest::prelude::*;

    use super::*;
    use crate::library::part::{Wanted, part};

    fn of(texts: &[(&str, &str)]) -> Part {
        let mut start = 0;
        let blocks: Vec<PlacedBlock> = texts
            .iter()
            .map(|(kind, text)| {
                let end = start + text.len();
                let level = (*kind == "heading").then_some(1);
                let block =
                    PlacedBlock { kind: (*kind).into(), level, text: (*text).into(), page: None, start, end };
                start = end + 2;
                block
            })
            .collect();
        part(&blocks, Wanted::default())
    }

    #[test]
    fn each_kind_of_block_has_its_tag_and_runs_stand_together() {
        let part = of(&[
            ("heading", "Water"),
            ("item", "boil"),
            ("item", "cool"),
            ("row", "a | b"),
            ("verbatim", "x\ny"),
            ("paragraph", "end"),
        ]);
        let html = blocks(&part, None).replace(" dir=\"auto\"", "");
        assert_eq!(
            html,
            "<h2 id=\"b0\">Water</h2>\n<ul>\n<li id=\"b1\">boil</li>\n<li id=\"b2\">cool</li>\n</ul>\n\
             <div class=\"wide\" tabindex=\"0\"><table>\n<tr id=\"b3\"><td>a</td><td>b</td></tr>\n</table></div>\n\
             <pre id=\"b4\">x\ny</pre>\n<p id=\"b5\">end</p>\n"
        );
    }

    #[test]
    fn the_cited_passage_is_marked_once_with_its_anchor_and_goes_on_over_blocks_and_cells() {
        let part = of(&[("paragraph", "Maji ṣafi"), ("row", "rain | sun")]);
        let html = blocks(&part, Some((5, 22))).replace(" dir=\"auto\"", "");
        assert!(html.contains("<p id=\"b0\">Maji <mark id=\"cited\">ṣafi</mark></p>"), "{html}");
        assert!(html.contains("<td><mark>rain</mark></td><td><mark>su</mark>n</td>"), "{html}");
        assert!(!blocks(&part, Some((900, 901))).contains("mark"));
    }

    #[test]
    fn a_snippet_begins_shortly_before_the_first_word_and_ends_before_it_is_too_long() {
        let text = format!("{} rain falls {}", "before ".repeat(40), "after ".repeat(100));
        let at = text.find("rain").unwrap();
        let html = snippet(&text, &[at..at + 4, text.len() + 1..text.len() + 2]);
        assert!(html.starts_with("… before") && html.ends_with('…'), "{html}");
        assert!(html.contains("<mark>rain</mark> falls") && html.chars().count() < SNIPPET + 20, "{html}");
        assert_eq!(snippet("a < b", &[]), "a &lt; b");
    }

    proptest! {
        #[test]
        fn nothing_in_a_text_becomes_markup(
            texts in proptest::collection::vec(("heading|paragraph|item|row|verbatim|odd", "[<>&'\"a |\nṣ💧]{0,12}"), 0..6),
            from in 0_usize..80,
            length in 0_usize..80,
        ) {
            let texts: Vec<(&str, &str)> = texts.iter().map(|(kind, text)| (kind.as_str(), text.as_str())).collect();
            let html = blocks(&of(&texts), Some((from, from + length)));
            let mut foreign = html;
            for tag in ["h2", "p", "li", "ul", "tr", "td", "table", "div", "pre", "mark"] {
                foreign = foreign.replace(&format!("</{tag}>"), "").replace(&format!("<{tag}>"), "");
                for number in 0..6 {
                    foreign = foreign.replace(&format!("<{tag} id=\"b{number}\" dir=\"auto\">"), "");
                }
            }
            let foreign = foreign.replace("<mark id=\"cited\">", "").replace("<div class=\"wide\" tabindex=\"0\">", "");
            prop_assert!(!foreign.contains(['<', '>', '"', '\'']), "{}", foreign);
        }
    }
}
