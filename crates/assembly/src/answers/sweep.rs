//! Erasing what is old, as the policy says.

use banyan_governance::Time;
use banyan_ledger::withheld;
use banyan_store::rusqlite::params;

use crate::Assembly;
use crate::error::AssemblyError;

/// A text that no moderator looked at for so many days is erased unread.
const UNSETTLED_DAYS: u32 = 60;

impl Assembly {
    /// Erases kept conversations and held texts whose time is over; gives how many. May be called at any time and as
    /// often as one likes.
    pub async fn sweep_answers(&self, now: Time) -> Result<usize, AssemblyError> {
        let in_force = self.in_force();
        if !in_force.is_founded() {
            return Ok(0);
        }
        let keeping = in_force.policy.keeping.clone();
        self.change(now, move |change| {
            let before = |days: u32| now.0.saturating_sub(Time(0).plus_days(days).0);
            let mut erased = if keeping.conversations {
                let oldest = before(keeping.conversation_days);
                change.tx.execute("DELETE FROM history WHERE updated < ?1", [oldest])?
            } else {
                change.tx.execute("DELETE FROM history", [])?
            };
            let over: Vec<(i64, String)> = change
                .tx
                .prepare(
                    "SELECT id, withheld FROM held \
                     WHERE (settled IS NOT NULL AND settled < ?1) OR (settled IS NULL AND created < ?2)",
                )?
                .query_map(params![before(keeping.moderation_days), before(UNSETTLED_DAYS)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect::<Result<_, _>>()?;
            for (id, text) in over {
                if !text.is_empty() {
                    withheld::erase(change.tx, &text)?;
                }
                erased += change.tx.execute("DELETE FROM held WHERE id = ?1", [id])?;
            }
            Ok(erased)
        })
        .await
    }
}
