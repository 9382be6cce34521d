use banyan_identity::SigningKey;
use banyan_store::{Store, StoreKey};

use crate::consent::{Audience, Use};
use crate::document::{DocumentState, NewDocument, Reader};
use crate::library::testing::{Shelf, collection, librarian, member, words};
use crate::library::{Library, LibraryError, NewCollection};
use crate::version::{NewVersion, VersionState};
use crate::withdraw::TraceKind;

fn for_review(shelf: &Shelf, name: &str, paragraphs: &[&str]) -> NewDocument {
    NewDocument { review: true, ..shelf.file(name, paragraphs) }
}

fn own() -> Reader {
    Reader { audience: Audience::Members, member: Some("m-a".into()) }
}

#[tokio::test]
async fn what_waits_is_read_by_librarians_and_its_giver_only_and_found_by_nobody() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let added = library.add(for_review(&shelf, "well.txt", &["Deep."]), member("m-a"), 2).await.unwrap();
    assert!(added.waiting && added.passages == 0);
    let id = added.document;
    assert!(library.read(id.clone(), None, Audience::Members).await.is_err());
    assert_eq!(library.read(id.clone(), None, own()).await.unwrap().text, "Deep.");
    assert_eq!(library.read(id.clone(), None, Audience::Librarians).await.unwrap().text, "Deep.");
    for wanted in Use::ALL {
        assert!(library.usable(wanted, 0, 9).await.unwrap().is_empty(), "{wanted:?}");
    }
    let desk = library.review_desk().await.unwrap();
    assert_eq!((desk.len(), desk[0].version.number, desk[0].document.id.clone()), (1, 1, id.clone()));

    let by_member = library.accept(id.clone(), 1, member("m-a"), 3).await;
    assert!(matches!(by_member, Err(LibraryError::NotALibrarian)));
    assert_eq!(library.accept(id.clone(), 1, librarian(), 3).await.unwrap().passages, 1);
    let document = library.document(id.clone(), Audience::Members).await.unwrap();
    assert_eq!((document.state, document.version), (DocumentState::Published, Some(1)));
    assert_eq!(library.usable(Use::Search, 0, 9).await.unwrap().len(), 1);
    let again = library.accept(id, 1, librarian(), 4).await.unwrap_err();
    assert!(again.to_string().contains("looked at"), "{again}");
}

#[tokio::test]
async fn a_refused_document_leaves_a_trace_with_the_reason_and_no_words() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(for_review(&shelf, "ad.txt", &["Buy!"]), member("m-a"), 2).await.unwrap().document;
    library.refuse(id.clone(), 1, "an advertisement".into(), librarian(), 3).await.unwrap();
    assert_eq!((shelf.rows("documents"), shelf.rows("versions"), shelf.blobs()), (0, 0, 0));
    let traces = library.contributions("m-a".into()).await.unwrap().traces;
    assert_eq!((traces[0].kind, traces[0].why.as_str()), (TraceKind::Refused, "an advertisement"));
}

#[tokio::test]
async fn a_new_version_that_waits_leaves_the_one_before_in_place_and_a_refused_one_keeps_no_words() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(shelf.file("well.txt", &["Deep."]), member("m-a"), 2).await.unwrap().document;
    let file = for_review(&shelf, "well.txt", &["Buy!"]);
    let new =
        NewVersion { extracted: file.extracted, original: file.original, why: "news".into(), review: true };
    library.replace(id.clone(), new, member("m-a"), 3).await.unwrap();
    assert_eq!(library.read(id.clone(), None, Audience::Members).await.unwrap().text, "Deep.");
    assert!(library.read(id.clone(), Some(2), Audience::Members).await.is_err());
    assert_eq!(library.history(id.clone(), Audience::Members).await.unwrap().len(), 1);
    assert_eq!((library.history(id.clone(), own()).await.unwrap().len(), shelf.blobs()), (2, 2));
    library.refuse(id.clone(), 2, "an advertisement".into(), librarian(), 4).await.unwrap();
    let history = library.history(id.clone(), own()).await.unwrap();
    assert_eq!((history[0].state, history[0].has_original), (VersionState::Refused, false));
    assert_eq!(history[0].refusal.as_deref(), Some("an advertisement"));
    assert_eq!(library.read(id.clone(), Some(2), own()).await.unwrap().text, "");
    assert_eq!(shelf.blobs(), 1);
    let back = library.restore(id, 2, "after all".into(), librarian(), 5).await.unwrap_err();
    assert!(back.to_string().contains("never accepted"), "{back}");
}

