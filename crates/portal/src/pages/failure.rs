//! The words for each way an answer can fail, and what a member can do about it.

use banyan_openai::ApiError;

use crate::answer::Failure;
use crate::language::Language;

/// What the button under a failed answer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Asks the same again.
    Retry,
    /// Asks the same without the earlier conversation.
    AskNew,
    /// There is no button: the member has to change the question.
    Change,
}

/// How a failure is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wording {
    /// Key of the sentence that says what happened.
    what: &'static str,
    /// Key of the sentence that says what to do.
    todo: &'static str,
    /// What goes into the place `{t}` of both.
    minutes: u32,
    pub(crate) remedy: Remedy,
    /// Whether the engine's own words are shown: only where ours say nothing in particular.
    pub(crate) shows_detail: bool,
}

impl Wording {
    /// What happened.
    pub(crate) fn what(&self, language: Language) -> String {
        self.fill(self.what, language)
    }

    /// What to do.
    pub(crate) fn todo(&self, language: Language) -> String {
        self.fill(self.todo, language)
    }

    fn fill(&self, key: &str, language: Language) -> String {
        language.fill(key, &[("t", &self.minutes.to_string())])
    }
}

/// The words for a failure. `alone`: there is no earlier conversation that could be left out.
pub(crate) fn wording(failure: &Failure, alone: bool) -> Wording {
    let minutes = minutes(failure.expected_s.or(failure.retry_after_s).unwrap_or_default());
    let (what, todo, remedy) = match failure.code.as_str() {
        ApiError::ENGINE_UNAVAILABLE => ("page.error.engine.what", "page.error.engine.todo", Remedy::Retry),
        Failure::ENGINE_LOST => ("page.error.lost.what", "page.error.lost.todo", Remedy::Retry),
        ApiError::MODEL_LOADING => ("page.error.loading.what", "page.error.loading.todo", Remedy::Retry),
        Failure::QUOTA => ("page.error.quota.what", "page.error.quota.todo", Remedy::Retry),
        Failure::TOO_LONG_A_WAIT if failure.expected_s.is_some() => {
            ("page.error.wait.what", "page.error.wait.todo", Remedy::Retry)
        }
        Failure::TOO_LONG_A_WAIT => ("page.error.late.what", "page.error.wait.todo", Remedy::Retry),
        Failure::SIGNED_OUT => ("page.error.signedOut.what", "page.error.signedOut.todo", Remedy::Change),
        Failure::NOT_ALLOWED => ("page.error.notAllowed.what", "page.error.notAllowed.todo", Remedy::Change),
        Failure::PAUSED => ("page.error.paused.what", "page.error.paused.todo", Remedy::Retry),
        Failure::TOO_MANY_HELD => {
            ("page.error.tooManyHeld.what", "page.error.tooManyHeld.todo", Remedy::Change)
        }
        ApiError::QUEUE_FULL | Failure::BUSY => {
            ("page.error.busy.what", "page.error.busy.todo", Remedy::Retry)
        }
        ApiError::CONTEXT_LENGTH_EXCEEDED if !alone => {
            ("page.error.tooLong.what", "page.error.tooLong.todo", Remedy::AskNew)
        }
        ApiError::CONTEXT_LENGTH_EXCEEDED | Failure::QUESTION_TOO_LONG => {
            ("page.error.questionTooLong.what", "page.error.questionTooLong.todo", Remedy::Change)
        }
        _ => {
            let remedy = if failure.retry { Remedy::Retry } else { Remedy::Change };
            return Wording {
                what: "page.error.other.what",
                todo: "page.error.other.todo",
                minutes,
                remedy,
                shows_detail: true,
            };
        }
    };
    Wording { what, todo, minutes, remedy, shows_detail: false }
}

/// Whole minutes, at least one: nobody plans by the second.
pub(super) fn minutes(seconds: u32) -> u32 {
    seconds.div_ceil(60).max(1)
}
