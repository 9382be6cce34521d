//! Documents as the store keeps them.

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, params};

use super::{Document, DocumentState, Listing, MAX_PAGE, Reader};
use crate::consent::{Audience, Use};
use crate::library::{DocumentId, LibraryError, columns, load_collection};

/// A document with the number by which the other tables name it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) key: i64,
    pub(crate) document: Document,
}

const SELECT: &str = "SELECT d.key, d.id, d.collection, d.title, d.author, d.attribution, d.licence, d.language, \
    d.uses, d.level, d.contributor, d.source, d.current, d.created, d.updated \
    FROM documents d JOIN collections c ON c.id = d.collection";

/// Who sees a document: librarians; the member that gave it; and whoever the collection is open to, once it was
/// accepted and where its consent lets it be read. ?1 is the audience, ?2 the member, ?3 the bit of the use.
const SEEN: &str = "(?1 >= 2 OR d.contributor = ?2 \
    OR (d.current IS NOT NULL AND c.audience <= ?1 AND d.allowed & ?3 != 0))";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let version: Option<u32> = row.get(12)?;
    Ok(Row {
        key: row.get(0)?,
        document: Document {
            id: row.get(1)?,
            collection: row.get(2)?,
            title: row.get(3)?,
            author: row.get(4)?,
            attribution: row.get(5)?,
            licence: row.get(6)?,
            language: row.get(7)?,
            consent: columns::consent(row.get(8)?, row.get(9)?),
            contributor: row.get(10)?,
            source: row.get(11)?,
            state: if version.is_some() { DocumentState::Published } else { DocumentState::WaitingReview },
            version,
            created: row.get(13)?,
            updated: row.get(14)?,
        },
    })
}

/// The document of this name, whoever may see it; refused where there is none.
pub(crate) fn load(connection: &Connection, id: &DocumentId) -> Result<Row, LibraryError> {
    let sql = format!("{SELECT} WHERE d.id = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([id], read).optional()?;
    found.ok_or_else(|| LibraryError::not_found("document", id))
}

/// The same for whoever may see it. That there is one is not told to others.
pub(crate) fn seen(connection: &Connection, id: &DocumentId, reader: &Reader) -> Result<Row, LibraryError> {
    let sql = format!("{SELECT} WHERE {SEEN} AND d.id = ?4");
    let audience = columns::audience_rank(reader.audience);
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![audience, reader.member, columns::use_bit(Use::Search), id], read)
        .optional()?;
    found.ok_or_else(|| LibraryError::not_found("document", id))
}

/// Whether the reader sees a document whatever state it is in: then also versions that wait.
pub(crate) fn sees_all(row: &Row, reader: &Reader) -> bool {
    reader.audience == Audience::Librarians
        || (reader.member.is_some() && reader.member == row.document.contributor)
}

/// Those that the reader sees, by title.
pub(crate) fn list(
    connection: &Connection,
    listing: &Listing,
    reader: &Reader,
) -> Result<Vec<Document>, LibraryError> {
    let order = if listing.newest { "d.updated DESC" } else { "d.title COLLATE NOCASE" };
    let sql = format!(
        "{SELECT} WHERE {SEEN} AND (?4 IS NULL OR d.collection = ?4) \
         AND (?5 IS NULL OR instr(lower(d.title || ' ' || d.author), ?5) > 0) \
         ORDER BY {order}, d.id LIMIT ?6 OFFSET ?7"
    );
    let limit = if listing.limit == 0 { MAX_PAGE } else { listing.limit.min(MAX_PAGE) };
    let contains = listing.contains.as_ref().map(|words| words.to_ascii_lowercase());
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(
        params![
            columns::audience_rank(reader.audience),
            reader.member,
            columns::use_bit(Use::Search),
            listing.collection,
            contains,
            limit,
            listing.skip
        ],
        read,
    )?;
    rows.map(|row| Ok(row?.document)).collect()
}

/// All that a member gave, or all there are; the oldest first.
pub(crate) fn all(connection: &Connection, contributor: Option<&str>) -> Result<Vec<Row>, LibraryError> {
    let sql = format!("{SELECT} WHERE ?1 IS NULL OR d.contributor = ?1 ORDER BY d.key");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([contributor], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps a new document; gives its number.
pub(crate) fn insert(connection: &Connection, document: &Document) -> Result<i64, LibraryError> {
    let (uses, level, allowed) = columns::of_consent(&document.consent);
    connection.execute(
        "INSERT INTO documents (id, collection, title, author, attribution, licence, language, uses, level, allowed, \
         contributor, source, created, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
        params![
            document.id,
            document.collection,
            document.title,
            document.author,
            document.attribution,
            document.licence,
            document.language,
            uses,
            level,
            allowed,
            document.contributor,
            document.source,
            document.created
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Keeps what is known of a document as it is now.
pub(crate) fn update(
    connection: &Connection,
    key: i64,
    document: &Document,
    now: i64,
) -> Result<(), LibraryError> {
    load_collection(connection, &document.collection)?;
    let (uses, level, allowed) = columns::of_consent(&document.consent);
    connection.execute(
        "UPDATE documents SET collection = ?2, title = ?3, author = ?4, attribution = ?5, licence = ?6, language = ?7, \
         uses = ?8, level = ?9, allowed = ?10, updated = ?11 WHERE key = ?1",
        params![
            key,
            document.collection,
            document.title,
            document.author,
            document.attribution,
            document.licence,
            document.language,
            uses,
            level,
            allowed,
            now
        ],
    )?;
    Ok(())
}
