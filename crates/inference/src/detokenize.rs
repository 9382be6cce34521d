//! From tokens to text, as a stream: never half a character, never a piece of a stop text.
//!
//! A token may end in the middle of a UTF-8 character, and whether it starts with a space may depend on the token
//! before it. So a token's text is the difference between decoding a short window with and without it, and text that
//! ends in U+FFFD (an unfinished character) is held back until the character is whole.

use crate::error::EngineError;
use std::sync::Arc;
use tokenizers::Tokenizer;

/// Turns one sequence's tokens into text.
pub struct Detokenizer {
    tokenizer: Arc<Tokenizer>,
    /// The window: some tokens as context, and those whose text is not all out yet.
    window: Vec<u32>,
    /// How many tokens of the window are context.
    context: usize,
    /// The part of the window's text that is out.
    shown: String,
}

/// Tokens of the prompt that serve as context for the first token of the answer.
const CONTEXT: usize = 4;

/// A character has at most four bytes and a token at least one, so a character is whole after so many tokens. What
/// still looks unfinished then is what the model said.
const MAX_HELD: usize = 4;

/// Tokens after which the window is cut, whatever they decode to, so that nonsense costs no more and more.
const MAX_WINDOW: usize = 32;

/// Stands for bytes that are no character (yet).
const UNFINISHED: char = '\u{FFFD}';

impl Detokenizer {
    /// Starts after `prompt`.
    pub fn new(tokenizer: Arc<Tokenizer>, prompt: &[u32]) -> Result<Detokenizer, EngineError> {
        let window = prompt[prompt.len().saturating_sub(CONTEXT)..].to_vec();
        let mut start = Detokenizer { tokenizer, context: window.len(), window, shown: String::new() };
        start.shown = start.decode()?;
        Ok(start)
    }

    /// Takes the next token and returns the text that is certain now (often one token's, sometimes none).
    pub fn push(&mut self, token: u32) -> Result<String, EngineError> {
        self.window.push(token);
        let text = self.decode()?;
        let held = self.window.len() - self.context;
        let certain = if self.window.len() > MAX_WINDOW {
            text.len()
        } else if held <= MAX_HELD {
            // Tokenizers that fall back to bytes show a whole group of them as unfinished, even what was out before.
            if !text.starts_with(&self.shown) {
                return Ok(String::new());
            }
            text.trim_end_matches(UNFINISHED).len()
        } else {
            text.strip_suffix(UNFINISHED).unwrap_or(&text).len()
        };
        self.show(&text, certain)
    }

    /// Gives out what is still held back; the answer ends here. Half a character, where `max_tokens` cut it, is not
    /// given out.
    pub fn finish(&mut self) -> Result<String, EngineError> {
        let text = self.decode()?;
        let certain = text.trim_end_matches(UNFINISHED).len().max(self.shown.len());
        self.show(&text, certain)
    }

    /// Gives out `text[..certain]`, but for what is out already.
    fn show(&mut self, text: &str, certain: usize) -> Result<String, EngineError> {
        let new = text.get(self.shown.len()..certain).unwrap_or_default().to_owned();
        if certain < text.len() {
            self.shown.push_str(&new);
            return Ok(new);
        }
        // Tokens without text (special ones) are no context: the next token's space depends on the one before them.
        if !new.is_empty() || self.window.len() > MAX_WINDOW {
            self.window.drain(..self.context);
        }
        self.context = self.window.len();
        self.shown = self.decode()?;
        Ok(new)
    }

    fn decode(&self) -> Result<String, EngineError> {
        self.tokenizer.decode(&self.window, true).map_err(|e| EngineError::Tokenizer(e.to_string()))
    }
}

/// Ends an answer at the first stop text and holds back text that may become one.
///
/// ```
/// # use banyan_inference::StopFilter;
/// let mut filter = StopFilter::new(vec!["END".into()]);
/// assert_eq!(filter.push("the E"), ("the ".to_string(), false));
/// assert_eq!(filter.push("ND."), (String::new(), true));
/// ```
#[derive(Debug, Clone)]
pub struct StopFilter {
    stops: Vec<String>,
    held: String,
}

impl StopFilter {
    /// Empty stop texts are passed over.
    pub fn new(stops: Vec<String>) -> StopFilter {
        StopFilter { stops: stops.into_iter().filter(|s| !s.is_empty()).collect(), held: String::new() }
    }

