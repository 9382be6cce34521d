//! What happens to a question, in no language: pages and the app's API have the words.

use std::sync::Arc;
use std::time::Duration;

use banyan_openai::{ApiError, ClientError, FinishReason, Usage};

use super::passages::{Passages, Rests};
use crate::queue::{Refusal, Standing};

/// What an engine does with a question: what happens to it, and what is written down of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Event(AnswerEvent),
    /// The engine answers, as this model.
    Begun {
        model: String,
    },
    /// The engine has no model of the name that was decided on, and answers as its usual one.
    ModelMissing,
}

/// What happens to a question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AnswerEvent {
    /// Its place in the queue, 1 being the next and 0 that its turn has come, and the seconds until its turn, when that
    /// can be told.
    Queued {
        place: u32,
        expected_s: Option<u32>,
    },
    /// What the library has on the question; before the first word.
    Passages(Arc<Passages>),
    Words(String),
    /// What the answer rests on; behind its last word.
    Rests(Rests),
    /// The box itself says this, in place of an answer.
    Said(Saying),
    /// A rule fired: the words so far are withdrawn, and this stands in their place.
    Replaced(Saying),
    /// A rule says that this is to be read with care.
    Warning,
    Notice(Notice),
    Done {
        finish_reason: FinishReason,
        usage: Option<Usage>,
        /// The ledger entry about this answer.
        audit: Option<u64>,
    },
    /// The member stopped it, or nobody listened any more.
    Stopped {
        audit: Option<u64>,
    },
    Failed(Failure),
}

impl AnswerEvent {
    pub(crate) fn queued(standing: Standing) -> Self {
        Self::Queued { place: standing.place, expected_s: standing.expected.map(seconds) }
    }

    /// Whether nothing comes after it.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Stopped { .. } | Self::Failed(_))
    }
}

/// Whole seconds, rounded up: nobody comes back too early.
pub(crate) fn seconds(duration: Duration) -> u32 {
    duration.as_secs_f64().ceil().min(f64::from(u32::MAX)) as u32
}

/// What the box says in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saying {
    /// The assistant does not talk about this. The community's words, or else the box's.
    Declined(Option<String>),
    /// A person is to be asked instead. The community's words, or else the box's.
    HandedOver(Option<String>),
    /// A rule of the community forbids the question.
    Refused,
    /// A rule of the community forbids what the answer began to say.
    Withdrawn,
    /// A moderator looks at the question first.
    Held,
    /// A moderator looks at the answer first.
    HeldAnswer,
}

/// What a member should know while waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It was said to be urgent, and waits as any other.
    NotUrgent,
    /// The engine died; the question is kept.
    Restarting,
    /// The engine reads its model.
    Loading,
    /// So many questions wait inside the engine.
    Waiting(u32),
}

/// Why there is no answer, or no whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A name that the pages and the web app have words for.
    pub(crate) code: String,
    /// The engine's or the client's own words.
    pub(crate) detail: String,
    /// Whether asking the same again may help.
    pub(crate) retry: bool,
    /// Seconds after which it may.
    pub(crate) retry_after_s: Option<u32>,
    /// Seconds that the question would have had to wait.
    pub(crate) expected_s: Option<u32>,
}

impl Failure {
    /// `code` when the engine went away after its first words.
    pub(crate) const ENGINE_LOST: &'static str = "engine_lost";
    /// `code` when the question alone is too long.
    pub(crate) const QUESTION_TOO_LONG: &'static str = "question_too_long";
    /// `code` when this member has asked for as much as one may.
    pub(crate) const QUOTA: &'static str = "quota";
    /// `code` when its turn would come, or came, too late.
    pub(crate) const TOO_LONG_A_WAIT: &'static str = "too_long_a_wait";
    /// `code` when too many wait already.
    pub(crate) const BUSY: &'static str = "busy";
    /// `code` when the community lets members only ask, and nobody is signed in.
    pub(crate) const SIGNED_OUT: &'static str = "signed_out";
    /// `code` when the one who is signed in may not ask.
    pub(crate) const NOT_ALLOWED: &'static str = "not_allowed";
    /// `code` while all answers are paused.
    pub(crate) const PAUSED: &'static str = "paused";
    /// `code` when the texts of this member that a moderator has to look at are too many already.
    pub(crate) const TOO_MANY_HELD: &'static str = "too_many_held";