#[tokio::test]
async fn an_older_version_does_not_take_the_place_of_a_newer_one() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(shelf.file("well.txt", &["One."]), member("m-a"), 2).await.unwrap().document;
    let new = |text: &str, review| NewVersion {
        extracted: words(&[text]),
        original: None,
        why: "changed".into(),
        review,
    };
    library.replace(id.clone(), new("Two.", true), member("m-a"), 3).await.unwrap();
    library.replace(id.clone(), new("Three.", false), librarian(), 4).await.unwrap();
    let late = library.accept(id, 2, librarian(), 5).await.unwrap_err();
    assert!(late.to_string().contains("version 3 came after"), "{late}");
}

#[tokio::test]
async fn a_collection_with_review_holds_what_members_give_and_nothing_that_a_librarian_adds() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let with_review = NewCollection { review: true, ..collection("Water", Audience::Members) };
    library.edit_collection(shelf.water.clone(), with_review, librarian(), 1).await.unwrap();
    let added = library.add(shelf.file("well.txt", &["Deep."]), member("m-a"), 2).await.unwrap();
    assert!(added.waiting);
    assert!(!library.add(shelf.file("rain.txt", &["Rain."]), librarian(), 2).await.unwrap().waiting);
    library.accept(added.document.clone(), 1, librarian(), 3).await.unwrap();
    let new = NewVersion { extracted: words(&["Shallow."]), original: None, why: "so".into(), review: false };
    assert!(library.replace(added.document, new, member("m-a"), 4).await.unwrap().waiting);
}

#[tokio::test]
async fn the_ledger_says_what_was_withdrawn_accepted_and_refused_by_ids_alone() {
    let folder = tempfile::tempdir().unwrap();
    let rooms: Vec<_> = crate::rooms().into_iter().chain([banyan_ledger::ROOM]).collect();
    let store = Store::open(folder.path(), &StoreKey::from_bytes([7; 32]), &rooms).unwrap();
    let key = SigningKey::from_bytes(&[3; 32]);
    let library = Library::open(store).unwrap().signed_by(key.clone());
    let made = library.add_collection(collection("Water", Audience::Members), librarian(), 1).await.unwrap();
    let new =
        |name: &str| NewDocument { review: true, ..NewDocument::new(made.id.clone(), name, words(&[name])) };
    let one = library.add(new("secret-one"), member("m-a"), 2).await.unwrap().document;
    let two = library.add(new("secret-two"), member("m-a"), 2).await.unwrap().document;
    library.accept(one.clone(), 1, librarian(), 3).await.unwrap();
    library.refuse(two.clone(), 1, "secret-why".into(), librarian(), 4).await.unwrap();
    library.withdraw(one.clone(), "secret-why".into(), member("m-a"), 5).await.unwrap();

    let entries = library.store().read_blocking(|c| banyan_ledger::page(c, None, 9)).unwrap();
    let told: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| (entry.kind.as_str(), String::from_utf8_lossy(&entry.payload)))
        .collect();
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["library.collection", "library.accepted", "library.refused", "library.withdrawn"]);
    assert!(told[1].1.contains(one.as_str()) && told[2].1.contains(two.as_str()), "{told:?}");
    assert!(told[3].1.contains(one.as_str()) && told[3].1.contains("m-a"), "{told:?}");
    assert!(told.iter().all(|(_, what)| !what.contains("secret") && !what.contains("Water")), "{told:?}");
    let public = key.public();
    assert_eq!(
        library.store().read_blocking(move |c| banyan_ledger::verify(c, &public, |_| ())).unwrap().entries,
        4
    );
}
