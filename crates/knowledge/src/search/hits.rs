//! Hits are read from the database under the query's filters, whatever memory said: what was withdrawn, or may not be
//! used any more, or is not for this reader, is not there.

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, params};

use super::memory::is_of;
use crate::hit::{Hit, Place};
use crate::library::columns;
use crate::query::Query;

const HIT: &str = "SELECT p.id, d.id, p.version, p.start, p.\"end\", p.heading, p.page, p.text, d.title, c.id, c.name, \
    d.attribution, d.licence, d.language \
    FROM passages p JOIN documents d ON d.key = p.document JOIN collections c ON c.id = d.collection \
    WHERE p.id = ?1 AND d.allowed & ?2 != 0 AND c.audience <= ?3 AND d.current = p.version";

/// Reads a passage, if this query may find it.
pub(super) fn read(connection: &Connection, query: &Query, passage: i64) -> rusqlite::Result<Option<Hit>> {
    let wanted = columns::use_bit(query.r#use);
    let audience = columns::audience_rank(query.reader.audience);
    let hit = connection
        .prepare_cached(HIT)?
        .query_row(params![passage, wanted, audience], |row| {
            Ok(Hit {
                place: Place::Document {
                    passage: row.get(0)?,
                    document: row.get(1)?,
                    version: row.get(2)?,
                    start: row.get(3)?,
                    end: row.get(4)?,
                },
                title: row.get(8)?,
                collection: row.get(9)?,
                collection_name: row.get(10)?,
                heading: row.get(5)?,
                page: row.get(6)?,
                text: row.get(7)?,
                attribution: row.get(11)?,
                licence: row.get(12)?,
                language: row.get(13)?,
                score: 0.0,
                by_words: None,
                by_meaning: None,
                nearness: None,
            })
        })
        .optional()?;
    Ok(hit.filter(|hit| asked_for(query, hit)))
}

/// Whether the query asks for this hit's collection and language.
pub(super) fn asked_for(query: &Query, hit: &Hit) -> bool {
    let collection = query.collections.as_ref().is_none_or(|names| names.contains(&hit.collection));
    let language = match (&hit.language, &query.languages) {
        (Some(language), Some(names)) => names.iter().any(|name| is_of(language, name)),
        _ => true,
    };
    collection && language
}
