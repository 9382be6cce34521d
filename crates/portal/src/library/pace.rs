//! How fast one person may search, read and write. A phone in a hand never meets this; a program that copies the library
//! page by page does, and leaves the box to the others. (Who may have everything can export it.)

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use banyan_openai::ApiError;
use http::StatusCode;

use crate::community::Refused;
use crate::queue::{Bucket, Rate};
use crate::visit::Visit;

/// What is counted, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// A search.
    Search,
    /// A part of a text, an article, a file.
    Read,
    /// A question to the members, or an answer to one.
    Write,
}

impl Act {
    /// Searches as one types, and reading as one turns pages. Guests have a third of what members have.
    fn rate(self, member: bool) -> Rate {
        let (requests, at_once) = match self {
            Self::Search => (3600.0, 60.0),
            Self::Read => (7200.0, 120.0),
            Self::Write => (30.0, 10.0),
        };
        let share = if member { 1.0 } else { 3.0 };
        Rate { requests: requests / share, at_once: at_once / share }
    }
}

/// People that are remembered; those who have not come for a while go first.
const REMEMBERED: usize = 4096;

/// Who has how much left.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    left: Mutex<HashMap<(Act, String), Bucket>>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), left: Mutex::default() }
    }

    /// Takes one, or says in words when there is one again. `spare_loopback`: programs on the box itself are not slowed
    /// down.
    pub(crate) fn take(&self, visit: &Visit, act: Act, spare_loopback: bool) -> Result<(), Refused> {
        if spare_loopback && visit.address.is_loopback() {
            return Ok(());
        }
        let now = self.began.elapsed();
        self.take_at(who(visit), visit.caller.is_some(), act, now).map_err(|wait| {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            let words = format!("that was much at once; go on in {seconds} seconds");
            let kind = "invalid_request_error";
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, kind, Some("too_often"), words)
                .with_retry_after(seconds)
                .into()
        })
    }

    fn take_at(&self, who: String, member: bool, act: Act, now: Duration) -> Result<(), Duration> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= REMEMBERED {
            // Of a member's rate nothing is known here, but the larger one is full later.
            left.retain(|(act, _), bucket| !bucket.is_full(act.rate(true), now));
        }
        if left.len() >= REMEMBERED {
            return Err(Duration::from_secs(30));
        }
        let rate = act.rate(member);
        left.entry((act, who)).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }
}

/// A guest counts by the address: a cookie is thrown away too easily.
fn who(visit: &Visit) -> String {
    match &visit.caller {
        Some(caller) => caller.member.to_string(),
        None => visit.address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_slowed_down_before_a_member_and_nobody_for_another() {
        let pace = Pace::new();
        let at = |seconds| Duration::from_secs(seconds);
        let searches = |who: &str, member, seconds| {
            (0..100)
                .take_while(|_| pace.take_at(who.into(), member, Act::Search, at(seconds)).is_ok())
                .count()
        };
        assert_eq!((searches("10.0.0.7", false, 0), searches("10.0.0.8", false, 0)), (20, 20));
        assert_eq!(searches("m-1", true, 0), 60);
        assert_eq!(searches("10.0.0.7", false, 3), 1, "one comes back after three seconds");
        assert!(pace.take_at("10.0.0.7".into(), false, Act::Read, at(3)).is_ok(), "reading counts by itself");
    }

    #[test]
    fn those_who_do_not_come_back_are_forgotten() {
        let pace = Pace::new();
        let take = |number: usize, seconds| {
            pace.take_at(format!("10.0.{number}"), false, Act::Search, Duration::from_secs(seconds))
        };
        assert!((0..REMEMBERED).all(|number| take(number, 0).is_ok()));
        assert!(take(REMEMBERED, 0).is_err(), "memory is bounded too");
        assert!(take(REMEMBERED, 3600).is_ok());
        assert_eq!(pace.left.lock().unwrap().len(), 1);
    }
}
