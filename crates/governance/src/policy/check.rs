//! Whether a policy can be enforced, and is short enough to be read by those who vote on it and by the model.

use std::collections::BTreeSet;

use crate::moderation;
use crate::policy::{Pattern, Policy};

/// Characters of the assistant's name.
const MAX_PERSONA: usize = 60;

/// Characters of how it speaks.
const MAX_STYLE: usize = 400;

/// Characters of the community's values: about 500 tokens, which every answer has in mind. A small model forgets the
/// question behind more.
const MAX_VALUES: usize = 2000;

/// Characters of a sentence that the box puts into answers.
const MAX_SENTENCE: usize = 500;

/// Characters of the name of a topic, rule, source or key.
const MAX_NAME: usize = 80;

/// Characters of a word or phrase.
const MAX_WORD: usize = 80;

/// Characters of an example of a semantic rule, or a sample question.
const MAX_EXAMPLE: usize = 500;

/// Words in one rule or topic.
const MAX_WORDS: usize = 500;

/// Topics, disclaimers, rules: what a member can still read.
const MAX_RULES: usize = 60;

/// Characters of a regular expression.
const MAX_EXPRESSION: usize = 500;

/// Bytes of memory for a compiled regular expression. `\w` in Unicode takes some 20 KiB, so this is plenty for what
/// people write, and a box with all of them still has room for the model.
pub(crate) const MAX_EXPRESSION_BYTES: usize = 2 << 20;

/// Why a policy cannot be enforced. `field` says where, such as `moderation[2].words[0]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A text is too long.
    #[error("{field} has {has} characters, and at most {most} are possible; shorten it")]
    TooLong {
        /// Where.
        field: String,
        /// Characters that it has.
        has: usize,
        /// Characters that are possible.
        most: usize,
    },
    /// A text is missing.
    #[error("{field} is empty; fill it in, or leave the whole line out")]
    Empty {
        /// Where.
        field: String,
    },
    /// A text has characters that cannot be shown.
    #[error("{field} has a line break or a character that cannot be shown; write it on one line")]
    NotOneLine {
        /// Where.
        field: String,
    },
    /// A list is too long.
    #[error("{field} has {has} lines, and at most {most} are possible; put some of them together")]
    TooMany {
        /// Where.
        field: String,
        /// Lines that it has.
        has: usize,
        /// Lines that are possible.
        most: usize,
    },
    /// Two lines have the same name.
    #[error("{field} has \"{name}\" twice; give each its own name, so that \"Why this answer?\" can name it")]
    Twice {
        /// Where.
        field: String,
        /// The name.
        name: String,
    },
    /// Not a language.
    #[error("\"{0}\" is not a language; write a code such as es, ar, sw or pt-BR")]
    Language(String),
    /// A number is out of bounds.
    #[error("{field} is {value}; it can be {least} to {most}, or be left out")]
    OutOfRange {
        /// Where.
        field: String,
        /// What it is.
        value: u32,
        /// The least possible.
        least: u32,
        /// The most possible.
        most: u32,
    },
    /// A regular expression has a mistake.
    #[error("the expression of the rule \"{rule}\" has a mistake: {reason}")]
    Expression {
        /// Of which rule.
        rule: String,
        /// What is wrong.
        reason: String,
    },
    /// A regular expression matches every text.
    #[error(
        "the expression of the rule \"{rule}\" matches the empty text, and so everything; ask for something in it"
    )]
    MatchesEverything {
        /// Of which rule.
        rule: String,
    },
    /// All words together are too many to look for.
    #[error("all words of the policy together are too many to look for; leave some out")]
    TooManyWords,
}

impl Policy {
    /// Whether it can be enforced.
    pub fn check(&self) -> Result<(), PolicyError> {
        line("persona", &self.persona, 0, MAX_PERSONA)?;
        line("style", &self.style, 0, MAX_STYLE)?;
        length("values", &self.values, 0, MAX_VALUES)?;
        length("closing", &self.closing, 0, MAX_SENTENCE)?;
        count("languages", self.languages.len(), 12)?;
        self.languages.iter().try_for_each(|tag| language(tag))?;
        distinct("languages", self.languages.iter())?;
        self.check_topics()?;
        self.check_moderation()?;
        if let Some(tokens) = self.max_answer_tokens {
            range("max_answer_tokens", tokens, 16, 32_768)?;
        }
        for source in self.sources.iter().flatten() {
            line("sources", source, 1, MAX_NAME)?;
        }
        count("sample_questions", self.sample_questions.len(), 12)?;
        for question in &self.sample_questions {
            length("sample_questions", question, 1, MAX_EXAMPLE)?;
        }
        self.check_quotas()
    }

    fn check_topics(&self) -> Result<(), PolicyError> {
        count("topics", self.topics.len(), MAX_RULES)?;
        distinct("topics", self.topics.iter().map(|topic| &topic.name))?;
        for (index, topic) in self.topics.iter().enumerate() {
            line(format!("topics[{index}].name"), &topic.name, 1, MAX_NAME)?;
            length(format!("topics[{index}].message"), &topic.message, 0, MAX_SENTENCE)?;
            words(&format!("topics[{index}].words"), &topic.words, 1)?;
        }
        count("disclaimers", self.disclaimers.len(), MAX_RULES)?;
        for (index, disclaimer) in self.disclaimers.iter().enumerate() {
            length(format!("disclaimers[{index}].text"), &disclaimer.text, 1, MAX_SENTENCE)?;
            words(&format!("disclaimers[{index}].words"), &disclaimer.words, 0)?;
        }
        Ok(())
    }

