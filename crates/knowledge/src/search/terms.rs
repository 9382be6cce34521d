//! Postings: which passages have a word, and how often. They are in the index; those of words that were asked for are
//! kept decoded, as far as [`KEPT`] goes, since people ask with the same words again and again.

use std::collections::HashMap;
use std::sync::Arc;

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, params};

use super::fold::{self, Folding};
use super::memory::Memory;

/// Bytes of decoded postings that are kept: all words that people ask with in a library of some hundred thousand passages.
const KEPT: usize = 96 << 20;

/// Words whose counts are kept; some ten megabytes.
const MOST_KNOWN: usize = 100_000;

/// Bytes of one posting.
const POSTING: usize = size_of::<u32>() + size_of::<u16>();

/// A word that stands at so few places is read without asking first how many there are.
const FEW: usize = 2_000;

/// The share by which the number of passages may grow before a count is taken again, in hundredths.
const STALE: u32 = 10;

/// How often a word stands in a passage: in the title (3 bits), in the headings (5 bits), in the text (8 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Often(u16);

/// In which part of a passage a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Title,
    Heading,
    Body,
}

impl Often {
    /// Once more.
    fn count(&mut self, part: Part) {
        let (shift, most) = match part {
            Part::Title => (0, 7),
            Part::Heading => (3, 31),
            Part::Body => (8, 255),
        };
        if (self.0 >> shift) & most < most {
            self.0 += 1 << shift;
        }
    }

    /// In the title, in the headings, in the text.
    pub(super) fn parts(self) -> [f32; 3] {
        [f32::from(self.0 & 7), f32::from((self.0 >> 3) & 31), f32::from(self.0 >> 8)]
    }

    /// The more of both, part by part: two tokens of the same word.
    pub(super) fn or(self, other: Self) -> Self {
        let most = |mask: u16| (self.0 & mask).max(other.0 & mask);
        Self(most(7) | most(31 << 3) | most(255 << 8))
    }
}

/// The passages that have a word, by their places, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Postings {
    pub(super) places: Vec<u32>,
    pub(super) often: Vec<Often>,
}

impl Postings {
    fn count(&mut self, place: u32, part: Part) {
        if self.places.last() != Some(&place) {
            self.places.push(place);
            self.often.push(Often::default());
        }
        if let Some(often) = self.often.last_mut() {
            often.count(part);
        }
    }

    /// Those that have either word.
    pub(super) fn or(&self, other: &Self) -> Self {
        let mut both = Self::default();
        let mut left = self.places.iter().zip(&self.often).peekable();
        let mut right = other.places.iter().zip(&other.often).peekable();
        loop {
            let (place, often) = match (left.peek(), right.peek()) {
                (Some((one, a)), Some((two, b))) if one == two => {
                    let found = (**one, a.or(**b));
                    left.next();
                    right.next();
                    found
                }
                (Some((one, _)), Some((two, _))) => {
                    let next = if one < two { left.next() } else { right.next() };
                    let Some((place, often)) = next else { break };
                    (*place, *often)
                }
                _ => {
                    let Some((place, often)) = left.next().or_else(|| right.next()) else { break };
                    (*place, *often)
                }
            };
            both.places.push(place);
            both.often.push(often);
        }
        both
    }
}

/// Decoded postings and counts.
#[derive(Debug, Default)]
pub(super) struct Terms {
    known: HashMap<String, Known>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug, Default)]
struct Known {
    postings: Option<Arc<Postings>>,
    /// In how many passages it is, when there were so many.
    count: usize,
    of: usize,
    used: u64,
}

impl Terms {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Lets go of passages that are gone.
    pub(super) fn retain(&mut self, there: impl Fn(u32) -> bool) {
        for postings in self.known.values_mut().filter_map(|known| known.postings.as_mut()) {
            if postings.places.iter().all(|place| there(*place)) {
                continue;
            }
            let postings = Arc::make_mut(postings);
            let before = postings.places.len();
            let kept = postings.places.iter().zip(&postings.often).filter(|(place, _)| there(**place));
            let (places, often) = kept.map(|(place, often)| (*place, *often)).unzip();
            *postings = Postings { places, often };
            self.bytes = self.bytes.saturating_sub((before - postings.places.len()) * POSTING);
        }
    }

    fn postings(&mut self, term: &str) -> Option<Arc<Postings>> {
        self.clock += 1;
        let known = self.known.get_mut(term)?;
        known.used = self.clock;
        known.postings.clone()
    }

    fn count(&self, term: &str, of: usize) -> Option<usize> {
        let known = self.known.get(term)?;
        match &known.postings {
            Some(postings) => Some(postings.places.len()),
            None => (of.abs_diff(known.of) * 100 <= known.of * STALE as usize).then_some(known.count),
        }
    }

    fn keep_count(&mut self, term: &str, count: usize, of: usize) {
        self.clock += 1;
        let known = self.known.entry(term.to_owned()).or_default();
        (known.count, known.of, known.used) = (count, of, self.clock);
    }

