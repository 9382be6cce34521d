//! What one answer may rest on: from the passages that were found to the citations at its end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use banyan_governance::policy::Policy;
use banyan_knowledge::ground::{self, Numbered, SentenceSupport, Support};
use banyan_knowledge::{Embedder, Place, Reader};
use banyan_openai::{ChatMessage, ChatRequest, Role};
use tokio::time::timeout;

use super::passages::{CitedPassage, Passages, Rests};
use super::{AnswerEvent, Finder};

/// How freely an answer is worded that rests on passages, unless whoever asks says otherwise. On eight questions to the
/// starter library, three times each, the starter model's sentences were borne out by a passage in 17 of 100 at its usual
/// 0.7, and in 68 at 0.3; at 0.1 it was no better, and at 0 (asked once each) 36.
const TEMPERATURE: f32 = 0.3;

/// The context of an engine that does not say its own: the starter model's.
const USUAL_CONTEXT: usize = 2048;

/// The most tokens of passages. A small box reads some hundreds in a second, and the member waits for all of them before
/// the first word.
const MOST_TOKENS: usize = 800;

/// Tokens of a chat template around the messages, with some to spare for what the estimate gets wrong.
const TEMPLATE: usize = 64;

/// How long an answer's end waits for the embedding model. The words are all there by then.
const FOR_MEANING: Duration = Duration::from_millis(500);

/// Sentences that are compared by their meaning: those of the longest answers would keep the model for too long.
const MOST_COMPARED: usize = 24;

/// What an answer may rest on.
pub(crate) struct Grounds {
    finder: Finder,
    reader: Reader,
    policy: Policy,
    passages: Vec<Numbered>,
    covered: bool,
    /// Those that the model read.
    prompted: Mutex<BTreeSet<u32>>,
}

impl Grounds {
    pub(super) fn new(
        finder: Finder,
        reader: Reader,
        policy: Policy,
        passages: Vec<Numbered>,
        covered: bool,
    ) -> Self {
        Self { finder, reader, policy, passages, covered, prompted: Mutex::default() }
    }

    /// For the member, before the first word.
    pub(crate) fn event(&self) -> AnswerEvent {
        let passages = self.passages.iter().map(CitedPassage::of).collect();
        AnswerEvent::Passages(Arc::new(Passages { covered: self.covered, passages }))
    }

    /// Puts what may still be used before the question, as far as it fits into this context. The messages before the
    /// question stay as they are.
    pub(crate) async fn put_into(&self, request: &mut ChatRequest, context: Option<u32>) {
        let prompted = self.prompt(request, context).await;
        *self.prompted.lock().unwrap_or_else(PoisonError::into_inner) = prompted.unwrap_or_default();
    }

    async fn prompt(&self, request: &mut ChatRequest, context: Option<u32>) -> Option<BTreeSet<u32>> {
        if !self.covered {
            return None;
        }
        let usable = match self.finder.usable(&self.passages, &self.reader, &self.policy).await {
            Ok(usable) => usable,
            Err(error) => {
                tracing::warn!(
                    error,
                    "passages could not be looked at again, so the answer goes without them"
                );
                return None;
            }
        };
        let passages: Vec<Numbered> =
            self.passages.iter().filter(|passage| usable.contains(&passage.number)).cloned().collect();
        let budget = budget(request, context);
        let question = request.messages.last_mut().filter(|last| last.role == Role::User)?;
        let grounding = ground::assemble(&text(question), &passages, budget, tokens);
        if grounding.passages.is_empty() {
            return None;
        }
        *question = ChatMessage::new(Role::User, grounding.text);
        request.sampling.temperature.get_or_insert(TEMPERATURE);
        Some(grounding.passages.iter().map(|passage| passage.number).collect())
    }

    /// What a whole answer rests on, and the names of the sources behind it. None when the model had no passages.
    pub(crate) async fn cites(&self, answer: &str) -> Option<(Rests, Vec<String>)> {
        let prompted = self.prompted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if prompted.is_empty() {
            return None;
        }
        let usable = self.finder.usable(&self.passages, &self.reader, &self.policy).await.unwrap_or_default();
        let gone =
            self.passages.iter().map(|passage| passage.number).filter(|number| !usable.contains(number));
        let gone: Vec<u32> = gone.collect();
        let read =
            |passage: &&Numbered| prompted.contains(&passage.number) && usable.contains(&passage.number);
        let passages: Vec<Numbered> = self.passages.iter().filter(read).cloned().collect();
        let cites = self.check(answer, &passages).await;
        let cited = passages.iter().filter(|passage| cites.cited.contains(&passage.number));
        let sources: BTreeSet<String> = cited.map(source).collect();
        Some((Rests::of(cites, answer, gone), sources.into_iter().collect()))
    }

