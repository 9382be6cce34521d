//! A policy in plain sentences, for those who vote on it and live with it.
//!
//! Each sentence has a name and what is filled in, so that pages can say it in their own language; the English is here,
//! and holds where a page knows no better.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::prompt::language_name;
use crate::policy::{ModerationAction, ModerationRule, ModerationSide, Pattern, Policy, TopicAction};

/// Every sentence there is, with `{parameters}` in braces. Names are never reused for something else.
pub const SENTENCES: &[(&str, &str)] = &[
    ("persona", "The assistant is called {name}."),
    ("style", "It speaks like this: {style}"),
    ("values", "Every answer has in mind what the community holds dear: {values}"),
    ("languages_any", "It answers in the language of the question."),
    ("languages_one", "It answers in {names}."),
    (
        "languages_some",
        "It answers in the language of the question, if that is one of {names}; otherwise in {first}.",
    ),
    ("closing", "Every answer ends with: {closing}"),
    ("topic_decline", "It does not talk about {topic}. It knows such questions by: {words}."),
    (
        "topic_hand_over",
        "Questions about {topic} are for people, not for the assistant. It knows them by: {words}.",
    ),
    ("topic_message", "About {topic}, members read: {message}"),
    ("disclaimer_always", "Under every answer stands: {text}"),
    ("disclaimer_words", "Under answers about {words} stands: {text}"),
    ("length", "An answer has at most {tokens} tokens; about {words} words."),
    ("sources_all", "Answers may quote every approved source."),
    ("sources_none", "Answers quote no source."),
    ("sources_some", "Answers may quote only: {sources}."),
    ("rule_allow", "\"{name}\" notes when {where} has {what}, and changes nothing."),
    ("rule_warn", "\"{name}\" puts a warning on the answer when {where} has {what}."),
    ("rule_hold", "\"{name}\" lets a moderator look first when {where} has {what}."),
    ("rule_refuse", "\"{name}\" refuses when {where} has {what}."),
    ("members_unlimited", "Members ask as often as they get their turn."),
    ("members_quota", "Members ask at most {number} times an hour. Stewards too."),
    ("guests_unlimited", "Guests, where they may ask, ask as often as they get their turn."),
    ("guests_quota", "Guests, where they may ask, ask at most {number} times an hour."),
    ("guests_weight", "When many wait, guests get {percent} turns for each 100 of a member."),
    ("program_weight", "When many wait, the program {key} gets {percent} turns for each 100 of a member."),
    ("urgent", "Members may say that a question is urgent."),
    ("conversations_not_kept", "The box keeps no conversations."),
    (
        "conversations_kept",
        "Members may keep conversations on the box, locked with a key that only they have; after \
                            {days} days they are erased.",
    ),
    ("moderation_days", "What moderators looked at is erased {days} days after it is settled."),
    ("questions_not_kept", "Members cannot put questions to each other on the box."),
    (
        "questions_kept",
        "A question to the members is erased {days} days after the last thing that happened to it.",
    ),
    ("sharing_none", "Nothing is shared with other communities."),
    ("sharing_some", "What may be shared with other communities: {kinds}."),
    ("training_no", "Nobody's words are used to train models."),
    ("training_yes", "Members' own words may be used to train models, if the member agrees."),
];

/// One sentence about a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicySentence {
    /// Which; see [`SENTENCES`].
    pub key: String,
    /// What is filled in.
    pub params: BTreeMap<String, String>,
    /// The whole sentence in English.
    pub text: String,
}

/// What a new policy would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyChange {
    /// Sentences that would not hold any more.
    pub gone: Vec<PolicySentence>,
    /// Sentences that would hold from then on.
    pub new: Vec<PolicySentence>,
}

impl Policy {
    /// The policy in sentences, always in the same order.
    #[must_use]
    pub fn in_words(&self) -> Vec<PolicySentence> {
        let mut said = Said(Vec::new());
        self.say_how_it_speaks(&mut said);
        self.say_topics(&mut said);
        self.moderation.iter().for_each(|rule| say_rule(rule, &mut said));
        self.say_limits(&mut said);
        self.say_what_is_kept(&mut said);
        said.0
    }

    /// What changes in words when `new` comes in the place of this policy.
    #[must_use]
    pub fn change_to(&self, new: &Self) -> PolicyChange {
        let (before, after) = (self.in_words(), new.in_words());
        let only_in = |one: &[PolicySentence], other: &[PolicySentence]| {
            one.iter().filter(|sentence| !other.contains(sentence)).cloned().collect()
        };
        PolicyChange { gone: only_in(&before, &after), new: only_in(&after, &before) }
    }

    fn say_how_it_speaks(&self, said: &mut Said) {
        said.unless_empty("persona", "name", &self.persona);
        said.unless_empty("style", "style", &self.style);
        said.unless_empty("values", "values", &self.values);
        let names = list(self.languages.iter().map(|tag| language_name(tag)));
        let codes = self.languages.join(", ");
        match self.languages.first() {
            None => said.say("languages_any", &[]),
            Some(_) if self.languages.len() == 1 => {
                said.say("languages_one", &[("names", &names), ("codes", &codes)]);
            }
            Some(first) => said.say(
                "languages_some",
                &[
                    ("names", &names),
                    ("codes", &codes),
                    ("first", language_name(first)),
                    ("first_code", first),
                ],
            ),
        }
        said.unless_empty("closing", "closing", &self.closing);
    }

