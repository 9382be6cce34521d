//! One question on its way to the engine: asked again once when the engine dies before it has said a word.
//!
//! ```text
//!              engine away (first time)
//!   Asking ──────────────────────────────▶ AwaitingEngine
//!     │  ▲                                   │       │
//!     │  └──────────── ready again ──────────┘       │ too long
//!     │ first words                                  ▼
//!     ▼                                            Over (failed)
//!   Answering ── the engine said done ──▶ Over (done)
//!     │
//!     └───────── engine away, or silent ──▶ Over (failed; the member may ask again)
//! ```
//!
//! Once words have been passed on, nothing is asked again by itself: the member has read them, and a second answer
//! would be another one. Dropping an [`Answer`] closes the engine's connection, and the engine stops generating.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use banyan_openai::{
    ApiError, ChatChunk, ChatMessage, ChatRequest, ChatStream, Client, ClientError, FinishReason,
    HealthStatus, Role, Usage,
};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

/// How long to wait for what. The defaults are for people; tests are quicker.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For an engine that is away to be back. The supervisor's first restarts take seconds, a starter model loads in
    /// two; beyond half a minute a person wants to know.
    pub engine_back: Duration,
    /// Between two looks whether it is back.
    pub look: Duration,
    /// For the engine to say how it is. It does so at once even while it computes; longer means that it hangs.
    pub sign_of_life: Duration,
    /// Of quiet before the first words, after which the engine is asked how it is and the member told.
    pub quiet: Duration,
    /// Between two words. A busy small box writes a word in well under this.
    pub between_words: Duration,
    /// Of quiet after which a sign of life is sent, so that no phone closes the connection.
    pub keep_alive: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            engine_back: Duration::from_secs(30),
            look: Duration::from_millis(500),
            sign_of_life: banyan_openai::client::PATIENCE,
            quiet: Duration::from_secs(4),
            between_words: Duration::from_secs(120),
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// Looks in a row at which the engine did not say how it is, after which it counts as hung.
const MAX_SILENT_LOOKS: u32 = 3;

/// What happens to a question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AnswerEvent {
    Words(String),
    Notice(Notice),
    Done { finish_reason: FinishReason, usage: Option<Usage> },
    Failed(Failure),
}

/// What a member should know while waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The engine died; the question is kept.
    Restarting,
    /// The engine reads its model.
    Loading,
    /// So many questions wait for a free place.
    Waiting(u32),
}

/// Why there is no answer, or no whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A name that the pages and the web app have words for.
    pub(crate) code: String,
    /// The engine's or the client's own words.
    pub(crate) detail: String,
    /// Whether asking the same again may help.
    pub(crate) retry: bool,
}

impl Failure {
    /// `code` when the engine went away after its first words.
    pub(crate) const ENGINE_LOST: &'static str = "engine_lost";
    /// `code` when the question alone is too long.
    pub(crate) const QUESTION_TOO_LONG: &'static str = "question_too_long";

    fn before_words(error: &ClientError) -> Self {
        let api = error.to_api_error();
        let code = if api.code().is_empty() { ApiError::INTERNAL } else { api.code() };
        let retry = api.status.is_server_error() || api.status == http::StatusCode::TOO_MANY_REQUESTS;
        Self { code: code.to_owned(), detail: error.to_string(), retry }
    }

    fn mid_answer(detail: String) -> Self {
        Self { code: Self::ENGINE_LOST.into(), detail, retry: true }
    }
}

/// How the model is asked to behave towards members, who cannot say it themselves. Left out, a model's template puts
/// its maker's own words there; with those the starter model answers nonsense.
const GUIDE: &str = "You are a helpful assistant.";

/// The events of one answer. The last is `Done` or `Failed`.
pub(crate) fn answer(
    engine: Client,
    mut request: ChatRequest,
    patience: Patience,
) -> impl Stream<Item = AnswerEvent> + Send {
    request.messages.insert(0, ChatMessage::new(Role::System, GUIDE));
    let answer = Answer {
        state: State::Asking(Box::pin(begin(engine.clone(), request.clone()))),
        engine,
        request,
        patience,
        asked_again: false,
        silent_looks: 0,
        told: None,
        finish_reason: FinishReason::Other,
        usage: None,
    };
    // `unfold` keeps the pending step between polls, so whoever polls may time out without losing anything.
    stream::unfold(answer, |mut answer| async move { answer.next().await.map(|event| (event, answer)) })
}

struct Answer {
    engine: Client,
    request: ChatRequest,
    patience: Patience,
    state: State,
    asked_again: bool,
    silent_looks: u32,
    told: Option<Notice>,
    finish_reason: FinishReason,
    usage: Option<Usage>,
}

enum State {
    Asking(Pin<Box<dyn Future<Output = Result<Begun, ClientError>> + Send>>),
    AwaitingEngine { until: Instant, last: Failure },
    Answering(Begun),
    Over,
}