    /// By words; and where they leave sentences open, by meaning too.
    async fn check(&self, answer: &str, passages: &[Numbered]) -> ground::Cites {
        let by_words = ground::check(answer, passages, None);
        let open: Vec<usize> =
            (0..).zip(&by_words.sentences).filter(|(_, one)| is_open(one)).map(|(at, _)| at).collect();
        let Some(embedder) = self.finder.embedder().filter(|_| (1..=MOST_COMPARED).contains(&open.len()))
        else {
            return by_words;
        };
        let sentences = open.iter().map(|at| &by_words.sentences[*at]).map(|one| &answer[one.start..one.end]);
        let texts: Vec<String> = sentences
            .chain(passages.iter().map(|passage| passage.hit.text.as_str()))
            .map(str::to_owned)
            .collect();
        let Some(vectors) = vectors(embedder, &texts).await else { return by_words };
        let (of_sentences, of_passages) = vectors.split_at(open.len());
        let similarity = |sentence: usize, passage: usize| {
            let place = open.iter().position(|at| *at == sentence)?;
            Some(dot(of_sentences.get(place)?, of_passages.get(passage)?))
        };
        ground::check(answer, passages, Some(&similarity))
    }
}

fn is_open(sentence: &SentenceSupport) -> bool {
    matches!(sentence.support, Support::Weak { .. } | Support::Unsupported)
}

async fn vectors(embedder: &dyn Embedder, texts: &[String]) -> Option<Vec<Vec<f32>>> {
    let vectors = timeout(FOR_MEANING, embedder.embed(texts)).await.ok()?.ok()?;
    (vectors.len() == texts.len()).then_some(vectors)
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// By what a source stands in the ledger, which keeps it for ever: names that say nothing of what is in it. Of an archive
/// only where it stands, as the path of an article is its title.
fn source(passage: &Numbered) -> String {
    match &passage.hit.place {
        Place::Document { document, .. } => format!("{}/{document}", passage.hit.collection),
        Place::Article { .. } => passage.hit.collection.to_string(),
    }
}

/// What is left for passages and question, with room for the answer.
fn budget(request: &ChatRequest, context: Option<u32>) -> usize {
    let context = context.filter(|context| *context > 0).map_or(USUAL_CONTEXT, |context| context as usize);
    let earlier = request.messages.len().saturating_sub(1);
    let taken: usize = request.messages.iter().take(earlier).map(|message| tokens(&text(message)) + 8).sum();
    let wished = request.sampling.max_tokens.map_or(usize::MAX, |wished| wished as usize);
    let answer = wished.min(context / 3);
    let question = request.messages.last().map_or(0, |last| tokens(&text(last)));
    context.saturating_sub(taken + answer + TEMPLATE).min(MOST_TOKENS + question)
}

fn text(message: &ChatMessage) -> String {
    message.text().unwrap_or_default()
}

/// About how many tokens a text has, rather too many: the portal has no tokenizer, and each engine its own. English has
/// some four letters to a token; scripts that a small model hardly learned have a token for each byte or two.
fn tokens(text: &str) -> usize {
    let tenths: usize = text
        .chars()
        .map(|one| match one.len_utf8() {
            1 => 3,
            2 => 12,
            3 => 22,
            _ => 35,
        })
        .sum();
    tenths / 10 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(earlier: &str, max_tokens: u32) -> ChatRequest {
        let system = ChatMessage::new(Role::System, earlier);
        let mut request = ChatRequest::new(vec![system, ChatMessage::new(Role::User, "How?")]);
        request.sampling.max_tokens = Some(max_tokens);
        request
    }

    #[test]
    fn passages_leave_room_for_the_answer_and_for_what_was_said_before() {
        let short = budget(&asked("Be kind.", 1024), Some(2048));
        assert!((700..=MOST_TOKENS + 8).contains(&short), "{short}");
        let long = budget(&asked(&"word ".repeat(600), 1024), Some(2048));
        assert!(long < short && long > 200, "{long}");
        assert_eq!(budget(&asked(&"word ".repeat(2_000), 1024), Some(2048)), 0);
        assert_eq!(budget(&asked("Be kind.", 1024), None), short);
        assert_eq!(budget(&asked("Be kind.", 1024), Some(0)), short);
        assert!(budget(&asked("Be kind.", 100), Some(512)) < 512 - 100);
    }

    #[test]
    fn tokens_are_guessed_too_many_rather_than_too_few() {
        assert!(tokens("Boil the water for one minute.") >= 7);
        assert!(tokens("اغل الماء لمدة دقيقة") >= 18);
    }
}