    fn check_moderation(&self) -> Result<(), PolicyError> {
        count("moderation", self.moderation.len(), MAX_RULES)?;
        distinct("moderation", self.moderation.iter().map(|rule| &rule.name))?;
        for (index, rule) in self.moderation.iter().enumerate() {
            let field = format!("moderation[{index}]");
            line(format!("{field}.name"), &rule.name, 1, MAX_NAME)?;
            match &rule.pattern {
                Pattern::Words { words: list } => words(&format!("{field}.words"), list, 1)?,
                Pattern::Regex { expression } => {
                    length(format!("{field}.expression"), expression, 1, MAX_EXPRESSION)?;
                    if moderation::compile_expression(&rule.name, expression)?.is_match("") {
                        return Err(PolicyError::MatchesEverything { rule: rule.name.clone() });
                    }
                }
                Pattern::Semantic { examples, nearness } => {
                    count(format!("{field}.examples"), examples.len(), 50)?;
                    if examples.is_empty() {
                        return Err(PolicyError::Empty { field: format!("{field}.examples") });
                    }
                    for example in examples {
                        length(format!("{field}.examples"), example, 1, MAX_EXAMPLE)?;
                    }
                    range(format!("{field}.nearness"), (*nearness).into(), 1, 100)?;
                }
            }
        }
        Ok(())
    }

    fn check_quotas(&self) -> Result<(), PolicyError> {
        let quotas = &self.quotas;
        for (field, number) in [
            ("quotas.members_per_hour", quotas.members_per_hour),
            ("quotas.guests_per_hour", quotas.guests_per_hour),
        ] {
            number.map_or(Ok(()), |number| range(field, number, 1, 100_000))?;
        }
        if let Some(percent) = quotas.guest_weight_percent {
            range("quotas.guest_weight_percent", percent.into(), 1, 100)?;
        }
        count("quotas.program_weight_percent", quotas.program_weight_percent.len(), MAX_RULES)?;
        for (key, percent) in &quotas.program_weight_percent {
            line("quotas.program_weight_percent", key, 1, MAX_NAME)?;
            range(format!("quotas.program_weight_percent.{key}"), (*percent).into(), 1, 1000)?;
        }
        range("keeping.conversation_days", self.keeping.conversation_days, 1, 3650)?;
        range("keeping.moderation_days", self.keeping.moderation_days, 1, 365)?;
        range("keeping.question_days", self.keeping.question_days, 0, 3650)
    }
}

fn words(field: &str, words: &[String], least: usize) -> Result<(), PolicyError> {
    count(field, words.len(), MAX_WORDS)?;
    if words.len() < least {
        return Err(PolicyError::Empty { field: field.to_owned() });
    }
    for (index, word) in words.iter().enumerate() {
        line(format!("{field}[{index}]"), word, 1, MAX_WORD)?;
        if !moderation::can_be_found(word) {
            return Err(PolicyError::Empty { field: format!("{field}[{index}]") });
        }
    }
    Ok(())
}

/// The shape of a BCP 47 tag: a language of two or three letters, then script, region and variants. Which languages
/// there are is not looked up: people name languages that no list has.
fn language(tag: &str) -> Result<(), PolicyError> {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let is_language = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_language && tag.len() <= 35 && parts.all(is_part) {
        Ok(())
    } else {
        Err(PolicyError::Language(tag.chars().take(40).collect()))
    }
}

fn line(field: impl Into<String>, text: &str, least: usize, most: usize) -> Result<(), PolicyError> {
    let field = field.into();
    if text.contains(char::is_control) {
        return Err(PolicyError::NotOneLine { field });
    }
    length(field, text, least, most)
}

fn length(field: impl Into<String>, text: &str, least: usize, most: usize) -> Result<(), PolicyError> {
    let has = text.chars().count();
    if has > most {
        return Err(PolicyError::TooLong { field: field.into(), has, most });
    }
    if least > 0 && text.trim().is_empty() {
        return Err(PolicyError::Empty { field: field.into() });
    }
    if text.contains(|character: char| character.is_control() && !matches!(character, '\n' | '\t')) {
        return Err(PolicyError::NotOneLine { field: field.into() });
    }
    Ok(())
}

fn count(field: impl Into<String>, has: usize, most: usize) -> Result<(), PolicyError> {
    if has <= most { Ok(()) } else { Err(PolicyError::TooMany { field: field.into(), has, most }) }
}

fn distinct<'a>(field: &str, names: impl Iterator<Item = &'a String>) -> Result<(), PolicyError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name.trim().to_lowercase()) {
            return Err(PolicyError::Twice { field: field.to_owned(), name: name.clone() });
        }
    }
    Ok(())
}

fn range(field: impl Into<String>, value: u32, least: u32, most: u32) -> Result<(), PolicyError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(PolicyError::OutOfRange { field: field.into(), value, least, most })
    }
}
