//! What a member sees of what an answer rests on.

use banyan_knowledge::ground::{Cites, Numbered, Support};
use serde::Serialize;
use utoipa::ToSchema;

use crate::library::href;

/// What the library has on a question.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Passages {
    /// Whether the library covers the question; where it does not, the passages are the nearest there are, and the model
    /// does not get them.
    pub(crate) covered: bool,
    /// The passages, the best first.
    pub(crate) passages: Vec<CitedPassage>,
}

/// A passage under the number by which the answer cites it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct CitedPassage {
    /// From 1 on.
    pub(crate) number: u32,
    /// What its document is called.
    pub(crate) title: String,
    /// The headings above it.
    pub(crate) heading: String,
    /// Its page, where the document has pages.
    pub(crate) page: Option<u32>,
    /// Its words.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) collection: String,
    /// What that is called.
    pub(crate) collection_name: String,
    /// Whom to thank.
    pub(crate) attribution: String,
    /// Under which licence.
    pub(crate) licence: String,
    /// BCP 47, where known.
    pub(crate) language: Option<String>,
    /// The page on which it is read, marked and in view.
    pub(crate) href: String,
}

impl CitedPassage {
    pub(super) fn of(Numbered { number, hit }: &Numbered) -> Self {
        Self {
            number: *number,
            title: hit.title.clone(),
            heading: hit.heading.clone(),
            page: hit.page,
            text: hit.text.clone(),
            collection: hit.collection.to_string(),
            collection_name: hit.collection_name.clone(),
            attribution: hit.attribution.clone(),
            licence: hit.licence.clone(),
            language: hit.language.clone(),
            href: href(&hit.place),
        }
    }
}

/// What an answer rests on, as far as comparing words can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Rests {
    /// Numbers of the passages that bear out something.
    pub(crate) cited: Vec<u32>,
    /// The answer's sentences, less what the box put under them.
    pub(crate) sentences: Vec<SentenceCited>,
    /// Numbers of passages that were withdrawn while the answer was written, and are not to be shown any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) withdrawn: Vec<u32>,
}

/// A sentence of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SentenceCited {
    /// Where it begins, in UTF-16 units of the answer's text.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// What the passages say to it.
    pub(crate) support: SupportKind,
    /// Numbers of the passages behind it.
    pub(crate) by: Vec<u32>,
}

/// What passages say to a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SupportKind {
    /// They bear it out.
    Supported,
    /// They say something like it.
    Weak,
    /// They do not say it.
    Unsupported,
    /// It says nothing that could be looked for.
    NotAClaim,
}

impl Rests {
    /// What the check found, with places as browsers count them.
    pub(super) fn of(cites: Cites, answer: &str, withdrawn: Vec<u32>) -> Self {
        // The sentences stand in order, so the text is counted through once.
        let (mut bytes, mut units) = (0, 0);
        let mut in_units = |place: usize| {
            units += answer.get(bytes..place).map_or(0, |part| part.encode_utf16().count());
            bytes = place;
            units
        };
        let sentence = |sentence: banyan_knowledge::ground::SentenceSupport| SentenceCited {
            start: in_units(sentence.start),
            end: in_units(sentence.end),
            by: sentence.support.by().to_vec(),
            support: match sentence.support {
                Support::Supported { .. } => SupportKind::Supported,
                Support::Weak { .. } => SupportKind::Weak,
                Support::Unsupported => SupportKind::Unsupported,
                Support::NotAClaim => SupportKind::NotAClaim,
            },
        };
        Self { cited: cites.cited, sentences: cites.sentences.into_iter().map(sentence).collect(), withdrawn }
    }
}

#[cfg(test)]
mod tests {
    use banyan_knowledge::ground::check;

    use super::*;

    #[test]
    fn places_are_counted_as_a_browser_counts_them() {
        let answer = "🌧 Água? Go on now.";
        let rests = Rests::of(check(answer, &[], None), answer, Vec::new());
        let units: Vec<u16> = answer.encode_utf16().collect();
        let text =
            |sentence: &SentenceCited| String::from_utf16(&units[sentence.start..sentence.end]).unwrap();
        assert_eq!(rests.sentences.iter().map(text).collect::<Vec<_>>(), ["🌧 Água?", "Go on now."]);
    }
}
