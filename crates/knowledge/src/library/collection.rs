//! Collections: the shelves.

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::columns;
use super::error::LibraryError;
use super::id::CollectionId;
use super::{Hand, Library, record};
use crate::consent::{Audience, Consent};
use crate::document::line;

/// Characters of a collection's description: one screen of a phone.
const MAX_ABOUT: usize = 1000;

/// A shelf of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Collection {
    /// Which.
    pub id: CollectionId,
    /// What it is called.
    pub name: String,
    /// What is in it, in a sentence or two.
    pub about: String,
    /// Who may find and read what is in it.
    pub audience: Audience,
    /// What new documents may be used for, unless they say otherwise.
    pub consent: Consent,
    /// The licence of new documents, unless they say otherwise (an SPDX expression, or words).
    pub licence: String,
    /// The language of new documents that do not say theirs (BCP 47).
    pub language: Option<String>,
    /// Whether a librarian looks at what members give, before it is read.
    pub review: bool,
    /// Documents in it that are read.
    pub documents: u64,
    /// Since when.
    pub created: i64,
}

/// What a collection is made or changed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCollection {
    /// What it is called; no other has the name.
    pub name: String,
    /// What is in it.
    #[serde(default)]
    pub about: String,
    /// Who may find and read what is in it.
    pub audience: Audience,
    /// What new documents may be used for.
    pub consent: Consent,
    /// The licence of new documents.
    pub licence: String,
    /// Their language.
    #[serde(default)]
    pub language: Option<String>,
    /// Whether a librarian looks at what members give, before it is read. What a librarian or the box adds is read at
    /// once.
    #[serde(default = "yes")]
    pub review: bool,
}

fn yes() -> bool {
    true
}

const SELECT: &str = "SELECT id, name, about, audience, uses, level, licence, language, created, review, \
    (SELECT count(*) FROM documents d WHERE d.collection = c.id AND d.current IS NOT NULL) FROM collections c";

impl Library {
    /// Makes a collection.
    pub async fn add_collection(
        &self,
        new: NewCollection,
        hand: Hand,
        now: i64,
    ) -> Result<Collection, LibraryError> {
        hand.keeps_library()?;
        let (new, record) = (checked(new)?, self.record());
        self.change(move |tx| {
            name_is_free(tx, &new.name, None)?;
            let before: i64 = tx.query_row("SELECT count(*) FROM collections", [], |row| row.get(0))?;
            let id = CollectionId::of(before, now, new.name.as_bytes());
            let (uses, level, _) = columns::of_consent(&new.consent);
            tx.execute(
                "INSERT INTO collections (id, name, about, audience, uses, level, licence, language, review, created) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    id,
                    new.name,
                    new.about,
                    columns::audience_rank(new.audience),
                    uses,
                    level,
                    new.licence,
                    new.language,
                    new.review,
                    now
                ],
            )?;
            let made = load(tx, &id)?;
            record.note(tx, now, record::COLLECTION, &recorded("made", &made, &hand))?;
            Ok(made)
        })
        .await
    }

    /// Changes a collection. Documents keep the consent they were given with.
    pub async fn edit_collection(
        &self,
        id: CollectionId,
        new: NewCollection,
        hand: Hand,
        now: i64,
    ) -> Result<Collection, LibraryError> {
        hand.keeps_library()?;
        let (new, record) = (checked(new)?, self.record());
        self.change(move |tx| {
            name_is_free(tx, &new.name, Some(&id))?;
            let (uses, level, _) = columns::of_consent(&new.consent);
            tx.execute(
                "UPDATE collections SET name = ?2, about = ?3, audience = ?4, uses = ?5, level = ?6, licence = ?7, \
                 language = ?8, review = ?9 WHERE id = ?1",
                params![
                    id,
                    new.name,
                    new.about,
                    columns::audience_rank(new.audience),
                    uses,
                    level,
                    new.licence,
                    new.language,
                    new.review
                ],
            )?;
            let changed = load(tx, &id)?;
            record.note(tx, now, record::COLLECTION, &recorded("changed", &changed, &hand))?;
            Ok(changed)
        })
        .await
    }

    /// Removes a collection in which nothing stands any more.
    pub async fn remove_collection(
        &self,
        id: CollectionId,
        hand: Hand,
        now: i64,
    ) -> Result<(), LibraryError> {
        hand.keeps_library()?;
        let record = self.record();
        self.change(move |tx| {
            let collection = load(tx, &id)?;
            let left: i64 =
                tx.query_row("SELECT count(*) FROM documents WHERE collection = ?1", [&id], |row| {
                    row.get(0)
                })?;
            if left > 0 {
                return Err(LibraryError::WrongState(format!(
                    "{left} documents stand in \"{}\"; move or withdraw them first",
                    collection.name
                )));
            }
            tx.execute("DELETE FROM collections WHERE id = ?1", [&id]).map_err(|error| {
                match error.sqlite_error_code() {
                    // Other rooms keep what stands in it too, such as archives.
                    Some(rusqlite::ErrorCode::ConstraintViolation) => LibraryError::WrongState(format!(
                        "an archive stands in \"{}\"; remove it first",
                        collection.name
                    )),
                    _ => error.into(),
                }
            })?;
            record.note(tx, now, record::COLLECTION, &recorded("removed", &collection, &hand))
        })
        .await
    }

    /// The collections that this audience may read, by name.
    pub async fn collections(&self, audience: Audience) -> Result<Vec<Collection>, LibraryError> {
        self.read_rows(move |connection| all(connection, audience)).await
    }

    /// The collection of this name or id, for commands.
    pub fn collection_named_blocking(&self, name: &str) -> Result<Collection, LibraryError> {
        let name = name.to_owned();
        self.store.read_blocking(move |connection| {
            let sql = format!("{SELECT} WHERE name = ?1 OR id = ?1");
            let found = connection.query_row(&sql, [&name], read).optional()?;
            found.ok_or_else(|| LibraryError::not_found("collection", name))
        })
    }
}

