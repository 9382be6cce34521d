//! How memory follows the database.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _};

use super::{Document, Memory, NOBODY, rows};
use crate::library::LibraryError;
use crate::search::fold::Folding;
use crate::search::index::What;

/// With so many places of passages that are gone, and a third of all, it is worth reading everything anew.
const MANY_GONE: usize = 10_000;

/// With so many new passages at once it costs less to decode postings again than to add to them.
const MANY_NEW: usize = 500;

const DOCUMENTS: &str = "SELECT d.key, d.allowed, c.audience, d.collection, d.language \
    FROM documents d JOIN collections c ON c.id = d.collection";

/// The last change that the log ever had.
pub(in crate::search) fn latest(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'search_changes'), 0)";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// What the log says of a document.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    words: bool,
    vectors: bool,
}

impl Memory {
    /// Takes in what changed until this connection's moment. Does nothing when a later one was taken in already.
    pub(in crate::search) fn follow(&mut self, connection: &Connection) -> Result<(), LibraryError> {
        let latest = latest(connection)?;
        let Some(seen) = self.seen else { return self.load(connection, latest) };
        if latest <= seen {
            return Ok(());
        }
        let oldest: Option<i64> = connection
            .prepare_cached("SELECT min(seq) FROM search_changes")?
            .query_row([], |row| row.get(0))?;
        let gone = self.ids.len() - self.alive;
        if oldest.is_none_or(|oldest| oldest > seen + 1) || (gone > MANY_GONE && gone > self.ids.len() / 3) {
            return self.load(connection, latest);
        }
        // Should this fail half way, the next search reads everything.
        self.seen = None;
        let changed = changes(connection, seen)?;
        let alive = self.alive;
        for (key, what) in &changed {
            self.take_in(connection, *key, *what)?;
        }
        if self.alive < alive {
            let document = &self.document;
            let there = |place: u32| document.get(place as usize).is_some_and(|document| *document != NOBODY);
            self.terms.get_mut().unwrap_or_else(PoisonError::into_inner).retain(there);
        }
        if changed.values().any(|what| what.words) && !self.append(connection)? {
            return self.load(connection, latest);
        }
        self.take_in_vectors(connection, &changed)?;
        self.seen = Some(latest);
        Ok(())
    }

    /// Reads everything.
    fn load(&mut self, connection: &Connection, latest: i64) -> Result<(), LibraryError> {
        let embedder = self.near.take().map(|near| near.name().to_owned());
        *self = Self::default();
        self.documents.push(Document::default());
        for (key, document) in self.read_documents(connection, DOCUMENTS, [])? {
            self.put_document(key, document);
        }
        self.append(connection)?;
        if let Some(embedder) = embedder {
            self.load_near(connection, &embedder)?;
        }
        self.seen = Some(latest);
        Ok(())
    }