/// An answer whose first words are there, or that ended without any.
struct Begun {
    read: VecDeque<ChatChunk>,
    rest: ChatStream,
}

async fn begin(engine: Client, request: ChatRequest) -> Result<Begun, ClientError> {
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

fn words(chunk: &ChatChunk) -> &str {
    chunk.choices.first().and_then(|choice| choice.delta.content.as_deref()).unwrap_or_default()
}

impl Answer {
    async fn next(&mut self) -> Option<AnswerEvent> {
        loop {
            let event = match &mut self.state {
                State::Asking(begun) => match timeout(self.patience.quiet, begun).await {
                    Ok(Ok(begun)) => {
                        self.state = State::Answering(begun);
                        None
                    }
                    Ok(Err(error)) => Some(self.not_begun(&error)),
                    Err(_quiet) => self.look_while_waiting().await,
                },
                State::AwaitingEngine { until, .. } if Instant::now() < *until => {
                    sleep(self.patience.look).await;
                    self.look_for_engine().await
                }
                State::AwaitingEngine { last, .. } => {
                    let last = last.clone();
                    Some(self.fail(last))
                }
                State::Answering(_) => self.read_on().await,
                State::Over => return None,
            };
            if event.is_some() {
                return event;
            }
        }
    }

    fn not_begun(&mut self, error: &ClientError) -> AnswerEvent {
        let failure = Failure::before_words(error);
        if !error.is_passing() || self.asked_again {
            return self.fail(failure);
        }
        let notice =
            if matches!(error, ClientError::Loading(_)) { Notice::Loading } else { Notice::Restarting };
        self.state =
            State::AwaitingEngine { until: Instant::now() + self.patience.engine_back, last: failure };
        self.told = Some(notice);
        AnswerEvent::Notice(notice)
    }

    async fn look_while_waiting(&mut self) -> Option<AnswerEvent> {
        match self.engine.health().await {
            Ok(health) => {
                self.silent_looks = 0;
                (health.waiting > 0).then(|| self.tell(Notice::Waiting(health.waiting))).flatten()
            }
            Err(error @ ClientError::Silent(_)) => {
                self.silent_looks += 1;
                (self.silent_looks >= MAX_SILENT_LOOKS).then(|| self.fail(Failure::before_words(&error)))
            }
            // The question's own connection says so too, or the engine is only too busy for a second one.
            Err(_) => None,
        }
    }

    async fn look_for_engine(&mut self) -> Option<AnswerEvent> {
        let health = match self.engine.health().await {
            Ok(health) => health,
            Err(error) => {
                self.remember(Failure::before_words(&error));
                return None;
            }
        };
        match health.status {
            HealthStatus::Ready => {
                self.asked_again = true;
                self.state = State::Asking(Box::pin(begin(self.engine.clone(), self.request.clone())));
                None
            }
            HealthStatus::Loading => {
                let reason = health.reason.unwrap_or_else(|| "the engine reads its model".into());
                self.remember(Failure::before_words(&ClientError::Loading(ApiError::model_loading(reason))));
                self.tell(Notice::Loading)
            }
            HealthStatus::Failed => {
                let reason = health.reason.unwrap_or_else(|| "the engine gives no reason".into());
                Some(self.fail(Failure {
                    code: ApiError::ENGINE_UNAVAILABLE.into(),
                    detail: reason,
                    retry: true,
                }))
            }
        }
    }

    fn remember(&mut self, failure: Failure) {
        if let State::AwaitingEngine { last, .. } = &mut self.state {
            *last = failure;
        }
    }

    /// A notice, unless it was the last one told.
    fn tell(&mut self, notice: Notice) -> Option<AnswerEvent> {
        (self.told.replace(notice) != Some(notice)).then_some(AnswerEvent::Notice(notice))
    }

    async fn read_on(&mut self) -> Option<AnswerEvent> {
        let State::Answering(begun) = &mut self.state else { return None };
        let chunk = match begun.read.pop_front() {
            Some(chunk) => Some(chunk),
            None => match timeout(self.patience.between_words, begun.rest.next()).await {
                Ok(Some(Ok(chunk))) => Some(chunk),
                Ok(Some(Err(error))) => return Some(self.fail_mid_answer(&error)),
                Ok(None) => None,
                Err(_) => {
                    let silent = ClientError::Silent(self.patience.between_words);
                    return Some(self.fail_mid_answer(&silent));
                }
            },
        };
        let Some(chunk) = chunk else {
            self.state = State::Over;
            return Some(AnswerEvent::Done { finish_reason: self.finish_reason, usage: self.usage.take() });
        };
        if let Some(reason) = chunk.choices.first().and_then(|choice| choice.finish_reason) {
            self.finish_reason = reason;
        }
        let words = words(&chunk).to_owned();
        self.usage = chunk.usage.or(self.usage.take());
        (!words.is_empty()).then_some(AnswerEvent::Words(words))
    }

    fn fail_mid_answer(&mut self, error: &ClientError) -> AnswerEvent {
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
