//! Server-sent events: an encoder, and a parser that takes bytes cut anywhere.
//!
//! The parser is a plain value: bytes in by [`Parser::push`], events out by [`Parser::next_event`] until it gives
//! none. It knows LF, CRLF and CR line ends, comments, several `data:` lines in one event, and a byte order mark.
//! `retry:` and `id:` are read over: a generation cannot be resumed by its last event.

use std::collections::VecDeque;

use bytes::Bytes;

/// The data of the event that ends an OpenAI stream.
pub const DONE: &str = "[DONE]";

/// The most bytes one event may have: a stream that never ends a line must not fill the memory. A chunk with 20
/// alternatives for one token has about 2 KiB.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Writes one event. Text with line breaks becomes several `data:` lines.
#[must_use]
pub fn encode(data: &str) -> Bytes {
    let mut out = String::with_capacity(data.len() + 8);
    let mut rest = data;
    loop {
        let end = rest.find(['\n', '\r']);
        out.push_str("data: ");
        out.push_str(&rest[..end.unwrap_or(rest.len())]);
        out.push('\n');
        let Some(end) = end else { break };
        let width = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + width..];
    }
    out.push('\n');
    Bytes::from(out)
}

/// Writes a comment: clients pass over it, and it keeps proxies and phones from closing a quiet connection.
#[must_use]
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b": still here\n\n")
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The event's name; empty means the plain `message`.
    pub name: String,
    /// Its data, several lines joined by line feeds.
    pub data: String,
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event that does not end.
    #[error("one event of the stream is larger than {} KiB; the sender does not speak server-sent events", MAX_EVENT_BYTES / 1024)]
    TooLarge,
}

/// The incremental parser.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    after_cr: bool,
    past_start: bool,
    ready: VecDeque<Event>,
}

impl Parser {
    /// A parser at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => self.end_line(),
                _ => {
                    if self.line.len() + self.event.data.len() >= MAX_EVENT_BYTES {
                        return Err(SseError::TooLarge);
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(())
    }

    /// The next whole event, if there is one.
    pub fn next_event(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let first = !std::mem::replace(&mut self.past_start, true);
        let line = if first { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line) } else { &line[..] };
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                self.ready.push_back(event);
            }
            return;
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => self.event.name = value.into(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        for piece in pieces {
            parser.push(piece).unwrap();
            events.extend(std::iter::from_fn(|| parser.next_event()).map(|event| (event.name, event.data)));
        }
        events
    }

    fn check(wire: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, data)| ((*name).into(), (*data).into())).collect();
        assert_eq!(parse([wire.as_bytes()]), expected, "{wire:?}");
        assert_eq!(parse(wire.as_bytes().chunks(1)), expected, "one byte at a time: {wire:?}");
    }

    #[test]
    fn every_form_that_the_standard_allows_is_read() {
        check("data: a\n\ndata:b\n\n", &[("", "a"), ("", "b")]);
        check("data: a\r\n\r\ndata: b\r\r", &[("", "a"), ("", "b")]);
        check(": ping\n\n\n\ndata: a\n: ping\n\n", &[("", "a")]);
        check("data: a\ndata\ndata:  b\n\n", &[("", "a\n\n b")]);
        check("event: e\nid: 7\nretry: 1\ndata: {\"a\":1}\n\ndata: x\n\n", &[("e", "{\"a\":1}"), ("", "x")]);
        check("\u{feff}data: a\n\n", &[("", "a")]);
        check("event: lonely\n\ndata: a\n\n", &[("", "a")]);
        check("data: cut short", &[]);
        check("data:\n\n", &[("", "")]);
    }

    #[test]
    fn an_event_that_never_ends_is_refused_before_it_fills_the_memory() {
        let mut parser = Parser::new();
        let result = (0..64).try_for_each(|_| parser.push(&[b'x'; 32 * 1024]));
        assert_eq!(result, Err(SseError::TooLarge));
        let mut parser = Parser::new();
        let line = format!("data: {}\n", "x".repeat(32 * 1024));
        let result = (0..64).try_for_each(|_| parser.push(line.as_bytes()));
        assert_eq!(result, Err(SseError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            wire in "(data:|event:|:|\u{feff}|é|a|\r|\n|\r\n| ){0,60}",
            cuts in proptest::collection::vec(0_usize..200, 0..12),
        ) {
            let bytes = wire.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= bytes.len()).collect();
            cuts.sort_unstable();
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            let ends = cuts.iter().copied().chain(std::iter::once(bytes.len()));
            let pieces: Vec<&[u8]> = starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect();
            prop_assert_eq!(parse(pieces), parse([bytes]));
        }

        #[test]
        fn what_is_encoded_is_read_back(texts in proptest::collection::vec("[ -~é\n\r]{0,40}", 0..6)) {
            let wire: Vec<u8> =
                texts.iter().flat_map(|text| [encode(text), keep_alive()].concat()).collect();
            let expected: Vec<(String, String)> = texts
                .iter()
                .map(|text| (String::new(), text.replace("\r\n", "\n").replace('\r', "\n")))
                .collect();
            prop_assert_eq!(parse([&wire[..]]), expected);
        }
    }
}
