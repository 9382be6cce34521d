use std::io::{Cursor, Read as _};

use banyan_store::testing::check_upwards;

use super::testing::{Shelf, collection, librarian, member, open};
use super::{ExportOf, LibraryError, ROOM_LIBRARY};
use crate::consent::Audience;
use crate::version::NewVersion;

#[test]
fn every_earlier_version_becomes_the_newest() {
    check_upwards(&ROOM_LIBRARY).unwrap();
}

#[tokio::test]
async fn a_collection_is_listed_only_for_those_it_is_open_to() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    library.add_collection(collection("Desk", Audience::Librarians), librarian(), 2).await.unwrap();
    library.add_collection(collection("Notices", Audience::Guests), librarian(), 2).await.unwrap();
    for (audience, names) in [
        (Audience::Guests, vec!["Notices"]),
        (Audience::Members, vec!["Notices", "Water"]),
        (Audience::Librarians, vec!["Desk", "Notices", "Water"]),
    ] {
        let found = library.collections(audience).await.unwrap();
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), names, "{audience:?}");
    }
}

#[tokio::test]
async fn collections_have_names_of_their_own_and_go_only_when_they_are_empty() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let again =
        library.add_collection(collection("WATER", Audience::Guests), librarian(), 2).await.unwrap_err();
    assert!(again.to_string().contains("choose another name"), "{again}");
    let by_member = library.add_collection(collection("Mine", Audience::Guests), member("m-a"), 2).await;
    assert!(matches!(by_member, Err(LibraryError::NotALibrarian)));

    let added = library.add(shelf.file("well.txt", &["The well."]), librarian(), 2).await.unwrap();
    let full = library.remove_collection(shelf.water.clone(), librarian(), 4).await.unwrap_err();
    assert!(full.to_string().contains("1 documents stand in \"Water\""), "{full}");
    library.withdraw(added.document, "asked".into(), librarian(), 3).await.unwrap();
    library.remove_collection(shelf.water.clone(), librarian(), 4).await.unwrap();
    assert!(library.collections(Audience::Librarians).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_export_holds_every_version_every_file_and_what_is_known() {
    let shelf = Shelf::new().await;
    let library = shelf.library.clone();
    let mut new = shelf.file("well.txt", &["The well is *deep*."]);
    new.title = Some("The well".into());
    let added = library.add(new, member("m-a"), 2).await.unwrap();
    let other = library.add(shelf.file("rain.txt", &["Rain."]), member("m-b"), 3).await.unwrap();
    let file = shelf.file("well.txt", &["The well was cleaned."]);
    let version = NewVersion {
        extracted: file.extracted,
        original: file.original,
        why: "cleaned".into(),
        review: false,
    };
    library.replace(added.document.clone(), version, member("m-a"), 4).await.unwrap();
    library.withdraw(other.document.clone(), "a mistake".into(), member("m-b"), 5).await.unwrap();

    let mut bytes = Vec::new();
    let written = library.export_blocking(&ExportOf::Everything, &mut bytes).unwrap();
    assert_eq!((written.documents, written.originals), (1, 2));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut read = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let folder = format!("documents/{}", added.document);
    assert!(read(&format!("{folder}/The well.md")).contains("The well was cleaned."));
    assert!(read(&format!("{folder}/version-1.md")).contains("The well is \\*deep\\*."));
    assert_eq!(read(&format!("{folder}/original-1 well.txt")), "The well is *deep*.");
    let catalogue: serde_json::Value = serde_json::from_str(&read("library.json")).unwrap();
    assert_eq!(catalogue["documents"][0]["licence"], "CC-BY-4.0");
    assert_eq!(catalogue["documents"][0]["versions"][0]["why"], "cleaned");
    assert_eq!(catalogue["traces"][0]["why"], "a mistake");
    assert!(read("README.txt").contains("consent"));

    let mut mine = Vec::new();
    let written = library.export_blocking(&ExportOf::Member("m-b".into()), &mut mine).unwrap();
    assert_eq!(written.documents, 0);
}

#[tokio::test]
async fn files_that_a_power_cut_left_behind_go_at_the_next_start() {
    let shelf = Shelf::new().await;
    let orphan = shelf.library.store().blobs().put(b"left behind").unwrap();
    shelf
        .library
        .change(move |tx| {
            let sql = "INSERT INTO originals_to_remove (original) VALUES (?1)";
            tx.execute(sql, [&orphan.as_bytes()[..]])?;
            Ok(())
        })
        .await
        .unwrap();
    let Shelf { folder, library, .. } = shelf;
    drop(library);
    let again = open(folder.path());
    assert!(again.store().blobs().list().unwrap().is_empty());
}