    fn new(code: &str, detail: String, retry: bool) -> Self {
        Self { code: code.to_owned(), detail, retry, retry_after_s: None, expected_s: None }
    }

    pub(super) fn before_words(error: &ClientError) -> Self {
        let api = error.to_api_error();
        let code = if api.code().is_empty() { ApiError::INTERNAL } else { api.code() };
        let retry = api.status.is_server_error() || api.status == http::StatusCode::TOO_MANY_REQUESTS;
        Self { retry_after_s: api.retry_after, ..Self::new(code, error.to_string(), retry) }
    }

    pub(super) fn mid_answer(detail: String) -> Self {
        Self::new(Self::ENGINE_LOST, detail, true)
    }

    pub(super) fn unavailable(detail: String) -> Self {
        Self::new(ApiError::ENGINE_UNAVAILABLE, detail, true)
    }

    pub(super) fn loading(detail: String) -> Self {
        Self::new(ApiError::MODEL_LOADING, detail, true)
    }

    /// The deadline passed while it waited.
    pub(super) fn overdue() -> Self {
        Self::new(Self::TOO_LONG_A_WAIT, "its turn did not come before its deadline".into(), true)
    }

    /// The community does not let this person ask, or nobody at the moment.
    pub(crate) fn barred(code: &'static str) -> Self {
        let detail = match code {
            Self::SIGNED_OUT => "on this box members only may ask; sign in first",
            Self::PAUSED => {
                "stewards have paused all answers for a time; the Assembly page says why and until when"
            }
            Self::TOO_MANY_HELD => {
                "too many of your texts wait for a moderator; wait until they are looked at"
            }
            _ => "by a decision of the community you may not ask for now; the Cases page says why",
        };
        Self::new(code, detail.into(), code == Self::PAUSED)
    }

    /// The rules of the community cannot be read, so nothing can be answered under them.
    pub(crate) fn no_rules(detail: String) -> Self {
        Self::new(ApiError::INTERNAL, detail, true)
    }

    /// More was said than one answer may hold.
    pub(crate) fn endless() -> Self {
        Self::new(Self::ENGINE_LOST, "the engine did not stop writing".into(), true)
    }

    /// Whether it is for who asks rather than for what is asked or when.
    pub(crate) fn is_about_rights(&self) -> bool {
        [Self::SIGNED_OUT, Self::NOT_ALLOWED].contains(&self.code.as_str())
    }

    /// The HTTP status of a question that was refused.
    pub(crate) fn status(&self) -> http::StatusCode {
        match self.code.as_str() {
            Self::QUOTA | Self::TOO_MANY_HELD => http::StatusCode::TOO_MANY_REQUESTS,
            Self::SIGNED_OUT => http::StatusCode::UNAUTHORIZED,
            Self::NOT_ALLOWED => http::StatusCode::FORBIDDEN,
            _ => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.code == ApiError::QUEUE_FULL
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (code, retry_after, expected) = match refusal {
            Refusal::Quota { retry_after } => (Self::QUOTA, retry_after, None),
            Refusal::Full { retry_after } => (Self::BUSY, retry_after, None),
            Refusal::TooLongAWait { expected, retry_after } => {
                (Self::TOO_LONG_A_WAIT, retry_after, Some(expected))
            }
        };
        Self {
            retry_after_s: Some(seconds(retry_after).max(1)),
            expected_s: expected.map(seconds),
            ..Self::new(code, refusal.to_string(), true)
        }
    }
}
