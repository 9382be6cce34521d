//! How often the library covers what is asked, in numbers a day.

use banyan_store::rusqlite::params;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::library::{Library, LibraryError};

const DAY: i64 = 86_400;

/// Days that are counted: two years, so that seasons can be compared.
const KEPT_DAYS: i64 = 730;

/// One day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CoverageDay {
    /// When it began (UTC).
    pub day: i64,
    /// Questions to the assistant that the library covered.
    pub covered: u64,
    /// Those that it did not.
    pub not_covered: u64,
}

impl Library {
    /// Counts a question to the assistant. Neither who asked it nor what it said is written down.
    ///
    /// # Errors
    ///
    /// The store cannot be written.
    pub async fn count_coverage(&self, covered: bool, now: i64) -> Result<(), LibraryError> {
        self.change(move |tx| {
            let day = now.div_euclid(DAY) * DAY;
            tx.execute(
                "INSERT INTO coverage (day, covered, not_covered) VALUES (?1, ?2, 1 - ?2) ON CONFLICT (day) \
                 DO UPDATE SET covered = covered + excluded.covered, not_covered = not_covered + excluded.not_covered",
                params![day, i64::from(covered)],
            )?;
            tx.execute("DELETE FROM coverage WHERE day < ?1", [day - KEPT_DAYS * DAY])?;
            Ok(())
        })
        .await
    }

    /// The last so many days on which something was asked, the newest first.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn coverage(&self, days: u32, now: i64) -> Result<Vec<CoverageDay>, LibraryError> {
        self.read_rows(move |connection| {
            let sql = "SELECT day, covered, not_covered FROM coverage WHERE day > ?1 ORDER BY day DESC";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([now - i64::from(days) * DAY], |row| {
                let [covered, not_covered] = [row.get::<_, i64>(1)?, row.get(2)?].map(i64::unsigned_abs);
                Ok(CoverageDay { day: row.get(0)?, covered, not_covered })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
