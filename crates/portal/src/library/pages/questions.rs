//! `/library/questions`: questions to the members, asked and answered with forms.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use axum::response::{IntoResponse, Redirect, Response};
use banyan_knowledge::{NewAnswer, NewQuestion, QuestionListing, QuestionState};
use http::{StatusCode, header};
use minijinja::{Value, context};

use super::{day, failed, kept};
use crate::Portal;
use crate::body::{self, BodyFault};
use crate::community::Refused;
use crate::library::not_there;
use crate::library::params::Params;
use crate::library::patron::Patron;
use crate::library::questions::{self, answered, asked};
use crate::library::types::{MemberAnswerView, QuestionView};
use crate::pages::text::paragraphs;
use crate::visit::Visit;

/// The largest form: some pages of writing, each character up to twelve bytes on the wire.
const MAX_FORM: usize = 256 * 1024;

/// Questions on one page.
const LISTED: u32 = 30;

/// `GET /library/questions?after=&text=`: what was looked for in vain is filled in.
pub(crate) async fn list(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    params: Params,
) -> Response {
    list_page(&portal, &visit, patron, &params, params.text("text").unwrap_or_default(), None).await
}

async fn list_page(
    portal: &Portal,
    visit: &Visit,
    patron: Result<Patron, Refused>,
    params: &Params,
    text: &str,
    problem: Option<&Refused>,
) -> Response {
    let listed = async {
        let patron = patron?;
        let skip = params.read("after")?.unwrap_or(0);
        let listing = QuestionListing { state: None, skip, limit: LISTED };
        questions::page(portal, &patron, listing).await
    };
    let page = match listed.await {
        Ok(page) => page,
        Err(refused) => return failed(portal, visit, &refused),
    };
    let rows: Vec<Value> = page.questions.iter().map(|question| row(visit, question)).collect();
    let values = context! {
        title => visit.language.text("page.questions.title"),
        questions => rows,
        more => page.next.map(|next| format!("/library/questions?after={next}")),
        text,
        problem => problem.map(|refused| words(visit, refused)),
        kept => kept(params),
    };
    portal.pages().page(status(problem), "questions.html", visit, values)
}

/// `POST /library/questions`.
pub(crate) async fn ask(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    request: Request<Body>,
) -> Response {
    let form = match read_form(request, &portal).await {
        Ok(form) => form,
        Err(fault) => return portal.refuse(&visit, fault.status()),
    };
    let text = form.text("text").unwrap_or_default().replace("\r\n", "\n");
    let taken = async {
        let patron = patron.as_ref().map_err(|refused| Refused::from(refused.error().clone()))?;
        let named = form.text("named").is_some();
        let language = Some(visit.language.code().to_owned());
        asked(&portal, patron, NewQuestion { text: text.clone(), language, named }).await
    };
    match taken.await {
        Ok(question) => Redirect::to(&format!("/library/questions/{}", question.id)).into_response(),
        Err(refused) => list_page(&portal, &visit, patron, &Params::of(""), &text, Some(&refused)).await,
    }
}

/// `GET /library/questions/{id}`.
pub(crate) async fn thread(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    Path(id): Path<String>,
) -> Response {
    thread_page(&portal, &visit, patron, &id, "", None).await
}

async fn thread_page(
    portal: &Portal,
    visit: &Visit,
    patron: Result<Patron, Refused>,
    id: &str,
    text: &str,
    problem: Option<&Refused>,
) -> Response {
    let read = async {
        let id: i64 = id.parse().map_err(|_| not_there("question"))?;
        questions::thread(portal, &patron?, id).await
    };
    let thread = match read.await {
        Ok(thread) => thread,
        Err(refused) => return failed(portal, visit, &refused),
    };
    let question = &thread.question.question;
    let closed = (question.state == QuestionState::Closed)
        .then(|| visit.language.fill("page.questions.closed", &[("why", &question.why_closed)]));
    let answers: Vec<Value> = thread.answers.iter().map(|one| answer_row(visit, one)).collect();
    let values = context! {
        title => visit.language.text("page.questions.title"),
        question => Value::from_safe_string(paragraphs(&question.text)),
        by => by(visit, thread.question.by_name.as_deref(), question.asked),
        document => question.document.as_ref().map(|document| format!("/library/d/{document}")),
        closed,
        answers,
        may_answer => thread.may_answer,
        action => format!("/library/questions/{}", question.id),
        text,
        problem => problem.map(|refused| words(visit, refused)),
    };
    portal.pages().page(status(problem), "question.html", visit, values)
}

/// `POST /library/questions/{id}`.
pub(crate) async fn answer(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let form = match read_form(request, &portal).await {
        Ok(form) => form,
        Err(fault) => return portal.refuse(&visit, fault.status()),
    };
    let text = form.text("text").unwrap_or_default().replace("\r\n", "\n");
    let taken = async {
        let patron = patron.as_ref().map_err(|refused| Refused::from(refused.error().clone()))?;
        let id: i64 = id.parse().map_err(|_| not_there("question"))?;
        let may_become_document = form.text("may_become_document").is_some();
        answered(&portal, patron, id, NewAnswer { text: text.clone(), may_become_document }).await
    };
    match taken.await {
        Ok(thread) => Redirect::to(&format!("/library/questions/{}", thread.question.id)).into_response(),
        Err(refused) => thread_page(&portal, &visit, patron, &id, &text, Some(&refused)).await,
    }
}

fn row(visit: &Visit, view: &QuestionView) -> Value {
    let question = &view.question;
    context! {
        href => format!("/library/questions/{}", question.id),
        text => question.text.chars().take(200).collect::<String>(),
        by => by(visit, view.by_name.as_deref(), question.asked),
        answers => visit.language.fill("page.questions.answers", &[("n", &question.answers.to_string())]),
        language => &question.language,
    }
}

fn answer_row(visit: &Visit, view: &MemberAnswerView) -> Value {
    context! {
        text => Value::from_safe_string(paragraphs(&view.answer.text)),
        by => by(visit, view.by_name.as_deref(), view.answer.at),
        document => view.answer.document.as_ref().map(|document| format!("/library/d/{document}")),
    }
}

/// Who and when; when alone, where nobody is named.
fn by(visit: &Visit, name: Option<&str>, at: i64) -> String {
    match name {
        Some(name) => visit.language.fill("page.questions.by", &[("name", name), ("date", &day(at))]),
        None => day(at),
    }
}

fn status(problem: Option<&Refused>) -> StatusCode {
    problem.map_or(StatusCode::OK, |refused| refused.error().status)
}

/// What went wrong, in the visitor's language where there are words for it.
fn words(visit: &Visit, refused: &Refused) -> String {
    let detail = &refused.error().detail;
    let key = match detail.code.as_deref() {
        Some("refused_by_policy") => "page.questions.refused",
        Some("too_often") => "page.library.tooOften.text",
        Some("invalid") => "page.questions.invalid",
        Some("muted") => "page.questions.muted",
        _ => return detail.message.clone(),
    };
    visit.language.text(key).to_owned()
}

async fn read_form(request: Request<Body>, portal: &Portal) -> Result<Params, BodyFault> {
    let (parts, body) = request.into_parts();
    let is_form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form {
        return Err(BodyFault::Broken);
    }
    let body = body::read(&parts.headers, body, MAX_FORM, portal.limits().body_within).await?;
    // What is no text becomes the sign for it when the pairs are read.
    Ok(Params::of(&String::from_utf8_lossy(&body)))
}
