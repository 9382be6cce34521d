//! `GET /why/{entry}`: by what an answer was made, in words.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use banyan_assembly::answers::{AnswerAction, Audit};
use banyan_knowledge::Collection;
use http::StatusCode;
use minijinja::{Value, context};

use crate::Portal;
use crate::library::Patron;
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
        facts => facts(&visit, &audit, &titles(&portal, &visit, &audit.record.sources).await),
    };
    portal.pages().page(StatusCode::OK, "why.html", &visit, values)
}

/// What the sources are called, for whoever may read them. The ledger has their names only, so of what was withdrawn, or
/// is not open to this visitor, nothing is told but that.
async fn titles(portal: &Portal, visit: &Visit, sources: &[String]) -> Vec<String> {
    let hidden = || visit.language.text("page.why.hiddenSource").to_owned();
    let Ok(patron) = Patron::of(portal, visit) else { return vec![hidden(); sources.len()] };
    let collections = patron.library.collections(patron.reader.audience).await.unwrap_or_default();
    let mut titles = Vec::new();
    for source in sources {
        let (collection, document) = source.split_once('/').unwrap_or((source, ""));
        let title = match document.parse() {
            Ok(id) => {
                patron.library.document(id, patron.reader.clone()).await.ok().map(|document| document.title)
            }
            // An archive stands here under its collection.
            Err(_) => {
                let named = |one: &&Collection| one.id.as_str() == collection;
                collections.iter().find(named).map(|one| one.name.clone())
            }
        };
        titles.push(title.map_or_else(hidden, |title| format!("{title} ({source})")));
    }
    titles
}

fn facts(visit: &Visit, audit: &Audit, sources: &[String]) -> Vec<Value> {
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
        add("page.why.sources", list(sources, "page.why.noSources"));
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
