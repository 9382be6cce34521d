//! One answer's events under their numbers, and those who listen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Asked;
use crate::answer::AnswerEvent;
use crate::queue::Member;

/// The most events of one answer. The longest has a thousand words or so; a long wait adds a few hundred.
const MAX_EVENTS: usize = 8192;

/// The most bytes of one answer: twenty times what a thousand tokens have.
const MAX_BYTES: usize = 128 * 1024;

/// Who may read an answer: whoever asked, under each name that the box knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owners {
    counted: Member,
    /// The name that the member was given with this very question.
    given: Option<Member>,
}

impl Owners {
    pub(crate) fn new(counted: Member, given: Option<Member>) -> Self {
        Self { counted, given }
    }

    /// By whom it is counted.
    pub(crate) fn counted(&self) -> &Member {
        &self.counted
    }

    /// By what a held text is found again by the one who asked; empty when there is nothing that lasts. An address may be
    /// another person's tomorrow, and a cookie is stored as its fingerprint only.
    pub(crate) fn lasting(&self) -> String {
        let name = self.given.as_ref().unwrap_or(&self.counted);
        if !name.is_guest() {
            return name.name().to_owned();
        }
        if name.is_address() {
            return String::new();
        }
        let print =
            blake3::Hash::from(blake3::derive_key("banyan guest of a held text v1", name.name().as_bytes()));
        format!("guest:{}", print.to_hex())
    }

    pub(super) fn include(&self, member: &Member) -> bool {
        self.counted == *member || self.given.as_ref() == Some(member)
    }
}

/// One answer.
pub(crate) struct Answer {
    id: String,
    owners: Owners,
    asked: Asked,
    log: Mutex<Log>,
    /// How many events there are, and whether there will be more.
    news: watch::Sender<(usize, bool)>,
    listeners: watch::Sender<Listening>,
    stopped: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<AnswerEvent>,
    bytes: usize,
}

impl Log {
    /// Nobody who comes later gets the words that were said so far, nor what they rested on; the events keep their
    /// numbers.
    fn withdraw(&mut self) {
        for event in &mut self.events {
            match event {
                AnswerEvent::Words(words) => words.clear(),
                AnswerEvent::Passages(shown) => Arc::make_mut(shown).passages.clear(),
                _ => {}
            }
        }
    }

    /// Nobody who comes later gets passages that were withdrawn while the answer was written.
    fn take_back(&mut self, withdrawn: &[u32]) {
        for event in &mut self.events {
            if let AnswerEvent::Passages(shown) = event {
                Arc::make_mut(shown).passages.retain(|passage| !withdrawn.contains(&passage.number));
            }
        }
    }
}

/// How many listen, and since when it has been so.
#[derive(Debug, Clone, Copy)]
struct Listening {
    count: usize,
    since: Instant,
}

impl Answer {
    pub(super) fn new(owners: Owners, asked: Asked) -> Arc<Self> {
        Arc::new(Self {
            // Nobody can guess it.
            id: format!("{:032x}", rand::rng().random::<u128>()),
            owners,
            asked,
            log: Mutex::default(),
            news: watch::Sender::new((0, false)),
            listeners: watch::Sender::new(Listening { count: 0, since: Instant::now() }),
            stopped: watch::Sender::new(false),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn owners(&self) -> &Owners {
        &self.owners
    }

    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Stops it, if it is being written.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Listens from the event with this number on. Event 0 is the first.
    pub(crate) fn listen(self: &Arc<Self>, from: usize) -> Listener {
        self.listeners.send_modify(|listening| listening.count += 1);
        Listener { answer: self.clone(), news: self.news.subscribe(), next: from }
    }

    pub(super) fn push(&self, event: AnswerEvent) {
        let mut log = self.log();
        match &event {
            AnswerEvent::Words(words) => log.bytes += words.len(),
            AnswerEvent::Replaced(_) => log.withdraw(),
            AnswerEvent::Rests(rests) if !rests.withdrawn.is_empty() => log.take_back(&rests.withdrawn),
            _ => {}
        }
        log.events.push(event);
        let count = log.events.len();
        drop(log);
        self.news.send_modify(|news| news.0 = count);
    }

    /// Whether one more event fits, with the last one behind it.
    pub(super) fn has_room(&self) -> bool {
        let log = self.log();
        log.events.len() + 2 <= MAX_EVENTS && log.bytes < MAX_BYTES
    }

    /// No event follows.
    pub(super) fn end(&self) {
        self.log().events.shrink_to_fit();
        self.news.send_modify(|news| news.1 = true);
    }

    /// Resolves when it was stopped, or nobody has listened for so long.
    pub(super) async fn unwanted(&self, patience: Duration) {
        let stopped = async {
            // An error cannot come: the sender is this answer's own.
            self.stopped.subscribe().wait_for(|stopped| *stopped).await.map(drop).ok();
        };
        tokio::select! {
            () = stopped => {}
            () = self.lonely(patience) => {}
        }
    }

    async fn lonely(&self, patience: Duration) {
        let mut listeners = self.listeners.subscribe();
        loop {
            let Listening { count, since } = *listeners.borrow_and_update();
            if count > 0 {
                listeners.changed().await.ok();
            } else if timeout_at(since + patience, listeners.changed()).await.is_err() {
                return;
            }
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who reads an answer. Dropping it does not end the answer, not at once.
pub(crate) struct Listener {
    answer: Arc<Answer>,
    news: watch::Receiver<(usize, bool)>,
    next: usize,
}

impl Listener {
    pub(crate) fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The next event with its number; none after the last. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<(usize, AnswerEvent)> {
        loop {
            let has_ended = self.news.borrow_and_update().1;
            let event = self.answer.log().events.get(self.next).cloned();
            match event {
                Some(event) => {
                    self.next += 1;
                    return Some((self.next - 1, event));
                }
                None if has_ended => return None,
                None => self.news.changed().await.ok()?,
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.answer.listeners.send_modify(|listening| {
            listening.count = listening.count.saturating_sub(1);
            listening.since = Instant::now();
        });
    }
}
