//! The engine worker: picks the models, opens the socket, and hands over to `banyan-inference`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use banyan_inference::EngineConfig;
use banyan_modelpack::{Pack, Store};
use tokio::net::UnixListener;

use crate::paths::Paths;
use crate::profile::{self, Profile};
use crate::settings::Settings;
use crate::{lifeline, model};

pub(crate) async fn serve(paths: &Paths) -> Result<()> {
    let profile = profile::load(&paths.profile)?;
    let settings = Settings::load(&paths.settings())?;
    let config = config(paths, &profile, &settings);
    let listener = open_socket(paths.engine_socket()).await?;
    let stop = async {
        if let Err(error) = lifeline::asked_to_stop().await {
            tracing::error!(%error, "signals cannot be received; the supervisor will end this process the hard way");
            std::future::pending::<()>().await;
        }
    };
    banyan_inference::serve(config, listener, stop).await.context("the engine broke")
}

fn config(paths: &Paths, profile: &Profile, settings: &Settings) -> EngineConfig {
    let engine = profile.engine.clone();
    EngineConfig {
        packs: packs(paths, settings),
        // Missing, it is the engine that says so: in /health, where the page and the status find it.
        ort_library: paths.ort_library().unwrap_or_else(|_| paths.data.join("lib/libonnxruntime.so")),
        threads: engine.threads,
        slots: engine.slots,
        capacity: engine.context,
        kv_budget: engine.kv_mib << 20,
        max_waiting: engine.queue,
        providers: engine.providers,
        spin: engine.spin,
        ..EngineConfig::default()
    }
}

/// The folders of the models that serve. A pack that does not open is logged and left out; that the settings name one
/// which is not there is told by the engine, which then has nothing to answer with.
fn packs(paths: &Paths, settings: &Settings) -> Vec<PathBuf> {
    let store = Store::new(paths.models());
    let opened: Vec<Pack> = store
        .list()
        .into_iter()
        .filter_map(|pack| pack.inspect_err(|error| tracing::error!(%error, "a model pack is left out")).ok())
        .collect();
    let all: Vec<&Pack> = opened.iter().collect();
    let choice = model::choose(&all, &settings.models);
    let chosen = [("answers", choice.chat), ("embeddings", choice.embedding)];
    let names = chosen
        .into_iter()
        .filter_map(|(what, name)| name.inspect_err(|reason| tracing::warn!(what, "{reason}")).ok());
    names.map(|name| store.dir().join(name)).collect()
}

/// Removes a socket that a killed process left behind, but never one on which somebody answers.
pub(crate) async fn open_socket(path: PathBuf) -> Result<UnixListener> {
    if tokio::net::UnixStream::connect(&path).await.is_ok() {
        anyhow::bail!("another process serves {} already; `banyan status` shows which", path.display());
    }
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path).with_context(|| format!("the socket {} could not be opened", path.display()))
}
