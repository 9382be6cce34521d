//! Moments and spans. Governance never looks at a clock: every rule that depends on the time is told what time it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A moment: seconds since 1970-01-01 00:00 UTC, without leap seconds (POSIX).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = i64, example = 1_790_000_000)]
pub struct Time(pub i64);

impl Time {
    /// So many hours later; never past the end of time.
    #[must_use]
    pub const fn plus_hours(self, hours: u32) -> Self {
        Self(self.0.saturating_add(hours as i64 * 3600))
    }

    /// So many days of 24 hours later; never past the end of time.
    #[must_use]
    pub const fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(days as i64 * 86_400))
    }
}

/// As a date in UTC, such as `2026-11-24 14:10 UTC`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        // Days since 1970 to a date, in eras of 400 years that begin in March (H. Hinnant, "chrono-compatible
        // low-level date algorithms").
        let shifted = days.saturating_add(719_468);
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3600, seconds % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_a_date() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_799, "2000-02-29 23:59 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_790_000_000, "2026-09-21 14:13 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(Time(seconds).to_string(), date);
        }
    }

    #[test]
    fn no_span_goes_past_the_end_of_time() {
        assert_eq!(Time(i64::MAX).plus_days(1), Time(i64::MAX));
        assert!(!Time(i64::MIN).to_string().is_empty() && !Time(i64::MAX).to_string().is_empty());
    }
}
