//! The answers that are being written, and those that were a moment ago: they outlive the connection that asked.
//!
//! * [`Answer`] keeps every event of one answer under its number. Any number of listeners read on from wherever they are:
//!   a reload, a second tab, a phone that lost the Wi-Fi.
//! * [`Answers`] has them by name. An answer is told to nobody but the member who asked.
//!
//! What is kept is in memory only, for [`Patience::kept_answer`] after the end, and bounded: in events and bytes for one
//! answer, in number for one member and in all. An answer that nobody listens to is stopped after
//! [`Patience::nobody_listens`], so a box does not write for phones that went home.

mod book;
mod listener;

use std::sync::Arc;

use banyan_openai::ChatRequest;
use futures_util::StreamExt;
use tokio::time::sleep;

use self::book::Book;
pub(crate) use self::listener::{Answer, Listener, Owners};
use crate::Patience;
use crate::answer::{AnswerEvent, Failure, Notice, answer};
use crate::engines::Engines;
use crate::pages::conversation::Conversation;
use crate::queue::{Ask, Class, Member, Refusal, Turns};

/// What was asked, as far as a page needs it to show the answer again.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) conversation: Conversation,
    pub(crate) question: String,
}

/// A question on its way into the queue.
pub(crate) struct Question {
    pub(crate) owners: Owners,
    pub(crate) asked: Asked,
    pub(crate) request: ChatRequest,
    pub(crate) class: Class,
    pub(crate) deadline: Option<std::time::Duration>,
}

/// All answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers {
    book: Arc<Book>,
    turns: Turns,
    engines: Engines,
    patience: Patience,
}

impl Answers {
    pub(crate) fn new(turns: Turns, engines: Engines, patience: Patience) -> Self {
        Self { book: Arc::new(Book::default()), turns, engines, patience }
    }

    /// Takes a question into the queue; its first standing is there when this returns. Needs a runtime.
    pub(crate) fn begin(&self, question: Question) -> Result<Arc<Answer>, Refusal> {
        let Question { owners, asked, request, class, deadline } = question;
        let ask = Ask { member: owners.counted().clone(), class, deadline };
        let mut ticket = self.turns.enter(&ask)?;
        let kept = Answer::new(owners, asked);
        kept.push(AnswerEvent::queued(ticket.standing()));
        if ticket.declined() {
            kept.push(AnswerEvent::Notice(Notice::NotUrgent));
        }
        self.book.add(kept.clone());
        let events = answer(self.engines.clone(), ticket, request, self.patience.clone());
        tokio::spawn(write(kept.clone(), events, self.book.clone(), self.patience.clone()));
        Ok(kept)
    }

    /// An answer by its name; none when there is no such, or it is another member's.
    pub(crate) fn find(&self, id: &str, member: &Member) -> Option<Arc<Answer>> {
        self.book.find(id, member)
    }

    /// Stops all that are being written.
    pub(crate) fn stop_all(&self) {
        self.book.stop_all();
    }
}

/// Writes one answer down until it ends or is not wanted any more, and keeps it for a while.
async fn write(
    kept: Arc<Answer>,
    events: impl futures_util::Stream<Item = AnswerEvent>,
    book: Arc<Book>,
    patience: Patience,
) {
    {
        // Dropped before the rest of this function: that frees the engine's place.
        let mut events = std::pin::pin!(events);
        loop {
            let event = tokio::select! {
                biased;
                () = kept.unwanted(patience.nobody_listens) => AnswerEvent::Stopped,
                event = events.next() => match event {
                    Some(event) if kept.has_room() => event,
                    Some(_) => AnswerEvent::Failed(Failure::endless()),
                    None => break,
                },
            };
            let is_last = event.is_last();
            kept.push(event);
            if is_last {
                break;
            }
        }
    }
    kept.end();
    book.ended(&kept);
    sleep(patience.kept_answer).await;
    book.forget(&kept);
}
