//! So many who search at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use banyan_knowledge::{Embedder, How, Library, PATIENCE};
use serde_json::{Value, json};

use crate::vectors::Engine;
use crate::{Outcome, Question, query};

/// Passages that a page shows.
const WANTED: usize = 10;

/// Seconds in which caches fill; what is asked in them does not count.
const RUN_IN: f64 = 3.0;

/// Who searches, and how.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) searchers: usize,
    pub(crate) seconds: f64,
    /// Seconds between two searches of one searcher, on average.
    pub(crate) pause: f64,
    pub(crate) by_meaning: bool,
}

pub(crate) async fn search(
    library: &Library,
    socket: &str,
    questions: Vec<Question>,
    load: Load,
) -> Outcome<Value> {
    let questions = Arc::new(questions);
    let engine = Arc::new(Engine::at(socket));
    let began = Instant::now();
    let running: Vec<_> = (0..load.searchers)
        .map(|number| {
            let (library, questions, engine) = (library.clone(), questions.clone(), engine.clone());
            tokio::spawn(searcher(library, questions, engine, load, number, began))
        })
        .collect();
    let (mut took, mut with_meaning) = (Vec::new(), 0_usize);
    for one in running {
        let (more, meaning) = one.await?.map_err(|error| error.to_string())?;
        took.extend(more);
        with_meaning += meaning;
    }
    took.sort_by(f64::total_cmp);
    Ok(json!({
        "searches": took.len(),
        "p50_ms": share(&took, 0.5),
        "p95_ms": share(&took, 0.95),
        "p99_ms": share(&took, 0.99),
        "with_meaning": with_meaning as f64 / took.len().max(1) as f64,
    }))
}

/// Milliseconds of each search, and how many of them found by meaning too.
async fn searcher(
    library: Library,
    questions: Arc<Vec<Question>>,
    engine: Arc<Engine>,
    load: Load,
    number: usize,
    began: Instant,
) -> Result<(Vec<f64>, usize), banyan_knowledge::LibraryError> {
    let mut rng = fastrand::Rng::with_seed(number as u64);
    let embedder: Option<&dyn Embedder> = load.by_meaning.then_some(engine.as_ref());
    let (mut took, mut with_meaning) = (Vec::new(), 0);
    tokio::time::sleep(Duration::from_secs_f64(rng.f64() * load.pause.min(1.0))).await;
    for question in questions.iter().cycle().skip(number * 7) {
        if began.elapsed().as_secs_f64() > RUN_IN + load.seconds {
            break;
        }
        let start = Instant::now();
        let results = library.search(&query(&question.question, WANTED), embedder, PATIENCE).await?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        if (start - began).as_secs_f64() >= RUN_IN {
            took.push(ms);
            with_meaning += usize::from(results.how == How::WordsAndMeaning);
        }
        let pause = -(1.0 - rng.f64()).ln() * load.pause;
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
    }
    Ok((took, with_meaning))
}

/// The value below which this share of sorted values lies.
fn share(sorted: &[f64], part: f64) -> Option<f64> {
    let at = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied()
}
