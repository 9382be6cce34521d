//! What a proposal has to look like, and which method its shape and topic give.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::constitution::Constitution;
use crate::decision::Topic;
use crate::method::{Method, MethodRule};
use crate::proposal::{ProposalError, ProposalOption};

/// Characters of a title: two lines of a phone.
const MAX_TITLE: usize = 140;

/// Characters of a text: about four printed pages; who needs more adds a document.
const MAX_TEXT: usize = 12_000;

/// Options of one vote; more cannot be ranked on a phone.
const MAX_OPTIONS: usize = 20;

/// What an author writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// In a line.
    pub title: String,
    /// What and why; may be empty.
    #[serde(default)]
    pub text: String,
    /// What it is about, where no option carries a decision; absent: [`Topic::Other`].
    #[serde(default)]
    pub topic_if_none: Option<Topic>,
    /// What can be chosen. None: a sense check.
    #[serde(default)]
    pub options: Vec<ProposalOption>,
}

impl New {
    /// Looks at everything that does not depend on how it will be decided.
    pub(super) fn check(&self) -> Result<(), ProposalError> {
        text("title", &self.title, MAX_TITLE)?;
        // A title says enough for a sense check.
        if !self.text.trim().is_empty() {
            text("text", &self.text, MAX_TEXT)?;
        }
        check_options(&self.options)
    }

    /// What it is about.
    pub(super) fn topic(&self) -> Topic {
        topic_of(&self.options).or(self.topic_if_none).unwrap_or(Topic::Other)
    }
}

/// What the decisions among the options are about; absent: there is none.
pub(super) fn topic_of(options: &[ProposalOption]) -> Option<Topic> {
    options.iter().find_map(|option| Some(option.decision.as_ref()?.topic()))
}

pub(super) fn check_options(options: &[ProposalOption]) -> Result<(), ProposalError> {
    for (index, option) in options.iter().enumerate() {
        text(&format!("the title of option {}", index + 1), &option.title, MAX_TITLE)?;
        if options[..index].iter().any(|earlier| earlier.title.trim() == option.title.trim()) {
            return Err(ProposalError::SameTitle { title: option.title.clone() });
        }
        if let Some(decision) = &option.decision {
            decision.check().map_err(|error| ProposalError::Decision { option: index + 1, error })?;
        }
    }
    let mut topics = options.iter().filter_map(|option| Some(option.decision.as_ref()?.topic()));
    if let Some(one) = topics.next()
        && let Some(other) = topics.find(|topic| *topic != one)
    {
        return Err(ProposalError::MixedTopics { one, other });
    }
    // Whom a decision is about has no vote; so an option against somebody must not be hung on to another question, or
    // authors could choose who votes on that.
    let mut concerned = options.iter().filter_map(|option| Some(option.decision.as_ref()?.concerns()));
    if let Some(one) = concerned.next()
        && concerned.any(|other| other != one)
    {
        return Err(ProposalError::MixedPeople);
    }
    Ok(())
}

/// How options about a topic are decided. What carries a decision goes by the topic's rule. What binds nobody goes by
/// its shape, with the times of that rule: no option is a sense check, and several are ranked where the rule's own
/// method cannot choose among several.
pub(super) fn rule_for(
    constitution: &Constitution,
    topic: Topic,
    options: &[ProposalOption],
) -> Result<MethodRule, ProposalError> {
    let mut rule = constitution.rule(topic).clone();
    if topic_of(options).is_none() {
        match options.len() {
            0 => rule.method = Method::SenseCheck,
            1 if bounds(&rule.method) != (1, 1) => {
                let otherwise = &constitution.otherwise.method;
                rule.method = if bounds(otherwise) == (1, 1) { otherwise.clone() } else { Method::Majority };
            }
            1 => {}
            _ if bounds(&rule.method).1 < 2 => rule.method = Method::RankedChoice,
            _ => {}
        }
    }
    check_count(&rule.method, topic, options.len())?;
    Ok(rule)
}

/// Whether the method can choose among so many options.
pub(super) fn check_count(method: &Method, topic: Topic, has: usize) -> Result<(), ProposalError> {
    let (least, most) = bounds(method);
    if (least..=most).contains(&has) {
        return Ok(());
    }
    let remedy = match (has, most) {
        (0, _) => "Say what should happen, as an option.",
        (_, 1) => "Make a proposal for each option.",
        _ if has < least => "Add what else could be done, even if it is to change nothing.",
        _ => "Leave out what nobody wants; a sense check shows that.",
    };
    Err(ProposalError::Options { topic, method: word(method), least, most, has, remedy })
}

pub(super) fn text(field: &str, text: &str, most: usize) -> Result<(), ProposalError> {
    let has = text.chars().count();
    if has <= most && !text.trim().is_empty() {
        Ok(())
    } else {
        Err(ProposalError::Text { field: field.to_owned(), most, has })
    }
}

/// The least and the most options that the method chooses among.
const fn bounds(method: &Method) -> (usize, usize) {
    match method {
        Method::Consent | Method::Consensus | Method::Majority | Method::SuperMajority { .. } => (1, 1),
        Method::Score { .. } | Method::RankedChoice => (2, MAX_OPTIONS),
        Method::SenseCheck => (0, 0),
    }
}

/// What the method is called in a sentence.
const fn word(method: &Method) -> &'static str {
    match method {
        Method::Consent => "consent",
        Method::Consensus => "consensus",
        Method::Majority => "majority",
        Method::SuperMajority { .. } => "super-majority",
        Method::Score { .. } => "score",
        Method::RankedChoice => "ranked choice",
        Method::SenseCheck => "a sense check",
    }
}
