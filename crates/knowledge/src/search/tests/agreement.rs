use std::collections::BTreeMap;

use super::*;
use crate::consent::{Consent, Level};
use crate::document::NewDocument;
use crate::library::testing;
use crate::version::NewVersion;

/// What is done to the library; documents by their number among those that are there.
#[derive(Debug, Clone)]
enum Step {
    Add(Vec<u8>),
    Replace(usize, Vec<u8>),
    Title(usize, u8),
    Allow(usize, bool),
    Withdraw(usize),
    Embed(usize),
    Look(u8),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let words = || prop::collection::vec(0..12_u8, 1..400);
    let step = prop_oneof![
        3 => words().prop_map(Step::Add),
        1 => (0..8_usize, words()).prop_map(|(which, words)| Step::Replace(which, words)),
        1 => (0..8_usize, 0..12_u8).prop_map(|(which, word)| Step::Title(which, word)),
        1 => (0..8_usize, any::<bool>()).prop_map(|(which, may)| Step::Allow(which, may)),
        1 => (0..8_usize).prop_map(Step::Withdraw),
        1 => (1..6_usize).prop_map(Step::Embed),
        3 => (0..12_u8).prop_map(Step::Look),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 4..24)
}

const WORDS: [&str; 12] = [
    "banana",
    "apple",
    "cherry",
    "rivers",
    "mountain",
    "well",
    "boiling",
    "stove",
    "vehicle",
    "水井",
    "น้ำดื่ม",
    "mwanafunzi",
];

/// A document as it should be found.
#[derive(Debug, Clone)]
struct Known {
    title: String,
    words: Vec<u8>,
    allowed: bool,
}

fn text(words: &[u8], unique: usize) -> String {
    let words: Vec<&str> = words.iter().map(|word| WORDS[usize::from(*word)]).collect();
    format!("{} unique{unique}", words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens, a search finds exactly the documents that have the word and may be found; and memory that followed
    /// gives the same as memory that read everything anew.
    #[test]
    fn index_memory_and_documents_agree(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

async fn run(steps: Vec<Step>) {
    let (shelf, fake) = (Shelf::new().await, Fake::new());
    let mut library = shelf.library.clone();
    let mut known: BTreeMap<DocumentId, Known> = BTreeMap::new();
    let nth = |known: &BTreeMap<DocumentId, Known>, which: usize| known.keys().nth(which).cloned();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Add(words) => {
                let mut new: NewDocument = shelf.file(&format!("t{number}.txt"), &[&text(&words, number)]);
                new.language = Some("en".into());
                let added = library.add(new, librarian(), 1).await.unwrap();
                known.insert(added.document, Known { title: format!("t{number}"), words, allowed: true });
            }
            Step::Replace(which, words) => {
                let Some(document) = nth(&known, which) else { continue };
                let new = NewVersion {
                    extracted: testing::words(&[&text(&words, number)]),
                    original: None,
                    why: "better".into(),
                    review: false,
                };
                library.replace(document.clone(), new, librarian(), 2).await.unwrap();
                known.get_mut(&document).unwrap().words = words;
            }
            Step::Title(which, word) => {
                let Some(document) = nth(&known, which) else { continue };
                let title = format!("{} {number}", WORDS[usize::from(word)]);
                let edit = crate::DocumentEdit { title: Some(title.clone()), ..Default::default() };
                library.edit(document.clone(), edit, librarian(), 3).await.unwrap();
                known.get_mut(&document).unwrap().title = title;
            }
            Step::Allow(which, may) => {
                let Some(document) = nth(&known, which) else { continue };
                let uses = if may { [Use::Search].into() } else { [].into() };
                let consent = Some(Consent { uses, level: Level::LocalOnly });
                let edit = crate::DocumentEdit { consent, ..Default::default() };
                library.edit(document.clone(), edit, librarian(), 3).await.unwrap();
                known.get_mut(&document).unwrap().allowed = may;
            }
            Step::Withdraw(which) => {
                let Some(document) = nth(&known, which) else { continue };
                library.withdraw(document.clone(), "wrong".into(), librarian(), 4).await.unwrap();
                known.remove(&document);
            }
            Step::Embed(count) => {
                library.embed_pending(&fake, count).await.unwrap();
            }
            Step::Look(word) => look(&library, &fake, &known, word).await,
            Step::Restart => library = Library::open(shelf.library.store().clone()).unwrap(),
        }
    }
    for word in 0..12 {
        look(&library, &fake, &known, word).await;
    }
    while library.embed_pending(&fake, 50).await.unwrap() > 0 {}
    assert_eq!(shelf.rows("search_vectors"), shelf.rows("passages"));
    assert_eq!(shelf.rows("search_rows"), shelf.rows("passages"));
    for word in WORDS {
        let query = Query { limit: 50, ..asks(word) };
        let followed = library.search(&query, Some(&fake), SOON).await.unwrap();
        let fresh =
            Library::open(library.store().clone()).unwrap().search(&query, Some(&fake), SOON).await.unwrap();
        assert_eq!(followed, fresh, "{word}");
    }
    for document in known.into_keys() {
        library.withdraw(document, "wrong".into(), librarian(), 5).await.unwrap();
    }
    assert_eq!((shelf.rows("search_counts"), shelf.rows("search_vectors")), (0, 0), "nothing is left");
}

async fn look(library: &Library, fake: &Fake, known: &BTreeMap<DocumentId, Known>, word: u8) {
    let query = Query { limit: 50, ..asks(WORDS[usize::from(word)]) };
    let hits = library.search(&query, Some(fake), SOON).await.unwrap().hits;
    let mut found: Vec<&DocumentId> =
        hits.iter().filter(|hit| hit.by_words.is_some()).map(document_of).collect();
    found.sort();
    found.dedup();
    let named = WORDS[usize::from(word)];
    let has =
        |known: &Known| known.words.contains(&word) || known.title.split(' ').any(|other| other == named);
    let expected: Vec<&DocumentId> =
        known.iter().filter(|(_, known)| known.allowed && has(known)).map(|(document, _)| document).collect();
    // By trigrams words are found that only resemble each other; here none does.
    assert_eq!(found, expected, "{named}");
}
