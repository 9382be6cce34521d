//! Adding an archive and removing it.

use std::path::Path;

use banyan_store::rusqlite::{OptionalExtension as _, params};
use serde_json::json;

use super::{ZimArchive, ZimShelf, index, rows};
use crate::document::line;
use crate::library::{CollectionId, Hand, LibraryError, load_collection, record};
use crate::zim::archive::Zim;
use crate::zim::error::ZimError;
use crate::zim::language;

/// Kinds of ledger entries.
const ADDED: &str = "library.archive_added";
const REMOVED: &str = "library.archive_removed";

/// Letters and digits that are not mistaken for each other when read aloud (Crockford's base 32, lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl ZimShelf {
    /// Adds the archive in this file, which stays where it is. It is found by titles at once and by words while its index
    /// grows. One that is there already and lies somewhere else now is found there from now on.
    pub fn add(
        &self,
        path: &Path,
        collection: &CollectionId,
        hand: &Hand,
        now: i64,
    ) -> Result<ZimArchive, LibraryError> {
        hand.keeps_library()?;
        let path = std::fs::canonicalize(path).map_err(LibraryError::file("read", path))?;
        let zim = Zim::open(&path)?;
        let Some(place) = path.to_str().map(str::to_owned) else {
            let message = "its name is no Unicode text; rename it".to_owned();
            return Err(LibraryError::Invalid { field: "path", message });
        };
        let fingerprint = zim.fingerprint();
        let id = name(&fingerprint);
        let about = About::of(&zim, &path)?;
        let size = zim.size();
        let (by, by_whom) = (hand.name().map(str::to_owned), record::by(hand));
        let (collection, record, zim_id) = (collection.clone(), self.record.clone(), id.clone());
        let uuid = zim.uuid();
        let row = self.parts.store.write_blocking(move |tx| {
            load_collection(tx, &collection)?;
            let known: Option<(CollectionId, String)> = tx
                .query_row("SELECT collection, title FROM zims WHERE id = ?1", [&zim_id], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match known {
                Some((other, title)) if other != collection => {
                    let message = format!("\"{title}\" stands in another collection already; remove it there first");
                    return Err(LibraryError::Invalid { field: "archive", message });
                }
                Some(_) => {
                    tx.execute("UPDATE zims SET path = ?2 WHERE id = ?1", params![zim_id, place])?;
                }
                None => {
                    tx.execute(
                        "INSERT INTO zims (id, fingerprint, uuid, path, collection, title, description, creator, \
                         publisher, date, licence, languages, size, by, added) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                        params![
                            zim_id,
                            fingerprint,
                            uuid,
                            place,
                            collection,
                            about.title,
                            about.description,
                            about.creator,
                            about.publisher,
                            about.date,
                            about.licence,
                            about.languages,
                            size,
                            by,
                            now
                        ],
                    )?;
                    let what = json!({ "archive": zim_id, "collection": collection, "by": by_whom });
                    record.note(tx, now, ADDED, &what)?;
                }
            }
            rows::load(tx, &zim_id)
        })?;
        self.parts.close(&id);
        self.parts.tell();
        Ok(self.parts.shown(row))
    }

    /// Takes an archive off the shelf: nobody finds or reads it any more, and its index goes. The file stays: it is not
    /// the box's.
    pub fn remove(&self, zim: &str, hand: &Hand, now: i64) -> Result<(), LibraryError> {
        hand.keeps_library()?;
        let (id, by_whom, record) = (zim.to_owned(), record::by(hand), self.record.clone());
        self.parts.store.write_blocking(move |tx| {
            let row = rows::load(tx, &id)?;
            tx.execute("DELETE FROM zims WHERE id = ?1", [&id])?;
            let what = json!({ "archive": id, "collection": row.collection, "by": by_whom });
            record.note(tx, now, REMOVED, &what)
        })?;
        self.parts.close(zim);
        index::remove(&self.parts.index_path(zim));
        Ok(())
    }
}

/// What an archive says of itself, each as one line.
struct About {
    title: String,
    description: String,
    creator: String,
    publisher: String,
    date: String,
    licence: String,
    languages: String,
}

impl About {
    fn of(zim: &Zim, path: &Path) -> Result<Self, ZimError> {
        let read = |name: &str| -> Result<String, ZimError> {
            Ok(line::cut(&zim.metadata(name)?.unwrap_or_default()))
        };
        let mut title = read("Title")?;
        if title.is_empty() {
            title = line::cut(&path.file_stem().unwrap_or_default().to_string_lossy());
        }
        Ok(Self {
            title,
            description: read("Description")?,
            creator: read("Creator")?,
            publisher: read("Publisher")?,
            date: read("Date")?,
            licence: read("License")?,
            languages: language::of(&read("Language")?).join(" "),
        })
    }
}

/// The name of an edition: 50 bits of its fingerprint.
fn name(fingerprint: &[u8; 32]) -> String {
    let bits = fingerprint.iter().take(8).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    let digit = |place: usize| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31]);
    format!("z-{}", (0..10).map(digit).collect::<String>())
}
