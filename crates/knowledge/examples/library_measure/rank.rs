//! What the library finds for questions: by words alone, by meaning alone, by both.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use banyan_knowledge::{Embedder, Library, MAX_HITS, Place};
use banyan_store::StoreError;
use serde_json::{Value, json};

use crate::vectors::{Given, Kept};
use crate::{Outcome, Question, lines, query};

/// Nothing is judged by time here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A question in which there is no word. Each has its own, since the library remembers the vectors of what was asked.
fn no_words(number: usize) -> String {
    let digit = |bit: usize| if number >> bit & 1 == 0 { '?' } else { '!' };
    (0..usize::BITS as usize).map(digit).collect()
}

pub(crate) async fn rank(
    library: &Library,
    kept: &str,
    socket: &str,
    questions: &str,
    out: &str,
) -> Outcome<Value> {
    let questions: Vec<Question> = lines(questions)?;
    let kept = Kept::open(kept, socket)?;
    let sources = sources(library)?;
    let mut out = BufWriter::new(File::create(out)?);
    for (number, Question { id, question }) in questions.iter().enumerate() {
        let vector = kept.vectors(std::slice::from_ref(question)).await?.pop().ok_or("no vector")?;
        let given = Given(vector);
        let ranked = json!({
            "id": id,
            "words": found(library, &sources, question, None).await?,
            "meaning": found(library, &sources, &no_words(number), Some(&given)).await?,
            "hybrid": found(library, &sources, question, Some(&given)).await?,
        });
        writeln!(out, "{ranked}")?;
    }
    out.flush()?;
    Ok(json!({ "questions": questions.len() }))
}

/// The documents that were found, each at the place of its best passage.
async fn found<'s>(
    library: &Library,
    sources: &'s HashMap<String, String>,
    question: &str,
    embedder: Option<&dyn Embedder>,
) -> Outcome<Vec<&'s str>> {
    let results = library.search(&query(question, MAX_HITS), embedder, PATIENCE).await?;
    let mut documents: Vec<&str> = Vec::new();
    for hit in &results.hits {
        if let Place::Document { document, .. } = &hit.place
            && let Some(source) = sources.get(document.as_str())
            && !documents.contains(&source.as_str())
        {
            documents.push(source);
        }
    }
    Ok(documents)
}

/// What each document is called in the corpus.
fn sources(library: &Library) -> Outcome<HashMap<String, String>> {
    Ok(library.store().read_blocking(|connection| {
        let mut statement = connection.prepare("SELECT id, source FROM documents")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<_, StoreError>(rows.collect::<Result<_, _>>()?)
    })?)
}
