//! The chat without JavaScript: a form that asks, and an answer that is written into the page as it comes.

use std::convert::Infallible;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, http::Request};
use banyan_openai::{ChatRequest, FinishReason, HealthStatus};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use minijinja::value::merge_maps;
use minijinja::{Value, context};
use tokio::time::timeout;

use super::conversation::{Conversation, Speaker};
use super::failure::{Remedy, Wording, wording};
use super::text::{Paragraphs, paragraphs};
use crate::Portal;
use crate::answer::{AnswerEvent, Failure, Notice, answer};
use crate::body::{self, BodyFault};
use crate::visit::Visit;

/// The longest question, in characters: some four pages of writing. The page's own field stops there too.
pub(crate) const MAX_QUESTION: usize = 8_000;

/// The largest form. Ten bytes go over the wire for some characters (`%F0%9F…` in JSON), so this is well above the
/// question and the history together.
const MAX_FORM: usize = 256 * 1024;

/// `GET /`.
pub(crate) async fn home(State(portal): State<Portal>, Extension(visit): Extension<Visit>) -> Response {
    home_page(&portal, &visit, StatusCode::OK, context! {}).await
}

/// `GET /chat`: a reloaded or kept address of an answer. There is nothing to show, and nothing to ask again.
pub(crate) async fn reload() -> Redirect {
    Redirect::to("/")
}

/// `POST /chat`.
pub(crate) async fn ask(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let form = match read_form(&parts.headers, body, &portal).await {
        Ok(form) => form,
        Err(fault) => return portal.refuse(&visit, fault.status()),
    };
    let question = form.question.trim();
    if question.is_empty() {
        let problem = visit.language.text("page.question.empty");
        return home_page(
            &portal,
            &visit,
            StatusCode::BAD_REQUEST,
            context! { problem, history => form.history },
        )
        .await;
    }
    if question.chars().count() > MAX_QUESTION {
        let (what, todo) = ("page.error.questionTooLong.what", "page.error.questionTooLong.todo");
        let problem = format!("{} {}", visit.language.text(what), visit.language.text(todo));
        let values = context! { problem, question => form.question, history => form.history };
        return home_page(&portal, &visit, StatusCode::BAD_REQUEST, values).await;
    }
    let question = question.to_owned();
    let conversation = Conversation::from_field(&form.history);
    let mut request = ChatRequest::new(conversation.to_messages(&question)).streamed();
    request.sampling.max_tokens = Some(crate::api::MAX_ANSWER_TOKENS);
    let page = AnswerPage {
        events: Box::pin(answer(portal.engine().clone(), request, portal.patience().clone())),
        portal,
        visit,
        conversation,
        question,
        answer: String::new(),
        paragraphs: Paragraphs::default(),
        stage: Stage::Top,
    };
    let body = stream::unfold(page, |mut page| async move {
        let piece = page.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), page))
    });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (headers, Body::from_stream(body)).into_response()
}

struct Form {
    question: String,
    history: String,
}

async fn read_form(headers: &HeaderMap, body: Body, portal: &Portal) -> Result<Form, BodyFault> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form {
        return Err(BodyFault::Broken);
    }
    let body = body::read(headers, body, MAX_FORM, portal.limits().body_within).await?;
    let mut form = Form { question: String::new(), history: String::new() };
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            // Browsers send line breaks as CRLF, and a NUL never comes from a keyboard.
            "question" => form.question = value.replace("\r\n", "\n").replace('\0', ""),
            "history" => form.history = value.into_owned(),
            _ => {}
        }
    }
    Ok(form)
}

async fn home_page(portal: &Portal, visit: &Visit, status: StatusCode, values: Value) -> Response {
    let title = visit.language.text("page.title");
    let banner = banner(portal, visit).await;
    let common = context! { title, banner, app => true, home => true, ask_label => "page.ask.label" };
    portal.pages().page(status, "home.html", visit, merge_maps([values, common]))
}