    fn say_topics(&self, said: &mut Said) {
        for topic in &self.topics {
            let key = match topic.action {
                TopicAction::Decline => "topic_decline",
                TopicAction::HandOver => "topic_hand_over",
            };
            said.say(key, &[("topic", &topic.name), ("words", &list(&topic.words))]);
            if !topic.message.trim().is_empty() {
                said.say("topic_message", &[("topic", &topic.name), ("message", topic.message.trim())]);
            }
        }
        for disclaimer in &self.disclaimers {
            if disclaimer.words.is_empty() {
                said.say("disclaimer_always", &[("text", &disclaimer.text)]);
            } else {
                let words = list(&disclaimer.words);
                said.say("disclaimer_words", &[("words", &words), ("text", &disclaimer.text)]);
            }
        }
    }

    fn say_limits(&self, said: &mut Said) {
        if let Some(tokens) = self.max_answer_tokens {
            said.say("length", &[("tokens", &tokens.to_string()), ("words", &(tokens / 2).to_string())]);
        }
        match &self.sources {
            None => said.say("sources_all", &[]),
            Some(sources) if sources.is_empty() => said.say("sources_none", &[]),
            Some(sources) => said.say("sources_some", &[("sources", &list(sources))]),
        }
        let quotas = &self.quotas;
        said.quota("members_unlimited", "members_quota", quotas.members_per_hour);
        said.quota("guests_unlimited", "guests_quota", quotas.guests_per_hour);
        if let Some(percent) = quotas.guest_weight_percent {
            said.say("guests_weight", &[("percent", &percent.to_string())]);
        }
        for (key, percent) in &quotas.program_weight_percent {
            said.say("program_weight", &[("key", key), ("percent", &percent.to_string())]);
        }
        if quotas.urgent {
            said.say("urgent", &[]);
        }
    }

    fn say_what_is_kept(&self, said: &mut Said) {
        if self.keeping.conversations {
            said.say("conversations_kept", &[("days", &self.keeping.conversation_days.to_string())]);
        } else {
            said.say("conversations_not_kept", &[]);
        }
        said.say("moderation_days", &[("days", &self.keeping.moderation_days.to_string())]);
        match self.keeping.question_days {
            0 => said.say("questions_not_kept", &[]),
            days => said.say("questions_kept", &[("days", &days.to_string())]),
        }
        if self.sharing.is_empty() {
            said.say("sharing_none", &[]);
        } else {
            said.say("sharing_some", &[("kinds", &list(self.sharing.iter().map(|kind| kind.in_words())))]);
        }
        said.say(if self.training { "training_yes" } else { "training_no" }, &[]);
    }
}

fn say_rule(rule: &ModerationRule, said: &mut Said) {
    let key = match rule.action {
        ModerationAction::Allow => "rule_allow",
        ModerationAction::Warn => "rule_warn",
        ModerationAction::Hold => "rule_hold",
        ModerationAction::Refuse => "rule_refuse",
    };
    let place = match rule.on {
        ModerationSide::Question => "the question",
        ModerationSide::Answer => "the answer",
        ModerationSide::Both => "the question or the answer",
    };
    let what = match &rule.pattern {
        Pattern::Words { words } => format!("one of these words: {}", list(words)),
        Pattern::Regex { expression } => format!("something like {expression}"),
        Pattern::Semantic { examples, nearness } => {
            format!("something that means nearly the same ({nearness} of 100) as: {}", list(examples))
        }
    };
    said.say(key, &[("name", &rule.name), ("where", place), ("what", &what)]);
}

fn list(parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let parts: Vec<_> = parts.into_iter().map(|part| part.as_ref().trim().to_owned()).collect();
    parts.join(", ")
}

struct Said(Vec<PolicySentence>);

impl Said {
    fn say(&mut self, key: &'static str, params: &[(&str, &str)]) {
        let template = SENTENCES.iter().find(|(name, _)| *name == key).map_or(key, |(_, text)| *text);
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = fill(template, &params);
        self.0.push(PolicySentence { key: key.to_owned(), params, text });
    }

    fn unless_empty(&mut self, key: &'static str, param: &str, text: &str) {
        if !text.trim().is_empty() {
            self.say(key, &[(param, text.trim())]);
        }
    }

    fn quota(&mut self, unlimited: &'static str, limited: &'static str, number: Option<u32>) {
        match number {
            None => self.say(unlimited, &[]),
            Some(number) => self.say(limited, &[("number", &number.to_string())]),
        }
    }
}

/// Fills what stands in braces; what is filled in is not looked at again, so braces in it are just braces.
fn fill(template: &str, params: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            rest = behind;
            break;
        };
        filled.push_str(params.get(name).map_or("", String::as_str));
        rest = after;
    }
    filled.push_str(rest);
    filled
}
