//! What the library does on this machine's disk and processor: `cargo xtask bench library` runs it.
//!
//! Goes through the crate's public interface only. Vectors come from a box's running engine; each text is asked for once
//! and kept in a file. Prints one JSON object.
//!
//! ```text
//! fill FOLDER CORPUS KEPT SOCKET PASSAGES       a library of at least so many passages in FOLDER, or the one there, grown
//! dump FOLDER KEPT SOCKET TEXTS [VECTORS]       its passages for other programs; vectors as 32-bit floats in their order
//! asked KEPT SOCKET QUESTIONS VECTORS           the questions' vectors
//! rank FOLDER KEPT SOCKET QUESTIONS OUT         what is found for each question: by words, by meaning, by both
//! search FOLDER SOCKET QUESTIONS SEARCHERS SECONDS PAUSE BY
//!                                               so many who search at once; BY is "words" or "both"
//! ```

mod corpus;
mod dump;
mod fill;
mod rank;
mod search;
mod vectors;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use banyan_knowledge::{Audience, Library, Query, Use};
use banyan_store::{Store, StoreKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What went wrong, for the one who reads the bench's output.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// A question with the documents that answer it, of which only the judge reads.
#[derive(Deserialize)]
struct Question {
    id: String,
    question: String,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let printed = match words[..] {
        ["fill", folder, corpus, kept, socket, passages] => {
            fill::fill(&open(folder)?, corpus, kept, socket, passages.parse()?).await?
        }
        ["dump", folder, kept, socket, texts] => {
            dump::dump(&open(folder)?, kept, socket, texts, None).await?
        }
        ["dump", folder, kept, socket, texts, vectors] => {
            dump::dump(&open(folder)?, kept, socket, texts, Some(vectors)).await?
        }
        ["asked", kept, socket, questions, vectors] => dump::asked(kept, socket, questions, vectors).await?,
        ["rank", folder, kept, socket, questions, out] => {
            rank::rank(&open(folder)?, kept, socket, questions, out).await?
        }
        ["search", folder, socket, questions, searchers, seconds, pause, by] => {
            let load = search::Load {
                searchers: searchers.parse()?,
                seconds: seconds.parse()?,
                pause: pause.parse()?,
                by_meaning: by == "both",
            };
            search::search(&open(folder)?, socket, lines(questions)?, load).await?
        }
        _ => return Err("see the head of crates/knowledge/examples/library_measure/main.rs".into()),
    };
    println!("{printed}");
    Ok(())
}

/// Its key is no secret: what is in it comes from public packages.
fn open(folder: &str) -> Outcome<Library> {
    std::fs::create_dir_all(folder)?;
    let store = Store::open(Path::new(folder), &StoreKey::from_bytes([7; 32]), &banyan_knowledge::rooms())?;
    Ok(Library::open(store)?)
}

/// A file of JSON objects, one a line.
fn lines<T: DeserializeOwned>(path: &str) -> Outcome<Vec<T>> {
    let file = BufReader::new(File::open(path).map_err(|error| format!("{path}: {error}"))?);
    file.lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// A guest's search.
fn query(text: &str, limit: usize) -> Query {
    Query {
        text: text.to_owned(),
        r#use: Use::Search,
        reader: Audience::Guests.into(),
        collections: None,
        languages: None,
        limit,
    }
}

/// How many rows there are of a table, or of a table where something holds.
fn count(library: &Library, of: &'static str) -> Outcome<usize> {
    let sql = format!("SELECT count(*) FROM {of}");
    let read = move |connection: &banyan_store::rusqlite::Connection| {
        Ok::<i64, banyan_store::StoreError>(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    Ok(usize::try_from(library.store().read_blocking(read)?)?)
}

/// Seconds with three digits behind the point.
fn seconds(began: std::time::Instant) -> Value {
    Value::from((began.elapsed().as_secs_f64() * 1e3).round() / 1e3)
}
