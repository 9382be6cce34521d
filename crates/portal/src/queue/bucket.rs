//! A token bucket: so many in an hour, and not more than some at once.

use std::time::Duration;

use super::Rate;

const HOUR: f64 = 3600.0;

/// How much a member has left. Filled as time goes, emptied by asking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    left: f64,
    looked: Duration,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Duration) -> Self {
        Self { left: rate.at_once.max(1.0), looked: now }
    }

    /// Takes one, or says how long until there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Duration) -> Result<(), Duration> {
        self.fill(rate, now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.left) * HOUR / rate.requests.max(f64::MIN_POSITIVE);
        Err(Duration::from_secs_f64(wait.clamp(0.0, 24.0 * HOUR)))
    }

    /// Gives one back that was taken for nothing.
    pub(crate) fn give_back(&mut self) {
        self.left += 1.0;
    }

    /// Whether it holds all that it can; then it need not be remembered.
    pub(crate) fn is_full(&mut self, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        self.left >= rate.at_once.max(1.0)
    }

    fn fill(&mut self, rate: Rate, now: Duration) {
        let passed = now.saturating_sub(self.looked).as_secs_f64();
        self.left = (self.left + passed * rate.requests.max(0.0) / HOUR).min(rate.at_once.max(1.0));
        self.looked = self.looked.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_up_may_be_spent_at_once_and_then_it_trickles() {
        let rate = Rate { requests: 60.0, at_once: 3.0 };
        let at = Duration::from_secs;
        let mut bucket = Bucket::full(rate, at(0));
        assert!((0..3).all(|_| bucket.take(rate, at(0)).is_ok()));
        assert_eq!(bucket.take(rate, at(0)), Err(at(60)));
        assert_eq!(bucket.take(rate, at(45)), Err(at(15)));
        assert_eq!(bucket.take(rate, at(60)), Ok(()));
        assert!(!bucket.is_full(rate, at(120)) && bucket.is_full(rate, at(3600)));
        assert!((0..3).all(|_| bucket.take(rate, at(99_999)).is_ok()), "no more is saved up than that");
        assert!(bucket.take(rate, at(99_999)).is_err());
    }

    #[test]
    fn a_rate_of_nothing_is_a_long_wait_and_no_division_by_zero() {
        let rate = Rate { requests: 0.0, at_once: 0.0 };
        let mut bucket = Bucket::full(rate, Duration::ZERO);
        assert!(bucket.take(rate, Duration::ZERO).is_ok());
        assert_eq!(bucket.take(rate, Duration::from_secs(5)), Err(Duration::from_secs(86_400)));
    }
}
