use super::*;

#[tokio::test]
async fn meaning_finds_what_shares_no_word_with_the_question() {
    let (shelf, fake) = (Shelf::new().await, Fake::new());
    for (name, text) in
        [("road.txt", "A vehicle needs oil."), ("sea.txt", "A boat needs sails."), ("c.txt", "Rain.")]
    {
        shelf.library.add(shelf.file(name, &[text]), librarian(), 1).await.unwrap();
    }
    assert_eq!(shelf.library.embed_pending(&fake, 2).await.unwrap(), 1);
    assert_eq!(shelf.library.embed_pending(&fake, 2).await.unwrap(), 0);
    assert_eq!(shelf.library.embed_pending(&fake, 2).await.unwrap(), 0);
    assert_eq!(fake.texts.load(Ordering::Relaxed), 3, "each passage once");
    let hits = find_by_meaning(&shelf.library, &asks("automobile"), &fake).await;
    assert_eq!(hits[0].title, "road");
    assert_eq!((hits[0].by_words, hits[0].by_meaning), (None, Some(1)));
    assert!(hits[0].nearness.unwrap() > hits[1].nearness.unwrap());
    assert!(find(&shelf.library, "automobile").await.is_empty());
    // A question without a word is a question.
    let hits = shelf.library.search(&asks("?"), Some(&fake), SOON).await.unwrap().hits;
    assert!(hits.iter().all(|hit| hit.by_words.is_none()));
}

#[tokio::test]
async fn a_model_that_is_silent_or_broken_leaves_words_alone() {
    struct Silent;
    impl Embedder for Silent {
        fn name(&self) -> String {
            "silent".into()
        }
        fn embed<'a>(&'a self, _: &'a [String]) -> Embedding<'a> {
            Box::pin(std::future::pending())
        }
    }
    struct Broken;
    impl Embedder for Broken {
        fn name(&self) -> String {
            "broken".into()
        }
        fn embed<'a>(&'a self, _: &'a [String]) -> Embedding<'a> {
            Box::pin(async { Err("no such model".to_owned()) })
        }
    }
    let shelf = Shelf::new().await;
    shelf.library.add(shelf.file("a.txt", &["banana"]), librarian(), 1).await.unwrap();
    for embedder in [&Silent as &dyn Embedder, &Broken] {
        let found =
            shelf.library.search(&asks("banana"), Some(embedder), Duration::from_millis(20)).await.unwrap();
        assert_eq!((found.how, found.hits.len()), (How::Words, 1));
    }
    let error = shelf.library.embed_pending(&Broken, 5).await.unwrap_err().to_string();
    assert!(error.contains("no such model") && error.contains("by their words"), "{error}");
}

#[tokio::test]
async fn vectors_of_another_model_are_removed_when_the_new_one_has_all() {
    let (shelf, old) = (Shelf::new().await, Fake::new());
    shelf.library.add(shelf.file("a.txt", &["banana"]), librarian(), 1).await.unwrap();
    shelf.library.add(shelf.file("b.txt", &["apple"]), librarian(), 1).await.unwrap();
    shelf.library.embed_pending(&old, 10).await.unwrap();
    let new = Fake { name: "new", dimensions: 70, ..Fake::new() };
    assert_eq!(shelf.library.embed_pending(&new, 1).await.unwrap(), 1);
    assert_eq!(shelf.rows("search_vectors"), 3);
    assert_eq!(find_by_meaning(&shelf.library, &asks("?? banana"), &old).await[0].title, "a");
    for _ in 0..3 {
        assert_eq!(shelf.library.embed_pending(&new, 1).await.unwrap(), 0);
    }
    assert_eq!((shelf.rows("search_vectors"), shelf.rows("search_embedders")), (2, 1));
    assert_eq!(find_by_meaning(&shelf.library, &asks("banana"), &new).await[0].by_meaning, Some(1));
}

#[tokio::test]
async fn a_reranker_puts_the_best_in_its_own_order_and_a_broken_one_changes_nothing() {
    struct Longest;
    impl crate::Reranker for Longest {
        fn rerank<'a>(&'a self, _: &'a str, texts: &'a [String]) -> crate::Reranking<'a> {
            Box::pin(async { Ok(texts.iter().map(|text| text.len() as f32).collect()) })
        }
    }
    struct Broken;
    impl crate::Reranker for Broken {
        fn rerank<'a>(&'a self, _: &'a str, _: &'a [String]) -> crate::Reranking<'a> {
            Box::pin(async { Err("no re-ranker".to_owned()) })
        }
    }
    let shelf = Shelf::new().await;
    for (name, text) in
        [("short.txt", "banana banana"), ("long.txt", "a banana in a very long text about much else")]
    {
        shelf.library.add(shelf.file(name, &[text]), librarian(), 1).await.unwrap();
    }
    let plain = shelf.library.clone().with_reranker(std::sync::Arc::new(Broken));
    assert_eq!(titles(&find(&plain, "banana").await), ["short", "long"]);
    let reranked = shelf.library.clone().with_reranker(std::sync::Arc::new(Longest));
    assert_eq!(titles(&find(&reranked, "banana").await), ["long", "short"]);
}
