//! Questions to the members: what the library does not cover, somebody may know. Between members only.

use axum::Json;
use axum::extract::{Path, State};
use banyan_assembly::people::Caller;
use banyan_governance::Permission;
use banyan_knowledge::{
    AnswerDocument, NewAnswer, NewQuestion, Question, QuestionListing, QuestionState, QuestionThread,
};
use banyan_openai::{ApiError, ErrorBody};
use http::StatusCode;

use super::not_there;
use super::pace::Act;
use super::params::Params;
use super::patron::Patron;
use super::types::{
    AddedView, KeepAnswer, MemberAnswerView, QuestionPage, QuestionView, ThreadView, Unanswered, Why,
};
use super::views::Views;
use crate::Portal;
use crate::answer::{AnswerLog, Saying};
use crate::community::{Named, Refused, Sent, now};
use crate::moderation::Verdict;

/// Questions on one page.
const LISTED: u32 = 50;

/// Days of which it is told how many questions the library covered.
const DAYS: u32 = 30;

/// Questions to the members, the newest first.
#[utoipa::path(get, path = "/api/library/questions", tag = "library", operation_id = "library_questions",
    params(
        ("state" = Option<String>, Query, description = "Only those that are `open`, `answered` or `closed`"),
        ("after" = Option<u32>, Query, description = "What `next` said; absent: from the newest"),
        ("limit" = Option<u32>, Query, description = "How many, at most 200; absent: 50"),
    ),
    responses(
        (status = 200, body = QuestionPage),
        (status = 400, description = "A parameter is not what it should be", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Not while suspended", body = ErrorBody),
    ))]
pub(crate) async fn list(
    State(portal): State<Portal>,
    patron: Patron,
    params: Params,
) -> Result<Json<QuestionPage>, Refused> {
    let state = params.text("state").map(state).transpose()?;
    let limit = params.read("limit")?.unwrap_or(LISTED).clamp(1, banyan_knowledge::MAX_PAGE);
    let skip = params.read("after")?.unwrap_or(0);
    Ok(Json(page(&portal, &patron, QuestionListing { state, skip, limit }).await?))
}

fn state(word: &str) -> Result<QuestionState, Refused> {
    serde_json::from_value(word.into())
        .map_err(|error| ApiError::invalid_param("state", format!("state: {error}")).into())
}

/// A page of questions, for a page too.
pub(super) async fn page(
    portal: &Portal,
    patron: &Patron,
    listing: QuestionListing,
) -> Result<QuestionPage, Refused> {
    patron.hand()?;
    let (skip, limit) = (listing.skip, listing.limit);
    let questions = patron.library.questions(listing, patron.reader.clone()).await?;
    let full = u32::try_from(questions.len()).is_ok_and(|listed| listed == limit);
    let views = Views::of(portal, patron).await?;
    let questions = questions.into_iter().map(|question| view(&views, question)).collect();
    Ok(QuestionPage { questions, next: full.then(|| skip.saturating_add(limit)) })
}

fn view(views: &Views, question: Question) -> QuestionView {
    QuestionView { by_name: views.name(question.by.as_ref()), question }
}

/// Ask the members.
#[utoipa::path(post, path = "/api/library/questions", tag = "library", operation_id = "library_ask_members", request_body = NewQuestion, responses(
    (status = 201, body = QuestionView),
    (status = 400, description = "Empty, too long, or refused by a rule of the community", body = ErrorBody),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Not while suspended", body = ErrorBody),
    (status = 409, description = "The caller may not comment for now, or the policy keeps no questions", body = ErrorBody),
    (status = 429, description = "Too many in an hour", body = ErrorBody),
))]
pub(crate) async fn ask(
    State(portal): State<Portal>,
    patron: Patron,
    Sent(new): Sent<NewQuestion>,
) -> Result<(StatusCode, Json<QuestionView>), Refused> {
    let question = asked(&portal, &patron, new).await?;
    Ok((StatusCode::CREATED, Json(view(&Views::of(&portal, &patron).await?, question))))
}

/// Takes a question, for a page too.
pub(super) async fn asked(portal: &Portal, patron: &Patron, new: NewQuestion) -> Result<Question, Refused> {
    let member = may_write(portal, patron, &new.text).await?.member.to_string();
    let keep_days = portal.effectives().now().map_err(|_| unruled())?.policy().keeping.question_days;
    Ok(patron.library.ask_members(new, member, keep_days, now().0).await?)
}

