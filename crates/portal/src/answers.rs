//! The answers that are being written, and those that were a moment ago: they outlive the connection that asked.
//!
//! * [`Answer`] keeps every event of one answer under its number. Any number of listeners read on from wherever they are:
//!   a reload, a second tab, a phone that lost the Wi-Fi.
//! * [`Answers`] has them by name. An answer is told to nobody but the member who asked. It looks at a question by the
//!   community's rules before any engine does.
//! * `allowed` answers the questions that a moderator let through.
//!
//! What is kept is in memory only, for [`Patience::kept_answer`] after the end, and bounded: in events and bytes for one
//! answer, in number for one member and in all. An answer that nobody listens to is stopped after
//! [`Patience::nobody_listens`], so a box does not write for phones that went home.

mod allowed;
mod book;
mod listener;
mod quiet;

use std::sync::Arc;

use banyan_assembly::answers::{AnswerAction, Turn};
use banyan_knowledge::Reader;
use banyan_openai::{ChatRequest, FinishReason};
use tokio::sync::Notify;
use tokio::time::sleep;

use self::book::Book;
pub(crate) use self::listener::{Answer, Listener, Owners};
pub(crate) use self::quiet::{Quiet, Said};
use crate::Patience;
use crate::answer::{
    AnswerEvent, AnswerLog, Context, Failure, Finder, Grounds, Notice, Obeying, Records, Saying, answer,
};
use crate::engines::Engines;
use crate::moderation::{Effective, Verdict};
use crate::pages::conversation::{Conversation, Speaker};
use crate::queue::{Ask, Class, Member, Ticket, Turns};

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
    /// For whom the library is asked; none: the answer does without it.
    pub(crate) reader: Option<Reader>,
}

/// All answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers {
    book: Arc<Book>,
    turns: Turns,
    engines: Engines,
    records: Records,
    /// None on a box without a library.
    finder: Option<Finder>,
    patience: Patience,
    /// A moderator let a question through.
    allowed: Arc<Notify>,
}

impl Answers {
    pub(crate) fn new(
        turns: Turns,
        engines: Engines,
        records: Records,
        finder: Option<Finder>,
        patience: Patience,
    ) -> Self {
        let (book, allowed) = (Arc::default(), Arc::default());
        Self { book, turns, engines, records, finder, patience, allowed }
    }

    /// Looks at a question by the community's rules, and takes it into the queue. Where the rules give the answer,
    /// no engine is asked, and no library. Needs a runtime.
    pub(crate) async fn begin(
        &self,
        question: Question,
        effective: Arc<Effective>,
    ) -> Result<Arc<Answer>, Failure> {
        let mut log = AnswerLog::new();
        let verdict = effective.judge(&question.asked.question, self.engines.own(), &mut log).await;
        let context = context(&question);
        match verdict {
            Verdict::Ask { warn } => self.ask(question, effective, context, log, warn),
            Verdict::Say(saying, action) => {
                self.turns.charge(question.owners.counted())?;
                log.came_to(action);
                Ok(self.say(question, effective, log, saying))
            }
            Verdict::Hold => {
                self.turns.charge(question.owners.counted())?;
                self.records.hold(context.held(log.rules(), None)).await?;
                log.came_to(AnswerAction::Held);
                Ok(self.say(question, effective, log, Saying::Held))
            }
        }
    }

    fn ask(
        &self,
        question: Question,
        effective: Arc<Effective>,
        context: Context,
        mut log: AnswerLog,
        warn: bool,
    ) -> Result<Arc<Answer>, Failure> {
        let Question { owners, asked, request, class, deadline, reader } = question;
        let ask = Ask { member: owners.counted().clone(), class, deadline };
        // Whoever gets no place does not search either.
        let mut ticket = self.turns.enter(&ask)?;
        let kept = Answer::new(owners, asked);
        self.book.add(kept.clone());
        if warn {
            log.came_to(AnswerAction::Warned);
        }
        let searches = self.finder.is_some() && reader.is_some();
        if !searches {
            tell_standing(&kept, &mut ticket, warn);
        }
        let (answers, answering) = (self.clone(), kept.clone());
        tokio::spawn(async move {
            // It keeps its place in the queue meanwhile.
            let grounds = answers.look_up(&answering, reader, &effective, &mut log).await;
            if searches {
                tell_standing(&answering, &mut ticket, warn);
            }
            let Self { engines, records, patience, book, .. } = answers;
            let request = effective.prepare(request);
            let steps = answer(engines.clone(), ticket, request, grounds.clone(), patience.clone());
            let engine = engines.own().clone();
            let obeying = Obeying::new(steps, effective, engine, records, context, grounds, log);
            write(answering, obeying, book, patience).await;
        });
        Ok(kept)
    }

