use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_withdrawn_before_a_search_began_is_never_in_it_while_others_come_and_go() {
    let shelf = Arc::new(Shelf::new().await);
    let fake = Arc::new(Fake::new());
    let gone: Arc<Mutex<BTreeSet<DocumentId>>> = Arc::default();
    let over: Arc<AtomicBool> = Arc::default();
    let searchers: Vec<_> = (0..4)
        .map(|_| {
            let (library, fake, gone, over) =
                (shelf.library.clone(), fake.clone(), gone.clone(), over.clone());
            tokio::spawn(async move {
                let mut found = 0;
                while !over.load(Ordering::Relaxed) {
                    let before = gone.lock().unwrap().clone();
                    let hits =
                        find_by_meaning(&library, &Query { limit: 50, ..asks("banana") }, fake.as_ref())
                            .await;
                    found += hits.len();
                    for hit in hits {
                        assert!(!before.contains(document_of(&hit)), "{} was withdrawn before", hit.title);
                        assert!(hit.text.contains("banana"), "{}", hit.text);
                    }
                }
                found
            })
        })
        .collect();
    for number in 0..40 {
        let file = shelf.file(&format!("{number}.txt"), &[&format!("banana number {number}")]);
        let added = shelf.library.add(file, librarian(), 1).await.unwrap();
        if number % 4 == 0 {
            shelf.library.embed_pending(fake.as_ref(), 8).await.unwrap();
        }
        if number % 2 == 0 {
            shelf
                .library
                .withdraw(added.document.clone(), "it was wrong".into(), librarian(), 2)
                .await
                .unwrap();
            gone.lock().unwrap().insert(added.document);
        }
    }
    over.store(true, Ordering::Relaxed);
    let mut found = 0;
    for searcher in searchers {
        found += searcher.await.unwrap();
    }
    assert!(found > 0);
    assert_eq!(
        find_by_meaning(&shelf.library, &Query { limit: 50, ..asks("banana") }, fake.as_ref()).await.len(),
        20
    );
}

#[tokio::test]
async fn a_withdrawal_leaves_no_word_and_no_vector() {
    let (shelf, fake) = (Shelf::new().await, Fake::new());
    let added =
        shelf.library.add(shelf.file("a.txt", &["banana apple", "pear"]), librarian(), 1).await.unwrap();
    shelf.library.embed_pending(&fake, 9).await.unwrap();
    assert!(shelf.rows("search_counts") > 2 && shelf.rows("search_vectors") > 0);
    shelf.library.withdraw(added.document, "it was wrong".into(), librarian(), 2).await.unwrap();
    for table in ["search_counts", "search_vectors", "search_rows", "search_documents"] {
        assert_eq!(shelf.rows(table), 0, "{table}");
    }
}

/// A model during whose work something happens.
struct While<F>(Fake, Mutex<Option<F>>);

impl<F: Future<Output = ()> + Send> Embedder for While<F> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
        Box::pin(async move {
            let what = self.1.lock().unwrap().take();
            if let Some(what) = what {
                what.await;
            }
            self.0.embed(texts).await
        })
    }
}

#[tokio::test]
async fn a_vector_whose_passage_went_or_changed_while_it_was_made_is_not_kept() {
    let shelf = Shelf::new().await;
    let first = shelf.library.add(shelf.file("a.txt", &["banana"]), librarian(), 1).await.unwrap().document;
    let second = shelf.library.add(shelf.file("b.txt", &["apple"]), librarian(), 1).await.unwrap().document;
    let library = shelf.library.clone();
    let edit = crate::DocumentEdit { title: Some("Splendid".into()), ..Default::default() };
    let happens = async move {
        library.withdraw(first, "it was wrong".into(), librarian(), 2).await.unwrap();
        library.edit(second, edit, librarian(), 2).await.unwrap();
    };
    let model = While(Fake::new(), Mutex::new(Some(happens)));
    assert_eq!(shelf.library.embed_pending(&model, 9).await.unwrap(), 1, "the one that changed waits again");
    assert_eq!(shelf.rows("search_vectors"), 0);
    assert_eq!(shelf.library.embed_pending(&model, 9).await.unwrap(), 0);
    assert_eq!(shelf.rows("search_vectors"), 1);
}
