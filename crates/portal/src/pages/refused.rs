//! What a refused request gets: a page in words for a person, OpenAI's error body for a program.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use banyan_openai::ApiError;
use http::StatusCode;
use minijinja::context;

use crate::Portal;
use crate::visit::{Reader, Visit};

/// Pages of writing that fit into the largest form, as the page for 413 says.
const PAGES_THAT_FIT: &str = "4";

/// No such address.
pub(crate) async fn not_found(State(portal): State<Portal>, Extension(visit): Extension<Visit>) -> Response {
    portal.refuse(&visit, StatusCode::NOT_FOUND)
}

/// The address exists, the method does not.
pub(crate) async fn method_not_allowed(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
) -> Response {
    portal.refuse(&visit, StatusCode::METHOD_NOT_ALLOWED)
}

/// The community's store cannot be opened: the page says why, for whoever can help.
pub(crate) async fn in_trouble(State(portal): State<Portal>, Extension(visit): Extension<Visit>) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    match visit.reader {
        Reader::Person => {
            let title = visit.language.text("page.trouble.title");
            let text = visit.language.fill("page.trouble.text", &[("reason", portal.trouble())]);
            portal.pages().page(status, "refused.html", &visit, context! { title, text })
        }
        Reader::App | Reader::Program => {
            let words = format!(
                "the box cannot open its store, and answers nobody until it can: {}",
                portal.trouble()
            );
            ApiError::new(status, "server_error", Some("store_unusable"), words).to_response().map(Body::new)
        }
    }
}

impl Portal {
    /// The answer to a request that was refused with this status.
    pub(crate) fn refuse(&self, visit: &Visit, status: StatusCode) -> Response {
        match visit.reader {
            Reader::Person => self.refused_page(visit, status),
            Reader::App | Reader::Program => api_refusal(visit, status).to_response().map(Body::new),
        }
    }

    fn refused_page(&self, visit: &Visit, status: StatusCode) -> Response {
        let known = [400_u16, 403, 404, 405, 408, 413].contains(&status.as_u16());
        let number = if known { status.as_u16() } else { 500 };
        let title = visit.language.fill(&format!("page.refused.{number}.title"), &[]);
        let text = visit
            .language
            .fill(&format!("page.refused.{number}.text"), &[("n", PAGES_THAT_FIT), ("id", &visit.id)]);
        self.pages().page(status, "refused.html", visit, context! { title, text })
    }
}

fn api_refusal(visit: &Visit, status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => {
            ApiError::not_found("there is nothing at this address; see /api/openapi.json")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::method_not_allowed("this address does not take that method; see /api/openapi.json")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            let limit = if visit.reader == Reader::App { crate::api::MAX_BODY } else { crate::v1::MAX_BODY };
            ApiError::too_large(limit)
        }
        StatusCode::FORBIDDEN => ApiError::new(
            status,
            "invalid_request_error",
            Some("cross_origin"),
            "this was sent by another site's page; the box answers only its own pages",
        ),
        StatusCode::REQUEST_TIMEOUT => {
            let message = "the request took too long to arrive; send it again";
            ApiError::new(status, "invalid_request_error", Some("request_timeout"), message)
        }
        StatusCode::BAD_REQUEST => {
            ApiError::invalid_request("the request broke off before its end; send it again")
        }
        _ => ApiError::internal(format!(
            "the box made a mistake; its log has it under the number {}",
            visit.id
        )),
    }
}
