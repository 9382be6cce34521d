//! From model packs to running models.

use crate::adapters::{self, Adapters};
use crate::config::EngineConfig;
use crate::decoder::{self, Decoder};
use crate::embed::Embedder;
use crate::engine::{Engine, EngineOptions};
use crate::error::EngineError;
use crate::metrics::Metrics;
use crate::prompt::Prompter;
use crate::rerank::Reranker;
use crate::runner::session;
use crate::scheduler::Limits;
use banyan_modelpack::Pack;
use banyan_openai::ProviderHealth;
use ort::environment::Environment;
use ort::session::Session;
use std::path::Path;
use std::sync::Arc;
use tokenizers::Tokenizer;

/// A chat model that runs.
pub struct ChatModel {
    /// The pack's name.
    pub name: String,
    /// Its engine.
    pub engine: Engine,
    /// Its adapters; `None` where the pack has no graph for them.
    pub adapters: Option<Adapters>,
    /// Makes its prompts.
    pub prompter: Prompter,
}

/// Opens a pack.
pub(crate) fn open_pack(dir: &Path) -> Result<Pack, EngineError> {
    Pack::open(dir).map_err(|e| EngineError::Pack { path: dir.to_owned(), reason: e.to_string() })
}

/// The pack's tokenizer.
pub(crate) fn tokenizer(pack: &Pack) -> Result<Tokenizer, EngineError> {
    let path = pack.tokenizer_path();
    Tokenizer::from_file(&path).map_err(|e| EngineError::Tokenizer(format!("{}: {e}", path.display())))
}

/// Loads a decoder with the first provider that computes it. A provider that passed its trial can still fail on a
/// real model; that is written into `providers` and the next one is tried.
pub(crate) fn chat_model(
    environment: &Environment,
    pack: &Pack,
    config: &EngineConfig,
    providers: &mut [ProviderHealth],
    metrics: Arc<Metrics>,
) -> Result<ChatModel, EngineError> {
    let manifest = pack.manifest();
    let tokenizer = Arc::new(tokenizer(pack)?);
    let template = pack
        .chat_template()
        .map_err(|e| EngineError::Pack { path: pack.dir().to_owned(), reason: e.to_string() })?;
    let Decoder { runner, plan, lora, .. } = with_first_working(providers, |provider| {
        decoder::open(environment, pack, config, provider, &tokenizer)
    })?;
    let layout = plan.layout;
    let limits = Limits {
        slots: layout.slots,
        capacity: layout.capacity,
        max_waiting: config.max_waiting,
        row_tokens: plan.row_tokens,
        chunk: config.chunk,
        longest_stall: config.longest_stall.as_micros() as u64,
        compact: runner.moves_rows(),
    };
    tracing::info!(
        model = %manifest.name, slots = layout.slots, capacity = layout.capacity,
        tokens = plan.row_tokens, kv_mib = plan.bytes() >> 20, "the chat model is ready"
    );
    let options = EngineOptions {
        limits,
        tokenizer: Arc::clone(&tokenizer),
        eos: manifest.tokenizer.eos.clone(),
        blocks: plan.blocks,
        metrics,
    };
    let adapters = lora.map(|source| {
        let budget = adapters::budget(config.adapter_budget);
        Adapters::new(manifest.clone(), source, runner.lora_place(), budget)
    });
    Ok(ChatModel {
        name: manifest.name.clone(),
        adapters,
        engine: Engine::start(Box::new(runner), options)?,
        prompter: Prompter::new(tokenizer, template, &manifest.tokenizer),
    })
}

/// Loads an encoder with the first provider that computes it.
pub(crate) fn embedder(
    environment: &Environment,
    pack: &Pack,
    config: &EngineConfig,
    providers: &mut [ProviderHealth],
) -> Result<Embedder, EngineError> {
    let manifest = pack.manifest();
    let tokenizer = tokenizer(pack)?;
    let max_tokens = manifest.context_length.min(manifest.max_positions);
    let embedder = with_first_working(providers, |provider| {
        let session = plain_session(environment, pack, config, provider)?;
        let mut embedder = Embedder::new(session, tokenizer.clone(), &manifest.name, max_tokens)?;
        embedder.embed(&[crate::embed::EmbedInput::Text("warm".into())], &mut || true)?;
        Ok(embedder)
    })?;
    tracing::info!(model = %manifest.name, max_tokens, "the embedding model is ready");
    Ok(embedder)
}

/// Loads a cross-encoder with the first provider that computes it.
pub(crate) fn reranker(
    environment: &Environment,
    pack: &Pack,
    config: &EngineConfig,
    providers: &mut [ProviderHealth],
) -> Result<Reranker, EngineError> {
    let manifest = pack.manifest();
    let tokenizer = tokenizer(pack)?;
    let max_tokens = manifest.context_length.min(manifest.max_positions);
    let reranker = with_first_working(providers, |provider| {
        let session = plain_session(environment, pack, config, provider)?;
        let mut reranker = Reranker::new(session, tokenizer.clone(), &manifest.name, max_tokens)?;
        reranker.score("warm", &["up".into()], &mut || true)?;
        Ok(reranker)
    })?;
    tracing::info!(model = %manifest.name, max_tokens, "the re-ranker is ready");
    Ok(reranker)
}

/// A session without memory of its own.
fn plain_session(
    environment: &Environment,
    pack: &Pack,
    config: &EngineConfig,
    provider: &str,
) -> Result<Session, EngineError> {
    session(environment, &pack.graph_path(), provider, config.resolved_threads(), config.spin).map_err(|e| {
        EngineError::Session {
            model: pack.manifest().name.clone(),
            provider: provider.to_owned(),
            reason: e.to_string(),
        }
    })
}

fn with_first_working<T>(
    providers: &mut [ProviderHealth],
    mut load: impl FnMut(&str) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let mut last = EngineError::Missing(
        "no execution provider of ONNX Runtime works on this machine; is the library made for it?".into(),
    );
    for provider in providers.iter_mut().filter(|p| p.works) {
        match load(&provider.name) {
            Ok(model) => return Ok(model),
            Err(e) => {
                tracing::warn!(provider = %provider.name, error = %e, "a provider does not compute this model");
                provider.works = false;
                provider.detail = e.to_string();
                last = e;
            }
        }
    }
    Err(last)
}

/// Seconds since 1970 when the pack was imported; 0 when it does not say.
pub(crate) fn imported_at(pack: &Pack) -> u64 {
    u64::try_from(pack.manifest().provenance.imported_at.as_second()).unwrap_or(0)
}
