//! What the parts of a search cost in a library that is there: `search_parts FOLDER QUESTION...`. One searcher, so that it is
//! the work that is measured and not the waiting. The key is the one of `library_measure`.
//!
//! Beside them what a scan in the database would cost at least: reading each vector's row once.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use banyan_knowledge::{Audience, Embedder, Embedding, Library, LibraryError, Query, Use};
use banyan_store::{Store, StoreKey};

/// How often each question is asked.
const ROUNDS: usize = 20;

/// Gives questions the vector of a passage, so that no model's time is measured.
struct Given {
    name: String,
    vector: Vec<f32>,
}

impl Embedder for Given {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        Box::pin(std::future::ready(Ok(vec![self.vector.clone(); texts.len()])))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, questions @ ..] = &words[..] else { return Err("give FOLDER QUESTION...".into()) };
    let store = Store::open(Path::new(folder), &StoreKey::from_bytes([7; 32]), &banyan_knowledge::rooms())?;
    let library = Library::open(store)?;
    let name: String = library.store().read_blocking(|connection| -> Result<String, LibraryError> {
        Ok(connection.query_row("SELECT name FROM search_embedders LIMIT 1", [], |row| row.get(0))?)
    })?;
    let passages: i64 = count(&library, "SELECT count(*) FROM search_rows")?;
    let texts = library.texts_for(Use::Search, Some(name.clone()), 0, 1).await?;
    let vector = texts.first().and_then(|text| text.vector.clone()).ok_or("no passage has a vector")?;
    let given = Given { name: name.clone(), vector };

    let began = Instant::now();
    library.warm_up(None).await?;
    let rows = began.elapsed();
    let began = Instant::now();
    library.warm_up(Some(name)).await?;
    println!("{passages} passages: columns read in {rows:?}, vectors in {:?}", began.elapsed());
    let began = Instant::now();
    let bytes = count(&library, "SELECT sum(length(vector)) FROM search_vectors")?;
    println!("each vector's row read once ({bytes} bytes): {:?}", began.elapsed());

    let query = |text: &str| Query {
        text: text.to_owned(),
        r#use: Use::Search,
        reader: Audience::Guests.into(),
        collections: None,
        languages: None,
        limit: 10,
    };
    for (what, texts, embedder) in [
        ("meaning", &["?".to_owned()][..], Some(&given as &dyn Embedder)),
        ("words", questions, None),
        ("both", questions, Some(&given as &dyn Embedder)),
    ] {
        let mut first = Vec::new();
        let mut again = Vec::new();
        for round in 0..ROUNDS {
            for text in texts {
                let began = Instant::now();
                library.search(&query(text), embedder, Duration::from_secs(9)).await?;
                if round == 0 { &mut first } else { &mut again }.push(began.elapsed());
            }
        }
        again.sort();
        let at = |share: usize| again.get(again.len() * share / 100).copied().unwrap_or_default();
        println!("{what}: at first {:?}, then p50 {:?}, p95 {:?}", first.iter().max(), at(50), at(95));
    }
    Ok(())
}

fn count(library: &Library, sql: &'static str) -> Result<i64, LibraryError> {
    library.store().read_blocking(move |connection| Ok(connection.query_row(sql, [], |row| row.get(0))?))
}
