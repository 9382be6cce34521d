//! The engine's models for the library: questions are embedded at once, passages in the background, the best passages
//! put in order where there is a re-ranker.
//!
//! Passages wait behind people: while a question waits for the engine nothing is embedded, while one is answered only a
//! little. What is done is in the store, so a restart goes on where it was.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use banyan_knowledge::{Embedder, Embedding, Library, Reranker, Reranking};
use banyan_openai::{
    Client, EmbeddingRequest, EncodingFormat, Health, HealthStatus, Input, RerankDocument, RerankRequest,
};

/// Passages at once while nobody asks: half a second of work on a small box.
const BATCH: usize = 16;

/// Passages at once while an answer is made; then a breath.
const SMALL_BATCH: usize = 2;
const BREATH: Duration = Duration::from_secs(1);

/// How soon new passages get their vectors, when all others have theirs.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// After a failure, mostly an engine that still starts.
const AGAIN: Duration = Duration::from_secs(10);

/// The engine's models.
pub(crate) struct Models {
    engine: Client,
    known: RwLock<Known>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Known {
    embedding: String,
    reranks: bool,
}

impl Models {
    /// Those of the engine that this client asks; their names are known once [`follow`] heard from it.
    pub(crate) fn new(engine: Client) -> Arc<Self> {
        Arc::new(Self { engine, known: RwLock::default() })
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, health: &Health) {
        let known = Known {
            embedding: health.embedding_model.clone().unwrap_or_default(),
            reranks: health.models.iter().any(|model| model.kind == "rerank" && model.state != "failed"),
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    async fn vectors(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let model = self.name();
        if model.is_empty() {
            return Err("the engine has no embedding model".into());
        }
        let request = EmbeddingRequest {
            model: model.clone(),
            input: Input::Texts(texts.to_vec()),
            encoding_format: Some(EncodingFormat::Base64),
            dimensions: None,
            user: None,
        };
        let response = self.engine.embeddings(&request).await.map_err(|error| error.to_string())?;
        if response.model != model {
            return Err(format!("\"{}\" answered instead of \"{model}\"", response.model));
        }
        let mut vectors = response.data;
        vectors.sort_by_key(|vector| vector.index);
        vectors
            .into_iter()
            .map(|vector| vector.embedding.into_floats().map_err(|error| error.to_string()))
            .collect()
    }

    async fn scores(&self, question: &str, texts: &[String]) -> Result<Vec<f32>, String> {
        if !self.known().reranks {
            return Err("the engine has no re-ranking model".into());
        }
        let request = RerankRequest {
            query: question.to_owned(),
            documents: texts.iter().cloned().map(RerankDocument::Text).collect(),
            ..RerankRequest::default()
        };
        let response = self.engine.rerank(&request).await.map_err(|error| error.to_string())?;
        let scores: HashMap<usize, f32> =
            response.results.iter().map(|result| (result.index as usize, result.relevance_score)).collect();
        let scores: Option<Vec<f32>> = (0..texts.len()).map(|at| scores.get(&at).copied()).collect();
        scores.ok_or_else(|| "it did not score each passage".into())
    }
}

impl Embedder for Models {
    fn name(&self) -> String {
        self.known().embedding
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        Box::pin(self.vectors(texts))
    }
}

impl Reranker for Models {
    fn rerank<'a>(&'a self, question: &'a str, texts: &'a [String]) -> Reranking<'a> {
        Box::pin(self.scores(question, texts))
    }
}

/// Gives passages their vectors, for as long as the node runs.
pub(crate) async fn follow(models: Arc<Models>, library: Library) {
    let (mut warm, mut told) = (None, String::new());
    loop {
        let pause = match step(&models, &library, &mut warm).await {
            Ok(pause) => {
                told.clear();
                pause
            }
            Err(reason) => {
                if reason != told {
                    tracing::warn!(%reason, "passages have no vectors yet, and are found by their words; it is tried again");
                    told = reason;
                }
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// A batch, if now is the time. Gives how long to wait before the next.
async fn step(models: &Models, library: &Library, warm: &mut Option<String>) -> Result<Duration, String> {
    let health = models.engine.health().await.map_err(|error| error.to_string())?;
    models.learn(&health);
    let name = models.name();
    if health.status != HealthStatus::Ready || name.is_empty() {
        return Ok(AGAIN);
    }
    if warm.as_ref() != Some(&name) {
        library.warm_up(Some(name.clone())).await.map_err(|error| error.to_string())?;
        *warm = Some(name);
    }
    if health.waiting > 0 {
        return Ok(BREATH);
    }
    let busy = health.running > 0;
    let batch = if busy { SMALL_BATCH } else { BATCH };
    let left = library.embed_pending(models, batch).await.map_err(|error| error.to_string())?;
    Ok(match (left, busy) {
        (0, _) => LOOK_AGAIN,
        (_, true) => BREATH,
        (_, false) => Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use axum::routing::{get, post};
    use axum::{Json, Router};
    use banyan_knowledge::{
        Audience, Block, BlockKind, Consent, Extracted, Hand, How, Level, NewCollection, NewDocument,
        PATIENCE, Query, Use,
    };
    use banyan_openai::{EmbeddingResponse, ModelHealth, RerankResponse, RerankResult, RerankUsage};
    use banyan_store::{Store, StoreKey};
    use tokio::net::UnixListener;

    use super::*;

    /// An engine that embeds a text by the letters it has, and prefers short passages.
    struct Engine {
        health: Mutex<Health>,
        embedded: Mutex<Vec<usize>>,
    }

    impl Engine {
        fn listen(socket: &Path) -> Arc<Self> {
            let mut health = Health::loading("1");
            (health.status, health.embedding_model) = (HealthStatus::Ready, Some("letters".into()));
            let engine = Arc::new(Self { health: health.into(), embedded: Mutex::default() });
            let (of_health, of_embeddings) = (engine.clone(), engine.clone());
            let embeddings = async move |Json(request): Json<EmbeddingRequest>| {
                let Input::Texts(texts) = request.input else { panic!("texts are expected") };
                of_embeddings.embedded.lock().unwrap().push(texts.len());
                let letters =
                    |text: &String| ('a'..='z').map(|one| text.matches(one).count() as f32).collect();
                let vectors = texts.iter().map(letters).collect();
                Json(EmbeddingResponse::new(request.model, vectors, EncodingFormat::Base64, 1))
            };
            let rerank = async |Json(request): Json<RerankRequest>| {
                let score = |(index, document): (u32, &RerankDocument)| RerankResult {
                    index,
                    relevance_score: 1.0 / document.text().len() as f32,
                    document: None,
                };
                let mut results: Vec<RerankResult> = (0..).zip(&request.documents).map(score).collect();
                results.reverse();
                Json(RerankResponse { model: String::new(), results, usage: RerankUsage::default() })
            };
            let app = Router::new()
                .route("/health", get(async move || Json(of_health.health.lock().unwrap().clone())))
                .route("/v1/embeddings", post(embeddings))
                .route("/v1/rerank", post(rerank));
            let listener = UnixListener::bind(socket).unwrap();
            tokio::spawn(async move { axum::serve(listener, app).await });
            engine
        }
    }

    async fn library(folder: &Path, texts: &[&str]) -> Library {
        let store = Store::open(folder, &StoreKey::from_bytes([3; 32]), &banyan_knowledge::rooms()).unwrap();
        let library = Library::open(store).unwrap();
        let new = NewCollection {
            name: "Shelf".into(),
            about: String::new(),
            audience: Audience::Guests,
            consent: Consent { uses: [Use::Search].into(), level: Level::LocalOnly },
            licence: "CC0-1.0".into(),
            language: Some("en".into()),
            review: false,
        };
        let shelf = library.add_collection(new, Hand::Box, 1).await.unwrap().id;
        for text in texts {
            let block = Block { kind: BlockKind::Paragraph, text: (*text).into(), page: None };
            let extracted = Extracted { blocks: vec![block], ..Extracted::default() };
            library.add(NewDocument::new(shelf.clone(), text, extracted), Hand::Box, 1).await.unwrap();
        }
        library
    }

    fn asks(text: &str) -> Query {
        Query {
            text: text.into(),
            r#use: Use::Search,
            reader: Audience::Guests.into(),
            collections: None,
            languages: None,
            limit: 5,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn passages_get_vectors_while_nobody_waits_and_questions_are_embedded_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = Engine::listen(&socket);
        let library = library(folder.path(), &["zzz yyy", "eee aaa", "ooo"]).await;
        let models = Models::new(Client::new(&socket));
        assert_eq!(
            library.search(&asks("zyz"), Some(models.as_ref()), PATIENCE).await.unwrap().how,
            How::Words
        );

        engine.health.lock().unwrap().waiting = 1;
        assert_eq!(step(&models, &library, &mut None).await, Ok(BREATH));
        assert!(engine.embedded.lock().unwrap().is_empty(), "somebody waits");

        (engine.health.lock().unwrap().waiting, engine.health.lock().unwrap().running) = (0, 1);
        assert_eq!(step(&models, &library, &mut None).await, Ok(BREATH));
        assert_eq!(*engine.embedded.lock().unwrap(), [SMALL_BATCH]);

        engine.health.lock().unwrap().running = 0;
        assert_eq!(step(&models, &library, &mut None).await, Ok(LOOK_AGAIN));
        assert_eq!(step(&models, &library, &mut None).await, Ok(LOOK_AGAIN));
        assert_eq!(*engine.embedded.lock().unwrap(), [SMALL_BATCH, 1], "each passage once");

        let found = library.search(&asks("zyz"), Some(models.as_ref()), PATIENCE).await.unwrap();
        assert_eq!((found.how, found.hits[0].text.as_str()), (How::WordsAndMeaning, "zzz yyy"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_engine_that_is_not_there_is_told_and_searches_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let library = library(folder.path(), &["rain"]).await;
        let models = Models::new(Client::new(folder.path().join("no.sock")));
        step(&models, &library, &mut None).await.unwrap_err();
        assert_eq!(
            library.search(&asks("rain"), Some(models.as_ref()), PATIENCE).await.unwrap().hits.len(),
            1
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_re_ranker_is_asked_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = Engine::listen(&socket);
        let library = library(folder.path(), &["rain and rain and rain", "rain"]).await;
        let models = Models::new(Client::new(&socket));
        let library = library.with_reranker(models.clone());
        let first = async || {
            step(&models, &library, &mut None).await.unwrap();
            library.search(&asks("and rain"), None, PATIENCE).await.unwrap().hits[0].text.clone()
        };
        assert_eq!(first().await, "rain and rain and rain");
        let reranker = ModelHealth {
            name: "cross".into(),
            kind: "rerank".into(),
            state: "ready".into(),
            reason: None,
            memory_mib: 1,
            stays: true,
        };
        engine.health.lock().unwrap().models.push(reranker);
        assert_eq!(first().await, "rain");
    }
}
