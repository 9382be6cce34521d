//! Search over archives: the best articles by the index, and of each the passage that fits best.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::opened::Opened;
use super::rows::Row;
use super::{Parts, ZimShelf};
use crate::hit::{Hit, Place, Shelf};
use crate::library::LibraryError;
use crate::query::{MAX_HITS, Query};
use crate::search::fold::{self, Folding};
use crate::zim::error::ZimError;
use crate::zim::index::{Found, Weighed, folding, foldings};
use crate::zim::language;
use crate::zim::read::Read;

/// Articles of one archive that are looked at for each passage that is wanted: several lead to the same by redirects,
/// and some have another language.
const CANDIDATES: usize = 3;

/// Reading articles ends after so long, with what was read by then, and with at least one of each archive: whoever waits
/// for the search waits for this too.
const READING: Duration = Duration::from_millis(300);

/// A second passage of an article comes after so many other articles.
const SECOND: usize = 10;

/// A passage on its way to being a hit.
struct Chosen<'r> {
    row: &'r Row,
    article: std::sync::Arc<Read>,
    passage: usize,
    /// The place of its article among those of its archive, and of the passage among those of its article.
    place: (usize, usize),
    fits: f64,
}

impl Shelf for ZimShelf {
    fn search(&self, query: &Query) -> Result<Vec<Hit>, LibraryError> {
        let limit = query.limit.min(MAX_HITS);
        let rows = self.parts.wanted(query)?;
        let until = Instant::now() + READING;
        let mut chosen = Vec::new();
        for row in &rows {
            // One that cannot be read is no reason to find nothing in the others.
            let Ok(opened) = self.parts.opened(row) else { continue };
            match self.parts.look(row, &opened, query, limit, until) {
                Ok(found) => chosen.extend(found),
                Err(error) => tracing::warn!(archive = row.id, %error, "an archive could not be searched"),
            }
        }
        chosen.sort_by(|one, other| {
            let order = |chosen: &Chosen<'_>| chosen.place.0 + chosen.place.1 * SECOND;
            order(one).cmp(&order(other)).then(other.fits.total_cmp(&one.fits))
        });
        chosen.truncate(limit);
        // What was removed, or closed to this reader, while it was read is not given out.
        let still: HashSet<String> = self.parts.wanted(query)?.into_iter().map(|row| row.id).collect();
        chosen.retain(|chosen| still.contains(&chosen.row.id));
        Ok((1..).zip(chosen).map(|(place, chosen)| hit(place, &chosen)).collect())
    }
}

impl Parts {
    /// The archives that this query looks into.
    fn wanted(&self, query: &Query) -> Result<Vec<Row>, LibraryError> {
        let mut rows = self.rows(&query.reader, query.r#use)?;
        rows.retain(|row| {
            let on_shelf = query.collections.as_ref().is_none_or(|wanted| wanted.contains(&row.collection));
            let spoken = row.languages.is_empty() || row.languages.iter().any(|its| speaks(query, its));
            on_shelf && spoken
        });
        Ok(rows)
    }

    fn look<'r>(
        &self,
        row: &'r Row,
        opened: &Opened,
        query: &Query,
        limit: usize,
        until: Instant,
    ) -> Result<Vec<Chosen<'r>>, LibraryError> {
        let asked = fold::asked(&query.text, &foldings(&row.languages));
        let found = self.noted(row, found(opened, query, &asked, limit * CANDIDATES))?;
        let mut chosen: Vec<Chosen<'r>> = Vec::new();
        let (mut seen, mut articles) = (HashSet::new(), 0);
        for (entry, _) in &found.entries {
            if articles >= limit || (articles > 0 && Instant::now() >= until) {
                break;
            }
            let read = opened.zim.resolve(*entry).and_then(|(index, _)| {
                if !seen.insert(index) {
                    return Ok(None);
                }
                let folding = |own: Option<&str>| -> Folding { folding(&row.languages, own) };
                self.lately.get(&row.id, index, || Read::of(&opened.zim, index, folding)).map(Some)
            });
            let article = match read {
                Ok(Some(article)) => article,
                Err(error @ ZimError::Io(_)) => return self.noted(row, Err(error)),
                // A redirect that leads nowhere, an article that is damaged.
                Ok(None) | Err(_) => continue,
            };
            let own = article.language.as_deref();
            if row.languages.len() != 1 && own.is_some_and(|own| !speaks(query, own)) {
                continue;
            }
            for (nth, (passage, fits)) in article.best(&found.words).into_iter().take(2).enumerate() {
                let place = (articles, nth);
                chosen.push(Chosen { row, article: article.clone(), passage, place, fits });
            }
            articles += 1;
        }
        Ok(chosen)
    }
}

/// What the index finds; before it has the titles, what the archive's own list of titles does.
fn found(opened: &Opened, query: &Query, asked: &[fold::Asked], limit: usize) -> Result<Found, ZimError> {
    let found = opened.index.find(asked, limit).unwrap_or_else(|error| {
        // It is begun anew by whoever builds it.
        tracing::warn!(%error, "the index of an archive cannot be read");
        opened.index.let_go();
        Found::default()
    });
    if !found.entries.is_empty() || opened.index.grown().titles {
        return Ok(found);
    }
    let mut entries = Vec::new();
    for start in beginnings(&query.text) {
        for (path, title) in opened.zim.titles_from(&start, limit)? {
            if title.to_lowercase().starts_with(&start.to_lowercase()) {
                entries.push((opened.zim.at_path(&path)?.0, 0.0));
            }
        }
    }
    let words = asked.iter().map(|asked| Weighed { asked: asked.clone(), weight: f64::from(asked.weight) });
    Ok(Found { entries, words: words.collect() })
}

/// How titles that a question names may begin: as the question does, and as each of its longer words does, with a
/// capital letter.
fn beginnings(text: &str) -> Vec<String> {
    let capital = |text: &str| {
        let mut letters = text.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
    };
    let trimmed = text.trim().trim_end_matches(['?', '.', '!']);
    let mut words: Vec<&str> =
        text.split(|one: char| !one.is_alphanumeric()).filter(|word| word.chars().count() > 3).collect();
    words.sort_by_key(|word| Reverse(word.len()));
    let mut all: Vec<String> =
        std::iter::once(trimmed).chain(words.into_iter().take(3)).filter_map(capital).collect();
    all.dedup();
    all
}

fn speaks(query: &Query, its: &str) -> bool {
    query.languages.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| language::same(wanted, its)))
}

fn hit(place: u32, chosen: &Chosen<'_>) -> Hit {
    let Chosen { row, article, passage, .. } = chosen;
    let piece = article.piece(*passage);
    Hit {
        place: Place::Article {
            zim: row.id.clone(),
            path: article.path.clone(),
            start: piece.start,
            end: piece.end,
        },
        title: article.title.clone(),
        collection: row.collection.clone(),
        collection_name: row.collection_name.clone(),
        heading: piece.heading.clone(),
        page: None,
        text: piece.text.clone(),
        attribution: row.attribution(),
        licence: row.licence().to_owned(),
        language: article.language.clone().or_else(|| row.only_language()),
        score: 1.0 / (60.0 + place as f32),
        by_words: Some(place),
        by_meaning: None,
        nearness: None,
    }
}
