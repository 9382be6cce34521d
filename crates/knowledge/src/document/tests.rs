use super::{DocumentEdit, DocumentState, Listing, NewDocument, Reader};
use crate::consent::{Audience, Consent, Level, Use};
use crate::extracted::{Block, BlockKind};
use crate::library::testing::{Shelf, collection, librarian, member};
use crate::library::{Hand, LibraryError};

fn of(audience: Audience, member: &str) -> Reader {
    Reader { audience, member: Some(member.into()) }
}

#[tokio::test]
async fn a_document_is_seen_by_those_its_collection_and_its_consent_allow() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let audiences = [Audience::Guests, Audience::Members, Audience::Librarians];
    for audience in audiences {
        for level in [Level::LocalOnly, Level::FederationOk, Level::CommonsOk] {
            for searched in [true, false] {
                let name = format!("{audience:?} {level:?} {searched}");
                let shelf_of =
                    library.add_collection(collection(&name, audience), librarian(), 1).await.unwrap();
                let mut new = shelf.file(&name, &["The well is deep."]);
                new.collection = shelf_of.id;
                let uses = if searched { Use::ALL.into() } else { [Use::Training].into() };
                new.consent = Some(Consent { uses, level });
                let added = library.add(new, Hand::Box, 2).await.unwrap();
                for reader in audiences {
                    let seen = library.document(added.document.clone(), reader).await;
                    let may = reader == Audience::Librarians || (searched && reader >= audience);
                    assert_eq!(seen.is_ok(), may, "{name} read by {reader:?}: {seen:?}");
                    let read = library.read(added.document.clone(), None, reader).await;
                    assert_eq!(read.is_ok(), may, "{name} read by {reader:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn passages_are_given_out_only_for_what_the_consent_allows() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let mut new = shelf.file("well.txt", &["The well is deep."]);
    new.consent = Some(Consent { uses: Use::ALL.into(), level: Level::FederationOk });
    let added = library.add(new, Hand::Box, 2).await.unwrap();
    let usable = library.usable(Use::Training, 0, 10).await.unwrap();
    assert_eq!(usable.len(), 1);
    assert!(library.usable(Use::Commons, 0, 10).await.unwrap().is_empty());
    let ids = vec![usable[0].id, 99];
    for (wanted, audience, found) in [
        (Use::Grounding, Audience::Members, 1),
        (Use::Grounding, Audience::Guests, 0),
        (Use::Commons, Audience::Members, 0),
    ] {
        let left = library.still_usable(ids.clone(), wanted, audience).await.unwrap();
        assert_eq!(left.len(), found, "{wanted:?} {audience:?}");
    }
    assert_eq!(library.passage(ids[0], Audience::Members).await.unwrap().text, "The well is deep.");
    let edit = DocumentEdit {
        consent: Some(Consent { uses: [Use::Training].into(), level: Level::LocalOnly }),
        ..DocumentEdit::default()
    };
    library.edit(added.document, edit, librarian(), 3).await.unwrap();
    assert!(library.still_usable(ids.clone(), Use::Grounding, Audience::Members).await.unwrap().is_empty());
    assert!(library.passage(ids[0], Audience::Members).await.is_err());
}

#[tokio::test]
async fn what_is_not_said_is_taken_from_the_file_and_then_from_the_collection() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let mut new = shelf.file("clean_water.pdf", &["Boil it."]);
    let added = library.add(new.clone(), member("m-a"), 2).await.unwrap();
    let document = library.document(added.document, Audience::Members).await.unwrap();
    assert_eq!((document.title.as_str(), document.licence.as_str()), ("clean water", "CC-BY-4.0"));
    assert_eq!((document.language.as_deref(), document.contributor.as_deref()), (Some("en"), Some("m-a")));
    assert_eq!((document.state, document.version), (DocumentState::Published, Some(1)));

    let heading = Block { kind: BlockKind::Heading(1), text: "Clean water for all".into(), page: None };
    new.extracted.blocks.insert(0, heading);
    new.extracted.author = Some(" WHO\n".into());
    new.extracted.language = Some("no language at all".into());
    new.original = None;
    let added = library.add(new, librarian(), 3).await.unwrap();
    let document = library.document(added.document, Audience::Members).await.unwrap();
    assert_eq!((document.title.as_str(), document.author.as_str()), ("Clean water for all", "WHO"));
    assert_eq!(
        (document.language.as_deref(), document.contributor.as_deref()),
        (Some("en"), Some("m-librarian"))
    );
}

#[tokio::test]
async fn the_same_file_is_taken_once_in_a_collection_and_the_other_is_named() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let added = library.add(shelf.file("well.txt", &["The well."]), librarian(), 2).await.unwrap();
    let again = library.add(shelf.file("copy.txt", &["The well."]), member("m-a"), 3).await.unwrap_err();
    assert!(matches!(&again, LibraryError::Known { document, .. } if *document == added.document), "{again}");
    let other = library.add_collection(collection("Other", Audience::Guests), librarian(), 3).await.unwrap();
    let mut new = shelf.file("well.txt", &["The well."]);
    new.collection = other.id;
    library.add(new, librarian(), 4).await.unwrap();
    assert_eq!((shelf.rows("documents"), shelf.blobs()), (2, 1));
}

#[tokio::test]
async fn a_member_changes_what_they_gave_and_nothing_else() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let open = library.add_collection(collection("Open", Audience::Guests), librarian(), 1).await.unwrap();
    let added = library.add(shelf.file("well.txt", &["The well."]), member("m-a"), 2).await.unwrap();
    let title = DocumentEdit { title: Some("Our well".into()), ..DocumentEdit::default() };
    let others = library.edit(added.document.clone(), title.clone(), member("m-b"), 3).await;
    assert!(matches!(others, Err(LibraryError::NotYours)));
    let edited = library.edit(added.document.clone(), title, member("m-a"), 3).await.unwrap();
    assert_eq!((edited.title.as_str(), edited.updated), ("Our well", 3));
    let moved = DocumentEdit { collection: Some(open.id), ..DocumentEdit::default() };
    let by_member = library.edit(added.document.clone(), moved.clone(), member("m-a"), 4).await;
    assert!(matches!(by_member, Err(LibraryError::NotALibrarian)));
    library.edit(added.document.clone(), moved, librarian(), 4).await.unwrap();
    library.document(added.document, Audience::Guests).await.unwrap();
}

#[tokio::test]
async fn members_put_nothing_where_only_librarians_read() {
    let shelf = Shelf::new().await;
    let desk =
        shelf.library.add_collection(collection("Desk", Audience::Librarians), librarian(), 1).await.unwrap();
    let mut new = shelf.file("well.txt", &["The well."]);
    new.collection = desk.id;
    let refused = shelf.library.add(new, member("m-a"), 2).await.unwrap_err();
    assert!(matches!(refused, LibraryError::NotFound { what: "collection", .. }), "{refused}");
}

#[tokio::test]
async fn documents_are_listed_by_title_and_found_by_words_in_it() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    for title in ["rivers", "Lakes", "Rain"] {
        let mut new = shelf.file(title, &[title]);
        new.title = Some(title.into());
        new.review = title == "Lakes";
        library.add(new, member("m-a"), 2).await.unwrap();
    }
    let titles = async |listing: Listing, reader: Reader| {
        let found = library.documents(listing, reader).await.unwrap();
        found.into_iter().map(|document| document.title).collect::<Vec<_>>()
    };
    let all = Listing::default();
    assert_eq!(titles(all.clone(), Audience::Members.into()).await, ["Rain", "rivers"]);
    assert_eq!(titles(all.clone(), of(Audience::Members, "m-a")).await, ["Lakes", "Rain", "rivers"]);
    assert_eq!(titles(all, Audience::Librarians.into()).await, ["Lakes", "Rain", "rivers"]);
    let words = Listing { contains: Some("RI".into()), ..Listing::default() };
    assert_eq!(titles(words, Audience::Members.into()).await, ["rivers"]);
    let second = Listing { skip: 1, limit: 1, ..Listing::default() };
    assert_eq!(titles(second, Audience::Members.into()).await, ["rivers"]);
}

