//! How each upload is doing.

use std::sync::{Arc, Mutex, PoisonError};

use banyan_knowledge::Added;
use banyan_openai::ApiError;
use http::StatusCode;
use rand::Rng as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::community::{Refused, now};
use crate::library::types::{UploadState, UploadView};

/// Files of one member that are not read yet.
const WAITING_OF_ONE: usize = 20;

/// Bytes of all files that are not read yet: they lie on the disk of a small box.
const WAITING_BYTES: u64 = 1 << 30;

/// Seconds for which it is told how an upload ended.
const KEPT: i64 = 86_400;

/// Uploads that are remembered; of those that have ended the oldest go first.
const REMEMBERED: usize = 1000;

/// All uploads. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Uploads {
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    /// The oldest first.
    entries: Mutex<Vec<Entry>>,
    /// The extractor may need all the memory that a small box has to spare, so one file at a time.
    reading: Semaphore,
}

#[derive(Debug)]
struct Entry {
    member: String,
    /// Bytes that there are to be, as far as that is known.
    announced: Option<u64>,
    /// Bytes that are kept free for it.
    reserved: u64,
    arrived: u64,
    view: UploadView,
}

impl Entry {
    fn has_ended(&self) -> bool {
        matches!(self.view.state, UploadState::Done | UploadState::Refused)
    }
}

/// What became of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(Added),
    Refused(String),
}

/// One upload, for the one who carries it on. When it is dropped before its end, the file did not arrive.
#[derive(Debug)]
pub(super) struct Ticket {
    desk: Arc<Desk>,
    id: String,
}

impl Uploads {
    pub(crate) fn new() -> Self {
        Self { desk: Arc::new(Desk { entries: Mutex::default(), reading: Semaphore::new(1) }) }
    }

    /// Begins an upload; refused when too much is on its way.
    pub(super) fn enter(
        &self,
        member: String,
        name: &str,
        announced: Option<u64>,
        limit: u64,
        now: i64,
    ) -> Result<Ticket, Refused> {
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(too_large(limit).into());
        }
        let reserved = announced.unwrap_or(limit);
        let mut entries = self.desk.lock();
        entries.retain(|entry| !entry.has_ended() || now - entry.view.began < KEPT);
        if entries.len() >= REMEMBERED
            && let Some(oldest) = entries.iter().position(Entry::has_ended)
        {
            entries.remove(oldest);
        }
        let waiting: Vec<&Entry> = entries.iter().filter(|entry| !entry.has_ended()).collect();
        let own = waiting.iter().filter(|entry| entry.member == member).count();
        let bytes: u64 = waiting.iter().map(|entry| entry.reserved).sum();
        if own >= WAITING_OF_ONE || bytes + reserved > WAITING_BYTES || entries.len() >= REMEMBERED {
            let words =
                "so many files wait to be read that this one was not taken; send it again when they are";
            let refused = ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "invalid_request_error",
                Some("too_many_uploads"),
                words,
            );
            return Err(refused.with_retry_after(30).into());
        }
        let id = format!("u-{:016x}", rand::rng().random::<u64>());
        let view = UploadView {
            id: id.clone(),
            name: name.chars().take(300).collect(),
            state: UploadState::Arriving,
            progress: 0,
            ahead: 0,
            began: now,
            document: None,
            waiting: false,
            reason: None,
            warnings: Vec::new(),
        };
        entries.push(Entry { member, announced, reserved, arrived: 0, view });
        Ok(Ticket { desk: self.desk.clone(), id })
    }

    /// The turn of a file to be read.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.desk.reading.acquire().await.ok()
    }

    /// A member's uploads, the newest first.
    pub(super) fn of(&self, member: &str) -> Vec<UploadView> {
        let entries = self.desk.lock();
        let mut before = 0;
        let mut own = Vec::new();
        for entry in entries.iter() {
            if entry.member == member && now().0 - entry.view.began < KEPT {
                own.push(UploadView {
                    progress: progress(entry),
                    ahead: ahead(entry, before),
                    ..entry.view.clone()
                });
            }
            before += usize::from(matches!(entry.view.state, UploadState::Queued | UploadState::Reading));
        }
        own.reverse();
        own
    }
}

/// The way to the box is one half; then come the turn and the reading. How long that takes, nobody knows before.
fn progress(entry: &Entry) -> u8 {
    match entry.view.state {
        UploadState::Arriving => {
            let whole = entry.announced.unwrap_or(entry.reserved).max(1);
            u8::try_from(entry.arrived.min(whole) * 50 / whole).unwrap_or(50)
        }
        UploadState::Queued => 50,
        UploadState::Reading => 70,
        UploadState::Done | UploadState::Refused => 100,
    }
}

