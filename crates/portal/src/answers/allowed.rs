//! Questions that a moderator let through are answered when nobody else waits, also after a power cut; and what is old
//! is erased.

use std::sync::Weak;
use std::time::Duration;

use banyan_assembly::Assembly;
use banyan_assembly::answers::Allowed;
use banyan_governance::constitution::EmergencyPower;
use tokio::time::timeout;

use super::{Answers, Book, Said};
use crate::answer::{AnswerLog, Context};
use crate::community::now;
use crate::language::Language;
use crate::moderation::Effectives;
use crate::pages::policy::saying_in;

/// How often the desk is looked at when nothing calls for it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Looks without an erasing one: what is kept for days need not go to the minute.
const LOOKS_BETWEEN_SWEEPS: u32 = 10;

impl Answers {
    /// Something may have been allowed just now.
    pub(crate) fn look_at_allowed(&self) {
        self.allowed.notify_one();
    }

    /// Begins to answer what moderators let through; needs a runtime. Ends when nobody has these answers any more.
    pub(crate) fn spawn_desk(&self, assembly: Assembly, effectives: Effectives) {
        let answers = Self { book: std::sync::Arc::default(), ..self.clone() };
        let book = std::sync::Arc::downgrade(&self.book);
        tokio::spawn(desk(answers, book, assembly, effectives));
    }

    async fn answer_one(&self, effectives: &Effectives, assembly: &Assembly, allowed: Allowed) {
        let Allowed { id, owner, earlier, question } = allowed;
        let Ok(effective) = effectives.now() else { return };
        let context = Context { owner, earlier, question };
        let mut log = AnswerLog::new();
        log.applied(["allowed by a moderator"]);
        let quiet = match self.answer_allowed(&effective, context, log).await {
            Ok(quiet) => quiet,
            Err(failure) => {
                // It is tried again at the next look.
                tracing::warn!(
                    id,
                    reason = failure.detail,
                    "a question that a moderator allowed has no answer yet"
                );
                return;
            }
        };
        let answer = match quiet.said {
            Said::Words(words) => words,
            Said::Saying(saying) => saying_in(&saying, Language::English),
        };
        if let Err(error) = assembly.answer_held(id, answer, now()).await {
            tracing::error!(id, %error, "the answer to an allowed question could not be kept");
        }
    }
}

async fn desk(answers: Answers, book: Weak<Book>, assembly: Assembly, effectives: Effectives) {
    for look in 0_u32.. {
        if book.strong_count() == 0 {
            return;
        }
        if look.is_multiple_of(LOOKS_BETWEEN_SWEEPS) {
            for swept in [assembly.sweep_answers(now()).await, assembly.sweep_cases(now()).await] {
                if let Err(error) = swept {
                    tracing::error!(%error, "what is old could not be erased");
                }
            }
            if let Some(finder) = &answers.finder {
                finder.sweep_questions(assembly.in_force().policy.keeping.question_days).await;
            }
        }
        let is_paused = assembly.in_force().has_power(EmergencyPower::PauseAnswers, now());
        match assembly.allowed_questions().await {
            Ok(_) if is_paused => {}
            Ok(all) => {
                for allowed in all {
                    answers.answer_one(&effectives, &assembly, allowed).await;
                }
            }
            Err(error) => tracing::error!(%error, "questions that moderators allowed could not be read"),
        }
        timeout(LOOK_AGAIN, answers.allowed.notified()).await.ok();
    }
}
