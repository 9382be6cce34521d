//! One question on its way: it waits for its turn, is asked of an engine, and of another when that one dies before it has
//! said a word.
//!
//! ```text
//!             its turn                   first words
//!   Queued ─────────────▶ Asking ─────────────────────▶ Answering ── the engine said done ──▶ Over (done)
//!     │                   │  ▲  ▲                           │
//!     │     engine failed │  │  └─ another is free          └── engine away, or silent ──▶ Over (failed; ask again)
//!     │                   ▼  │ one is there again
//!     │                 AwaitingEngine ── too long ──▶ Over (failed)
//!     └── no engine for too long, or its deadline passed ──▶ Over (failed)
//! ```
//!
//! Once words have been passed on, nothing is asked again by itself: the member has read them, and a second answer
//! would be another one. Dropping the events closes the engine's connection, the engine stops generating, and its
//! place goes to the next in the queue.

mod event;
mod finder;
mod grounds;
mod log;
mod obeying;
mod passages;
mod patience;
mod records;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use banyan_openai::{ApiError, ChatChunk, ChatRequest, ChatStream, ClientError, FinishReason, Usage};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout};

pub(crate) use self::event::{AnswerEvent, Failure, Notice, Saying, Step, seconds};
pub(crate) use self::finder::Finder;
pub(crate) use self::grounds::Grounds;
pub(crate) use self::log::AnswerLog;
pub(crate) use self::obeying::{Context, Obeying};
pub(crate) use self::passages::{CitedPassage, Passages, Rests};
pub use self::patience::Patience;
pub(crate) use self::records::Records;
use crate::engines::{EngineState, Engines, Lease};
use crate::queue::{AfterFailure, Progress, Standing, Ticket, Turn};

/// Looks in a row at which the engine did not say how it is, after which it counts as hung.
const MAX_SILENT_LOOKS: u32 = 3;

/// The events of one answer after the first standing. The last is `Done` or `Failed`. The request is as the community's
/// policy wants it already; what the answer may rest on is put into it when an engine is there to read it.
pub(crate) fn answer(
    engines: Engines,
    ticket: Ticket,
    request: ChatRequest,
    grounds: Option<Arc<Grounds>>,
    patience: Patience,
) -> impl Stream<Item = Step> + Send {
    let answer = Answer {
        state: State::Queued(ticket),
        engines,
        request,
        grounds,
        patience,
        told_standing: None,
        away_since: None,
        silent_looks: 0,
        told: None,
        told_model: false,
        finish_reason: FinishReason::Other,
        usage: None,
    };
    // `unfold` keeps the pending step between polls, so whoever polls may time out without losing anything.
    stream::unfold(answer, |mut answer| async move { answer.next().await.map(|step| (step, answer)) })
}

struct Answer {
    engines: Engines,
    request: ChatRequest,
    grounds: Option<Arc<Grounds>>,
    patience: Patience,
    state: State,
    told_standing: Option<(Standing, Instant)>,
    /// Since when no engine is ready.
    away_since: Option<Instant>,
    silent_looks: u32,
    told: Option<Notice>,
    told_model: bool,
    finish_reason: FinishReason,
    usage: Option<Usage>,
}

enum State {
    Queued(Ticket),
    Asking { turn: Turn, begun: Pin<Box<dyn Future<Output = Result<Begun, ClientError>> + Send>> },
    AwaitingEngine { turn: Turn, until: Instant, last: Failure },
    Answering { begun: Begun, _turn: Turn },
    Over,
}

/// An answer whose first words are there, or that ended without any.
struct Begun {
    read: VecDeque<ChatChunk>,
    rest: ChatStream,
}

fn begin(
    lease: &Lease,
    request: &ChatRequest,
    grounds: Option<Arc<Grounds>>,
) -> impl Future<Output = Result<Begun, ClientError>> + use<> {
    let (engine, context) = (lease.client().clone(), lease.context_length());
    let mut request = request.clone();
    lease.fit(&mut request);
    async move {
        if let Some(grounds) = grounds {
            grounds.put_into(&mut request, context).await;
        }
        let mut rest = engine.chat_stream(&request).await?;
        let mut read = VecDeque::new();
        while let Some(chunk) = rest.next().await.transpose()? {
            let has_words = !words(&chunk).is_empty();
            read.push_back(chunk);
            if has_words {
                break;
            }
        }
        Ok(Begun { read, rest })
    }
}

fn words(chunk: &ChatChunk) -> &str {
    chunk.choices.first().and_then(|choice| choice.delta.content.as_deref()).unwrap_or_default()
}

