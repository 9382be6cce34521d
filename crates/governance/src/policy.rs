//! How the assistant behaves, as data: the community sets it by decision, every answer goes by it.

mod check;
mod disclaimers;
mod prompt;
mod sentences;
#[cfg(test)]
mod tests;

pub(crate) use self::check::MAX_EXPRESSION_BYTES;
pub use self::check::PolicyError;
pub use self::sentences::{PolicyChange, PolicySentence, SENTENCES};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::SharingKind;

/// A policy of AI behaviour. Everything has a default, and the default restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What the assistant is called; empty: it has no name.
    pub persona: String,
    /// How it speaks, in a sentence or two, such as "Friendly, short sentences, no jargon".
    pub style: String,
    /// What the community holds dear, as a text that every answer has in mind.
    pub values: String,
    /// Languages it answers in (BCP 47), the preferred one first; empty: the language of the question.
    pub languages: Vec<String>,
    /// Words with which every answer ends, such as a greeting; empty: none. Put there by the box, not by the model.
    pub closing: String,
    /// Topics that it does not talk about, or hands over to a person.
    pub topics: Vec<TopicRule>,
    /// Sentences that stand under answers about something.
    pub disclaimers: Vec<Disclaimer>,
    /// The most tokens of an answer; absent: the box's limit.
    pub max_answer_tokens: Option<u32>,
    /// Sources that ground answers; absent: all approved ones.
    pub sources: Option<BTreeSet<String>>,
    /// Rules for what is asked and what is answered, in order; the strictest that fires wins.
    pub moderation: Vec<ModerationRule>,
    /// How much members may ask.
    pub quotas: QuotaPolicy,
    /// What is kept.
    pub keeping: Keeping,
    /// What may be shared with neighbours.
    pub sharing: BTreeSet<SharingKind>,
    /// Whether members' own words may be offered for training (each member still has to agree).
    pub training: bool,
    /// Questions on which a proposed policy is tried before a vote.
    pub sample_questions: Vec<String>,
}

/// A topic and what the assistant does about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicRule {
    /// What it is called, such as "politics".
    pub name: String,
    /// Words and phrases by which a question about it is known; any of them, whole words, in any case.
    pub words: Vec<String>,
    /// What happens.
    pub action: TopicAction,
    /// What the member reads instead of an answer; empty: a sentence of the box.
    #[serde(default)]
    pub message: String,
}

/// What the assistant does about a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopicAction {
    /// It says that it does not talk about this.
    Decline,
    /// It says whom to ask instead.
    HandOver,
}

/// A sentence under answers about something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Disclaimer {
    /// Words in the question or the answer that call for it; empty: always.
    pub words: Vec<String>,
    /// The sentence.
    pub text: String,
}

/// One rule of moderation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModerationRule {
    /// What it is called; stands in "Why this answer?".
    pub name: String,
    /// What it looks for.
    pub pattern: Pattern,
    /// Where it looks.
    pub on: ModerationSide,
    /// What happens when it is found.
    pub action: ModerationAction,
}

/// What a rule looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pattern {
    /// Any of these words or phrases, whole words, in any case.
    Words {
        /// The words.
        words: Vec<String>,
    },
    /// A regular expression (syntax of the crate `regex`: no look-around, linear time).
    Regex {
        /// The expression.
        expression: String,
    },
    /// What means nearly the same as one of these examples, by the box's embedding model.
    Semantic {
        /// Examples.
        examples: Vec<String>,
        /// How near, in hundredths of the cosine: 1 to 100.
        nearness: u8,
    },
}

/// Where a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModerationSide {
    /// At the question.
    Question,
    /// At the answer.
    Answer,
    /// At both.
    Both,
}

/// What a rule does, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModerationAction {
    /// Nothing, but it is noted.
    Allow,
    /// The answer comes with a warning.
    Warn,
    /// A moderator looks first.
    Hold,
    /// There is no answer.
    Refuse,
}

/// How much members may ask. Stewards have the same quota as everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaPolicy {
    /// Questions in an hour for a member; absent: as many as get their turn.
    pub members_per_hour: Option<u32>,
    /// Questions in an hour for a guest; absent: as many as get their turn.
    pub guests_per_hour: Option<u32>,
    /// Turns of a guest for each hundred turns of a member, when all wait; absent: the same.
    pub guest_weight_percent: Option<u8>,
    /// Turns in hundredths by API key, such as `bookkeeping`.
    pub program_weight_percent: BTreeMap<String, u16>,
    /// Whether members may say that a question is urgent.
    pub urgent: bool,
}

/// What is kept, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keeping {
    /// Whether members may keep their conversations on the box, closed with a key that only they have.
    pub conversations: bool,
    /// Days after which a kept conversation is erased.
    pub conversation_days: u32,
    /// Days for which held answers and reports are kept after they are settled.
    pub moderation_days: u32,
    /// Days for which a question to the members is kept after the last thing that happened to it; 0: none can be asked.
    #[serde(skip_serializing_if = "is_usual")]
    #[schema(required = false)]
    pub question_days: u32,
}

/// Days for which questions to the members are kept, unless the community says otherwise: a season.
const QUESTION_DAYS: u32 = 90;

/// Policies that were decided before there were such questions keep their bytes.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_usual(days: &u32) -> bool {
    *days == QUESTION_DAYS
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            conversations: false,
            conversation_days: 90,
            moderation_days: 30,
            question_days: QUESTION_DAYS,
        }
    }
}
