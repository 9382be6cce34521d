//! The rows of archives, each with the rights of its collection: who may not read it gets no row.

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, params};

use super::Parts;
use crate::consent::Use;
use crate::document::Reader;
use crate::library::{CollectionId, LibraryError, columns};

/// An archive, as the store knows it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) fingerprint: [u8; 32],
    pub(super) path: String,
    pub(super) collection: CollectionId,
    pub(super) collection_name: String,
    collection_licence: String,
    uses: i64,
    level: i64,
    pub(super) title: String,
    pub(super) description: String,
    creator: String,
    publisher: String,
    pub(super) date: String,
    licence: String,
    pub(super) languages: Vec<String>,
    pub(super) size: u64,
    pub(super) by: Option<String>,
    pub(super) added: i64,
}

impl Row {
    /// Whom to thank for what stands in it.
    pub(super) fn attribution(&self) -> String {
        let made_by = [&self.creator, &self.publisher].into_iter().find(|name| !name.is_empty());
        match made_by {
            Some(name) if *name != self.title => format!("{name} ({})", self.title),
            _ => self.title.clone(),
        }
    }

    pub(super) fn licence(&self) -> &str {
        if self.licence.is_empty() { &self.collection_licence } else { &self.licence }
    }

    /// Its language where it has one only.
    pub(super) fn only_language(&self) -> Option<String> {
        match self.languages.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    pub(super) fn allows(&self, wanted: Use) -> bool {
        columns::consent(self.uses, self.level).allows(wanted)
    }
}

const SELECT: &str = "SELECT z.id, z.fingerprint, z.path, c.id, c.name, c.licence, c.uses, c.level, z.title, \
    z.description, z.creator, z.publisher, z.date, z.licence, z.languages, z.size, z.by, z.added \
    FROM zims z JOIN collections c ON c.id = z.collection";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        id: row.get(0)?,
        fingerprint: row.get(1)?,
        path: row.get(2)?,
        collection: row.get(3)?,
        collection_name: row.get(4)?,
        collection_licence: row.get(5)?,
        uses: row.get(6)?,
        level: row.get(7)?,
        title: row.get(8)?,
        description: row.get(9)?,
        creator: row.get(10)?,
        publisher: row.get(11)?,
        date: row.get(12)?,
        licence: row.get(13)?,
        languages: row.get::<_, String>(14)?.split_whitespace().map(str::to_owned).collect(),
        size: row.get(15)?,
        by: row.get(16)?,
        added: row.get(17)?,
    })
}

pub(super) fn load(connection: &Connection, zim: &str) -> Result<Row, LibraryError> {
    let found =
        connection.prepare_cached(&format!("{SELECT} WHERE z.id = ?1"))?.query_row([zim], read).optional()?;
    found.ok_or_else(|| LibraryError::not_found("archive", zim))
}

impl Parts {
    /// The archives that a reader may use like this, by title.
    pub(super) fn rows(&self, reader: &Reader, wanted: Use) -> Result<Vec<Row>, LibraryError> {
        let audience = columns::audience_rank(reader.audience);
        self.store.read_blocking(move |connection| {
            let sql = format!("{SELECT} WHERE c.audience <= ?1 AND c.uses & ?2 != 0 ORDER BY z.title, z.id");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![audience, columns::use_bit(wanted)], read)?;
            let mut rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
            rows.retain(|row| row.allows(wanted));
            Ok(rows)
        })
    }

    /// One of them.
    pub(super) fn row(&self, zim: &str, reader: &Reader, wanted: Use) -> Result<Row, LibraryError> {
        let rows = self.rows(reader, wanted)?;
        rows.into_iter().find(|row| row.id == zim).ok_or_else(|| LibraryError::not_found("archive", zim))
    }

    /// All of them, whoever may read them.
    pub(super) fn all_rows(&self) -> Result<Vec<Row>, LibraryError> {
        self.store.read_blocking(|connection| {
            let mut statement =
                connection.prepare_cached(&format!("{SELECT} ORDER BY z.added DESC, z.id"))?;
            let rows = statement.query_map([], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// One, whoever may read it.
    pub(super) fn any_row(&self, zim: &str) -> Result<Row, LibraryError> {
        let zim = zim.to_owned();
        self.store.read_blocking(move |connection| load(connection, &zim))
    }
}
