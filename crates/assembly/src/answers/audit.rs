//! An entry in the ledger for each answer.

use std::sync::{Arc, Mutex, PoisonError};

use banyan_governance::Time;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::Assembly;
use crate::error::{AssemblyError, Refusal};

/// The kind of these entries in the ledger.
const KIND: &str = "answer";

/// By what an answer was made. Nothing in it tells what was asked, or by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerRecord {
    /// The model that answered; absent where none was asked.
    pub model: Option<String>,
    /// The adapter that changed it.
    pub adapter: Option<String>,
    /// The policy that held.
    pub policy_version: u64,
    /// The ledger entry that put it in force.
    pub policy_entry: u64,
    /// Names of the rules, topics and disclaimers that applied, in the order in which they did.
    pub rules: Vec<String>,
    /// What could not be looked at or kept to, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// What came of it.
    pub action: AnswerAction,
    /// Sources that the answer rests on.
    pub sources: Vec<String>,
    /// Milliseconds in the queue.
    pub queue_ms: u64,
    /// Milliseconds until the model's first words; absent where there were none.
    pub first_word_ms: Option<u64>,
    /// Milliseconds until the end.
    pub total_ms: u64,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerAction {
    /// It was answered.
    Answered,
    /// It was answered, with a warning.
    Warned,
    /// The assistant does not talk about the topic.
    Declined,
    /// The assistant said whom to ask instead.
    HandedOver,
    /// A moderator looks first.
    Held,
    /// A rule forbids it.
    Refused,
    /// The member stopped it, or nobody listened any more.
    Stopped,
    /// The engine failed after its first words.
    Failed,
}

/// An entry of the ledger that was written for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// Its number.
    pub entry: u64,
    /// When it was written.
    pub at: Time,
    /// By what the answer was made.
    #[serde(flatten)]
    pub record: AnswerRecord,
}

/// Writes the entries. Those that come while others are being written go into the ledger together, so a hundred answers
/// that end at once cost one or two writes to the disk. Cheap to clone.
#[derive(Clone)]
pub struct Auditor {
    shared: Arc<Shared>,
}

struct Shared {
    assembly: Assembly,
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever writes.
    writing: tokio::sync::Mutex<()>,
}

struct Waiting {
    record: AnswerRecord,
    written: oneshot::Sender<u64>,
}

impl Auditor {
    /// For the answers of this assembly's box.
    #[must_use]
    pub fn new(assembly: Assembly) -> Self {
        let shared = Shared { assembly, waiting: Mutex::default(), writing: tokio::sync::Mutex::new(()) };
        Self { shared: Arc::new(shared) }
    }

    /// Writes an entry; gives its number once it is on the disk. None when it could not be written, which is logged.
    /// It is written even when nobody waits for it any more.
    pub async fn record(&self, record: AnswerRecord, now: Time) -> Option<u64> {
        let (written, number) = oneshot::channel();
        self.shared.waiting().push(Waiting { record, written });
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let _turn = shared.writing.lock().await;
            let batch = std::mem::take(&mut *shared.waiting());
            if !batch.is_empty() {
                shared.write(batch, now).await;
            }
        });
        number.await.ok()
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, batch: Vec<Waiting>, now: Time) {
        let (records, waiting): (Vec<AnswerRecord>, Vec<oneshot::Sender<u64>>) =
            batch.into_iter().map(|one| (one.record, one.written)).unzip();
        let numbers = self
            .assembly
            .change(now, move |change| {
                records.iter().map(|record| change.record(KIND, record)).collect::<Result<Vec<u64>, _>>()
            })
            .await;
        match numbers {
            Ok(numbers) => {
                for (one, number) in waiting.into_iter().zip(numbers) {
                    // Whoever asked may have gone; the entry stays.
                    one.send(number).ok();
                }
            }
            Err(error) => {
                tracing::error!(%error, answers = waiting.len(), "answers could not be written into the ledger");
            }
        }
    }
}

impl Assembly {
    /// What was written about an answer.
    pub async fn audit(&self, entry: u64) -> Result<Audit, AssemblyError> {
        self.read(move |connection| {
            let found = banyan_ledger::entry(connection, entry)?.filter(|found| found.kind == KIND);
            let found = found.ok_or(Refusal::NotFound("answer"))?;
            Ok(Audit { entry, at: Time(found.time), record: serde_json::from_slice(&found.payload)? })
        })
        .await
    }
}

impl std::fmt::Debug for Auditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auditor").finish_non_exhaustive()
    }
}
