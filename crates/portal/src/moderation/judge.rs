//! A question before the rules, before any engine sees it.

use banyan_assembly::answers::AnswerAction;
use banyan_governance::moderation::Ruling;
use banyan_governance::policy::{ModerationAction, ModerationSide, TopicAction, TopicRule};
use banyan_openai::Client;

use super::Effective;
use crate::answer::{AnswerLog, Saying};

/// What becomes of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is asked.
    Ask {
        /// The answer comes with a warning.
        warn: bool,
    },
    /// The box says this itself.
    Say(Saying, AnswerAction),
    /// A moderator looks first.
    Hold,
}

impl Effective {
    /// Looks at a question. A refusal is stricter than a topic, and a topic than a moderator's look: where the assistant
    /// does not talk about something anyway, nobody has to decide.
    pub(crate) async fn judge(&self, question: &str, engine: &Client, log: &mut AnswerLog) -> Verdict {
        let ruling = self.rules().question(question);
        let ruling = self.with_meaning(ModerationSide::Question, question, ruling, engine, log).await;
        log.applied(ruling.fired.iter().map(String::as_str));
        match (ruling.action, ruling.topic) {
            (ModerationAction::Refuse, _) => Verdict::Say(Saying::Refused, AnswerAction::Refused),
            (_, Some(topic)) => of_topic(&topic),
            (ModerationAction::Hold, None) => Verdict::Hold,
            (action, None) => Verdict::Ask { warn: action == ModerationAction::Warn },
        }
    }

    /// A ruling with what the rules say that go by meaning. Where the box cannot tell, they are passed over, and the
    /// audit entry says so.
    pub(super) async fn with_meaning(
        &self,
        side: ModerationSide,
        text: &str,
        ruling: Ruling,
        engine: &Client,
        log: &mut AnswerLog,
    ) -> Ruling {
        let meaning =
            if side == ModerationSide::Question { &self.question_meaning } else { &self.answer_meaning };
        match meaning.nearness(engine, text).await {
            Ok(nearness) if nearness.is_empty() => ruling,
            Ok(nearness) => self.rules().with_similarities(ruling, side, &nearness),
            Err(reason) => {
                for rule in self.rules().semantic(side) {
                    log.skipped(format!("{}: {reason}", rule.name));
                }
                ruling
            }
        }
    }
}

fn of_topic(topic: &TopicRule) -> Verdict {
    let own = Some(topic.message.trim().to_owned()).filter(|message| !message.is_empty());
    match topic.action {
        TopicAction::Decline => Verdict::Say(Saying::Declined(own), AnswerAction::Declined),
        TopicAction::HandOver => Verdict::Say(Saying::HandedOver(own), AnswerAction::HandedOver),
    }
}