/// How the engine is, where a member should know before asking.
async fn banner(portal: &Portal, visit: &Visit) -> Option<Value> {
    let (kind, key, waiting) = match portal.health_at_a_glance().await {
        Some(health) => match health.status {
            HealthStatus::Ready if health.waiting > 0 => ("wait", "page.banner.busy", health.waiting),
            HealthStatus::Ready => return None,
            HealthStatus::Loading => ("wait", "page.banner.starting", 0),
            HealthStatus::Failed => ("down", "page.banner.down", 0),
        },
        None => ("down", "page.banner.down", 0),
    };
    let text = visit.language.fill(key, &[("n", &waiting.to_string())]);
    Some(context! { kind, text })
}

/// The page of one answer, written piece by piece. Dropping it (the phone went away) cancels the generation.
struct AnswerPage {
    events: Pin<Box<dyn Stream<Item = AnswerEvent> + Send>>,
    portal: Portal,
    visit: Visit,
    conversation: Conversation,
    question: String,
    answer: String,
    paragraphs: Paragraphs,
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
                Some(self.top())
            }
            Stage::Answer => Some(self.more().await),
            Stage::Over => None,
        }
    }

    async fn more(&mut self) -> String {
        let mut out = String::new();
        while out.is_empty() {
            match timeout(self.portal.patience().keep_alive, self.events.next()).await {
                Err(_quiet) => out.push_str("<!-- still here -->\n"),
                Ok(Some(AnswerEvent::Words(words))) => {
                    self.paragraphs.push(&words, &mut out);
                    self.answer.push_str(&words);
                }
                Ok(Some(AnswerEvent::Notice(notice))) => {
                    let text = notice_text(notice, &self.visit);
                    out = format!("<p class=\"notice\">{}</p>\n", text.replace('<', "&lt;"));
                }
                Ok(Some(AnswerEvent::Done { finish_reason, .. })) => self.end(&mut out, Ok(finish_reason)),
                Ok(Some(AnswerEvent::Failed(failure))) => self.end(&mut out, Err(&failure)),
                Ok(None) => self.end(&mut out, Ok(FinishReason::Other)),
            }
        }
        out
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
        };
        self.portal.pages().render("answer_top.html", self.visit.language, values)
    }

    fn end(&mut self, out: &mut String, result: Result<FinishReason, &Failure>) {
        self.stage = Stage::Over;
        self.paragraphs.end(out);
        let alone = self.conversation.is_empty();
        let said_nothing = self.answer.trim().is_empty();
        let mut note = None;
        let mut failed = None;
        match result {
            Ok(_) if said_nothing => note = Some("page.chat.empty"),
            Ok(reason) => {
                note = (reason == FinishReason::Length).then_some("page.chat.cut");
                self.conversation.push(self.question.clone(), self.answer.clone());
            }
            Err(failure) => failed = Some(self.failure(wording(failure, alone), failure)),
        }
        let kept = (failed.is_some() || said_nothing).then_some(&self.question);
        let values = context! {
            note,
            failure => failed,
            question => kept,
            history => self.conversation.to_field(),
            ask_label => if kept.is_some() { "page.ask.label" } else { "page.ask.next" },
            // A link would lead away from what was said.
            hide_languages => true,
        };
        out.push_str(&self.portal.pages().render("answer_bottom.html", self.visit.language, values));
    }

    fn failure(&self, wording: Wording, failure: &Failure) -> Value {
        let (button, history) = match wording.remedy {
            Remedy::Retry => (Some("page.chat.retry"), self.conversation.to_field()),
            Remedy::AskNew => (Some("page.chat.askNew"), String::new()),
            Remedy::Change => (None, String::new()),
        };
        context! {
            what => wording.what,
            todo => wording.todo,
            detail => wording.shows_detail.then_some(&failure.detail),
            button,
            question => self.question.clone(),
            history,
        }
    }
}

/// A notice in the visitor's language.
pub(crate) fn notice_text(notice: Notice, visit: &Visit) -> String {
    match notice {
        Notice::Restarting => visit.language.text("page.notice.restarting").to_owned(),
        Notice::Loading => visit.language.text("page.notice.loading").to_owned(),
        Notice::Waiting(n) => visit.language.fill("page.notice.waiting", &[("n", &n.to_string())]),
    }
}