impl Answer {
    async fn next(&mut self) -> Option<Step> {
        loop {
            let step = match std::mem::replace(&mut self.state, State::Over) {
                State::Queued(ticket) => self.wait_for_turn(ticket).await.map(Step::Event),
                State::Asking { turn, begun } => self.wait_for_words(turn, begun).await,
                State::AwaitingEngine { turn, until, last } => {
                    self.wait_for_engine(turn, until, last).await.map(Step::Event)
                }
                State::Answering { begun, _turn } => self.read_on(begun, _turn).await,
                State::Over => return None,
            };
            if step.is_some() {
                return step;
            }
        }
    }

    async fn wait_for_turn(&mut self, mut ticket: Ticket) -> Option<AnswerEvent> {
        match timeout(self.patience.look, ticket.next()).await {
            Ok(Progress::Turn(mut turn)) => {
                // Another machine's engine does not know the adapter or model that was decided on.
                let unfit = self.engines.without(&self.request.model);
                let patience = self.patience.engine_back + self.patience.between_words;
                if timeout(patience, turn.avoids(&unfit)).await.is_err() {
                    return Some(self.fail(Failure::unavailable("the box's own engine has no place".into())));
                }
                self.ask(turn);
                Some(AnswerEvent::Queued { place: 0, expected_s: Some(0) })
            }
            Ok(Progress::Overdue) => Some(self.fail(Failure::overdue())),
            moved => {
                let standing = ticket.standing();
                self.state = State::Queued(ticket);
                let away = self.look_for_engines(None);
                if away.is_some() || moved.is_err() {
                    return away;
                }
                self.tell_standing(standing)
            }
        }
    }

    /// A new place at once; a new time only now and then, the rarer the further away it is.
    fn tell_standing(&mut self, standing: Standing) -> Option<AnswerEvent> {
        let now = Instant::now();
        let far = standing.expected.unwrap_or_default() / 8;
        let pace = far.clamp(Duration::from_secs(2), Duration::from_secs(30));
        let is_news = self
            .told_standing
            .is_none_or(|(told, at)| told.place != standing.place || now.duration_since(at) >= pace);
        is_news.then(|| {
            self.told_standing = Some((standing, now));
            AnswerEvent::queued(standing)
        })
    }

    /// Asks the engine of this turn; without one, waits for it.
    fn ask(&mut self, turn: Turn) {
        self.state = match turn.lease().map(|lease| begin(lease, &self.request, self.grounds.clone())) {
            Some(begun) => State::Asking { begun: Box::pin(begun), turn },
            None => self.awaiting(turn, Failure::unavailable("no engine is ready".into())),
        };
    }

    fn awaiting(&self, turn: Turn, last: Failure) -> State {
        let until = Instant::now() + self.patience.engine_back + self.patience.between_words;
        State::AwaitingEngine { turn, until, last }
    }

    async fn wait_for_words(
        &mut self,
        mut turn: Turn,
        mut begun: Pin<Box<dyn Future<Output = Result<Begun, ClientError>> + Send>>,
    ) -> Option<Step> {
        match timeout(self.patience.quiet, &mut begun).await {
            Ok(Ok(begun)) => {
                turn.works();
                self.state = State::Answering { begun, _turn: turn };
                None
            }
            Ok(Err(error)) => self.not_begun(turn, &error),
            Err(_quiet) => {
                let engine = turn.lease().map_or(self.engines.own(), Lease::client).clone();
                match engine.health().await {
                    Ok(health) => {
                        self.silent_looks = 0;
                        self.state = State::Asking { turn, begun };
                        let notice = (health.waiting > 0).then(|| self.tell(Notice::Waiting(health.waiting)));
                        notice.flatten().map(Step::Event)
                    }
                    Err(error @ ClientError::Silent(_)) if self.silent_looks + 1 >= MAX_SILENT_LOOKS => {
                        self.silent_looks = 0;
                        self.not_begun(turn, &error)
                    }
                    // The question's own connection says so too, or the engine is only too busy for a second one.
                    other => {
                        self.silent_looks += u32::from(matches!(other, Err(ClientError::Silent(_))));
                        self.state = State::Asking { turn, begun };
                        None
                    }
                }
            }
        }
    }

    fn not_begun(&mut self, mut turn: Turn, error: &ClientError) -> Option<Step> {
        if self.has_no_such_model(error) {
            self.request.model.clear();
            self.ask(turn);
            return Some(Step::ModelMissing);
        }
        let failure = Failure::before_words(error);
        match turn.fails(error) {
            AfterFailure::Moved => {
                self.ask(turn);
                None
            }
            AfterFailure::Wait => {
                self.state = self.awaiting(turn, failure);
                let notice = match error {
                    ClientError::Loading(_) => Notice::Loading,
                    ClientError::Refused(_) => return None,
                    _ => Notice::Restarting,
                };
                self.tell(notice).map(Step::Event)
            }
            AfterFailure::Over => Some(Step::Event(self.fail(failure))),
        }
    }

