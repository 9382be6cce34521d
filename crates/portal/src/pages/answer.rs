//! The page of one answer: written piece by piece while the answer is, and again from its beginning after a reload.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use banyan_knowledge::ground::{Citations, Piece};
use banyan_openai::FinishReason;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use minijinja::{Value, context};
use tokio::time::timeout;

use super::chat::notice_text;
use super::conversation::{Conversation, Speaker};
use super::failure::{Remedy, minutes, wording};
use super::passages;
use super::policy::{saying_text, warning_text};
use super::text::{Paragraphs, paragraphs};
use crate::Portal;
use crate::answer::{AnswerEvent, Failure, Passages, Saying};
use crate::answers::{Asked, Listener};
use crate::visit::Visit;

/// `GET /chat/{answer}`.
pub(crate) async fn show(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    Path(answer): Path<String>,
) -> Response {
    let Some(answer) = portal.answers().find(&answer, &visit.member) else {
        return gone(&portal, &visit);
    };
    let page = AnswerPage {
        page: Page::new(portal, visit, answer.asked(), Some(answer.id().to_owned())),
        listener: answer.listen(0),
        stage: Stage::Top,
    };
    let body = stream::unfold(page, |mut page| async move {
        let piece = page.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), page))
    });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (headers, Body::from_stream(body)).into_response()
}

/// `POST /chat/{answer}/stop`.
pub(crate) async fn stop(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    Path(answer): Path<String>,
) -> Response {
    let Some(answer) = portal.answers().find(&answer, &visit.member) else {
        return gone(&portal, &visit);
    };
    answer.stop();
    Redirect::to(&format!("/chat/{}", answer.id())).into_response()
}

fn gone(portal: &Portal, visit: &Visit) -> Response {
    let [title, text] =
        ["page.answer.gone.title", "page.answer.gone.text"].map(|key| visit.language.text(key));
    portal.pages().page(StatusCode::NOT_FOUND, "refused.html", visit, context! { title, text })
}

