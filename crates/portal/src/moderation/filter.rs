//! An answer on its way through the rules, piece by piece.

use std::sync::Arc;

use banyan_governance::moderation::{AnswerWatch, Ruling};
use banyan_governance::policy::{ModerationAction, ModerationSide};
use banyan_openai::Client;

use super::Effective;
use super::meaning::Sentences;
use super::tail::Tail;
use crate::answer::AnswerLog;

/// What becomes of a piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// What can be shown now.
    pub(crate) text: String,
    /// The strictest thing that rules say which fired just now.
    pub(crate) action: Option<ModerationAction>,
}

/// The filter of one answer.
pub(crate) struct Filter {
    effective: Arc<Effective>,
    engine: Client,
    watch: AnswerWatch,
    /// Bytes of the watched text that were passed on.
    shown: usize,
    /// How many rules had fired.
    fired: usize,
    /// Whole sentences, where a rule goes by meaning.
    sentences: Option<Sentences>,
    tail: Tail,
    /// Bytes of the watched text that came through everything.
    said: usize,
}

impl Filter {
    pub(crate) fn new(effective: Arc<Effective>, engine: Client) -> Self {
        let policy = effective.policy();
        let own = std::iter::once(policy.closing.as_str());
        let own = own.chain(policy.disclaimers.iter().map(|disclaimer| disclaimer.text.as_str()));
        let by_meaning = effective.rules().semantic(ModerationSide::Answer).next().is_some();
        Self {
            watch: effective.rules().watch(),
            tail: Tail::new(own),
            sentences: by_meaning.then(Sentences::default),
            shown: 0,
            said: 0,
            fired: 0,
            engine,
            effective,
        }
    }

    /// Everything that the model said.
    pub(crate) fn whole(&self) -> &str {
        self.watch.text()
    }

    /// Takes the next piece.
    pub(crate) async fn push(&mut self, piece: &str, log: &mut AnswerLog) -> Passed {
        let may_show = self.watch.push(piece);
        self.pass(may_show, false, log).await
    }

    /// Says what can be shown of the rest, now that there is nothing more.
    pub(crate) async fn finish(&mut self, log: &mut AnswerLog) -> Passed {
        let may_show = self.watch.finish();
        let mut passed = self.pass(may_show, true, log).await;
        if !is_withheld(passed.action) {
            let rest = self.tail.finish();
            self.said += rest.len();
            passed.text.push_str(&rest);
        }
        passed
    }

    /// What the box puts under a whole answer: the disclaimers that it calls for, then the closing. Nothing is put under
    /// nothing.
    pub(crate) fn ending(&self, question: &str, log: &mut AnswerLog) -> String {
        let shown = self.whole().get(..self.said).unwrap_or_default();
        if self.whole().trim().is_empty() {
            return String::new();
        }
        let policy = self.effective.policy();
        let mut own = policy.disclaimers(question, shown);
        if !own.is_empty() {
            log.applied(["disclaimer"]);
        }
        let closing = policy.closing.trim();
        let ends_so = own.is_empty() && shown.trim_end().ends_with(closing);
        if !closing.is_empty() && !ends_so {
            log.applied(["closing"]);
            own.push(closing);
        }
        own.iter().map(|text| format!("\n\n{text}")).collect()
    }

    async fn pass(&mut self, may_show: usize, is_over: bool, log: &mut AnswerLog) -> Passed {
        let ruling = self.watch.ruling();
        let mut action = (ruling.fired.len() > self.fired).then_some(ruling.action);
        self.fired = ruling.fired.len();
        log.applied(ruling.fired.iter().map(String::as_str));
        let fresh = self.watch.text().get(self.shown..may_show).unwrap_or_default().to_owned();
        self.shown = self.shown.max(may_show);
        let mut text = String::new();
        match self.sentences.take() {
            None => text.push_str(&fresh),
            Some(mut sentences) => {
                let mut whole = sentences.push(&fresh);
                if is_over {
                    whole.push(sentences.finish());
                }
                for sentence in whole {
                    let meant = self.look_at(&sentence, log).await;
                    action = action.max(meant);
                    if is_withheld(meant) {
                        break;
                    }
                    text.push_str(&sentence);
                }
                self.sentences = Some(sentences);
            }
        }
        let text = self.tail.push(&text);
        self.said += text.len();
        Passed { text, action }
    }

    /// What the rules that go by meaning say to a sentence.
    async fn look_at(&self, sentence: &str, log: &mut AnswerLog) -> Option<ModerationAction> {
        let side = ModerationSide::Answer;
        let ruling = self.effective.with_meaning(side, sentence, Ruling::default(), &self.engine, log).await;
        log.applied(ruling.fired.iter().map(String::as_str));
        (!ruling.fired.is_empty()).then_some(ruling.action)
    }
}

fn is_withheld(action: Option<ModerationAction>) -> bool {
    action >= Some(ModerationAction::Hold)
}
