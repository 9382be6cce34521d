//! How long an answer keeps its place, as seen lately, and what follows for those who wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Weight of the newest answer in the moving mean. Twenty answers or so are remembered: a box that has become slower
/// (a second member with long questions, heat) is believed within minutes.
const NEWEST: f64 = 0.1;

/// What is still to come of an answer that has run longer than most, as a part of the mean.
const OVERDUE: f64 = 0.25;

/// The moving mean of the time that an answer keeps its place.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceTimes {
    mean_s: f64,
    seen: u32,
}

impl ServiceTimes {
    /// One more answer came to its end.
    pub(super) fn learn(&mut self, took: Duration) {
        self.seen = self.seen.saturating_add(1);
        // The plain mean at the beginning: the first answer is not ten times as telling as the second.
        let share = NEWEST.max(1.0 / f64::from(self.seen));
        self.mean_s += share * (took.as_secs_f64() - self.mean_s);
    }

    /// None before the first answer.
    pub(super) fn mean_s(&self) -> Option<f64> {
        (self.seen > 0).then_some(self.mean_s)
    }

    /// When each of those who wait in line gets a place, in seconds from now: `free` places at once, the places of the
    /// running answers (by how long they have run) as they end. Endless; none when nothing can be said.
    pub(super) fn turns(&self, free: usize, running: impl Iterator<Item = Duration>) -> Option<Turns> {
        let mean = self.mean_s();
        let rest = |age: Duration| {
            mean.map(|mean| (mean - age.as_secs_f64()).max(mean * OVERDUE)).unwrap_or(f64::INFINITY)
        };
        let places: BinaryHeap<Reverse<Instant>> =
            std::iter::repeat_n(0.0, free).chain(running.map(rest)).map(|at| Reverse(Instant(at))).collect();
        (!places.is_empty()).then_some(Turns { places, mean_s: mean.unwrap_or(f64::INFINITY) })
    }
}

/// Seconds from now; ordered, never a NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Instant(f64);

impl Eq for Instant {}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The turns to come: each takes the place that is free first, and keeps it for the mean time.
#[derive(Debug)]
pub(super) struct Turns {
    places: BinaryHeap<Reverse<Instant>>,
    mean_s: f64,
}

impl Iterator for Turns {
    /// Seconds from now; none when that cannot be told yet.
    type Item = Option<f64>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse(Instant(at)) = self.places.pop()?;
        self.places.push(Reverse(Instant(at + self.mean_s)));
        Some(at.is_finite().then_some(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn first(turns: Turns, n: usize) -> Vec<Option<f64>> {
        turns.take(n).collect()
    }

    #[test]
    fn places_are_handed_on_as_answers_end() {
        let mut times = ServiceTimes::default();
        assert!(times.turns(0, [].into_iter()).is_none(), "no place, nothing to say");
        assert_eq!(first(times.turns(1, [at(3)].into_iter()).unwrap(), 3), [Some(0.0), None, None]);
        times.learn(at(10));
        let turns = times.turns(1, [at(4), at(100)].into_iter()).unwrap();
        assert_eq!(first(turns, 5), [Some(0.0), Some(2.5), Some(6.0), Some(10.0), Some(12.5)]);
    }

    #[test]
    fn the_mean_follows_a_box_that_becomes_slower() {
        let mut times = ServiceTimes::default();
        (0..50).for_each(|_| times.learn(at(2)));
        assert!((times.mean_s().unwrap() - 2.0).abs() < 1e-9);
        (0..30).for_each(|_| times.learn(at(10)));
        assert!(times.mean_s().unwrap() > 9.0);
    }
}