/// The page of a question that was not taken: with the question, and what can be done.
pub(super) fn refused(portal: &Portal, visit: &Visit, asked: &Asked, failure: Failure) -> Response {
    let status = failure.status();
    let retry_after = failure.retry_after_s.map(HeaderValue::from);
    let mut page = Page::new(portal.clone(), visit.clone(), asked, None);
    let mut html = page.top();
    page.end(&mut html, &AnswerEvent::Failed(failure));
    let mut response = (status, Html(html)).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// The page while it is written. Dropping it (the phone went away, or loads it again) does not end the answer.
struct AnswerPage {
    page: Page,
    listener: Listener,
    stage: Stage,
}

enum Stage {
    Top,
    Answer,
    Over,
}

impl AnswerPage {
    async fn next(&mut self) -> Option<String> {
        match self.stage {
            Stage::Top => {
                self.stage = Stage::Answer;
                Some(self.page.top())
            }
            Stage::Answer => Some(self.more().await),
            Stage::Over => None,
        }
    }

    async fn more(&mut self) -> String {
        let mut out = String::new();
        while out.is_empty() {
            match timeout(self.page.portal.patience().keep_alive, self.listener.next()).await {
                Err(_quiet) => out.push_str("<!-- still here -->\n"),
                Ok(event) => {
                    // An answer without a last event cannot be; the page ends all the same.
                    let event = event.map_or(AnswerEvent::Stopped { audit: None }, |(_, event)| event);
                    if event.is_last() {
                        self.stage = Stage::Over;
                    }
                    self.page.add(event, &mut out);
                }
            }
        }
        out
    }
}

/// What is written.
struct Page {
    portal: Portal,
    visit: Visit,
    conversation: Conversation,
    question: String,
    /// The answer's name; none when there is no answer.
    name: Option<String>,
    answer: String,
    paragraphs: Paragraphs,
    /// Once the library has something on the question.
    citing: Option<Citing>,
}

/// Passages, and the citations of them in the words that come.
struct Citing {
    shown: Arc<Passages>,
    citations: Citations,
}

impl Page {
    fn new(portal: Portal, visit: Visit, asked: &Asked, name: Option<String>) -> Self {
        Self {
            portal,
            visit,
            conversation: asked.conversation.clone(),
            question: asked.question.clone(),
            name,
            answer: String::new(),
            paragraphs: Paragraphs::default(),
            citing: None,
        }
    }

    fn top(&self) -> String {
        let turns: Vec<Value> = self
            .conversation
            .turns()
            .iter()
            .map(|turn| {
                let role = if turn.role == Speaker::User { "user" } else { "assistant" };
                context! { role, html => paragraphs(&turn.content) }
            })
            .collect();
        let values = context! {
            title => self.visit.language.text("page.title"),
            app => true,
            new_conversation => true,
            trimmed => self.conversation.trimmed,
            unreadable => self.conversation.unreadable,
            turns,
            question_html => paragraphs(&self.question),
            answer => self.name.clone(),
        };
        self.portal.pages().render("answer_top.html", self.visit.language, values)
    }

    fn add(&mut self, event: AnswerEvent, out: &mut String) {
        match event {
            AnswerEvent::Passages(shown) => {
                out.push_str(&passages::found(&self.portal, &self.visit, &self.question, &shown));
                let citations = Citations::new(shown.passages.len());
                self.citing = Some(Citing { shown, citations });
            }
            AnswerEvent::Words(words) => self.write(&words, out),
            AnswerEvent::Rests(rests) => {
                self.end_words(out);
                if let Some(Citing { shown, .. }) = &self.citing {
                    out.push_str(&passages::cited(&self.portal, &self.visit, shown, &rests));
                }
            }
            AnswerEvent::Said(saying) => {
                let words = saying_text(&saying, &self.visit);
                self.paragraphs.push(&words, out);
                self.answer.push_str(&words);
            }
            AnswerEvent::Replaced(saying) => self.replace(&saying, out),
            AnswerEvent::Warning => {
                self.paragraphs.end(out);
                note("warning", &warning_text(&self.visit), out);
            }
            AnswerEvent::Queued { place, expected_s } => {
                note("queue", &standing_text(place, expected_s, &self.visit), out);
            }
            AnswerEvent::Notice(notice) => note("notice", &notice_text(notice, &self.visit), out),
            event => self.end(out, &event),
        }
    }

    /// Words of the model, its citations as links.
    fn write(&mut self, words: &str, out: &mut String) {
        self.answer.push_str(words);
        let Some(Citing { shown, citations }) = &mut self.citing else {
            return self.paragraphs.push(words, out);
        };
        for piece in citations.push(words) {
            match piece {
                Piece::Text(text) => self.paragraphs.push(&text, out),
                Piece::Marker { numbers, .. } => {
                    self.paragraphs.push_markup(&passages::marker(shown, &numbers), out);
                }
            }
        }
    }

    /// Nothing more comes of the last sentence.
    fn end_words(&mut self, out: &mut String) {
        if let Some(Piece::Text(rest)) = self.citing.as_mut().and_then(|citing| citing.citations.finish()) {
            self.paragraphs.push(&rest, out);
        }
        self.paragraphs.end(out);
    }

    /// Words that a browser has cannot be taken back by a page that is still coming; loaded again, it comes without them.
    fn replace(&mut self, saying: &Saying, out: &mut String) {
        self.citing = None;
        self.paragraphs.end(out);
        let words = saying_text(saying, &self.visit);
        if !std::mem::take(&mut self.answer).is_empty() {
            out.push_str("<meta http-equiv=\"refresh\" content=\"0\">\n");
        }
        self.paragraphs.push(&words, out);
        self.answer = words;
    }

    fn end(&mut self, out: &mut String, event: &AnswerEvent) {
        self.end_words(out);
        let alone = self.conversation.is_empty();
        let said_nothing = self.answer.trim().is_empty();
        let mut note = None;
        let mut failed = None;
        match event {
            AnswerEvent::Failed(failure) => failed = Some(self.failure(failure, alone)),
            AnswerEvent::Stopped { .. } => note = Some("page.chat.stopped"),
            _ if said_nothing => note = Some("page.chat.empty"),
            AnswerEvent::Done { finish_reason: FinishReason::Length, .. } => note = Some("page.chat.cut"),
            _ => {}
        }
        if failed.is_none() && !said_nothing {
            self.conversation.push(self.question.clone(), self.answer.clone());
        }
        let kept = (failed.is_some() || said_nothing).then_some(&self.question);
        let why = match event {
            AnswerEvent::Done { audit, .. } | AnswerEvent::Stopped { audit } => *audit,
            _ => None,
        };
        let values = context! {
            note,
            why,
            failure => failed,
            question => kept,
            history => self.conversation.to_field(),
            ask_label => if kept.is_some() { "page.ask.label" } else { "page.ask.next" },
            // A link would lead away from what was said.
            hide_languages => true,
        };
        out.push_str(&self.portal.pages().render("answer_bottom.html", self.visit.language, values));
    }

    fn failure(&self, failure: &Failure, alone: bool) -> Value {
        let wording = wording(failure, alone);
        let (button, history) = match wording.remedy {
            Remedy::Retry => (Some("page.chat.retry"), self.conversation.to_field()),
            Remedy::AskNew => (Some("page.chat.askNew"), String::new()),
            Remedy::Change => (None, String::new()),
        };
        context! {
            what => wording.what(self.visit.language),
            todo => wording.todo(self.visit.language),
            detail => wording.shows_detail.then_some(&failure.detail),
            button,
            question => self.question.clone(),
            history,
        }
    }
}

/// A line between the question and the answer.
fn note(class: &str, text: &str, out: &mut String) {
    out.push_str(&format!("<p class=\"{class}\">{}</p>\n", text.replace('<', "&lt;")));
}

/// Where a question stands, in the visitor's language. Below a quarter of a minute nobody counts seconds, above a
/// minute and a half nobody does either.
fn standing_text(place: u32, expected_s: Option<u32>, visit: &Visit) -> String {
    let (key, time) = match expected_s {
        _ if place == 0 => ("page.chat.thinking", 0),
        None => ("page.queue.place", 0),
        Some(..15) => ("page.queue.soon", 0),
        Some(seconds @ 15..90) => ("page.queue.seconds", seconds.next_multiple_of(10)),
        Some(seconds) => ("page.queue.minutes", minutes(seconds)),
    };
    visit.language.fill(key, &[("n", &place.to_string()), ("t", &time.to_string())])
}