/// Those that this audience may read, by name.
pub(crate) fn all(connection: &Connection, audience: Audience) -> Result<Vec<Collection>, LibraryError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE audience <= ?1 ORDER BY name"))?;
    let rows = statement.query_map([columns::audience_rank(audience)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The collection; refused where there is none.
pub(crate) fn load(connection: &Connection, id: &CollectionId) -> Result<Collection, LibraryError> {
    let found =
        connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([id], read).optional()?;
    found.ok_or_else(|| LibraryError::not_found("collection", id))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Collection> {
    Ok(Collection {
        id: row.get(0)?,
        name: row.get(1)?,
        about: row.get(2)?,
        audience: columns::audience(row.get(3)?),
        consent: columns::consent(row.get(4)?, row.get(5)?),
        licence: row.get(6)?,
        language: row.get(7)?,
        created: row.get(8)?,
        review: row.get(9)?,
        documents: row.get::<_, i64>(10)?.unsigned_abs(),
    })
}

/// What the ledger says of a collection: what it opens to whom, not what it is called.
fn recorded(what: &str, collection: &Collection, hand: &Hand) -> serde_json::Value {
    json!({
        "what": what,
        "collection": collection.id,
        "audience": collection.audience,
        "consent": collection.consent,
        "review": collection.review,
        "by": record::by(hand),
    })
}

fn checked(new: NewCollection) -> Result<NewCollection, LibraryError> {
    if new.about.chars().count() > MAX_ABOUT {
        let message = format!("at most {MAX_ABOUT} characters; put more into a document");
        return Err(LibraryError::Invalid { field: "about", message });
    }
    Ok(NewCollection {
        name: line::required("name", &new.name)?,
        about: line::tidy(&new.about),
        licence: line::required("licence", &new.licence)?,
        language: new.language.as_deref().map(line::language).transpose()?.flatten(),
        ..new
    })
}

fn name_is_free(connection: &Connection, name: &str, of: Option<&CollectionId>) -> Result<(), LibraryError> {
    let sql = "SELECT id FROM collections WHERE name = ?1";
    let found: Option<CollectionId> = connection.query_row(sql, [name], |row| row.get(0)).optional()?;
    match found {
        Some(other) if Some(&other) != of => Err(LibraryError::Invalid {
            field: "name",
            message: format!("another collection is called \"{name}\"; choose another name"),
        }),
        _ => Ok(()),
    }
}
