//! The models that search uses where there are any: one turns texts into vectors, one puts passages in order.

use std::future::Future;
use std::pin::Pin;

/// An embedding on its way: one vector for each text, in order, or why there is none.
pub type Embedding<'a> = Pin<Box<dyn Future<Output = Result<Vec<Vec<f32>>, String>> + Send + 'a>>;

/// An embedding model. Vectors of one name are comparable with each other and with no others.
pub trait Embedder: Send + Sync {
    /// The model's name, as vectors are kept under it.
    fn name(&self) -> String;

    /// A vector of unit length for each text.
    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a>;
}

/// A re-ranking on its way: a score for each text, in order, the higher the better, or why there is none.
pub type Reranking<'a> = Pin<Box<dyn Future<Output = Result<Vec<f32>, String>> + Send + 'a>>;

/// A cross-encoder: it reads question and passage together. Better than vectors and much slower, so it sees only the best.
pub trait Reranker: Send + Sync {
    /// How well each text answers the question.
    fn rerank<'a>(&'a self, question: &'a str, texts: &'a [String]) -> Reranking<'a>;
}
