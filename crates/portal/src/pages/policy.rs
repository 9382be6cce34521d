//! What the box itself says in place of an answer, in the visitor's language.

use crate::answer::Saying;
use crate::language::Language;
use crate::visit::Visit;

/// The words for a visitor. The community's own come as they were decided.
pub(crate) fn saying_text(saying: &Saying, visit: &Visit) -> String {
    saying_in(saying, visit.language)
}

/// The words in a language.
pub(crate) fn saying_in(saying: &Saying, language: Language) -> String {
    let key = match saying {
        Saying::Declined(Some(words)) | Saying::HandedOver(Some(words)) => return words.clone(),
        Saying::Declined(None) => "page.policy.declined",
        Saying::HandedOver(None) => "page.policy.handedOver",
        Saying::Refused => "page.policy.refused",
        Saying::Withdrawn => "page.policy.withdrawn",
        Saying::Held => "page.policy.held",
        Saying::HeldAnswer => "page.policy.heldAnswer",
    };
    language.text(key).to_owned()
}

/// The warning above an answer.
pub(crate) fn warning_text(visit: &Visit) -> String {
    visit.language.text("page.policy.warning").to_owned()
}
