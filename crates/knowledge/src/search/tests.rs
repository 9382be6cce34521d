mod agreement;
mod consent;
mod meaning;
mod withdrawal;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::fold::{self, Folding};
use crate::consent::{Audience, Use};
use crate::embedder::{Embedder, Embedding};
use crate::hit::{Hit, How, Place, Results};
use crate::library::testing::{Shelf, librarian};
use crate::library::{DocumentId, Library};
use crate::query::Query;

const SOON: Duration = Duration::from_secs(5);

pub(super) fn asks(text: &str) -> Query {
    Query {
        text: text.into(),
        r#use: Use::Search,
        reader: Audience::Members.into(),
        collections: None,
        languages: None,
        limit: 10,
    }
}

async fn find(library: &Library, text: &str) -> Vec<Hit> {
    library.search(&asks(text), None, SOON).await.unwrap().hits
}

/// Searches also by meaning, and makes sure that it was.
async fn find_by_meaning(library: &Library, query: &Query, embedder: &dyn Embedder) -> Vec<Hit> {
    let Results { hits, how } = library.search(query, Some(embedder), SOON).await.unwrap();
    assert_eq!(how, How::WordsAndMeaning);
    hits
}

fn document_of(hit: &Hit) -> &DocumentId {
    match &hit.place {
        Place::Document { document, .. } => document,
        Place::Article { .. } => panic!("an article"),
    }
}

fn titles(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.title.as_str()).collect()
}

/// A model whose vectors are sums of a direction for each word, with words that mean the same to it.
struct Fake {
    name: &'static str,
    dimensions: usize,
    texts: AtomicUsize,
}

impl Fake {
    fn new() -> Self {
        Self { name: "fake", dimensions: 128, texts: AtomicUsize::new(0) }
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.001; self.dimensions];
        for token in
            fold::indexed(text, Folding::of(Some("en"))).line.split(' ').filter(|token| !token.is_empty())
        {
            let token = match token {
                "automobil" | "vehicl" => "car",
                other => other,
            };
            let mut bytes = vec![0; self.dimensions];
            blake3::Hasher::new().update(token.as_bytes()).finalize_xof().fill(&mut bytes);
            vector.iter_mut().zip(bytes).for_each(|(value, byte)| *value += f32::from(byte) - 127.5);
        }
        vector
    }
}

impl Embedder for Fake {
    fn name(&self) -> String {
        self.name.into()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        self.texts.fetch_add(texts.len(), Ordering::Relaxed);
        Box::pin(async move { Ok(texts.iter().map(|text| self.vector(text)).collect()) })
    }
}

#[tokio::test]
async fn words_find_the_passage_that_says_most_of_them() {
    let shelf = Shelf::new().await;
    let add = async |name: &str, paragraphs: &[&str]| {
        shelf.library.add(shelf.file(name, paragraphs), librarian(), 1).await.unwrap()
    };
    add("wells.txt", &["A well is dug where the ground holds water. Cover it."]).await;
    add("boiling.txt", &["Boil drinking water for one minute. Let it cool."]).await;
    add("fire.txt", &["Keep sand beside the stove."]).await;
    assert_eq!(titles(&find(&shelf.library, "how long must I boil water?").await), ["boiling", "wells"]);
    assert_eq!(titles(&find(&shelf.library, "BOILED").await), ["boiling"]);
    assert_eq!(titles(&find(&shelf.library, "sands").await), ["fire"]);
    assert!(find(&shelf.library, "elephant").await.is_empty());
    let hit = find(&shelf.library, "minute").await.remove(0);
    assert_eq!((hit.by_words, hit.by_meaning, hit.collection_name.as_str()), (Some(1), None, "Water"));
    assert_eq!(hit.text, "Boil drinking water for one minute. Let it cool.");
}

#[tokio::test]
async fn only_the_collections_and_languages_that_are_asked_for_are_searched() {
    let shelf = Shelf::new().await;
    for (name, language) in [("a.txt", "en"), ("b.txt", "pt-BR"), ("c.txt", "pt")] {
        let mut new = shelf.file(name, &[&format!("banana {name}")]);
        new.language = Some(language.into());
        shelf.library.add(new, librarian(), 1).await.unwrap();
    }
    let found = async |query: Query| {
        let hits = shelf.library.search(&query, None, SOON).await.unwrap().hits;
        let mut titles: Vec<String> = hits.into_iter().map(|hit| hit.title).collect();
        titles.sort();
        titles
    };
    assert_eq!(found(asks("banana")).await, ["a", "b", "c"]);
    assert_eq!(found(Query { languages: Some(vec!["pt".into()]), ..asks("banana") }).await, ["b", "c"]);
    assert_eq!(found(Query { languages: Some(vec!["PT-br".into()]), ..asks("banana") }).await, ["b"]);
    assert!(found(Query { collections: Some(Vec::new()), ..asks("banana") }).await.is_empty());
    let other = "k-0123456789".parse().unwrap();
    assert!(found(Query { collections: Some(vec![other]), ..asks("banana") }).await.is_empty());
    assert_eq!(
        found(Query { collections: Some(vec![shelf.water.clone()]), ..asks("banana") }).await.len(),
        3
    );
    assert!(found(Query { limit: 0, ..asks("banana") }).await.is_empty());
}

#[tokio::test]
async fn a_new_title_or_language_is_found_by_from_then_on() {
    let shelf = Shelf::new().await;
    let added =
        shelf.library.add(shelf.file("old.txt", &["Nothing more is said."]), librarian(), 1).await.unwrap();
    assert_eq!(find(&shelf.library, "old").await.len(), 1);
    let edit = crate::DocumentEdit { title: Some("Splendid".into()), ..Default::default() };
    shelf.library.edit(added.document, edit, librarian(), 2).await.unwrap();
    assert!(find(&shelf.library, "old").await.is_empty());
    assert_eq!(find(&shelf.library, "splendid").await.len(), 1);
}

#[tokio::test]
async fn an_index_of_another_folding_is_made_anew_at_the_next_start() {
    let shelf = Shelf::new().await;
    shelf.library.add(shelf.file("a.txt", &["banana"]), librarian(), 1).await.unwrap();
    let store = shelf.library.store().clone();
    store
        .write_blocking(|tx| {
            tx.execute_batch(
                "INSERT INTO search_words (search_words) VALUES ('delete-all'); DELETE FROM search_rows; \
                 DELETE FROM search_documents",
            )
            .map_err(banyan_store::StoreError::from)
        })
        .unwrap();
    let library = Library::open(store).unwrap();
    assert_eq!(find(&library, "banana").await.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_a_wrong_question(texts in prop::collection::vec("\\PC{0,60}|[\"'()*:^+\\-{}~ANDORNOT ]{0,30}", 1..12)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shelf = Shelf::new().await;
            shelf.library.add(shelf.file("a.txt", &["A text AND NOT another."]), librarian(), 1).await.unwrap();
            for text in texts {
                find_by_meaning_or_not(&shelf.library, &text).await;
            }
        });
    }
}

async fn find_by_meaning_or_not(library: &Library, text: &str) {
    library.search(&asks(text), Some(&Fake::new()), SOON).await.unwrap();
}
