//! An answer under the community's rules: what the engine says goes through the filter, the box adds its own words, and
//! at the end there is an entry in the ledger.
//!
//! ```text
//!            words pass, with a warning or without               the end, with closing and disclaimers
//!   Open ──────────────────────────────────────────▶ Open ────────────────────────────────────────────▶ Over
//!     │ a rule says hold: the words are withdrawn
//!     ├────────────────▶ Holding: the engine writes on, a moderator gets all of it ────────────────────▶ Over
//!     │ a rule says refuse: the words are withdrawn, the engine stops
//!     └────────────────────────────────────────────────────────────────────────────────────────────────▶ Over
//! ```

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use banyan_assembly::answers::{AnswerAction, HeldSide, NewHeld, Turn};
use banyan_governance::policy::ModerationAction;
use banyan_openai::{Client, FinishReason, Usage};
use futures_util::{Stream, StreamExt};

use super::{AnswerEvent, AnswerLog, Failure, Grounds, Records, Saying, Step};
use crate::moderation::{Effective, Filter, Passed};

/// The most bytes of an answer that is held: what a moderator can read.
const LONGEST_HELD: usize = 64 * 1024;

/// What a moderator needs to know when a text is held.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// Who gets it when it is allowed.
    pub(crate) owner: String,
    pub(crate) earlier: Vec<Turn>,
    pub(crate) question: String,
}

impl Context {
    /// The question to hold, or the answer to it.
    pub(crate) fn held(&self, rules: &[String], answer: Option<String>) -> NewHeld {
        NewHeld {
            side: if answer.is_some() { HeldSide::Answer } else { HeldSide::Question },
            owner: self.owner.clone(),
            rules: rules.to_vec(),
            earlier: if answer.is_some() { Vec::new() } else { self.earlier.clone() },
            question: self.question.clone(),
            answer,
        }
    }
}

/// The events of one answer, as the member gets them.
pub(crate) struct Obeying {
    /// None once nothing more is wanted of the engine.
    steps: Option<Pin<Box<dyn Stream<Item = Step> + Send>>>,
    effective: Arc<Effective>,
    records: Records,
    context: Context,
    grounds: Option<Arc<Grounds>>,
    log: AnswerLog,
    filter: Filter,
    /// What the member has of the model's words.
    shown: String,
    /// Whether a moderator gets what the engine still says.
    holding: bool,
    out: VecDeque<AnswerEvent>,
}

impl Obeying {
    /// `engine`: the box's own, for rules that look for a meaning. `grounds`: what `steps` may rest on.
    pub(crate) fn new(
        steps: impl Stream<Item = Step> + Send + 'static,
        effective: Arc<Effective>,
        engine: Client,
        records: Records,
        context: Context,
        grounds: Option<Arc<Grounds>>,
        log: AnswerLog,
    ) -> Self {
        let filter = Filter::new(effective.clone(), engine);
        let out = VecDeque::new();
        Self {
            steps: Some(Box::pin(steps)),
            effective,
            records,
            context,
            grounds,
            log,
            filter,
            shown: String::new(),
            holding: false,
            out,
        }
    }

    /// The next event; none after the last.
    pub(crate) async fn next(&mut self) -> Option<AnswerEvent> {
        loop {
            if let Some(event) = self.out.pop_front() {
                return Some(event);
            }
            let step = self.steps.as_mut()?.next().await;
            match step {
                Some(step) => self.take(step).await,
                None => self.steps = None,
            }
        }
    }

    /// Nobody wants it any more. Gives the last event.
    pub(crate) async fn stop(&mut self) -> AnswerEvent {
        self.steps = None;
        self.out.clear();
        if self.holding {
            self.hold().await;
        } else {
            self.log.came_to(AnswerAction::Stopped);
            // What was said rests on something too; nobody is there to be told.
            self.cite().await;
            self.out.clear();
        }
        AnswerEvent::Stopped { audit: self.write_down().await }
    }

