//! `GET /status`: how the box is, in words.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use banyan_openai::{Health, HealthStatus};
use http::StatusCode;
use minijinja::{Value, context};

use crate::Portal;
use crate::engines::EngineState;
use crate::visit::Visit;

/// Seconds after which the page looks again by itself, while something is being mended.
const REFRESH_SECONDS: u32 = 10;

/// Words that a model keeps in mind, of each hundred tokens: about what English needs. Other languages need more
/// tokens; the page says "roughly".
const WORDS_PER_HUNDRED_TOKENS: u32 = 70;

/// `GET /status`.
pub(crate) async fn status(State(portal): State<Portal>, Extension(visit): Extension<Visit>) -> Response {
    let health = portal.health_at_a_glance().await;
    let (kind, key) = match health.as_ref().map(|health| health.status) {
        Some(HealthStatus::Ready) => ("ready", "page.status.ready"),
        // Another machine answers meanwhile.
        _ if portal.engines().capacity() > 0 => ("ready", "page.status.ready"),
        Some(HealthStatus::Loading) => ("wait", "page.status.loading"),
        Some(HealthStatus::Failed) => ("down", "page.status.failed"),
        None => ("down", "page.status.down"),
    };
    let values = context! {
        title => visit.language.text("page.status.title"),
        on_status => true,
        refresh => (kind != "ready").then_some(REFRESH_SECONDS),
        state => context! { kind, text => visit.language.text(key) },
        facts => facts(&portal, &visit, health.as_ref()),
    };
    portal.pages().page(StatusCode::OK, "status.html", &visit, values)
}

fn facts(portal: &Portal, visit: &Visit, health: Option<&Health>) -> Vec<Value> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| facts.push(context! { name, value });
    if let Some(health) = health {
        if let Some(reason) = health.reason.as_ref().filter(|_| health.status != HealthStatus::Ready) {
            add("page.status.reason", reason.clone());
        }
        let no_model = || visit.language.text("page.status.noModel").to_owned();
        add("page.status.model", health.model.clone().unwrap_or_else(no_model));
        if let Some(model) = &health.embedding_model {
            add("page.status.search", model.clone());
        }
        if health.status == HealthStatus::Ready {
            add("page.status.running", health.running.to_string());
            let waits_here = portal.turns().overview().waiting;
            add("page.status.waiting", (waits_here + health.waiting as usize).to_string());
        }
        if health.context_length > 0 {
            let words = u64::from(health.context_length) * u64::from(WORDS_PER_HUNDRED_TOKENS) / 100;
            add("page.status.context", (words / 100 * 100).max(100).to_string());
        }
        let works: Vec<&str> =
            health.providers.iter().filter(|one| one.works).map(|one| one.name.as_str()).collect();
        if !works.is_empty() {
            add("page.status.compute", works.join(", "));
        }
    }
    // The reason why one is away is the stewards' to read, in `banyan status`.
    for helper in portal.engine_views().into_iter().skip(1) {
        let is_ready = matches!(helper.state, EngineState::Ready | EngineState::Trial);
        let key = if is_ready { "page.status.helperReady" } else { "page.status.helperAway" };
        add("page.status.helper", format!("{}: {}", helper.name, visit.language.text(key)));
    }
    if let Some(address) = portal.public_url() {
        add("page.status.address", address.to_owned());
    }
    add("page.status.version", env!("CARGO_PKG_VERSION").to_owned());
    facts
}
