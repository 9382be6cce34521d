//! The policy in force, compiled.

use std::sync::{Arc, Mutex, PoisonError};

use banyan_assembly::{Assembly, InForce};
use banyan_governance::moderation::Rules;
use banyan_governance::policy::{ModerationSide, Policy, PolicyError};
use banyan_openai::{ChatMessage, ChatRequest, Role};
use serde_json::{Map, Value};

use super::meaning::{Examples, Meaning};
use crate::answer::Failure;

/// What holds for an answer.
#[derive(Debug)]
pub(crate) struct Effective {
    policy: Policy,
    version: u64,
    entry: u64,
    /// What the model is told before every question.
    prompt: String,
    /// Whether the policy has something to tell the model; programs have their own beginnings.
    tells: bool,
    rules: Rules,
    model: Option<String>,
    adapter: Option<String>,
    pub(super) question_meaning: Meaning,
    pub(super) answer_meaning: Meaning,
}

impl Effective {
    fn new(in_force: &InForce) -> Result<Self, PolicyError> {
        let policy = in_force.policy.clone();
        let rules = Rules::compile(&policy)?;
        let meaning = |side| Meaning::new(rules.semantic(side).map(Examples::of).collect());
        Ok(Self {
            version: in_force.policy_version,
            entry: in_force.policy_entry,
            tells: policy.system_prompt() != Policy::default().system_prompt(),
            prompt: policy.system_prompt(),
            model: in_force.model.clone(),
            adapter: in_force.adapter.clone(),
            question_meaning: meaning(ModerationSide::Question),
            answer_meaning: meaning(ModerationSide::Answer),
            rules,
            policy,
        })
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether a community decided on it; before the founding nobody has.
    pub(crate) fn is_decided(&self) -> bool {
        self.version > 0
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn entry(&self) -> u64 {
        self.entry
    }

    /// The model that was decided on.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The adapter that was decided on.
    pub(crate) fn adapter(&self) -> Option<&str> {
        self.adapter.as_deref()
    }

    /// What the audit entry says when the engine does not have what was decided on.
    pub(crate) fn missing_model(&self) -> String {
        let name = self.adapter().or(self.model()).unwrap_or_default();
        format!("{name} was decided on and is not on this box; its usual model answered")
    }

    /// A member's question as the policy wants it asked.
    pub(crate) fn prepare(&self, mut request: ChatRequest) -> ChatRequest {
        request.messages.insert(0, ChatMessage::new(Role::System, self.prompt.as_str()));
        // The same for every member: the engine computes it once.
        request.shared_messages = Some(1);
        if let Some(most) = self.policy.max_answer_tokens {
            request.sampling.max_tokens =
                Some(request.sampling.max_tokens.map_or(most, |wished| wished.min(most)));
        }
        // An adapter's name is the name of the model with it.
        request.model = self.adapter().or(self.model()).unwrap_or_default().to_owned();
        request
    }

    /// A program's request as the policy wants it. What the program tells the model itself comes behind the policy.
    pub(crate) fn prepare_json(&self, request: &mut Map<String, Value>) {
        if !self.is_decided() {
            return;
        }
        if let Some(Value::Array(messages)) = request.get_mut("messages")
            && self.tells
            && put_in_front(messages, &self.prompt)
        {
            request.insert("shared_messages".into(), 1.into());
        }
        if let Some(most) = self.policy.max_answer_tokens {
            let name = if request.contains_key("max_completion_tokens") {
                "max_completion_tokens"
            } else {
                "max_tokens"
            };
            let wished = request.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX);
            request.insert(name.into(), wished.min(most.into()).into());
        }
        let names_none = request.get("model").and_then(Value::as_str).is_none_or(str::is_empty);
        if names_none && let Some(name) = self.adapter().or(self.model()) {
            request.insert("model".into(), name.into());
        }
    }
}

/// Puts the policy before a program's messages. Many chat templates take one system message only, so it goes into the
/// program's own where that comes first; then it is not the same for everybody, and gives false.
fn put_in_front(messages: &mut Vec<Value>, prompt: &str) -> bool {
    let is_system = |message: &Value| matches!(message["role"].as_str(), Some("system" | "developer"));
    let Some(first) = messages.first_mut().filter(|first| is_system(first)) else {
        messages.insert(0, serde_json::json!({ "role": "system", "content": prompt }));
        return true;
    };
    match &mut first["content"] {
        Value::String(own) => *own = format!("{prompt}\n\n{own}"),
        Value::Array(parts) => {
            parts.insert(0, serde_json::json!({ "type": "text", "text": format!("{prompt}\n\n") }));
        }
        other => *other = prompt.into(),
    }
    false
}

/// What was compiled, and from what. An error is in words.
type Compiled = (Arc<InForce>, Result<Arc<Effective>, String>);

/// Whether an answer goes by the same in both.
fn is_the_same(one: &InForce, other: &InForce) -> bool {
    one.policy_version == other.policy_version
        && one.policy_entry == other.policy_entry
        && one.model == other.model
        && one.adapter == other.adapter
        && one.policy == other.policy
}

/// Gives out what holds now. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Effectives {
    shared: Arc<Shared>,
}

struct Shared {
    assembly: Option<Assembly>,
    /// What was compiled last, and from what.
    last: Mutex<Option<Compiled>>,
}

impl Effectives {
    pub(crate) fn new(assembly: Option<Assembly>) -> Self {
        Self { shared: Arc::new(Shared { assembly, last: Mutex::new(None) }) }
    }

    /// What holds for an answer that begins now. Without rules that can be read there is no answer: enactment checks
    /// them, so this is a box whose store was written by a newer version.
    pub(crate) fn now(&self) -> Result<Arc<Effective>, Failure> {
        let in_force = self.in_force();
        let mut last = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            last.as_ref().filter(|(from, _)| Arc::ptr_eq(from, &in_force) || is_the_same(from, &in_force));
        let effective = match known {
            Some((_, effective)) => effective.clone(),
            None => {
                let effective = Effective::new(&in_force).map(Arc::new).map_err(|error| error.to_string());
                if let Err(error) = &effective {
                    tracing::error!(version = in_force.policy_version, %error, "the policy in force cannot be used");
                }
                *last = Some((in_force, effective.clone()));
                effective
            }
        };
        effective.map_err(|reason| Failure::no_rules(format!("the policy in force cannot be used: {reason}")))
    }

    /// What would hold under another policy.
    pub(crate) fn proposed(&self, policy: Policy) -> Result<Arc<Effective>, PolicyError> {
        policy.check()?;
        Effective::new(&InForce { policy, ..InForce::clone(&self.in_force()) }).map(Arc::new)
    }

    fn in_force(&self) -> Arc<InForce> {
        self.shared.assembly.as_ref().map_or_else(Arc::default, Assembly::in_force)
    }
}
