//! `POST /v1/rerank`.

use super::answer::{json, to_json};
use super::{App, Refusal, body, model_name, not_done};
use crate::error::EngineError;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use banyan_openai::{ApiError, RerankRequest, RerankResponse, RerankResult, RerankText, RerankUsage};
use std::sync::Arc;

/// Documents of one request: each costs a run of its own, so this is seconds of work for a small model.
const MAX_DOCUMENTS: usize = 1000;

pub(super) async fn rerank(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let bytes = body(bytes)?;
    let models = app.models()?;
    let request: RerankRequest = serde_json::from_slice(&bytes)
        .map_err(|e| ApiError::invalid_request(format!("the request is not understood: {e}")))?;
    check(&request)?;
    let model = models.registry.reranker(&model_name(&bytes)?).await?;
    let texts: Vec<String> = request.documents.iter().map(|document| document.text().to_owned()).collect();
    let query = request.query.clone();
    let scored = model.work(move |reranker, go_on| reranker.score(&query, &texts, go_on)).await;
    let scored = scored
        .map_err(|e| not_done(&app, "re-ranking", e))?
        .map_err(|e| match e {
            EngineError::Tokenizer(words) => ApiError::invalid_param("query", words),
            other => ApiError::internal(other.to_string()),
        })?
        .ok_or_else(|| ApiError::internal("the request was given up"))?;
    let usage = RerankUsage { total_tokens: u32::try_from(scored.tokens).unwrap_or(u32::MAX) };
    let response =
        RerankResponse { model: model.name.clone(), results: results(&request, &scored.scores), usage };
    Ok(json(to_json(&response)))
}

fn check(request: &RerankRequest) -> Result<(), Refusal> {
    let count = request.documents.len();
    if count == 0 || count > MAX_DOCUMENTS {
        let words = format!("`documents` takes 1 to {MAX_DOCUMENTS} documents, not {count}");
        return Err(Refusal(ApiError::invalid_param("documents", words)));
    }
    if request.query.trim().is_empty() {
        return Err(Refusal(ApiError::invalid_param(
            "query",
            "`query` is empty; there is nothing to look for",
        )));
    }
    if request.top_n == Some(0) {
        return Err(Refusal(ApiError::invalid_param("top_n", "`top_n` must be at least 1")));
    }
    Ok(())
}

/// The best first; of equals the one that came first.
fn results(request: &RerankRequest, scores: &[f32]) -> Vec<RerankResult> {
    let with_document = request.return_documents == Some(true);
    let mut results: Vec<RerankResult> = (0u32..)
        .zip(scores.iter().zip(&request.documents))
        .map(|(index, (score, document))| RerankResult {
            index,
            relevance_score: *score,
            document: with_document.then(|| RerankText { text: document.text().to_owned() }),
        })
        .collect();
    results.sort_by(|a, b| b.relevance_score.total_cmp(&a.relevance_score));
    results.truncate(request.top_n.map_or(usize::MAX, |n| n as usize));
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_openai::RerankDocument;

    #[test]
    fn the_best_come_first_and_only_as_many_as_were_asked_for() {
        let documents = ["a", "b", "c"].map(|text| RerankDocument::Text(text.into())).to_vec();
        let mut request =
            RerankRequest { query: "q".into(), documents, top_n: Some(2), ..RerankRequest::default() };
        let order = |request: &RerankRequest| {
            results(request, &[0.1, 0.9, 0.5]).iter().map(|r| r.index).collect::<Vec<_>>()
        };
        assert_eq!(order(&request), [1, 2]);
        assert!(results(&request, &[0.1, 0.9, 0.5])[0].document.is_none());
        (request.top_n, request.return_documents) = (None, Some(true));
        assert_eq!(order(&request), [1, 2, 0]);
        assert_eq!(results(&request, &[0.1, 0.9, 0.5])[0].document.as_ref().unwrap().text, "b");
    }
}
