//! The engine worker: picks the models, opens the socket, and hands over to `banyan-inference`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use banyan_inference::EngineConfig;
use banyan_modelpack::{Kind, Pack, Store};
use tokio::net::UnixListener;

use crate::model::Choice;
use crate::paths::Paths;
use crate::profile::{self, Profile};
use crate::settings::Settings;
use crate::tuning::{self, Machine};
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
    let packs = packs(paths);
    // Missing, it is the engine that says so: in /health, where the page and the status find it.
    let ort_library = paths.ort_library().unwrap_or_else(|_| paths.data.join("lib/libonnxruntime.so"));
    let machine = Machine::this(&ort_library);
    EngineConfig {
        tuned: tuning::all(&paths.tuning(), &machine, packs.iter()),
        packs: folders(&packs, settings),
        ort_library,
        threads: engine.threads,
        slots: engine.slots,
        capacity: engine.context,
        kv_budget: engine.kv_mib << 20,
        max_waiting: engine.queue,
        providers: engine.providers,
        spin: engine.spin,
        memory_dir: Some(paths.tuning()),
        memory_budget: settings.models.memory_mib.unwrap_or(0) << 20,
        keep_loaded: settings.models.keep_loaded.clone(),
        adapters: settings.models.adapters.iter().map(|name| paths.adapters().join(name)).collect(),
        adapter_budget: settings.models.adapter_mib.unwrap_or(0) << 20,
        chunk: 0,
        ..EngineConfig::default()
    }
}

/// The models. One that does not open is logged and left out.
fn packs(paths: &Paths) -> Vec<Pack> {
    let opened = Store::new(paths.models()).list().into_iter();
    opened
        .filter_map(|pack| pack.inspect_err(|error| tracing::error!(%error, "a model pack is left out")).ok())
        .collect()
}

/// Their folders, the default ones first. That the settings name one which is not there is told by the engine, which then
/// has nothing to answer with.
fn folders(packs: &[Pack], settings: &Settings) -> Vec<PathBuf> {
    let all: Vec<&Pack> = packs.iter().collect();
    let choice = model::choose(&all, &settings.models);
    for (what, name) in [("answers", &choice.chat), ("embeddings", &choice.embedding)] {
        if let Err(reason) = name {
            tracing::warn!(what, "{reason}");
        }
    }
    order(&choice, &all).into_iter().map(|pack| pack.dir().to_owned()).collect()
}

/// The defaults, then the others in the order of their names. Where the settings name a default that is not there, no other
/// one of its kind takes its place unasked.
fn order<'a>(choice: &Choice<'_>, all: &[&'a Pack]) -> Vec<&'a Pack> {
    let defaults: Vec<&str> = choice.names().collect();
    let served = |pack: &&&Pack| match pack.manifest().kind {
        Kind::Decoder => choice.chat.is_ok(),
        Kind::Encoder => choice.embedding.is_ok(),
        Kind::Reranker => choice.reranker.is_ok(),
    };
    let mut packs: Vec<&Pack> = all.iter().filter(served).copied().collect();
    let name = |pack: &Pack| pack.manifest().name.clone();
    packs.sort_by_key(|pack| (!defaults.contains(&name(pack).as_str()), name(pack)));
    packs
}

/// Removes a socket that a killed process left behind, but never one on which somebody answers.
pub(crate) async fn open_socket(path: PathBuf) -> Result<UnixListener> {
    if tokio::net::UnixStream::connect(&path).await.is_ok() {
        anyhow::bail!("another process serves {} already; `banyan status` shows which", path.display());
    }
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path).with_context(|| format!("the socket {} could not be opened", path.display()))
}

#[cfg(test)]
mod tests {
    use banyan_modelpack::import::{ImportOptions, import};
    use banyan_modelpack::source::DType;
    use banyan_modelpack::testing::{Tiny, TinyFamily};

    use super::*;
    use crate::settings::ModelSettings;

    #[test]
    fn the_defaults_come_first_and_no_other_takes_the_place_of_one_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("models"));
        let tiny = |name: &str, model: Tiny| {
            let source = dir.path().join("source").join(name);
            model.write_folder(&source, DType::F32).unwrap();
            import(
                &source,
                &store,
                &ImportOptions { name: Some(name.into()), ..Default::default() },
                &mut |_| (),
            )
            .unwrap();
        };
        tiny("a-chat", Tiny::new(TinyFamily::Llama, 1));
        tiny("b-chat", Tiny::new(TinyFamily::Qwen3, 2));
        tiny("c-encoder", Tiny::new(TinyFamily::Bert, 3));
        tiny("d-reranker", Tiny::reranker(4));
        let packs: Vec<Pack> = store.list().into_iter().map(Result::unwrap).collect();
        let order = |chat: Option<&str>| {
            let models = ModelSettings { chat: chat.map(Into::into), ..ModelSettings::default() };
            let folders = folders(&packs, &Settings { models, ..Settings::default() });
            folders
                .iter()
                .map(|dir| dir.file_name().unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(order(None), ["a-chat", "c-encoder", "d-reranker", "b-chat"]);
        assert_eq!(order(Some("b-chat")), ["b-chat", "c-encoder", "d-reranker", "a-chat"]);
        assert_eq!(order(Some("gone")), ["c-encoder", "d-reranker"]);
    }
}
