//! Rules that look for what something means: near to one of a few examples, by the box's embedding model.

use std::sync::Arc;
use std::time::Duration;

use banyan_governance::moderation::SemanticRule;
use banyan_openai::{Client, EmbeddingRequest, EncodingFormat, Input};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long an answer waits for the embedding model. It takes milliseconds; one that was not in memory is read from the
/// disk once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The examples of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Examples {
    /// Which rule of the policy.
    rule: usize,
    examples: Vec<String>,
}

impl Examples {
    pub(super) fn of(rule: SemanticRule<'_>) -> Self {
        Self { rule: rule.rule, examples: rule.examples.to_vec() }
    }
}

/// The vectors of the examples of one policy, made when the first text is looked at and kept as long as the policy.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    classes: Vec<Examples>,
    vectors: Mutex<Option<Arc<Vectors>>>,
}

/// By class, by example; each of length 1.
type Vectors = Vec<Vec<Vec<f32>>>;

/// How near a text is to each rule's nearest example: rule and cosine.
pub(super) type Nearness = Vec<(usize, f32)>;

impl Meaning {
    pub(super) fn new(classes: Vec<Examples>) -> Self {
        Self { classes, vectors: Mutex::new(None) }
    }

    /// How near a text comes to each class; an error in words when the box cannot tell.
    pub(super) async fn nearness(&self, engine: &Client, text: &str) -> Result<Nearness, String> {
        if self.classes.is_empty() || text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let looking = async {
            let vectors = self.vectors(engine).await?;
            let text = embed(engine, vec![text.to_owned()]).await?.pop().ok_or(NO_VECTOR)?;
            let nearest = |examples: &Vec<Vec<f32>>| {
                examples.iter().map(|example| dot(example, &text)).fold(f32::NEG_INFINITY, f32::max)
            };
            let classes = self.classes.iter().zip(vectors.iter());
            Ok::<Nearness, String>(classes.map(|(class, own)| (class.rule, nearest(own))).collect())
        };
        timeout(PATIENCE, looking)
            .await
            .unwrap_or_else(|_| Err("the embedding model did not answer in time".into()))
    }

    async fn vectors(&self, engine: &Client) -> Result<Arc<Vectors>, String> {
        let mut known = self.vectors.lock().await;
        if let Some(vectors) = &*known {
            return Ok(vectors.clone());
        }
        let all = self.classes.iter().flat_map(|class| class.examples.iter().cloned()).collect();
        let mut made = embed(engine, all).await?.into_iter();
        let vectors: Vectors =
            self.classes.iter().map(|class| made.by_ref().take(class.examples.len()).collect()).collect();
        let vectors = Arc::new(vectors);
        *known = Some(vectors.clone());
        Ok(vectors)
    }
}

const NO_VECTOR: &str = "the embedding model gave no vector";

/// Vectors of length 1, in the order of the texts.
async fn embed(engine: &Client, texts: Vec<String>) -> Result<Vec<Vec<f32>>, String> {
    let wanted = texts.len();
    let request = EmbeddingRequest {
        model: String::new(),
        input: Input::Texts(texts),
        encoding_format: Some(EncodingFormat::Base64),
        dimensions: None,
        user: None,
    };
    let answer = engine.embeddings(&request).await.map_err(|error| error.to_string())?;
    let mut data = answer.data;
    data.sort_by_key(|one| one.index);
    let vectors: Vec<Vec<f32>> = data
        .into_iter()
        .map(|one| one.embedding.into_floats().map(unit).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    if vectors.len() == wanted { Ok(vectors) } else { Err(NO_VECTOR.into()) }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = dot(&vector, &vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number /= length);
    }
    vector
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// Cuts a text that comes in pieces into sentences: what is looked at by its meaning is looked at whole.
#[derive(Debug, Default)]
pub(super) struct Sentences {
    open: String,
}

/// So long a text without an end of a sentence counts as one: nobody waits for the end of a list.
const LONGEST_SENTENCE: usize = 400;

impl Sentences {
    /// Adds a piece; gives the sentences that are whole by now.
    pub(super) fn push(&mut self, piece: &str) -> Vec<String> {
        self.open.push_str(piece);
        let mut whole = Vec::new();
        while let Some(end) = self.end() {
            whole.push(self.open.drain(..end).collect());
        }
        whole
    }

    /// What is left at the end.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.open)
    }

    fn end(&self) -> Option<usize> {
        let mut mark = false;
        for (at, character) in self.open.char_indices() {
            let behind = at + character.len_utf8();
            let ends = character == '\n'
                || matches!(character, '。' | '！' | '？' | '؟')
                || (mark && character == ' ');
            if ends && !self.open[..at].trim().is_empty() {
                return Some(behind);
            }
            mark = matches!(character, '.' | '!' | '?');
            if behind >= LONGEST_SENTENCE && character.is_whitespace() {
                return Some(behind);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_cut_where_they_end_and_nothing_is_lost() {
        let text = "Boil it. Let it cool?\nThen 3.5 litres are enough for the day";
        let mut sentences = Sentences::default();
        let mut whole: Vec<String> =
            text.split_inclusive('o').flat_map(|piece| sentences.push(piece)).collect();
        assert_eq!(whole, ["Boil it. ", "Let it cool?\n"]);
        whole.push(sentences.finish());
        assert_eq!(whole.concat(), text);
        let long = "word ".repeat(200);
        assert!(sentences.push(&long).iter().all(|sentence| sentence.len() <= LONGEST_SENTENCE + 8));
    }
}
