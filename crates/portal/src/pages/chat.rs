//! The chat without JavaScript: the form that asks. The answer has a page of its own.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, http::Request};
use banyan_knowledge::Audience;
use banyan_openai::{ChatRequest, HealthStatus};
use http::{HeaderMap, StatusCode, header};
use minijinja::value::merge_maps;
use minijinja::{Value, context};

use super::answer;
use super::conversation::Conversation;
use crate::Portal;
use crate::answer::Notice;
use crate::answers::{Asked, Question};
use crate::body::{self, BodyFault};
use crate::queue::Class;
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

/// `GET /chat`: the address of the form that asks, kept or typed. There is nothing to show.
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
    let asked = Asked { conversation, question };
    let question = Question {
        owners: visit.owners(),
        asked: asked.clone(),
        request,
        class: Class::Normal,
        deadline: None,
        reader: Some(Audience::Guests.into()),
    };
    match portal.begin(&visit, question).await {
        // A page of its own, so that a reload shows the answer again instead of asking again.
        Ok(answer) => Redirect::to(&format!("/chat/{}", answer.id())).into_response(),
        Err(failure) => answer::refused(&portal, &visit, &asked, failure),
    }
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
    let waits_here = portal.turns().overview().waiting;
    let (kind, key, waiting) = match portal.health_at_a_glance().await {
        Some(health) => match health.status {
            HealthStatus::Ready if waits_here > 0 || health.waiting > 0 => {
                ("wait", "page.banner.busy", waits_here + health.waiting as usize)
            }
            HealthStatus::Ready => return None,
            HealthStatus::Loading => ("wait", "page.banner.starting", 0),
            HealthStatus::Failed => ("down", "page.banner.down", 0),
        },
        None => ("down", "page.banner.down", 0),
    };
    let text = visit.language.fill(key, &[("n", &waiting.to_string())]);
    Some(context! { kind, text })
}

/// A notice in the visitor's language.
pub(crate) fn notice_text(notice: Notice, visit: &Visit) -> String {
    match notice {
        Notice::NotUrgent => visit.language.text("page.notice.notUrgent").to_owned(),
        Notice::Restarting => visit.language.text("page.notice.restarting").to_owned(),
        Notice::Loading => visit.language.text("page.notice.loading").to_owned(),
        Notice::Waiting(n) => visit.language.fill("page.notice.waiting", &[("n", &n.to_string())]),
    }
}
