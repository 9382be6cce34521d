//! The review desk: where the community's policy asks for it, a librarian looks at what members give before it is read,
//! searched or cited. What waits is in no index.

#[cfg(test)]
mod tests;

use banyan_store::rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::document::{Added, Document, line, passage, rows as documents};
use crate::library::{DocumentId, Hand, Library, LibraryError, record};
use crate::version::{Version, VersionState, rows as versions};
use crate::withdraw::{self, TraceKind};

/// Versions that are shown at the desk at once.
const SHOWN: i64 = 200;

/// A version that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// Of which document.
    pub document: Document,
    /// Which; with a number above the document's own it would take that one's place.
    pub version: Version,
}

impl Library {
    /// What waits for a librarian, the oldest first.
    pub async fn review_desk(&self) -> Result<Vec<Waiting>, LibraryError> {
        self.read_rows(|connection| {
            let sql = "SELECT d.id, v.number FROM versions v JOIN documents d ON d.key = v.document \
                       WHERE v.state = 'waiting' ORDER BY v.at, d.key, v.number LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement
                .query_map([SHOWN], |row| Ok((row.get::<_, DocumentId>(0)?, row.get::<_, u32>(1)?)))?;
            let mut waiting = Vec::new();
            for row in rows {
                let (id, number) = row?;
                let found = documents::load(connection, &id)?;
                let (version, _) = versions::load(connection, found.key, number)?;
                waiting.push(Waiting { document: found.document, version });
            }
            Ok(waiting)
        })
        .await
    }

    /// Lets a version that waits be read, from now on.
    pub async fn accept(
        &self,
        id: DocumentId,
        number: u32,
        hand: Hand,
        now: i64,
    ) -> Result<Added, LibraryError> {
        hand.keeps_library()?;
        let record = self.record();
        self.change(move |tx| {
            let row = documents::load(tx, &id)?;
            let (version, blocks) = versions::load(tx, row.key, number)?;
            still_waits(&version)?;
            if let Some(newer) = row.document.version.filter(|current| *current > number) {
                return Err(LibraryError::WrongState(format!(
                    "version {newer} came after this one and is read already; refuse this one, or accept a newer one"
                )));
            }
            versions::accept(tx, row.key, number)?;
            let passages = passage::publish(tx, row.key, &id, number, &blocks, now)?;
            let what = json!({ "document": id, "version": number, "by": record::by(&hand) });
            record.note(tx, now, record::ACCEPTED, &what)?;
            Ok(Added { document: id, version: number, waiting: false, passages, warnings: version.warnings })
        })
        .await
    }

    /// Does not let a version be read; the one who gave it is told why. A document of which nothing else is left is
    /// gone, with a trace.
    pub async fn refuse(
        &self,
        id: DocumentId,
        number: u32,
        why: String,
        hand: Hand,
        now: i64,
    ) -> Result<(), LibraryError> {
        hand.keeps_library()?;
        let (why, record) = (line::required("why", &why)?, self.record());
        self.change(move |tx| {
            let row = documents::load(tx, &id)?;
            let (version, _) = versions::load(tx, row.key, number)?;
            still_waits(&version)?;
            let others: i64 = tx.query_row(
                "SELECT count(*) FROM versions WHERE document = ?1 AND number <> ?2 AND state <> 'refused'",
                params![row.key, number],
                |row| row.get(0),
            )?;
            if others > 0 {
                versions::refuse(tx, row.key, number, &why)?;
            } else {
                withdraw::remove(tx, &row, TraceKind::Refused, &why, hand.name(), now)?;
            }
            let what = json!({ "document": id, "version": number, "by": record::by(&hand) });
            record.note(tx, now, record::REFUSED, &what)
        })
        .await?;
        self.tidy_originals().await;
        Ok(())
    }
}

fn still_waits(version: &Version) -> Result<(), LibraryError> {
    if version.state == VersionState::Waiting {
        return Ok(());
    }
    Err(LibraryError::WrongState("somebody has looked at this version already".into()))
}
