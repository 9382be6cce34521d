//! Joining, signing in and signing out without JavaScript.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{Redirect, Response};
use banyan_assembly::people::SignIn;
use banyan_assembly::{AssemblyError, Refusal};
use http::{HeaderMap, StatusCode, Uri, header};
use minijinja::context;

use crate::Portal;
use crate::body::{self, BodyFault};
use crate::community::{begun, ended, now};
use crate::visit::Visit;

/// The largest form: a name, a secret and a code, each character up to twelve bytes on the wire.
const MAX_FORM: usize = 8 * 1024;

/// Which of the two forms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Join,
    SignIn,
}

/// What was filled in; the secret never goes back onto a page.
#[derive(Default)]
struct Form {
    code: String,
    name: String,
    secret: String,
}

/// `GET /join?code=`: the form, with the code of an invitation's address filled in.
pub(crate) async fn join_form(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
) -> Response {
    let query = uri.query().unwrap_or_default().as_bytes();
    let code =
        form_urlencoded::parse(query).find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
    let form = Form { code: code.unwrap_or_default(), ..Form::default() };
    page(&portal, &visit, Door::Join, &form, None)
}

/// `GET /sign-in`.
pub(crate) async fn sign_in_form(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
) -> Response {
    page(&portal, &visit, Door::SignIn, &Form::default(), None)
}

/// `POST /join`.
pub(crate) async fn join(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    request: Request<Body>,
) -> Response {
    enter(&portal, &visit, Door::Join, request).await
}

/// `POST /sign-in`.
pub(crate) async fn sign_in(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    request: Request<Body>,
) -> Response {
    enter(&portal, &visit, Door::SignIn, request).await
}

/// `POST /sign-out`: the session has ended when the front page is there again.
pub(crate) async fn sign_out(State(portal): State<Portal>, Extension(visit): Extension<Visit>) -> Response {
    if let (Some(assembly), Some(caller)) = (portal.maybe_assembly(), &visit.caller)
        && let Err(error) = assembly.sign_out(caller, false, now()).await
    {
        tracing::error!(%error, "a session could not be ended");
        return portal.refuse(&visit, StatusCode::INTERNAL_SERVER_ERROR);
    }
    ended(Redirect::to("/"))
}

async fn enter(portal: &Portal, visit: &Visit, door: Door, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let form = match read_form(&parts.headers, body, portal).await {
        Ok(form) => form,
        Err(fault) => return portal.refuse(visit, fault.status()),
    };
    match through(portal, visit, door, &form).await {
        Ok(sign_in) => begun(&sign_in.token, Redirect::to("/")),
        Err(AssemblyError::Refused(refusal)) => page(portal, visit, door, &form, Some(&refusal)),
        Err(error) => {
            tracing::error!(%error, "the community's store failed");
            portal.refuse(visit, StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

async fn through(portal: &Portal, visit: &Visit, door: Door, form: &Form) -> Result<SignIn, AssemblyError> {
    let assembly = portal.maybe_assembly().ok_or_else(|| Refusal::WrongState {
        code: "not_founded",
        message: "there is no community on this box yet; a steward founds it first".into(),
    })?;
    match door {
        Door::Join => assembly.join(Some(&form.code), &form.name, &form.secret, now()).await,
        Door::SignIn => assembly.sign_in(&form.name, &form.secret, &visit.address.to_string(), now()).await,
    }
}

fn page(portal: &Portal, visit: &Visit, door: Door, form: &Form, refusal: Option<&Refusal>) -> Response {
    let text = |key: &str| visit.language.text(key).to_owned();
    let (title, lead, action, other) = match door {
        Door::Join => ("page.account.join", "page.account.joinLead", "/join", "/sign-in"),
        Door::SignIn => ("page.account.signIn", "page.account.signInLead", "/sign-in", "/join"),
    };
    let values = context! {
        title => text(title),
        lead => text(lead),
        action,
        other,
        joining => door == Door::Join,
        code => &form.code,
        name => &form.name,
        problem => refusal.map(|refusal| problem(visit, refusal)),
    };
    portal.pages().page(refusal.map_or(StatusCode::OK, status), "account.html", visit, values)
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::WrongState { .. } => StatusCode::CONFLICT,
        Refusal::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// What went wrong, in the visitor's language where there are words for it.
fn problem(visit: &Visit, refusal: &Refusal) -> String {
    let code = match refusal {
        Refusal::Invalid { code, .. } | Refusal::WrongState { code, .. } => *code,
        Refusal::TooOften(until) => {
            let minutes = super::failure::minutes(u32::try_from(until.0 - now().0).unwrap_or(0));
            return visit.language.fill("page.account.tooOften", &[("n", &minutes.to_string())]);
        }
        _ => "",
    };
    let key = match code {
        "code_needed" => "page.account.codeNeeded",
        "code_invalid" => "page.account.codeInvalid",
        "name_taken" => "page.account.nameTaken",
        "wrong_name_or_secret" => "page.account.wrong",
        "not_founded" => "page.account.notFounded",
        _ => return refusal.to_string(),
    };
    visit.language.text(key).to_owned()
}

async fn read_form(headers: &HeaderMap, body: Body, portal: &Portal) -> Result<Form, BodyFault> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form {
        return Err(BodyFault::Broken);
    }
    let body = body::read(headers, body, MAX_FORM, portal.limits().body_within).await?;
    let mut form = Form::default();
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "code" => form.code = value.into_owned(),
            "name" => form.name = value.into_owned(),
            "secret" => form.secret = value.into_owned(),
            _ => {}
        }
    }
    Ok(form)
}
