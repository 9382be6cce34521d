use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::consent::{Consent, Level};
use crate::library::testing::collection;

const LEVELS: [Level; 3] = [Level::LocalOnly, Level::FederationOk, Level::CommonsOk];
const AUDIENCES: [Audience; 3] = [Audience::Guests, Audience::Members, Audience::Librarians];

/// A library with a document for each consent that a source can have, in a collection for each audience, with vectors.
async fn every_consent() -> (Shelf, Fake, BTreeMap<DocumentId, (Consent, Audience, String)>) {
    let (shelf, fake) = (Shelf::new().await, Fake::new());
    let mut all = BTreeMap::new();
    for audience in AUDIENCES {
        let new = collection(&format!("For {audience:?}"), audience);
        let shelf_for = shelf.library.add_collection(new, librarian(), 1).await.unwrap().id;
        for level in LEVELS {
            for chosen in 0..1_u32 << Use::ALL.len() {
                let uses: BTreeSet<Use> = Use::ALL
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| chosen & (1 << bit) != 0)
                    .map(|(_, one)| *one)
                    .collect();
                let name = format!("{audience:?}-{level:?}-{chosen}.txt");
                let mut new = shelf.file(&name, &[&format!("banana {name}")]);
                let consent = Consent { uses, level };
                (new.collection, new.consent) = (shelf_for.clone(), Some(consent.clone()));
                let added = shelf.library.add(new, librarian(), 1).await.unwrap();
                all.insert(added.document, (consent, audience, name));
            }
        }
    }
    while shelf.library.embed_pending(&fake, 500).await.unwrap() > 0 {}
    (shelf, fake, all)
}

/// For every use, level and set of uses that was agreed to, audience of the collection and role of the reader: what may
/// be found is found, by words, by meaning and by both, and nothing else.
#[tokio::test]
async fn what_may_not_be_used_is_never_found_and_what_may_be_is() {
    let (shelf, fake, all) = every_consent().await;
    for wanted in Use::ALL {
        for reader in AUDIENCES {
            let allowed = |(consent, audience, _): &(Consent, Audience, String)| {
                consent.allows(wanted) && *audience <= reader
            };
            let expected: BTreeSet<&DocumentId> =
                all.iter().filter(|(_, its)| allowed(its)).map(|(document, _)| document).collect();
            for (text, by_meaning) in [("banana", false), ("banana", true), ("? 🍌", true)] {
                // Each by its own name, since a search gives at most fifty.
                let mut found = BTreeSet::new();
                for document in &expected {
                    let text = if text == "banana" { all[*document].2.clone() } else { text.to_owned() };
                    let query = Query { r#use: wanted, reader: reader.into(), limit: 50, ..asks(&text) };
                    let model = by_meaning.then_some(&fake as &dyn Embedder);
                    let hits = shelf.library.search(&query, model, SOON).await.unwrap().hits;
                    for hit in &hits {
                        let its = &all[document_of(hit)];
                        assert!(allowed(its), "{its:?} for {wanted:?} by {reader:?}");
                    }
                    found.extend(hits.iter().map(|hit| document_of(hit).clone()));
                    if text.starts_with('?') {
                        break;
                    }
                }
                if text == "banana" {
                    assert!(
                        expected.iter().all(|document| found.contains(*document)),
                        "{wanted:?} by {reader:?}"
                    );
                }
            }
        }
        let texts = shelf.library.texts_for(wanted, Some("fake".into()), 0, 1_000).await.unwrap();
        let found: BTreeSet<&DocumentId> = texts.iter().map(|text| &text.document).collect();
        let expected: BTreeSet<&DocumentId> = all
            .iter()
            .filter(|(_, (consent, ..))| consent.allows(wanted))
            .map(|(document, _)| document)
            .collect();
        assert_eq!(found, expected, "texts for {wanted:?}");
        assert!(texts.iter().all(|text| text.vector.is_some()));
    }
}

/// Narrowing consent, moving a document and closing a collection hold from the next search on.
#[tokio::test]
async fn a_narrower_consent_and_a_narrower_audience_hold_at_once() {
    let (shelf, fake) = (Shelf::new().await, Fake::new());
    let added = shelf.library.add(shelf.file("a.txt", &["banana"]), librarian(), 1).await.unwrap().document;
    shelf.library.embed_pending(&fake, 9).await.unwrap();
    let found = async |wanted: Use| {
        let query = Query { r#use: wanted, ..asks("banana") };
        find_by_meaning(&shelf.library, &query, &fake).await.len()
    };
    assert_eq!((found(Use::Search).await, found(Use::Grounding).await), (1, 1));
    let consent = Consent { uses: [Use::Search].into(), level: Level::LocalOnly };
    let edit = crate::DocumentEdit { consent: Some(consent), ..Default::default() };
    shelf.library.edit(added.clone(), edit, librarian(), 2).await.unwrap();
    assert_eq!((found(Use::Search).await, found(Use::Grounding).await), (1, 0));
    let desk = collection("Desk", Audience::Librarians);
    let desk = shelf.library.add_collection(desk, librarian(), 3).await.unwrap().id;
    let edit = crate::DocumentEdit { collection: Some(desk), ..Default::default() };
    shelf.library.edit(added, edit, librarian(), 4).await.unwrap();
    assert_eq!((found(Use::Search).await, found(Use::Grounding).await), (0, 0));
}
