//! What the assistant does about words, in a question and in an answer.
//!
//! [`Rules`] is a policy's moderation compiled once. [`Rules::question`] looks at a question, [`Rules::answer`] at an
//! answer that is whole, and [`AnswerWatch`] at one that is still being written. Every rule that fires is named; the
//! strictest decides.
//!
//! * **Words** are found whole, in any case and any script (see `phrases`).
//! * **Expressions** run in linear time, whatever is written in them.
//! * **Semantic rules** need a model, which is not here: the caller computes how near a text is to a rule's examples
//!   ([`Rules::semantic`]) and gives the figures to [`Rules::with_similarities`].
//!
//! No rule stops a determined person; what is found is what is written.

mod fold;
mod partial;
mod phrases;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

pub use self::watch::{AnswerWatch, MOST_HELD_BACK};

use self::fold::Folded;
use self::phrases::{Phrases, Wanted};
use crate::policy::{
    MAX_EXPRESSION_BYTES, ModerationAction, ModerationRule, ModerationSide, Pattern, Policy, PolicyError,
    TopicRule,
};

/// A policy's rules, compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rules {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    rules: Vec<ModerationRule>,
    topics: Vec<TopicRule>,
    question: Side,
    answer: Side,
}

/// What is looked for on one side. Owners of phrases are indices of rules, and behind them those of topics.
#[derive(Debug)]
struct Side {
    phrases: Phrases,
    expressions: Vec<Expression>,
}

/// A rule's regular expression.
#[derive(Debug)]
struct Expression {
    rule: usize,
    regex: Regex,
    /// Whether an answer must not be shown with it.
    withheld: bool,
    /// What the end of a text may go on to a match from; absent: not known, so as much as possible is held back.
    unfinished: Option<Regex>,
}

/// What the rules say to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What the strictest rule does; `Allow` where none fired. Topics are not in it.
    pub action: ModerationAction,
    /// Names of all rules that fired, in the policy's order, and of the topic behind them.
    pub fired: Vec<String>,
    /// What the question is about, when the assistant does not answer such questions. A refusal by a rule is stricter;
    /// otherwise the member reads the topic's message, and there is no answer.
    pub topic: Option<TopicRule>,
}

impl Default for Ruling {
    fn default() -> Self {
        Self { action: ModerationAction::Allow, fired: Vec::new(), topic: None }
    }
}

/// A rule that needs a model to know what a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SemanticRule<'a> {
    /// Its place in the policy.
    pub rule: usize,
    /// What it is called.
    pub name: &'a str,
    /// Texts that mean what it looks for.
    pub examples: &'a [String],
    /// Hundredths of the cosine from which on it fires.
    pub nearness: u8,
}

impl Rules {
    /// Compiles a policy's rules.
    pub fn compile(policy: &Policy) -> Result<Self, PolicyError> {
        let question = Side::compile(policy, ModerationSide::Question, &policy.topics)?;
        let answer = Side::compile(policy, ModerationSide::Answer, &[])?;
        let (rules, topics) = (policy.moderation.clone(), policy.topics.clone());
        Ok(Self { parts: Arc::new(Parts { rules, topics, question, answer }) })
    }

    /// What they say to a question.
    #[must_use]
    pub fn question(&self, text: &str) -> Ruling {
        self.ruling(&self.parts.question.fired(text))
    }

    /// What they say to an answer as it stands, as if it were whole. Where it goes on, use [`Rules::watch`].
    #[must_use]
    pub fn answer(&self, so_far: &str) -> Ruling {
        self.ruling(&self.parts.answer.fired(so_far))
    }

    /// Watches an answer while it is written.
    #[must_use]
    pub fn watch(&self) -> AnswerWatch {
        AnswerWatch::new(self.clone())
    }

