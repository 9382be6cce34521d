//! The words for each way an answer can fail, and what a member can do about it.

use banyan_openai::ApiError;

use crate::answer::Failure;

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
    pub(crate) what: &'static str,
    /// Key of the sentence that says what to do.
    pub(crate) todo: &'static str,
    pub(crate) remedy: Remedy,
    /// Whether the engine's own words are shown: only where ours say nothing in particular.
    pub(crate) shows_detail: bool,
}

/// The words for a failure. `alone`: there is no earlier conversation that could be left out.
pub(crate) fn wording(failure: &Failure, alone: bool) -> Wording {
    let (what, todo, remedy) = match failure.code.as_str() {
        ApiError::ENGINE_UNAVAILABLE => ("page.error.engine.what", "page.error.engine.todo", Remedy::Retry),
        Failure::ENGINE_LOST => ("page.error.lost.what", "page.error.lost.todo", Remedy::Retry),
        ApiError::MODEL_LOADING => ("page.error.loading.what", "page.error.loading.todo", Remedy::Retry),
        ApiError::QUEUE_FULL => ("page.error.busy.what", "page.error.busy.todo", Remedy::Retry),
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
                remedy,
                shows_detail: true,
            };
        }
    };
    Wording { what, todo, remedy, shows_detail: false }
}