    fn keep(&mut self, term: &str, postings: &Arc<Postings>, of: usize) {
        if self.known.len() > MOST_KNOWN {
            self.clear();
        }
        self.keep_count(term, postings.places.len(), of);
        if let Some(known) = self.known.get_mut(term).filter(|known| known.postings.is_none()) {
            known.postings = Some(postings.clone());
            self.bytes += cost(postings);
        }
        while self.bytes > KEPT {
            self.drop_oldest();
        }
    }

    /// Lets go of the half that was asked for longest ago. The counts stay: taking one costs as much as reading.
    fn drop_oldest(&mut self) {
        let decoded = self.known.values().filter(|known| known.postings.is_some());
        let mut used: Vec<u64> = decoded.map(|known| known.used).collect();
        used.sort_unstable();
        let border = used.get(used.len() / 2).copied().unwrap_or(u64::MAX);
        for known in self.known.values_mut().filter(|known| known.used <= border) {
            if let Some(postings) = known.postings.take() {
                known.count = postings.places.len();
            }
        }
        // Counted anew, since those that grew are counted generously.
        self.bytes = self.known.values().filter_map(|known| known.postings.as_deref()).map(cost).sum();
    }

    /// A passage that came after all that are known.
    pub(super) fn add(&mut self, place: u32, [title, heading, text]: &[String; 3], folding: Folding) {
        for (part, text) in [(Part::Title, title), (Part::Heading, heading), (Part::Body, text)] {
            for token in fold::indexed(text, folding).line.split(' ').filter(|token| !token.is_empty()) {
                if let Some(postings) = self.known.get_mut(token).and_then(|known| known.postings.as_mut()) {
                    self.bytes += POSTING;
                    Arc::make_mut(postings).count(place, part);
                }
            }
        }
    }
}

fn cost(postings: &Postings) -> usize {
    // And what an entry takes by itself.
    128 + postings.places.len() * POSTING
}

/// Reads postings, in one moment of the database.
pub(super) struct Reading<'r> {
    connection: &'r Connection,
    memory: &'r Memory,
    /// Whether what is read is what memory has, so that it may be kept.
    same: bool,
    /// How many places of words may still be read.
    budget: usize,
}

impl<'r> Reading<'r> {
    pub(super) fn new(
        connection: &'r Connection,
        memory: &'r Memory,
        budget: usize,
    ) -> rusqlite::Result<Self> {
        let same = memory.seen() == Some(super::memory::latest(connection)?);
        Ok(Self { connection, memory, same, budget })
    }

    /// In how many passages a token is, about.
    pub(super) fn count(&mut self, token: &str) -> rusqlite::Result<usize> {
        let of = self.memory.alive();
        if let Some(count) = self.terms().count(token, of) {
            return Ok(count);
        }
        // Most words are rare: then they are here with it.
        if let Some(postings) = self.read(token, FEW)? {
            return Ok(postings.places.len());
        }
        let sql = "SELECT doc FROM search_counts WHERE term = ?1";
        let count: Option<i64> =
            self.connection.prepare_cached(sql)?.query_row([token], |row| row.get(0)).optional()?;
        let count = usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX);
        self.terms().keep_count(token, count, of);
        Ok(count)
    }

    /// The postings of a token; none when they are more than may still be read, and more than `at_least`.
    pub(super) fn postings(
        &mut self,
        token: &str,
        at_least: usize,
    ) -> rusqlite::Result<Option<Arc<Postings>>> {
        if let Some(postings) = self.terms().postings(token) {
            return Ok(Some(postings));
        }
        let most = self.budget.max(at_least);
        // What does not fit is not begun.
        if self.count(token)? > most { Ok(None) } else { self.read(token, most) }
    }

    /// Tokens that begin like this, the most frequent first.
    pub(super) fn beginning(&self, start: &str, most: usize) -> rusqlite::Result<Vec<String>> {
        let sql = "SELECT term FROM search_counts WHERE term >= ?1 AND term < ?2 ORDER BY doc DESC LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let end = format!("{start}\u{10FFFF}");
        statement
            .query_map(params![start, end, i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get(0))?
            .collect()
    }

    /// Reads at most so many places of a token; none when there are more.
    fn read(&mut self, token: &str, most: usize) -> rusqlite::Result<Option<Arc<Postings>>> {
        let sql = "SELECT doc, col FROM search_places WHERE term = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([token])?;
        let mut postings = Postings::default();
        let (mut left, mut from, mut last) = (most, 0, None);
        while let Some(row) = rows.next()? {
            let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
            left = fewer;
            self.budget = self.budget.saturating_sub(1);
            let id: i64 = row.get(0)?;
            if last != Some(id) {
                last = Some(id);
                // One that memory has not, because it is ahead of this moment or behind it.
                let Some(place) = self.memory.place(id, from) else { continue };
                from = place;
            } else if self.memory.id(from) != Some(id) {
                continue;
            }
            let part = match row.get_ref(1)?.as_str().unwrap_or_default() {
                "title" => Part::Title,
                "heading" => Part::Heading,
                _ => Part::Body,
            };
            postings.count(from, part);
        }
        let postings = Arc::new(postings);
        if self.same {
            self.terms().keep(token, &postings, self.memory.alive());
        }
        Ok(Some(postings))
    }

    fn terms(&self) -> std::sync::MutexGuard<'r, Terms> {
        self.memory.terms.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
