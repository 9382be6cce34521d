//! One sequence that is in the engine: its text so far and its way out.

use super::{CacheScope, Event, Finish, InFlight, Request, ScoredToken, Submission};
use crate::adapters::AdapterLease;
use crate::constraint::{Constraint, ConstraintError};
use crate::detokenize::{Detokenizer, StopFilter};
use crate::error::EngineError;
use crate::prefix::Keys;
use crate::sampler::{Picked, Sampler, Scratch};
use crate::speculation::Lookup;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

/// Everything the thread keeps of a sequence, beside what the scheduler knows.
pub(super) struct Live {
    /// The prompt and then the answer. The last token of an answer is picked and not yet computed.
    pub(super) tokens: Vec<u32>,
    pub(super) adapter: u32,
    pub(super) scope: CacheScope,
    /// Names of the blocks of `tokens` in the prefix pool.
    pub(super) keys: Keys,
    /// Tokens of the prompt that came out of the pool.
    pub(super) cached: usize,
    /// Guesses what comes next.
    pub(super) lookup: Lookup,
    prompt: usize,
    pub(super) outbox: Outbox,
    pub(super) arrived: Instant,
    /// When it got a slot.
    pub(super) started: Option<Instant>,
    pub(super) last_token: Option<Instant>,
    max_tokens: usize,
    sampler: Sampler,
    constraint: Option<Constraint>,
    detokenizer: Detokenizer,
    stops: StopFilter,
    _place: InFlight,
    /// Keeps the adapter's weights.
    _lease: AdapterLease,
}

impl Live {
    pub(super) fn new(submission: Submission, detokenizer: Detokenizer) -> Live {
        let Submission { request, events, place } = submission;
        let Request { prompt, max_tokens, sampling, stop, adapter, scope, constraint } = request;
        Live {
            adapter: adapter.id(),
            scope,
            keys: Keys::of(&prompt, adapter.id(), scope),
            cached: 0,
            lookup: Lookup::default(),
            prompt: prompt.len(),
            outbox: Outbox::new(events),
            arrived: Instant::now(),
            started: None,
            last_token: None,
            max_tokens: max_tokens.unwrap_or(usize::MAX),
            sampler: Sampler::new(sampling, &prompt),
            constraint,
            detokenizer,
            stops: StopFilter::new(stop),
            tokens: prompt,
            _place: place,
            _lease: adapter,
        }
    }

    /// Tokens of the prompt.
    pub(super) fn prompt(&self) -> usize {
        self.prompt
    }

    /// Tokens of the answer so far.
    pub(super) fn generated(&self) -> usize {
        self.tokens.len() - self.prompt
    }

    /// The token that the next decode run computes.
    pub(super) fn next(&self) -> u32 {
        self.tokens.last().copied().unwrap_or_default()
    }

    /// Tokens that the answer may still have, beyond the next one.
    pub(super) fn left(&self) -> usize {
        (self.max_tokens - self.generated()).saturating_sub(1)
    }

    /// Names the blocks of what the row holds by now.
    pub(super) fn name_blocks(&mut self, held: usize) {
        self.keys.extend(&self.tokens[..held.min(self.tokens.len())], self.adapter, self.scope);
    }

    /// Picks the next token from its logits and takes it in. `room` is how many more tokens the row can hold. Returns
    /// whether the answer has ended; then the last event stands in the outbox.
    pub(super) fn advance(
        &mut self,
        logits: &mut [f32],
        scratch: &mut Scratch,
        eos: &[u32],
        room: usize,
    ) -> Result<bool, EngineError> {
        let (Picked { token, logprob }, whole) = match self.pick(logits, scratch, eos) {
            Ok(picked) => picked,
            Err(e) => {
                self.outbox.fail(e.to_string());
                return Ok(true);
            }
        };
        self.tokens.push(token);
        if eos.contains(&token) {
            self.end(Finish::Stop)?;
            return Ok(true);
        }
        let text = self.detokenizer.push(token)?;
        let (shown, stopped) = self.stops.push(&text);
        self.outbox.add(&shown, logprob.map(|logprob| ScoredToken { token, logprob }));
        if stopped {
            self.outbox.last = Some(self.done(Finish::Stop));
            return Ok(true);
        }
        if whole {
            self.end(Finish::Stop)?;
            return Ok(true);
        }
        if self.generated() >= self.max_tokens || room == 0 {
            self.end(Finish::Length)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The next token, and whether with it the answer's form is whole so that nothing can follow.
    fn pick(
        &mut self,
        logits: &mut [f32],
        scratch: &mut Scratch,
        eos: &[u32],
    ) -> Result<(Picked, bool), ConstraintError> {
        let Some(constraint) = &mut self.constraint else {
            return Ok((self.sampler.pick(logits, scratch), false));
        };
        let picked = self.sampler.pick_within(constraint, logits, scratch)?;
        let whole = !eos.contains(&picked.token) && constraint.accept(picked.token)?;
        Ok((picked, whole))
    }

    /// Gives out what was held back, and the last event.
    fn end(&mut self, finish: Finish) -> Result<(), EngineError> {
        let held = self.detokenizer.finish()?;
        let (shown, stopped) = self.stops.push(&held);
        self.outbox.add(&shown, None);
        if !stopped {
            let rest = self.stops.finish();
            self.outbox.add(&rest, None);
        }
        self.outbox.last = Some(self.done(if stopped { Finish::Stop } else { finish }));
        Ok(())
    }

    fn done(&self, finish: Finish) -> Event {
        Event::Done {
            finish,
            prompt_tokens: self.prompt,
            completion_tokens: self.generated(),
            cached_tokens: self.cached,
        }
    }

    /// How long it has held its slot.
    pub(super) fn service_time(&self) -> Option<Duration> {
        self.started.map(|at| at.elapsed())
    }
}

/// Events on their way to a reader that may be slow.
pub(super) struct Outbox {
    events: Sender<Event>,
    text: String,
    scored: Vec<ScoredToken>,
    last: Option<Event>,
}

/// How a [`Outbox::flush`] went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing is left.
    All,
    /// The reader's channel is full; try again later.
    Later,
    /// The reader is gone.
    Gone,
}

impl Outbox {
    pub(super) fn new(events: Sender<Event>) -> Outbox {
        Outbox { events, text: String::new(), scored: Vec::new(), last: None }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.events.is_closed()
    }

    pub(super) fn fail(&mut self, reason: String) {
        self.last = Some(Event::Failed(reason));
    }

    fn add(&mut self, text: &str, scored: Option<ScoredToken>) {
        self.text.push_str(text);
        self.scored.extend(scored);
    }

    /// Sends what there is, as far as the channel takes it.
    pub(super) fn flush(&mut self) -> Flushed {
        if !self.text.is_empty() || !self.scored.is_empty() {
            let piece = Event::Piece {
                text: std::mem::take(&mut self.text),
                scored: std::mem::take(&mut self.scored),
            };
            match self.events.try_send(piece) {
                Ok(()) => {}
                Err(TrySendError::Full(Event::Piece { text, scored })) => {
                    (self.text, self.scored) = (text, scored);
                    return Flushed::Later;
                }
                Err(_) => return Flushed::Gone,
            }
        }
        match self.last.take().map(|last| self.events.try_send(last)) {
            None | Some(Ok(())) => Flushed::All,
            Some(Err(TrySendError::Full(last))) => {
                self.last = Some(last);
                Flushed::Later
            }
            Some(Err(TrySendError::Closed(_))) => Flushed::Gone,
        }
    }
}