    fn read_documents(
        &mut self,
        connection: &Connection,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> rusqlite::Result<Vec<(i64, Document)>> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut found = Vec::new();
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let document = Document {
                allowed: row.get(1)?,
                audience: row.get(2)?,
                collection: number(&mut self.collections, row.get(3)?),
                language: number(&mut self.languages, row.get(4)?),
                ..Document::default()
            };
            found.push((row.get(0)?, document));
        }
        Ok(found)
    }

    /// Keeps who may find a document; its passages stay where they are.
    fn put_document(&mut self, key: i64, mut document: Document) {
        match self.by_key.get(&key).and_then(|at| self.documents.get_mut(*at as usize)) {
            Some(known) => {
                (document.first, document.count) = (known.first, known.count);
                *known = document;
            }
            None => {
                let at = u32::try_from(self.documents.len()).unwrap_or(NOBODY);
                self.documents.push(document);
                self.by_key.insert(key, at);
            }
        }
    }

    /// One document as it is now, except for new passages.
    fn take_in(&mut self, connection: &Connection, key: i64, what: Changed) -> Result<(), LibraryError> {
        let sql = format!("{DOCUMENTS} WHERE d.key = ?1");
        let Some((key, document)) = self.read_documents(connection, &sql, [key])?.pop() else {
            self.drop_passages(key);
            self.by_key.remove(&key);
            return Ok(());
        };
        self.put_document(key, document);
        if !what.words {
            return Ok(());
        }
        let sql = "SELECT passage, words FROM search_rows WHERE document = ?1 ORDER BY passage";
        let now = rows(connection, sql, [key], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?)))?;
        let range = self.range_of(key);
        let before = self.ids.get(range.clone()).unwrap_or_default();
        if !before.is_empty() && before.iter().copied().eq(now.iter().map(|(id, _)| *id)) {
            // The same passages under other words: another title, another language.
            self.terms.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
            for (place, (_, words)) in range.clone().zip(now) {
                self.set_words(place, words);
            }
            if let Some(near) = &mut self.near {
                range.for_each(|place| near.forget(place));
            }
        } else {
            self.drop_passages(key);
        }
        Ok(())
    }

    /// The places of a document's passages. Passages of one document come in one change, so they are together.
    fn range_of(&self, key: i64) -> Range<usize> {
        let at = self.by_key.get(&key).copied().unwrap_or(NOBODY);
        let document = self.documents.get(at as usize).copied().unwrap_or_default();
        let first = document.first as usize;
        first..first + document.count as usize
    }

    fn drop_passages(&mut self, key: i64) {
        for place in self.range_of(key) {
            if let Some(document) = self.document.get_mut(place).filter(|document| **document != NOBODY) {
                *document = NOBODY;
                self.alive -= 1;
                self.length -= self.words.get(place).copied().map_or(0, u64::from);
            }
            if let Some(near) = &mut self.near {
                near.forget(place);
            }
        }
        let at = self.by_key.get(&key).copied();
        if let Some(document) = at.and_then(|at| self.documents.get_mut(at as usize)) {
            document.count = 0;
        }
    }

    fn set_words(&mut self, place: usize, words: u32) {
        if let Some(known) = self.words.get_mut(place) {
            let words = u16::try_from(words).unwrap_or(u16::MAX);
            self.length = self.length - u64::from(*known) + u64::from(words);
            *known = words;
        }
    }

    /// Takes in the passages behind the last one. False when they are not what was expected, so that everything is to be
    /// read anew.
    fn append(&mut self, connection: &Connection) -> Result<bool, LibraryError> {
        let from = self.ids.len();
        let last = self.ids.last().copied().unwrap_or(i64::MIN);
        let mut statement = connection.prepare_cached(
            "SELECT passage, document, words FROM search_rows WHERE passage > ?1 ORDER BY passage",
        )?;
        let mut new = statement.query([last])?;
        while let Some(row) = new.next()? {
            let (id, key, words): (i64, i64, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(at) = self.by_key.get(&key).copied() else { return Ok(false) };
            let Some(document) = self.documents.get_mut(at as usize) else { return Ok(false) };
            let place = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
            if document.count == 0 {
                document.first = place;
            }
            if document.first + document.count != place {
                return Ok(false);
            }
            document.count += 1;
            let words = u16::try_from(words).unwrap_or(u16::MAX);
            self.ids.push(id);
            self.document.push(at);
            self.words.push(words);
            self.alive += 1;
            self.length += u64::from(words);
        }
        if let Some(near) = &mut self.near {
            near.grow(self.ids.len());
        }
        self.append_terms(connection, from)?;
        Ok(true)
    }

    /// Adds new passages to the postings that are decoded already.
    fn append_terms(&mut self, connection: &Connection, from: usize) -> Result<(), LibraryError> {
        let terms = self.terms.get_mut().unwrap_or_else(PoisonError::into_inner);
        if self.ids.len() - from > MANY_NEW {
            terms.clear();
        }
        if terms.is_empty() {
            return Ok(());
        }
        let sql = "SELECT s.title, p.heading, p.text, s.language FROM passages p \
                   JOIN search_documents s ON s.document = p.document WHERE p.id = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        for (place, id) in self.ids.iter().enumerate().skip(from) {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(([row.get::<_, String>(0)?, row.get(1)?, row.get(2)?], row.get::<_, Option<String>>(3)?))
            };
            let found = statement.query_row([id], read).optional()?;
            if let (Some((texts, language)), Ok(place)) = (found, u32::try_from(place)) {
                terms.add(place, &texts, Folding::of(language.as_deref()));
            }
        }
        Ok(())
    }

    fn take_in_vectors(
        &mut self,
        connection: &Connection,
        changed: &BTreeMap<i64, Changed>,
    ) -> Result<(), LibraryError> {
        let Some(mut near) = self.near.take() else { return Ok(()) };
        for (key, _) in changed.iter().filter(|(_, what)| what.vectors) {
            for place in self.range_of(*key) {
                if let Some(id) = self.ids.get(place) {
                    near.take_in(connection, place, *id)?;
                }
            }
        }
        near.renew_codes(connection, &self.ids)?;
        self.near = Some(near);
        Ok(())
    }
}

/// What the log has after a change.
fn changes(connection: &Connection, seen: i64) -> rusqlite::Result<BTreeMap<i64, Changed>> {
    let sql = "SELECT document, what FROM search_changes WHERE seq > ?1";
    let mut changed: BTreeMap<i64, Changed> = BTreeMap::new();
    for (document, what) in rows(connection, sql, [seen], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))? {
        let entry = changed.entry(document).or_default();
        entry.words |= what == What::Words as i64;
        entry.vectors |= what == What::Vectors as i64;
    }
    Ok(changed)
}

/// The number of a name, which gets one if it has none.
fn number<T: PartialEq>(names: &mut Vec<T>, name: T) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}