/// Whoever may say something to the members, with words that the community's rules let through. What the assistant does
/// not talk about, people may.
async fn may_write<'a>(portal: &Portal, patron: &'a Patron, text: &str) -> Result<&'a Caller, Refused> {
    let caller = patron.signed_in()?;
    caller.require_voice()?;
    patron.paced(portal, Act::Write)?;
    let effective = portal.effectives().now().map_err(|_| unruled())?;
    match effective.judge(text, portal.engine(), &mut AnswerLog::new()).await {
        Verdict::Say(Saying::Refused, _) | Verdict::Hold => {
            let words = "a rule of the community does not let this through; say it in other words, or ask a moderator";
            let status = StatusCode::BAD_REQUEST;
            let refused = ApiError::new(status, "invalid_request_error", Some("refused_by_policy"), words);
            Err(refused.with_param("text").into())
        }
        Verdict::Say(..) | Verdict::Ask { .. } => Ok(caller),
    }
}

/// Without the rules nothing is let through.
fn unruled() -> Refused {
    let words =
        "the community's rules cannot be read at this moment; try again, and tell a steward if it stays so";
    ApiError::internal(words).into()
}

/// A question with its answers.
#[utoipa::path(get, path = "/api/library/questions/{id}", tag = "library", operation_id = "library_question",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = ThreadView),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Not while suspended", body = ErrorBody),
        (status = 404, description = "There is no such question", body = ErrorBody),
    ))]
pub(crate) async fn show(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<i64>,
) -> Result<Json<ThreadView>, Refused> {
    Ok(Json(thread(&portal, &patron, id).await?))
}

/// A question with its answers, for a page too.
pub(super) async fn thread(portal: &Portal, patron: &Patron, id: i64) -> Result<ThreadView, Refused> {
    patron.hand()?;
    let thread = patron.library.question(id, patron.reader.clone()).await?;
    thread_view(portal, patron, thread).await
}

async fn thread_view(
    portal: &Portal,
    patron: &Patron,
    thread: QuestionThread,
) -> Result<ThreadView, Refused> {
    let views = Views::of(portal, patron).await?;
    let voice = patron.caller.as_ref().is_some_and(|caller| caller.require_voice().is_ok());
    let may_answer = voice && thread.question.state != QuestionState::Closed;
    let answers = thread
        .answers
        .into_iter()
        .map(|answer| MemberAnswerView { by_name: views.name(Some(&answer.by)), answer });
    Ok(ThreadView {
        answers: answers.collect(),
        question: view(&views, thread.question),
        may_answer,
        may_keep: patron.keeps(),
    })
}

/// Answer a question.
#[utoipa::path(post, path = "/api/library/questions/{id}/answers", tag = "library", operation_id = "library_answer_question", request_body = NewAnswer,
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 201, body = ThreadView),
        (status = 400, description = "Empty, too long, or refused by a rule of the community", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Not while suspended", body = ErrorBody),
        (status = 404, description = "There is no such question", body = ErrorBody),
        (status = 409, description = "The question is closed, or the caller may not comment for now", body = ErrorBody),
        (status = 429, description = "Too many in an hour", body = ErrorBody),
    ))]
pub(crate) async fn answer(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<i64>,
    Sent(new): Sent<NewAnswer>,
) -> Result<(StatusCode, Json<ThreadView>), Refused> {
    let thread = answered(&portal, &patron, id, new).await?;
    Ok((StatusCode::CREATED, Json(thread_view(&portal, &patron, thread).await?)))
}

/// Takes an answer, for a page too.
pub(super) async fn answered(
    portal: &Portal,
    patron: &Patron,
    id: i64,
    new: NewAnswer,
) -> Result<QuestionThread, Refused> {
    patron.hand()?;
    patron.library.question(id, patron.reader.clone()).await?;
    let member = may_write(portal, patron, &new.text).await?.member.to_string();
    Ok(patron.library.answer_question(id, new, member, now().0).await?)
}