    /// Takes text; returns what may be shown, and whether a stop text came.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        if self.stops.is_empty() {
            return (text.to_owned(), false);
        }
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let tail = self.stops.iter().map(|stop| self.overlap(stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - tail);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// Gives out what is held back; the answer ended without a stop text.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end of the held text that a stop text starts with. The cut falls on a character's start, since a
    /// stop text starts with one.
    fn overlap(&self, stop: &str) -> usize {
        let held = self.held.as_bytes();
        let most = held.len().min(stop.len() - 1);
        (1..=most).rev().find(|n| held.ends_with(&stop.as_bytes()[..*n])).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::byte_tokenizer;
    use proptest::prelude::*;

    fn stream(tokens: &[u32]) -> Vec<String> {
        stream_by(byte_tokenizer(), tokens)
    }

    fn stream_by(tokenizer: Arc<Tokenizer>, tokens: &[u32]) -> Vec<String> {
        let mut d = Detokenizer::new(tokenizer, &[]).unwrap();
        let mut out: Vec<String> = tokens.iter().map(|t| d.push(*t).unwrap()).collect();
        out.push(d.finish().unwrap());
        out
    }

    fn bytes_of(text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    #[test]
    fn a_character_of_four_tokens_comes_out_whole() {
        let out = stream(&bytes_of("a🌳b"));
        assert_eq!(out, ["a", "", "", "", "🌳", "b", ""]);
    }

    #[test]
    fn half_a_character_at_the_end_is_dropped_and_nonsense_is_not_held_for_ever() {
        assert_eq!(stream(&[0x61, 0xF0, 0x9F]), ["a", "", "", ""]);
        let junk = stream(&[0xFF; 50]).concat();
        assert!(junk.chars().count() > 40 && junk.chars().all(|c| c == '\u{FFFD}'), "{junk}");
        assert_eq!(stream(&[0xFF, 0x61]).concat(), "\u{FFFD}a");
    }

    /// Llama 2 and Mistral: words begin with a mark for the space before them, and what is in no word is bytes.
    fn sentencepiece_tokenizer() -> Arc<Tokenizer> {
        let json = r##"{"version":"1.0","added_tokens":[{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
            "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
            "model":{"type":"BPE","byte_fallback":true,"unk_token":"<s>","merges":[],
            "vocab":{"<s>":0,"\u2581a":1,"\u2581tree":2,"<0xE4>":3,"<0xB8>":4,"<0xAD>":5,"<0xFF>":6,"!":7}}}"##;
        Arc::new(json.parse().unwrap())
    }

    #[test]
    fn words_keep_their_spaces_and_characters_of_bytes_come_out_whole() {
        let check = |tokens: &[u32], pieces: &[&str]| {
            assert_eq!(stream_by(sentencepiece_tokenizer(), tokens), pieces, "{tokens:?}");
        };
        check(&[1, 2, 7], &["a", " tree", "!", ""]);
        check(&[1, 3, 4, 5, 3, 4, 5, 2], &["a", "", "", "中", "", "", "中", " tree", ""]);
        check(&[1, 0, 2], &["a", "", " tree", ""]);
        let junk = stream_by(sentencepiece_tokenizer(), &[1, 6, 2, 7]).concat();
        assert_eq!(junk, "a\u{FFFD} tree!");
    }

    #[test]
    fn the_answer_continues_the_prompt_with_its_space() {
        let mut d = Detokenizer::new(sentencepiece_tokenizer(), &[0, 1]).unwrap();
        assert_eq!(d.push(2).unwrap(), " tree");
    }

    #[test]
    fn stop_texts_across_pieces_are_found_and_never_leak() {
        let check = |stops: &[&str], pieces: &[&str], shown: &str, stopped: bool| {
            let mut filter = StopFilter::new(stops.iter().map(|s| (*s).to_owned()).collect());
            let mut out = String::new();
            let mut hit = false;
            for piece in pieces {
                let (text, stop) = filter.push(piece);
                out.push_str(&text);
                hit |= stop;
                if stop {
                    break;
                }
            }
            if !hit {
                out.push_str(&filter.finish());
            }
            assert_eq!((out.as_str(), hit), (shown, stopped), "{stops:?} {pieces:?}");
        };
        check(&["\n\n"], &["one\n", "\ntwo"], "one", true);
        check(&["</s>"], &["a<", "/", "b", "</", "s>", "x"], "a</b", true);
        check(&["aab"], &["aa", "ab"], "a", true);
        check(&["xyz", "b"], &["a", "b"], "a", true);
        check(&["ü!"], &["grü", "n"], "grün", false);
        check(&["END"], &["the EN"], "the EN", false);
        check(&[""], &["a"], "a", false);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn streaming_gives_the_same_text_as_decoding_at_once(text in "[a-zäß ✓🌳\u{FFFD}]{0,20}") {
            let out = stream(&bytes_of(&text)).concat();
            let rest = text.strip_prefix(&out);
            prop_assert!(rest.is_some_and(|rest| rest.chars().all(|c| c == UNFINISHED)), "{:?} {:?}", text, out);
        }

        #[test]
        fn a_stop_filter_shows_exactly_what_stands_before_the_first_stop(
            text in "[abc]{0,30}", stops in prop::collection::vec("[abc]{1,4}", 1..3), cuts in prop::collection::vec(1usize..4, 1..30),
        ) {
            let mut filter = StopFilter::new(stops.clone());
            let (mut out, mut hit, mut rest) = (String::new(), false, text.as_str());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || hit { break; }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                let (shown, stop) = filter.push(piece);
                out.push_str(&shown);
                hit = stop;
                rest = tail;
            }
            if !hit { out.push_str(&filter.finish()); }
            // With one-letter pieces the first stop text to be complete ends the answer; a longer one that starts
            // earlier may still be open. So the answer is a prefix that holds no stop text.
            prop_assert!(text.starts_with(&out));
            prop_assert!(stops.iter().all(|s| !out.contains(s.as_str())));
            prop_assert_eq!(hit, stops.iter().any(|s| text.contains(s.as_str())));
        }
    }
}