    /// What was decided on may have been removed since; the box answers all the same, and says so in the audit entry.
    fn has_no_such_model(&self, error: &ClientError) -> bool {
        let is_unknown =
            matches!(error, ClientError::Refused(refusal) if refusal.code() == ApiError::MODEL_NOT_FOUND);
        is_unknown && !self.request.model.is_empty()
    }

    async fn wait_for_engine(
        &mut self,
        mut turn: Turn,
        until: Instant,
        last: Failure,
    ) -> Option<AnswerEvent> {
        let changed = self.engines.changed();
        if turn.returns() {
            self.ask(turn);
            return None;
        }
        timeout(self.patience.look, changed).await.ok();
        if Instant::now() >= until {
            return Some(self.fail(last));
        }
        self.state = State::AwaitingEngine { turn, until, last: last.clone() };
        self.look_for_engines(Some(last))
    }

    /// What is to be said while no engine is ready. `last`: what the engine said when it failed, where it did.
    fn look_for_engines(&mut self, last: Option<Failure>) -> Option<AnswerEvent> {
        if self.engines.capacity() > 0 {
            self.away_since = None;
            return None;
        }
        let own = self.engines.views().into_iter().next();
        let state = own.as_ref().map_or(EngineState::Away, |own| own.state);
        let since = *self.away_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.patience.engine_back {
            let reason = own.and_then(|own| own.reason).unwrap_or_else(|| "no engine is ready".into());
            let seen = match state {
                EngineState::Loading => Failure::loading(reason),
                _ => Failure::unavailable(reason),
            };
            // A full engine rests for a moment too; that it was full is what the member should know.
            return Some(self.fail(last.filter(Failure::is_busy).unwrap_or(seen)));
        }
        match state {
            EngineState::Loading => self.tell(Notice::Loading),
            EngineState::Away if !last.is_some_and(|last| last.is_busy()) => self.tell(Notice::Restarting),
            _ => None,
        }
    }

    /// A notice, unless it was the last one told.
    fn tell(&mut self, notice: Notice) -> Option<AnswerEvent> {
        (self.told.replace(notice) != Some(notice)).then_some(AnswerEvent::Notice(notice))
    }

    async fn read_on(&mut self, mut begun: Begun, turn: Turn) -> Option<Step> {
        if let Some(first) = begun.read.front()
            && !std::mem::replace(&mut self.told_model, true)
        {
            let model = first.model.clone();
            self.state = State::Answering { begun, _turn: turn };
            return Some(Step::Begun { model });
        }
        let chunk = match begun.read.pop_front() {
            Some(chunk) => Some(chunk),
            None => match timeout(self.patience.between_words, begun.rest.next()).await {
                Ok(Some(Ok(chunk))) => Some(chunk),
                Ok(Some(Err(error))) => return Some(Step::Event(self.fail_mid_answer(&turn, &error))),
                Ok(None) => None,
                Err(_) => {
                    let silent = ClientError::Silent(self.patience.between_words);
                    return Some(Step::Event(self.fail_mid_answer(&turn, &silent)));
                }
            },
        };
        let Some(chunk) = chunk else {
            let (finish_reason, usage) = (self.finish_reason, self.usage.take());
            return Some(Step::Event(AnswerEvent::Done { finish_reason, usage, audit: None }));
        };
        self.state = State::Answering { begun, _turn: turn };
        if let Some(reason) = chunk.choices.first().and_then(|choice| choice.finish_reason) {
            self.finish_reason = reason;
        }
        let words = words(&chunk).to_owned();
        self.usage = chunk.usage.or(self.usage.take());
        (!words.is_empty()).then_some(Step::Event(AnswerEvent::Words(words)))
    }

    fn fail_mid_answer(&mut self, turn: &Turn, error: &ClientError) -> AnswerEvent {
        if let Some(lease) = turn.lease() {
            lease.failed(error);
        }
        let failure = match error {
            ClientError::Refused(_) => Failure::before_words(error),
            _ => Failure::mid_answer(error.to_string()),
        };
        self.fail(failure)
    }

    fn fail(&mut self, failure: Failure) -> AnswerEvent {
        self.state = State::Over;
        AnswerEvent::Failed(failure)
    }
}
