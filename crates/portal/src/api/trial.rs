//! Try before you vote: the same question under the policy in force and under a proposed one.

use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use banyan_governance::Permission;
use banyan_governance::policy::Policy;
use banyan_openai::{ApiError, ErrorBody};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Portal;
use crate::answer::{Failure, seconds};
use crate::answers::{Quiet, Said};
use crate::community::{Refused, Sent, SignedIn};
use crate::pages::chat::MAX_QUESTION;
use crate::pages::policy::saying_text;
use crate::queue::Member;
use crate::visit::Visit;

/// Trials wait until nobody else does; who tries out a policy waits so long at most.
const PATIENCE: Duration = Duration::from_secs(240);

/// A policy that is tried, and on what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// The whole proposed policy.
    pub(crate) policy: Policy,
    /// What is asked under both.
    pub(crate) question: String,
}

/// Both answers, side by side.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TrialAnswers {
    /// Under the policy in force.
    pub(crate) before: String,
    /// Rules that applied then.
    pub(crate) before_rules: Vec<String>,
    /// Under the proposed policy.
    pub(crate) after: String,
    /// Rules that would apply.
    pub(crate) after_rules: Vec<String>,
}

/// Ask a question under the policy in force and under a proposed one.
///
/// Both answers are made with the same model and without chance, so that what differs comes from the policy. They wait
/// until nobody else does. Nothing is written down, and nothing changes.
#[utoipa::path(
    post,
    path = "/api/try",
    tag = "app",
    request_body = Trial,
    responses(
        (status = 200, body = TrialAnswers),
        (status = 400, description = "The policy cannot be put in force as it is", body = ErrorBody),
        (status = 401, description = "Nobody is signed in", body = ErrorBody),
        (status = 403, description = "The caller may not decide", body = ErrorBody),
        (status = 503, description = "The engine is away, or others wait for too long", body = ErrorBody),
    )
)]
pub(crate) async fn try_policy(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    SignedIn(caller): SignedIn,
    Sent(Trial { policy, question }): Sent<Trial>,
) -> Result<Json<TrialAnswers>, Refused> {
    caller.require(Permission::Decide)?;
    let question = question.trim();
    if question.is_empty() || question.chars().count() > MAX_QUESTION {
        let words = format!("a question to try has 1 to {MAX_QUESTION} characters");
        return Err(ApiError::invalid_param("question", words).into());
    }
    let proposed = portal
        .effectives()
        .proposed(policy)
        .map_err(|error| ApiError::invalid_param("policy", error.to_string()))?;
    portal.may_ask(&visit).map_err(of_failure)?;
    let in_force = portal.effectives().now().map_err(of_failure)?;
    let member = Member::person(caller.member.as_str());
    let told = |quiet: Quiet| {
        let text = match quiet.said {
            Said::Words(words) => words,
            Said::Saying(saying) => saying_text(&saying, &visit),
        };
        (text, quiet.rules)
    };
    let both = async {
        let (before, before_rules) = told(portal.answers().try_out(&in_force, &member, question).await?);
        let (after, after_rules) = told(portal.answers().try_out(&proposed, &member, question).await?);
        Ok::<_, Failure>(TrialAnswers { before, before_rules, after, after_rules })
    };
    match tokio::time::timeout(PATIENCE, both).await {
        Ok(answers) => Ok(Json(answers.map_err(of_failure)?)),
        Err(_) => {
            let words = "others have been asking all the time; try again in a quiet moment";
            Err(ApiError::queue_full(words, seconds(PATIENCE)).into())
        }
    }
}

fn of_failure(failure: Failure) -> ApiError {
    let status = match failure.code.as_str() {
        Failure::QUOTA => StatusCode::TOO_MANY_REQUESTS,
        ApiError::CONTEXT_LENGTH_EXCEEDED => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let error = ApiError::new(status, "server_error", Some(&failure.code), failure.detail);
    match failure.retry_after_s {
        Some(seconds) => error.with_retry_after(seconds),
        None => error,
    }
}