fn ahead(entry: &Entry, before: usize) -> usize {
    if entry.view.state == UploadState::Queued { before } else { 0 }
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.desk.lock().iter_mut().find(|entry| entry.view.id == self.id) {
            change(entry);
        }
    }

    /// So many bytes are here.
    pub(super) fn arrived(&self, bytes: u64) {
        self.change(|entry| entry.arrived = bytes);
    }

    /// All of it is here.
    pub(super) fn queued(&self, bytes: u64) {
        self.change(|entry| {
            entry.reserved = bytes;
            entry.view.state = UploadState::Queued;
        });
    }

    /// The extractor has it.
    pub(super) fn reading(&self) {
        self.change(|entry| entry.view.state = UploadState::Reading);
    }

    /// It is over.
    pub(super) fn ended(&self, outcome: Outcome) {
        self.change(|entry| match outcome {
            Outcome::Done(added) => {
                entry.view.state = UploadState::Done;
                entry.view.waiting = added.waiting;
                entry.view.document = Some(added.document);
                entry.view.warnings = added.warnings;
            }
            Outcome::Refused(reason) => {
                entry.view.state = UploadState::Refused;
                entry.view.reason = Some(reason);
            }
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.change(|entry| {
            if !entry.has_ended() {
                entry.view.state = UploadState::Refused;
                entry.view.reason = Some("the file did not arrive whole; send it again".into());
            }
        });
    }
}

/// The file is larger than the library takes.
pub(super) fn too_large(limit: u64) -> ApiError {
    let words = format!(
        "the file is larger than {} MiB, the most that is taken here; split it, or ask a steward to add it from a stick",
        limit >> 20
    );
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", Some("too_large"), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(uploads: &Uploads, member: &str, bytes: u64) -> Result<Ticket, Refused> {
        uploads.enter(member.into(), "a.pdf", Some(bytes), 100 << 20, now().0)
    }

    #[test]
    fn an_upload_is_followed_from_its_first_byte_to_its_end_by_its_owner_alone() {
        let uploads = Uploads::new();
        let first = enter(&uploads, "m-1", 200).unwrap();
        let second = enter(&uploads, "m-1", 200).unwrap();
        first.arrived(100);
        let seen = |number: usize| {
            let view = uploads.of("m-1").into_iter().nth(number).unwrap();
            (view.state, view.progress, view.ahead)
        };
        assert_eq!(seen(1), (UploadState::Arriving, 25, 0));
        first.queued(200);
        second.queued(200);
        first.reading();
        assert_eq!((seen(1), seen(0)), ((UploadState::Reading, 70, 0), (UploadState::Queued, 50, 1)));
        first.ended(Outcome::Refused("there are no words in this file".into()));
        drop(first);
        assert_eq!((seen(1).0, seen(0).2), (UploadState::Refused, 0));
        assert_eq!(uploads.of("m-1")[1].reason.as_deref(), Some("there are no words in this file"));
        assert!(uploads.of("m-2").is_empty());
    }

    #[test]
    fn a_file_whose_sender_went_away_is_refused() {
        let uploads = Uploads::new();
        drop(enter(&uploads, "m-1", 200).unwrap());
        let [view] = uploads.of("m-1").try_into().unwrap();
        assert_eq!(view.state, UploadState::Refused);
        assert!(view.reason.unwrap().contains("did not arrive whole"));
    }

    #[test]
    fn neither_one_member_nor_all_together_fill_the_disk() {
        let uploads = Uploads::new();
        let own: Vec<_> = (0..WAITING_OF_ONE).map(|_| enter(&uploads, "m-1", 1).unwrap()).collect();
        assert_eq!(enter(&uploads, "m-1", 1).unwrap_err().error().status, 429);
        drop(own);
        let large: Vec<_> = (0..10).map(|_| enter(&uploads, "m-2", 100 << 20).unwrap()).collect();
        assert_eq!(enter(&uploads, "m-3", 100 << 20).unwrap_err().error().status, 429);
        assert!(enter(&uploads, "m-3", 1 << 20).is_ok());
        assert_eq!(enter(&uploads, "m-3", 101 << 20).unwrap_err().error().status, 413);
        assert_eq!(large.len(), 10);
    }
}
