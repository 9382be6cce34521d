//! What was decided, brought to what is outside the store: the engine's model and adapter, and the settings with which
//! the engine starts next time.
//!
//! ```text
//!   what is in force ──▶ compare with settings and engine ──▶ change what differs ──▶ wait for the next decision
//!                              ▲                                     │ failed
//!                              └────────── a while later ◀───────────┘
//! ```
//!
//! Crash-only: it compares at every start, so a decision that was enacted in the moment of a power cut is carried out by
//! the next one. It never decides: where the pack that was decided on is not on the box, the box's usual model goes on
//! answering, and the log and each answer's audit entry say so. (Which model a question is asked of, the portal reads
//! from what is in force itself; the queue's settings too.)

use std::time::Duration;

use anyhow::{Context, Result, bail};
use banyan_assembly::{Assembly, InForce};
use banyan_openai::{Client, HealthStatus};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};

use crate::paths::Paths;
use crate::settings::Settings;

/// After a failure, mostly an engine that still starts.
const AGAIN: Duration = Duration::from_secs(15);

/// Follows what is in force, as long as the assembly lives.
pub(crate) async fn follow(assembly: Assembly, paths: Paths) {
    let engine = Client::new(paths.engine_socket());
    let mut changes = assembly.watch();
    // From here on the channel alone says that the assembly lives.
    drop(assembly);
    let mut told = String::new();
    loop {
        let in_force = changes.borrow_and_update().clone();
        let failed = bring(&in_force, &paths, &engine).await.err().map(|error| format!("{error:#}"));
        if let Some(reason) = failed.as_ref().filter(|reason| **reason != told) {
            tracing::warn!(%reason, "what was decided about models is not carried out yet; it is tried again");
        }
        told = failed.clone().unwrap_or_default();
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if failed.is_some() => {}
        }
    }
}

async fn bring(in_force: &InForce, paths: &Paths, engine: &Client) -> Result<()> {
    if in_force.model.is_none() && in_force.adapter.is_none() {
        return Ok(());
    }
    settle(in_force, paths)?;
    let health = engine.health().await?;
    if health.status != HealthStatus::Ready {
        bail!("the engine is not ready yet");
    }
    if let Some(model) = &in_force.model {
        let known = health.models.iter().find(|known| known.name == *model);
        match known.map(|known| known.state.as_str()) {
            None => bail!(
                "{model} was decided on, and the engine does not know it; `banyan model list` shows what is there"
            ),
            Some("ready" | "loading") => {}
            Some(_) => send(engine, &format!("/v1/models/{model}/load"), None).await?,
        }
    }
    if let Some(adapter) = &in_force.adapter {
        let wanted = serde_json::json!({ "lora_name": adapter, "lora_path": paths.adapters().join(adapter) });
        send(engine, "/v1/load_lora_adapter", Some(wanted.to_string())).await?;
    }
    Ok(())
}

/// The settings say what was decided, so that the engine starts with it. Only what is on the box: a default that is not
/// there would leave the box without any.
fn settle(in_force: &InForce, paths: &Paths) -> Result<()> {
    let mut settings = Settings::load(&paths.settings())?;
    let before = settings.clone();
    if let Some(model) = in_force.model.as_ref().filter(|model| is_there(&paths.models(), model)) {
        settings.models.chat = Some(model.clone());
    }
    if let Some(adapter) = in_force.adapter.as_ref().filter(|adapter| is_there(&paths.adapters(), adapter))
        && !settings.models.adapters.contains(adapter)
    {
        settings.models.adapters.push(adapter.clone());
    }
    if settings != before {
        settings.save(&paths.settings())?;
        tracing::info!(event = "enact.settings", model = in_force.model, adapter = in_force.adapter);
    }
    Ok(())
}

/// A name is one part of a path: what was decided never names a folder elsewhere.
fn is_there(shelf: &std::path::Path, name: &str) -> bool {
    let mut parts = std::path::Path::new(name).components();
    let is_plain = matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None));
    is_plain && shelf.join(name).is_dir()
}

async fn send(engine: &Client, path: &str, body: Option<String>) -> Result<()> {
    let mut request = Request::builder().method(Method::POST).uri(path);
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    let response = engine.forward(request).await?;
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    let words = response.into_body().collect().await.context("the engine's answer was cut off")?.to_bytes();
    bail!(
        "the engine refused {path}: {status}: {}",
        String::from_utf8_lossy(&words).chars().take(300).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn box_with(shelves: &[&str]) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        for folder in shelves {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let paths = Paths::new(Some(dir.path().to_owned()), None, "desk".into(), None).unwrap();
        (dir, paths)
    }

    #[test]
    fn the_engine_starts_next_time_with_what_was_decided_and_only_with_what_is_there() {
        let (_dir, paths) = box_with(&["models/qwen3-4b", "adapters/our-words"]);
        let decided = |model: &str, adapter: &str| InForce {
            model: Some(model.into()),
            adapter: Some(adapter.into()),
            ..InForce::default()
        };
        settle(&decided("gone", "gone"), &paths).unwrap();
        assert_eq!(Settings::load(&paths.settings()).unwrap(), Settings::default());
        for _ in 0..2 {
            settle(&decided("qwen3-4b", "our-words"), &paths).unwrap();
            let models = Settings::load(&paths.settings()).unwrap().models;
            assert_eq!(
                (models.chat.as_deref(), models.adapters),
                (Some("qwen3-4b"), vec!["our-words".into()])
            );
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_not_there() {
        let (dir, paths) = box_with(&["models/one", "elsewhere"]);
        assert!(is_there(&paths.models(), "one"));
        let absolute = dir.path().join("elsewhere");
        for name in ["../elsewhere", "..", ".", "", "one/..", "two", absolute.to_str().unwrap()] {
            assert!(!is_there(&paths.models(), name), "{name}");
        }
    }

    #[tokio::test]
    async fn without_a_decision_nothing_is_touched() {
        let (_dir, paths) = box_with(&[]);
        bring(&InForce::default(), &paths, &Client::new("/nowhere.sock")).await.unwrap();
        assert!(!paths.settings().exists());
    }
}
