//! Web pages, the chapters of e-books, and the articles of ZIM archives.
//!
//! The tokens come from html5ever, which reads a page as browsers do. No tree is built: a page of a million nested
//! elements costs no more than one of a million words.

mod elements;
mod page;

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use self::elements::raw;
use self::page::Page;
use super::words::Words;
use super::{ExtractError, encoding};

/// After so much of a page it is looked whether the limits are kept.
const PIECE: usize = 64 << 10;
/// Where a page says its encoding, browsers look no further.
const DECLARED_WITHIN: usize = 1024;

/// A page in any encoding.
pub(super) fn read_bytes(bytes: &[u8], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let text = encoding::decode(bytes, declared(&bytes[..bytes.len().min(DECLARED_WITHIN)]), words);
    read(&text, words)
}

/// A page, or a part of one.
pub(super) fn read(text: &str, words: &mut Words<'_>) -> Result<(), ExtractError> {
    let sink = Sink(RefCell::new(Page::new(words)));
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(PIECE);
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        queue.push_back(StrTendril::from_slice(piece));
        rest = after;
        let _ = tokenizer.feed(&queue);
        let page = tokenizer.sink.0.borrow();
        if page.failed.is_some() {
            break;
        }
        page.words.check_time()?;
    }
    tokenizer.end();
    tokenizer.sink.0.into_inner().end()
}

/// The encoding that `<meta charset=…>`, `<meta … content="…; charset=…">` or `<?xml … encoding=…?>` names.
fn declared(head: &[u8]) -> Option<&[u8]> {
    let lower = head.to_ascii_lowercase();
    let after =
        |what: &[u8]| lower.windows(what.len()).position(|part| part == what).map(|at| at + what.len());
    let start = after(b"charset=").or_else(|| after(b"encoding="))?;
    let value = &head[start..];
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let end = value.iter().position(|b| !b.is_ascii_alphanumeric() && !b"-_:.".contains(b))?;
    (end > 0).then(|| &value[..end])
}

struct Sink<'w, 'l>(RefCell<Page<'w, 'l>>);

impl TokenSink for Sink<'_, '_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut page = self.0.borrow_mut();
        if page.failed.is_some() {
            return TokenSinkResult::Continue;
        }
        let done = match &token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => page.open(tag),
            Token::TagToken(tag) => page.close(&tag.name),
            Token::CharacterTokens(text) => {
                page.text(text);
                Ok(())
            }
            _ => Ok(()),
        };
        page.failed = done.err();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag && !tag.self_closing => raw(&tag.name),
            _ => TokenSinkResult::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockKind;
    use crate::extract::Format;
    use crate::extract::tests::{blocks, extracted};

    #[test]
    fn a_page_is_read_as_a_person_sees_it() {
        let page = "<html lang=pt-br><head><title>The &amp; well</title><meta name=author content=Ana>\
            <style>p { x: y }</style></head><body><nav><a>Home</a></nav><h2>Hours</h2><p>From six<br>to <b>ei</b>ght\
            <script>if (a<b) '<p>no</p>'</script></p><ul><li><p>bring a bottle<li>bring <i>two</i></ul>\
            <table><tr><th>Day<th>Who<tr><td>Mon<td><p>Ana</table><pre>a\n  b</pre>&eacute;nd";
        assert_eq!(
            blocks(Format::Html, page.as_bytes()),
            [
                (BlockKind::Heading(2), "Hours".into()),
                (BlockKind::Paragraph, "From six to eight".into()),
                (BlockKind::Item, "bring a bottle".into()),
                (BlockKind::Item, "bring two".into()),
                (BlockKind::Row, "Day | Who".into()),
                (BlockKind::Row, "Mon | Ana".into()),
                (BlockKind::Verbatim, "a\n  b".into()),
                (BlockKind::Paragraph, "énd".into()),
            ]
        );
        let read = extracted(Format::Html, page.as_bytes()).unwrap();
        assert_eq!(
            (read.title.as_deref(), read.author.as_deref(), read.language.as_deref()),
            (Some("The & well"), Some("Ana"), Some("pt-BR"))
        );
    }

    #[test]
    fn the_encoding_a_page_names_is_used() {
        assert_eq!(declared(b"<meta charset=\"koi8-r\">"), Some(&b"koi8-r"[..]));
        assert_eq!(declared(b"content='text/html; Charset=windows-1252'"), Some(&b"windows-1252"[..]));
        assert_eq!(declared(b"<?xml version='1.0' encoding='latin1'?>"), Some(&b"latin1"[..]));
        assert_eq!(declared(b"<p>charset="), None);
        assert_eq!(
            blocks(Format::Html, b"<meta charset=windows-1251><p>\xef\xf0\xe8\xe2\xe5\xf2</p>"),
            [(BlockKind::Paragraph, "привет".into())]
        );
    }

    #[test]
    fn depth_costs_nothing_and_an_open_element_is_told() {
        let deep = format!("{}words{}", "<div>".repeat(200_000), "</div>".repeat(200_000));
        assert_eq!(blocks(Format::Html, deep.as_bytes()), [(BlockKind::Paragraph, "words".into())]);
        let read = extracted(Format::Html, b"<p>before<svg><text>after").unwrap();
        assert_eq!(read.blocks.len(), 1);
        assert!(read.warnings[0].contains("<svg>"), "{:?}", read.warnings);
    }
}