    /// Looks into the library, shows what is there, and gives what the answer may rest on.
    async fn look_up(
        &self,
        answer: &Answer,
        reader: Option<Reader>,
        effective: &Effective,
        log: &mut AnswerLog,
    ) -> Option<Arc<Grounds>> {
        let (finder, reader) = (self.finder.as_ref()?, reader?);
        let Asked { conversation, question } = answer.asked();
        let earlier: Vec<String> = conversation
            .turns()
            .iter()
            .filter(|turn| turn.role == Speaker::User)
            .map(|turn| turn.content.clone())
            .collect();
        match finder.find(question, &earlier, reader, effective.policy()).await {
            Ok(grounds) => {
                let grounds = Arc::new(grounds?);
                answer.push(grounds.event());
                Some(grounds)
            }
            Err(reason) => {
                tracing::warn!(reason, "an answer goes without the library");
                log.skipped(reason);
                None
            }
        }
    }

    /// An answer that the box gives itself.
    fn say(
        &self,
        question: Question,
        effective: Arc<Effective>,
        log: AnswerLog,
        saying: Saying,
    ) -> Arc<Answer> {
        let kept = Answer::new(question.owners, question.asked);
        kept.push(AnswerEvent::Said(saying));
        self.book.add(kept.clone());
        let (said, book, records, patience) =
            (kept.clone(), self.book.clone(), self.records.clone(), self.patience.clone());
        tokio::spawn(async move {
            let audit = records.write_down(&log, &effective).await;
            said.push(AnswerEvent::Done { finish_reason: FinishReason::ContentFilter, usage: None, audit });
            keep_for_a_while(said, &book, &patience).await;
        });
        kept
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

/// Where it stands in the queue, and what is to be known beside that.
fn tell_standing(kept: &Answer, ticket: &mut Ticket, warn: bool) {
    kept.push(AnswerEvent::queued(ticket.standing()));
    if ticket.declined() {
        kept.push(AnswerEvent::Notice(Notice::NotUrgent));
    }
    if warn {
        kept.push(AnswerEvent::Warning);
    }
}

fn context(question: &Question) -> Context {
    let turn = |turn: &crate::pages::conversation::Turn| Turn {
        role: if turn.role == Speaker::User { "user".into() } else { "assistant".into() },
        content: turn.content.clone(),
    };
    Context {
        owner: question.owners.lasting(),
        earlier: question.asked.conversation.turns().iter().map(turn).collect(),
        question: question.asked.question.clone(),
    }
}

/// Writes one answer down until it ends or is not wanted any more, and keeps it for a while.
async fn write(kept: Arc<Answer>, mut obeying: Obeying, book: Arc<Book>, patience: Patience) {
    loop {
        let event = tokio::select! {
            biased;
            () = kept.unwanted(patience.nobody_listens) => None,
            event = obeying.next() => match event {
                Some(event) if event.is_last() || kept.has_room() => Some(event),
                Some(_) => Some(AnswerEvent::Failed(Failure::endless())),
                None => break,
            },
        };
        let event = match event {
            Some(event) => event,
            None => obeying.stop().await,
        };
        let is_last = event.is_last();
        kept.push(event);
        if is_last {
            break;
        }
    }
    // That frees the engine's place.
    drop(obeying);
    keep_for_a_while(kept, &book, &patience).await;
}

async fn keep_for_a_while(kept: Arc<Answer>, book: &Book, patience: &Patience) {
    kept.end();
    book.ended(&kept);
    let id = kept.id().to_owned();
    // From here on the book alone has it, so that its limits bound what is kept.
    drop(kept);
    sleep(patience.kept_answer).await;
    book.forget(&id);
}