#[tokio::test]
async fn a_librarian_narrows_what_a_member_allowed_and_only_the_member_widens_it() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(shelf.file("well.txt", &["Deep."]), member("m-a"), 2).await.unwrap().document;
    let uses = |uses: &[Use], level| DocumentEdit {
        consent: Some(Consent { uses: uses.iter().copied().collect(), level }),
        ..DocumentEdit::default()
    };
    let narrow = uses(&[Use::Search], Level::LocalOnly);
    library.edit(id.clone(), narrow, librarian(), 3).await.unwrap();
    for wide in
        [uses(&[Use::Search, Use::Training], Level::LocalOnly), uses(&[Use::Search], Level::CommonsOk)]
    {
        for hand in [librarian(), Hand::Box] {
            let refused = library.edit(id.clone(), wide.clone(), hand, 4).await;
            assert!(matches!(refused, Err(LibraryError::NotTheirs)), "{refused:?}");
        }
        library.edit(id.clone(), wide, member("m-a"), 4).await.unwrap();
        library.edit(id.clone(), uses(&[Use::Search], Level::LocalOnly), member("m-a"), 4).await.unwrap();
    }
}

#[tokio::test]
async fn who_does_not_see_a_document_does_not_learn_what_it_is_called_by_giving_the_same_file() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let waits = NewDocument { review: true, ..shelf.file("secret plan.txt", &["The plan."]) };
    library.add(waits.clone(), member("m-a"), 2).await.unwrap();
    let told = library.add(waits.clone(), member("m-b"), 3).await.unwrap_err();
    assert!(matches!(told, LibraryError::KnownUnseen) && !told.to_string().contains("plan"), "{told}");
    assert!(matches!(library.add(waits, member("m-a"), 3).await, Err(LibraryError::Known { .. })));
}

#[tokio::test]
async fn a_file_that_was_not_taken_in_leaves_nothing_behind() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let mut new = shelf.file("well.txt", &["Deep."]);
    let id = library.add(new.clone(), Hand::Box, 2).await.unwrap().document;
    library.withdraw(id, "private".into(), librarian(), 3).await.unwrap();
    assert!(library.add(new.clone(), Hand::Box, 4).await.is_err());
    new.collection = "k-0123456789".parse().unwrap();
    assert!(library.add(new, member("m-a"), 4).await.is_err());
    assert_eq!((shelf.blobs(), shelf.rows("originals_to_remove")), (0, 0));
}
