//! What an index finds: the articles with the words of a question, the best first.

use std::collections::HashMap;

use banyan_store::rusqlite::{self, Connection, params};

use super::Index;
use crate::search::fold::Asked;

/// Occurrences of words that one search looks at. Words that more articles have say least of all; where a question has
/// rarer ones, they are left out, so a search of an archive of millions takes no longer than of one of a few thousand.
const POSTINGS: u64 = 150_000;

/// How much more a word in the title counts than one in the text.
const TITLE: f64 = 4.0;

/// From which place on it makes less and less of a difference (reciprocal rank fusion).
const FUSE: f64 = 20.0;

/// What is found.
#[derive(Debug, Default)]
pub(in crate::zim) struct Found {
    /// Directory entries with how well they fit, the best first; among them redirects.
    pub(in crate::zim) entries: Vec<(u32, f64)>,
    /// What each word says: how rare it is. For the choice of passages.
    pub(in crate::zim) words: Vec<Weighed>,
}

/// A word of a question and how much it says.
#[derive(Debug, Clone)]
pub(in crate::zim) struct Weighed {
    pub(in crate::zim) asked: Asked,
    pub(in crate::zim) weight: f64,
}

impl Index {
    /// Articles with these words.
    pub(in crate::zim) fn find(&self, asked: &[Asked], limit: usize) -> rusqlite::Result<Found> {
        Ok(self.read(|connection| find(connection, asked, limit))?.unwrap_or_default())
    }
}

fn find(connection: &Connection, asked: &[Asked], limit: usize) -> rusqlite::Result<Found> {
    let (articles, words): (u64, u64) =
        connection
            .query_row("SELECT articles, words FROM about", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let in_titles = ranked(connection, "titles", "title_counts", asked, limit)?;
    let in_words = ranked(connection, "words", "word_counts", asked, limit)?;
    let mut scores: HashMap<u32, f64> = HashMap::new();
    // While words are still coming in, titles are all there is of the rest.
    let share = if words >= articles { 0.5 } else { 1.0 };
    for (ranked, share) in [(&in_words.entries, 1.0), (&in_titles.entries, share)] {
        for (place, entry) in ranked.iter().enumerate() {
            *scores.entry(*entry).or_default() += share / (FUSE + place as f64);
        }
    }
    let mut entries: Vec<(u32, f64)> = scores.into_iter().collect();
    entries.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    entries.truncate(limit);
    let counts = in_words.counts.iter().zip(&in_titles.counts).map(|(one, other)| (*one).max(*other));
    let rows = articles.max(words).max(1) as f64;
    let words = asked.iter().zip(counts).map(|(asked, count)| {
        let count = (count as f64).min(rows);
        let weight = f64::from(asked.weight) * (1.0 + (rows - count + 0.5) / (count + 0.5)).ln();
        Weighed { asked: asked.clone(), weight }
    });
    Ok(Found { entries, words: words.collect() })
}

struct Ranked {
    entries: Vec<u32>,
    /// How many rows have each word.
    counts: Vec<u64>,
}

fn ranked(
    connection: &Connection,
    table: &str,
    counted: &str,
    asked: &[Asked],
    limit: usize,
) -> rusqlite::Result<Ranked> {
    let mut statement = connection.prepare_cached(&format!("SELECT doc FROM {counted} WHERE term = ?1"))?;
    let mut counts = Vec::with_capacity(asked.len());
    for word in asked {
        let mut count = 0_u64;
        for token in &word.any {
            count +=
                statement.query_map([token], |row| row.get::<_, u64>(0))?.next().transpose()?.unwrap_or(0);
        }
        counts.push(count);
    }
    let whole = |word: &Asked| word.weight >= 1.0;
    let mut entries = Vec::new();
    // Whole words first; parts of words where those find little.
    for whole_words in [true, false] {
        if entries.len() >= limit {
            break;
        }
        let chosen = choose(asked, &counts, |word| whole(word) == whole_words);
        if chosen.is_empty() {
            continue;
        }
        let weights = if table == "words" { format!(", {TITLE}, 1.0") } else { String::new() };
        let sql = format!(
            "SELECT rowid FROM {table} WHERE {table} MATCH ?1 ORDER BY bm25({table}{weights}), rowid LIMIT ?2"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let found = statement.query_map(params![matching(&chosen), limit], |row| row.get::<_, u32>(0))?;
        for entry in found {
            let entry = entry?;
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
    entries.truncate(limit);
    Ok(Ranked { entries, counts })
}

/// The rarest words, as many as the bound allows, and the rarest at any rate if it has not more than ten times as many
/// occurrences.
fn choose<'a>(asked: &'a [Asked], counts: &[u64], of: impl Fn(&Asked) -> bool) -> Vec<&'a Asked> {
    let mut words: Vec<(u64, &Asked)> =
        counts.iter().copied().zip(asked).filter(|(_, word)| of(word)).collect();
    words.sort_by_key(|(count, _)| *count);
    let mut left = POSTINGS;
    let mut chosen: Vec<&Asked> = Vec::new();
    for (count, word) in words {
        let is_first = !chosen.iter().any(|word| !word.prefix) && count <= 10 * POSTINGS;
        if count > left && !is_first {
            break;
        }
        left = left.saturating_sub(count);
        if count > 0 || word.prefix {
            chosen.push(word);
        }
    }
    chosen
}

/// Any of these words. Tokens have neither quotes nor spaces in them, but what if they had.
fn matching(words: &[&Asked]) -> String {
    let mut all = Vec::new();
    for word in words {
        for token in &word.any {
            let end = if word.prefix { " *" } else { "" };
            all.push(format!("\"{}\"{end}", token.replace('"', "\"\"")));
        }
    }
    all.join(" OR ")
}
