//! Answers that nobody reads as they are made: a policy is tried, or a moderator let a question through. They wait
//! until nobody else does.

use std::sync::Arc;

use banyan_assembly::answers::Turn;
use banyan_openai::{ChatMessage, ChatRequest, Role};

use super::Answers;
use crate::answer::{AnswerEvent, AnswerLog, Context, Failure, Obeying, Records, Saying, answer};
use crate::moderation::{Effective, Verdict};
use crate::queue::{Ask, Class, Member};

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quiet {
    pub(crate) said: Said,
    /// Rules that applied.
    pub(crate) rules: Vec<String>,
}

/// Who speaks in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// The assistant.
    Words(String),
    /// The box itself.
    Saying(Saying),
}

impl Answers {
    /// Tries a question under a policy: nothing is written down, held or warned of. Without chance, so that what differs
    /// between two policies comes from the policies.
    pub(crate) async fn try_out(
        &self,
        effective: &Arc<Effective>,
        member: &Member,
        question: &str,
    ) -> Result<Quiet, Failure> {
        let mut log = AnswerLog::new();
        let saying = match effective.judge(question, self.engines.own(), &mut log).await {
            Verdict::Ask { .. } => None,
            Verdict::Say(saying, _) => Some(saying),
            Verdict::Hold => Some(Saying::Held),
        };
        if let Some(saying) = saying {
            return Ok(Quiet { said: Said::Saying(saying), rules: log.rules().to_vec() });
        }
        let records = Records::none(self.engines.clone());
        let context = Context { question: question.to_owned(), ..Context::default() };
        self.quietly(effective, member, records, context, log, Some(0.0)).await
    }

    /// Answers a question that a moderator let through.
    pub(super) async fn answer_allowed(
        &self,
        effective: &Arc<Effective>,
        context: Context,
        log: AnswerLog,
    ) -> Result<Quiet, Failure> {
        let member = Member::key("held questions");
        self.quietly(effective, &member, self.records.clone(), context, log, None).await
    }

    async fn quietly(
        &self,
        effective: &Arc<Effective>,
        member: &Member,
        records: Records,
        context: Context,
        log: AnswerLog,
        temperature: Option<f32>,
    ) -> Result<Quiet, Failure> {
        let ask = Ask { member: member.clone(), class: Class::Background, deadline: None };
        let ticket = self.turns.enter(&ask)?;
        let mut request = ChatRequest::new(messages(&context.earlier, &context.question)).streamed();
        request.sampling.temperature = temperature;
        request.sampling.max_tokens = Some(crate::api::MAX_ANSWER_TOKENS);
        let steps =
            answer(self.engines.clone(), ticket, effective.prepare(request), None, self.patience.clone());
        let engine = self.engines.own().clone();
        let mut obeying = Obeying::new(steps, effective.clone(), engine, records, context, None, log);
        let mut said = Said::Words(String::new());
        while let Some(event) = obeying.next().await {
            match (event, &mut said) {
                (AnswerEvent::Words(words), Said::Words(whole)) => whole.push_str(&words),
                (AnswerEvent::Replaced(saying) | AnswerEvent::Said(saying), said) => {
                    *said = Said::Saying(saying);
                }
                (AnswerEvent::Failed(failure), _) => return Err(failure),
                _ => {}
            }
        }
        Ok(Quiet { said, rules: obeying.log().rules().to_vec() })
    }
}

fn messages(earlier: &[Turn], question: &str) -> Vec<ChatMessage> {
    let earlier = earlier.iter().map(|turn| {
        let role = if turn.role == "assistant" { Role::Assistant } else { Role::User };
        ChatMessage::new(role, turn.content.as_str())
    });
    earlier.chain([ChatMessage::new(Role::User, question)]).collect()
}
