//! `GET /why/{entry}`: by what an answer was made, in words.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use banyan_assembly::answers::{AnswerAction, Audit};
use http::StatusCode;
use minijinja::{Value, context};

use crate::Portal;
use crate::visit::Visit;

/// `GET /why/{entry}`.
pub(crate) async fn show(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    Path(entry): Path<String>,
) -> Response {
    let audit = match (entry.parse::<u64>(), portal.maybe_assembly()) {
        (Ok(entry), Some(assembly)) => assembly.audit(entry).await.ok(),
        _ => None,
    };
    let Some(audit) = audit else {
        let [title, text] = ["page.why.gone.title", "page.why.gone.text"].map(|key| visit.language.text(key));
        return portal.pages().page(StatusCode::NOT_FOUND, "refused.html", &visit, context! { title, text });
    };
    let values = context! {
        title => visit.language.text("page.why.title"),
        facts => facts(&visit, &audit),
    };
    portal.pages().page(StatusCode::OK, "why.html", &visit, values)
}

fn facts(visit: &Visit, audit: &Audit) -> Vec<Value> {
    let record = &audit.record;
    let text = |key: &str| visit.language.text(key).to_owned();
    let list = |items: &[String], none: &str| if items.is_empty() { text(none) } else { items.join(", ") };
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| facts.push(context! { name, value });
    add("page.why.what", text(action_key(record.action)));
    let (version, entry) = (record.policy_version.to_string(), record.policy_entry.to_string());
    add("page.why.policy", visit.language.fill("page.why.version", &[("n", &version), ("e", &entry)]));
    add("page.why.rules", list(&record.rules, "page.why.noRules"));
    if !record.skipped.is_empty() {
        add("page.why.skipped", record.skipped.join("; "));
    }
    add("page.why.model", record.model.clone().unwrap_or_else(|| text("page.why.noModel")));
    if let Some(adapter) = &record.adapter {
        add("page.why.adapter", adapter.clone());
    }
    if record.model.is_some() {
        add("page.why.sources", list(&record.sources, "page.why.noSources"));
    }
    if let Some(first) = record.first_word_ms {
        let times = [("q", seconds(record.queue_ms)), ("f", seconds(first)), ("t", seconds(record.total_ms))];
        let times = times.each_ref().map(|(name, time)| (*name, time.as_str()));
        add("page.why.times", visit.language.fill("page.why.seconds", &times));
    }
    add("page.why.entry", audit.entry.to_string());
    facts
}

fn action_key(action: AnswerAction) -> &'static str {
    match action {
        AnswerAction::Answered => "page.why.answered",
        AnswerAction::Warned => "page.why.warned",
        AnswerAction::Declined => "page.why.declined",
        AnswerAction::HandedOver => "page.why.handedOver",
        AnswerAction::Held => "page.why.held",
        AnswerAction::Refused => "page.why.refused",
        AnswerAction::Stopped => "page.why.stopped",
        AnswerAction::Failed => "page.why.failed",
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{}", milliseconds / 1000, milliseconds % 1000 / 100)
}