/// Close a question: whoever asked it, or a librarian.
#[utoipa::path(post, path = "/api/library/questions/{id}/close", tag = "library", operation_id = "library_close_question", request_body = Why,
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 204, description = "Done"),
        (status = 400, description = "The reason is missing", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Somebody else asked it", body = ErrorBody),
        (status = 404, description = "There is no such question", body = ErrorBody),
        (status = 409, description = "It is closed already", body = ErrorBody),
    ))]
pub(crate) async fn close(
    patron: Patron,
    Named(id): Named<i64>,
    Sent(said): Sent<Why>,
) -> Result<StatusCode, Refused> {
    let hand = patron.hand()?;
    patron.library.close_question(id, said.why, hand, now().0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a question back, with its answers, for good: whoever asked it, also while suspended, or a librarian.
#[utoipa::path(delete, path = "/api/library/questions/{id}", tag = "library", operation_id = "library_withdraw_question",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 204, description = "Done"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Somebody else asked it", body = ErrorBody),
        (status = 404, description = "There is no such question", body = ErrorBody),
    ))]
pub(crate) async fn withdraw(patron: Patron, Named(id): Named<i64>) -> Result<StatusCode, Refused> {
    let hand = patron.own_hand()?;
    patron.library.withdraw_question(id, hand).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take an answer back; a document that was made of it goes with it. Whoever gave it, also while suspended, or a librarian.
#[utoipa::path(delete, path = "/api/library/questions/{id}/answers/{reply}", tag = "library", operation_id = "library_withdraw_answer",
    params(
        ("id" = i64, Path, description = "The question's number"),
        ("reply" = i64, Path, description = "The number of the answer"),
    ),
    responses(
        (status = 204, description = "Done"),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Somebody else gave it", body = ErrorBody),
        (status = 404, description = "There is no such answer", body = ErrorBody),
    ))]
pub(crate) async fn withdraw_answer(
    patron: Patron,
    Path((id, answer)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    let hand = patron.own_hand()?;
    let number = |text: String| text.parse::<i64>().map_err(|_| not_there("answer"));
    patron.library.withdraw_answer(number(id)?, number(answer)?, hand, now().0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a document of an answer, under the name of the member who gave it.
#[utoipa::path(post, path = "/api/library/questions/{id}/document", tag = "library", operation_id = "library_keep_answer", request_body = KeepAnswer,
    params(("id" = i64, Path, description = "The question's number")),
    responses(
        (status = 201, body = AddedView),
        (status = 400, description = "The title is missing, or its giver does not want it", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "Only librarians", body = ErrorBody),
        (status = 404, description = "There is no such question, answer or collection", body = ErrorBody),
        (status = 409, description = "It is a document already, or its giver does not want it to be one", body = ErrorBody),
    ))]
pub(crate) async fn keep(
    State(portal): State<Portal>,
    patron: Patron,
    Named(id): Named<i64>,
    Sent(wanted): Sent<KeepAnswer>,
) -> Result<(StatusCode, Json<AddedView>), Refused> {
    let hand = patron.keeper()?;
    let KeepAnswer { answer, collection, title } = wanted;
    let thread = patron.library.question(id, patron.reader.clone()).await?;
    let given = thread.answers.iter().find(|one| one.id == answer).ok_or_else(|| not_there("answer"))?;
    let views = Views::of(&portal, &patron).await?;
    let attribution = views.name(Some(&given.by)).unwrap_or_default();
    let document = AnswerDocument { answer, collection, title, attribution };
    let added = patron.library.answer_to_document(id, document, hand, now().0).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

/// What members asked and nobody answered, by theme, and how much of what is asked the library covers.
#[utoipa::path(get, path = "/api/library/unanswered", tag = "library", operation_id = "library_unanswered", responses(
    (status = 200, body = Unanswered),
    (status = 401, description = "Nobody is signed in", body = ErrorBody),
    (status = 403, description = "Only librarians and stewards", body = ErrorBody),
))]
pub(crate) async fn unanswered(patron: Patron) -> Result<Json<Unanswered>, Refused> {
    let caller = patron.signed_in()?;
    if !caller.may(Permission::Operate) {
        caller.require(Permission::KeepLibrary)?;
    }
    let themes = patron.library.unanswered().await?;
    let coverage = patron.library.coverage(DAYS, now().0).await?;
    Ok(Json(Unanswered { themes, coverage }))
}