    /// The rules that go by meaning on this side.
    pub fn semantic(&self, side: ModerationSide) -> impl Iterator<Item = SemanticRule<'_>> {
        self.parts.rules.iter().enumerate().filter_map(move |(index, rule)| match &rule.pattern {
            Pattern::Semantic { examples, nearness } if applies(rule.on, side) => {
                Some(SemanticRule { rule: index, name: &rule.name, examples, nearness: *nearness })
            }
            _ => None,
        })
    }

    /// The ruling with what a model says: for each rule of [`Rules::semantic`] by its place in the policy the cosine of
    /// the text to the nearest of its examples. Figures for other rules are passed over.
    #[must_use]
    pub fn with_similarities(
        &self,
        ruling: Ruling,
        side: ModerationSide,
        nearest: &[(usize, f32)],
    ) -> Ruling {
        let fires = |rule: &SemanticRule<'_>| {
            let least = f32::from(rule.nearness) / 100.0;
            nearest.iter().any(|(index, cosine)| *index == rule.rule && *cosine >= least)
        };
        // Behind the rules stands the topic, which may be called the same.
        let named = ruling.fired.len().saturating_sub(usize::from(ruling.topic.is_some()));
        let has_fired = |rule: &ModerationRule| ruling.fired[..named].contains(&rule.name);
        let rules = self.parts.rules.iter().enumerate();
        let mut all: BTreeSet<usize> =
            rules.filter(|(_, rule)| has_fired(rule)).map(|(index, _)| index).collect();
        all.extend(self.semantic(side).filter(fires).map(|rule| rule.rule));
        let mut together = self.ruling(&all);
        if let Some(topic) = ruling.topic {
            together.fired.push(topic.name.clone());
            together.topic = Some(topic);
        }
        together
    }

    fn ruling(&self, fired: &BTreeSet<usize>) -> Ruling {
        let Parts { rules, topics, .. } = &*self.parts;
        let mut ruling = Ruling::default();
        for rule in fired.iter().filter_map(|&owner| rules.get(owner)) {
            ruling.action = ruling.action.max(rule.action);
            ruling.fired.push(rule.name.clone());
        }
        ruling.topic = fired.iter().find_map(|&owner| topics.get(owner.checked_sub(rules.len())?)).cloned();
        ruling.fired.extend(ruling.topic.iter().map(|topic| topic.name.clone()));
        ruling
    }
}

impl Side {
    fn compile(policy: &Policy, side: ModerationSide, topics: &[TopicRule]) -> Result<Self, PolicyError> {
        let mut wanted = Vec::new();
        let mut expressions = Vec::new();
        for (index, rule) in policy.moderation.iter().enumerate().filter(|(_, rule)| applies(rule.on, side)) {
            let withheld = rule.action >= ModerationAction::Hold;
            match &rule.pattern {
                Pattern::Words { words } => wanted.push(Wanted { owner: index, words, withheld }),
                Pattern::Regex { expression } => expressions.push(Expression {
                    rule: index,
                    regex: compile_expression(&rule.name, expression)?,
                    withheld,
                    unfinished: partial::unfinished(expression),
                }),
                Pattern::Semantic { .. } => {}
            }
        }
        let first = policy.moderation.len();
        let of_topics = topics.iter().zip(first..).map(|(topic, owner)| Wanted {
            owner,
            words: &topic.words,
            withheld: false,
        });
        let phrases =
            Phrases::compile(wanted.into_iter().chain(of_topics)).map_err(|_| PolicyError::TooManyWords)?;
        Ok(Self { phrases, expressions })
    }

    fn fired(&self, text: &str) -> BTreeSet<usize> {
        let folded = Folded::of(text);
        let mut fired: BTreeSet<usize> =
            self.phrases.find(&folded, 0, true).map(|found| found.owner).collect();
        fired.extend(self.expressions.iter().filter(|one| one.regex.is_match(text)).map(|one| one.rule));
        fired
    }
}

/// A regular expression of a policy, within bounds of memory and depth.
pub(crate) fn compile_expression(rule: &str, expression: &str) -> Result<Regex, PolicyError> {
    RegexBuilder::new(expression)
        .size_limit(MAX_EXPRESSION_BYTES)
        .dfa_size_limit(MAX_EXPRESSION_BYTES)
        .nest_limit(30)
        .build()
        .map_err(|error| PolicyError::Expression { rule: rule.to_owned(), reason: error.to_string() })
}

/// Whether any of these words is in the text, found as a topic's are.
pub(crate) fn mentions(words: &[String], text: &str) -> bool {
    let folded = Folded::of(text);
    Phrases::compile([Wanted { owner: 0, words, withheld: false }])
        .is_ok_and(|phrases| phrases.find(&folded, 0, true).next().is_some())
}

/// Whether there is anything in a word that can be found.
pub(crate) fn can_be_found(word: &str) -> bool {
    !Folded::of(word).text().trim().is_empty()
}

fn applies(on: ModerationSide, side: ModerationSide) -> bool {
    on == side || on == ModerationSide::Both || side == ModerationSide::Both
}