    pub(crate) fn log(&self) -> &AnswerLog {
        &self.log
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Begun { model } => self.log.answers_as(model),
            Step::ModelMissing => self.log.skipped(self.effective.missing_model()),
            Step::Event(AnswerEvent::Words(words)) => self.words(&words).await,
            Step::Event(AnswerEvent::Done { finish_reason, usage, .. }) => {
                self.end(finish_reason, usage).await;
            }
            Step::Event(AnswerEvent::Failed(failure)) => {
                self.log.came_to(AnswerAction::Failed);
                self.write_down().await;
                self.out.push_back(AnswerEvent::Failed(failure));
                self.steps = None;
            }
            Step::Event(event) => {
                if matches!(event, AnswerEvent::Queued { place: 0, .. }) {
                    self.log.turn();
                }
                self.out.push_back(event);
            }
        }
    }

    async fn words(&mut self, words: &str) {
        self.log.words();
        let passed = self.filter.push(words, &mut self.log).await;
        self.pass(passed).await;
        if self.holding && self.filter.whole().len() > LONGEST_HELD {
            self.out.push_back(AnswerEvent::Failed(Failure::endless()));
            self.steps = None;
        }
    }

    /// Passes on what the filter lets through, and does what a rule says.
    async fn pass(&mut self, passed: Passed) {
        if self.holding || self.steps.is_none() {
            return;
        }
        let withheld = passed.action >= Some(ModerationAction::Hold);
        if !passed.text.is_empty() && !withheld {
            self.shown.push_str(&passed.text);
            self.out.push_back(AnswerEvent::Words(passed.text));
        }
        match passed.action {
            None | Some(ModerationAction::Allow) => {}
            Some(ModerationAction::Warn) => {
                if self.log.action() != AnswerAction::Warned {
                    self.log.came_to(AnswerAction::Warned);
                    self.out.push_back(AnswerEvent::Warning);
                }
            }
            Some(ModerationAction::Hold) => {
                self.holding = true;
                self.log.came_to(AnswerAction::Held);
                self.out.push_back(AnswerEvent::Replaced(Saying::HeldAnswer));
            }
            Some(ModerationAction::Refuse) => {
                self.steps = None;
                self.log.came_to(AnswerAction::Refused);
                self.out.push_back(AnswerEvent::Replaced(Saying::Withdrawn));
                self.finish(FinishReason::ContentFilter, None).await;
            }
        }
    }

    async fn end(&mut self, finish_reason: FinishReason, usage: Option<Usage>) {
        let passed = self.filter.finish(&mut self.log).await;
        self.pass(passed).await;
        if self.steps.take().is_none() {
            // A rule ended it with its last words.
            return;
        }
        if self.holding {
            self.hold().await;
            return self.finish(FinishReason::ContentFilter, usage).await;
        }
        let ending = self.filter.ending(&self.context.question, &mut self.log);
        if !ending.is_empty() {
            self.out.push_back(AnswerEvent::Words(ending));
        }
        self.cite().await;
        self.finish(finish_reason, usage).await;
    }

    /// Says what the words rest on, and keeps it for the entry.
    async fn cite(&mut self) {
        let Some(grounds) = self.grounds.clone() else { return };
        if let Some((rests, sources)) = grounds.cites(&self.shown).await {
            self.log.rests_on(sources);
            self.out.push_back(AnswerEvent::Rests(rests));
        }
    }

    /// Gives the whole answer to the moderators; where that cannot be, nobody gets it.
    async fn hold(&mut self) {
        let held = self.context.held(self.log.rules(), Some(self.filter.whole().to_owned()));
        if let Err(failure) = self.records.hold(held).await {
            self.log.skipped(failure.detail);
            self.log.came_to(AnswerAction::Refused);
            self.out.push_back(AnswerEvent::Replaced(Saying::Withdrawn));
        }
    }

    async fn finish(&mut self, finish_reason: FinishReason, usage: Option<Usage>) {
        let audit = self.write_down().await;
        self.out.push_back(AnswerEvent::Done { finish_reason, usage, audit });
    }

    /// What the model said nothing to is no answer.
    async fn write_down(&mut self) -> Option<u64> {
        if self.log.has_words() { self.records.write_down(&self.log, &self.effective).await } else { None }
    }
}
