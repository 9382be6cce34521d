use super::{ChangeKind, NewVersion, VersionState};
use crate::consent::Audience;
use crate::library::LibraryError;
use crate::library::testing::{Shelf, librarian, member, words};

fn version(paragraphs: &[&str], why: &str) -> NewVersion {
    NewVersion { extracted: words(paragraphs), original: None, why: why.into(), review: false }
}

#[tokio::test]
async fn a_new_version_is_read_and_the_one_before_stays_in_the_history() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id =
        library.add(shelf.file("well.txt", &["Deep.", "Old."]), member("m-a"), 2).await.unwrap().document;
    let cited = library.usable(crate::Use::Grounding, 0, 9).await.unwrap().remove(0);
    let others = library.replace(id.clone(), version(&["Mine."], "better"), member("m-b"), 3).await;
    assert!(matches!(others, Err(LibraryError::NotYours)));
    let added =
        library.replace(id.clone(), version(&["Deep.", "New."], "cleaned"), librarian(), 3).await.unwrap();
    assert_eq!((added.version, added.waiting), (2, false));

    let reading = library.read(id.clone(), None, Audience::Members).await.unwrap();
    assert_eq!((reading.text.as_str(), reading.version.number), ("Deep.\n\nNew.", 2));
    let history = library.history(id.clone(), Audience::Members).await.unwrap();
    let told: Vec<_> =
        history.iter().map(|one| (one.number, one.at, one.by.as_deref(), one.why.as_str())).collect();
    assert_eq!(told, [(2, 3, Some("m-librarian"), "cleaned"), (1, 2, Some("m-a"), "added")]);

    // What was cited opens at the very words, in the version they stood in; search finds the new ones only.
    let before = library.read(id.clone(), Some(cited.version), Audience::Members).await.unwrap();
    assert_eq!(&before.text[cited.start..cited.end], cited.text);
    let now = library.usable(crate::Use::Grounding, 0, 9).await.unwrap();
    assert!(now.len() == 1 && now[0].id > cited.id && now[0].text.contains("New."), "{now:?}");

    let changes = library.diff(id, 1, 2, Audience::Members).await.unwrap();
    let kinds: Vec<_> = changes.iter().map(|change| (change.kind, change.text.as_str())).collect();
    assert_eq!(
        kinds,
        [(ChangeKind::Same, "Deep."), (ChangeKind::Removed, "Old."), (ChangeKind::Added, "New.")]
    );
}

#[tokio::test]
async fn an_earlier_version_comes_back_as_the_next_one_with_its_file() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(shelf.file("well.txt", &["Deep."]), member("m-a"), 2).await.unwrap().document;
    library.replace(id.clone(), version(&["Shallow."], "measured"), member("m-a"), 3).await.unwrap();
    let same = library.restore(id.clone(), 2, "again".into(), member("m-a"), 4).await.unwrap_err();
    assert!(same.to_string().contains("already"), "{same}");
    let restored = library.restore(id.clone(), 1, "measured wrongly".into(), member("m-a"), 4).await.unwrap();
    assert_eq!(restored.version, 3);
    let reading = library.read(id.clone(), None, Audience::Members).await.unwrap();
    assert_eq!(reading.text, "Deep.");
    let (name, bytes) = library.original(id.clone(), None, Audience::Members).await.unwrap().unwrap();
    assert_eq!((name.as_str(), bytes.as_slice()), ("well.txt", b"Deep.".as_slice()));
    assert_eq!(library.original(id.clone(), Some(2), Audience::Members).await.unwrap(), None);
    assert!(library.original(id, None, Audience::Guests).await.is_err());
    assert_eq!(shelf.blobs(), 1);
}

#[tokio::test]
async fn the_same_words_are_no_new_version_but_a_document_may_become_what_it_was() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(shelf.file("well.txt", &["Deep."]), librarian(), 2).await.unwrap().document;
    let file = |paragraphs: &[&str]| {
        let new = shelf.file("well.txt", paragraphs);
        NewVersion { extracted: new.extracted, original: new.original, why: "changed".into(), review: false }
    };
    let same = library.replace(id.clone(), file(&["Deep."]), librarian(), 3).await;
    assert!(matches!(same, Err(LibraryError::Known { .. })));
    library.replace(id.clone(), file(&["Shallow."]), librarian(), 3).await.unwrap();
    library.replace(id.clone(), file(&["Deep."]), librarian(), 4).await.unwrap();
    let history = library.history(id, Audience::Members).await.unwrap();
    assert!(history.len() == 3 && history.iter().all(|one| one.state == VersionState::Accepted));
}
