//! Archives that libzim made: every article is read as it was written, and found within a minute.
//!
//! `BANYAN_TEST_ZIM` names a folder with `villages.zim` and `plain.zim` (by `tests/data/zim/make.py`; `cargo xtask test`
//! sets it). Without it these tests fail and say so; they are never passed over.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside the test functions")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use banyan_knowledge::{
    Audience, Consent, Hand, Level, Library, NewCollection, Place, Query, Shelf as _, Use, Zim, ZimShelf,
    ZimState,
};
use banyan_store::{Store, StoreKey};
use serde_json::Value;

/// The archive and what its maker says is in it.
fn archive(name: &str) -> (PathBuf, Value) {
    let folder = std::env::var_os("BANYAN_TEST_ZIM")
        .expect("BANYAN_TEST_ZIM names a folder with archives by libzim; `cargo xtask test` sets it");
    let path = Path::new(&folder).join(name);
    let about = std::fs::read_to_string(path.with_extension("json")).unwrap();
    (path, serde_json::from_str(&about).unwrap())
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap()
}

#[test]
fn every_article_that_libzim_wrote_is_read_packed_or_not() {
    for name in ["villages.zim", "plain.zim"] {
        let (path, about) = archive(name);
        let zim = Zim::open(&path).unwrap();
        assert_eq!(zim.verify(&|| false).unwrap(), Some(true), "{name}");
        assert_eq!(zim.metadata("Title").unwrap().as_deref(), Some("Villages"));
        assert_eq!(zim.metadata("Language").unwrap().as_deref(), Some("eng,spa,swa"));
        let main = zim.main_page().unwrap().expect("it has a page to begin with");
        assert_eq!(zim.article(&main).unwrap().1, "Villages");
        let articles = about["articles"].as_array().unwrap();
        for (number, one) in articles.iter().enumerate() {
            let (_, title, words) = zim.article(text(one, "path")).unwrap();
            assert_eq!(title, text(one, "title"));
            assert!(words.blocks.len() > 5 && words.blocks[0].text == title, "{words:?}");
            assert!(
                words.blocks.iter().all(|block| !block.text.contains("not read")),
                "a script is not text"
            );
            if number % 10 == 0 {
                let (to, _, _) = zim.article(&format!("r/{number}")).unwrap();
                assert_eq!(to, text(one, "path"), "a redirect leads to its article");
            }
        }
    }
}

#[test]
fn an_archive_of_five_thousand_articles_is_searched_and_cited_within_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(folder.path(), &StoreKey::from_bytes([7; 32]), &banyan_knowledge::rooms()).unwrap();
    let library = Library::open(store.clone()).unwrap();
    let collection = NewCollection {
        name: "Villages".into(),
        about: String::new(),
        audience: Audience::Guests,
        consent: Consent { uses: [Use::Search, Use::Grounding].into(), level: Level::LocalOnly },
        licence: "CC0-1.0".into(),
        language: None,
        review: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let collection = runtime.block_on(library.add_collection(collection, Hand::Box, 1)).unwrap();

    let (path, about) = archive("villages.zim");
    let begun = Instant::now();
    let shelf = ZimShelf::open(folder.path(), store).unwrap();
    let added = shelf.add(&path, &collection.id, &Hand::Box, 1).unwrap();
    shelf.build(&added.id, &|| false, &mut |_| {}).unwrap();
    let took = begun.elapsed();
    let ready = shelf.archive(&added.id, Audience::Guests).unwrap();
    let articles = about["articles"].as_array().unwrap().len() as u64;
    assert!(articles >= 5000, "{articles}");
    // With the page to begin with.
    assert_eq!((ready.state, ready.articles), (ZimState::Ready, articles + 1));
    // A minute; of an archive that is larger than `make.py` makes it by itself, for each five thousand.
    assert!(took < Duration::from_secs(60 * articles / 5000), "{took:?}");

    let questions = about["questions"].as_array().unwrap();
    let (mut found, mut slowest) = (0, Duration::ZERO);
    for one in questions {
        let query = Query {
            text: text(one, "text").to_owned(),
            r#use: Use::Grounding,
            reader: Audience::Guests.into(),
            collections: None,
            languages: None,
            limit: 10,
        };
        let asked = Instant::now();
        let hits = shelf.search(&query).unwrap();
        slowest = slowest.max(asked.elapsed());
        let paths: HashSet<&str> = hits
            .iter()
            .map(|hit| match &hit.place {
                Place::Article { path, .. } => path.as_str(),
                Place::Document { .. } => "",
            })
            .collect();
        found += usize::from(paths.contains(text(one, "path")));
        if let Some(Place::Article { zim, path, start, end }) = hits.first().map(|hit| &hit.place) {
            let article = shelf.article(zim, Some(path), Audience::Guests).unwrap();
            assert_eq!(article.text[*start..*end], hits[0].text, "a citation opens exactly what was found");
        }
    }
    let size = std::fs::metadata(folder.path().join(format!("zim/{}.index", added.id))).unwrap().len();
    println!(
        "{articles} articles were ready after {took:?}; {found} of {} questions were answered, the slowest after \
         {slowest:?}; the index has {} KiB, the archive {} KiB",
        questions.len(),
        size >> 10,
        ready.size >> 10
    );
    assert!(found * 100 >= questions.len() * 95, "{found} of {}", questions.len());
}
