//! Who may read and find what.

use std::sync::Arc;

use banyan_knowledge::{Importer, Library};
use banyan_store::{Store, StoreKey};
use serde_json::Value;

use crate::common::TestBox;
use crate::shelf::{Plain, Shelf};
use crate::village::Village;

#[tokio::test]
async fn what_one_may_not_see_is_not_there_however_one_asks() {
    let village = Village::founded().await;
    let Shelf { leaflet, minutes, secret, accounts, draft, inner, closed, .. } = &village.shelf;
    //                      nobody suspended other owner librarian
    let readers = ["nobody", "suspended", "other", "owner", "librarian"];
    let table = [
        (leaflet, [true, true, true, true, true]),
        (minutes, [false, false, true, true, true]),
        (secret, [false, false, false, false, true]),
        (accounts, [false, false, false, false, true]),
        (draft, [false, false, false, true, true]),
    ];
    let nothing = "d-0000000000";
    for (place, reader) in readers.into_iter().enumerate() {
        let (_, listed) = village.json(reader, "GET", "/api/library/documents", "").await;
        for (document, seen) in table {
            let seen = seen[place];
            let expected = if seen { 200 } else { 404 };
            for path in ["", "/versions", "/original", "?version=1", "?from=0&to=5"] {
                let api = format!("/api/library/documents/{document}{path}");
                assert_eq!(village.status(reader, &api).await, expected, "{reader} {api}");
            }
            assert_eq!(village.status(reader, &format!("/library/d/{document}")).await, expected, "{reader}");
            assert_eq!(
                listed.to_string().contains(document),
                seen,
                "{reader} is shown {document} in the list"
            );
            if !seen {
                // Word for word what is said where there is nothing at all.
                let said =
                    village.send(reader, "GET", &format!("/api/library/documents/{document}"), "").await.1;
                let of_nothing =
                    village.send(reader, "GET", &format!("/api/library/documents/{nothing}"), "").await.1;
                assert_eq!(said, of_nothing);
                let path = format!("/api/library/documents/{document}");
                let (status, _) = village.json(reader, "DELETE", &format!("{path}?why=w"), "").await;
                assert_eq!(status, if reader == "nobody" { 401 } else { 404 }, "{reader} {document}");
            }
        }
        for collection in [inner, closed] {
            let open = place >= if collection == inner { 2 } else { 4 };
            let page = format!("/library?collection={collection}");
            assert_eq!(village.status(reader, &page).await, if open { 200 } else { 404 }, "{reader} {page}");
        }
    }
}

#[tokio::test]
async fn nobody_finds_what_they_may_not_read_and_consent_holds_at_once() {
    let village = Village::founded().await;
    for reader in ["nobody", "suspended", "other", "owner", "steward"] {
        for words in ["heron", "otter", "kingfisher"] {
            assert_eq!(village.finds(reader, words).await, [""; 0], "{reader} {words}");
        }
    }
    assert_eq!(village.finds("librarian", "otter").await.len(), 1);
    assert_eq!(
        village.finds("librarian", "heron").await,
        [""; 0],
        "not even librarians search what nobody agreed to"
    );
    assert_eq!(village.finds("nobody", "well").await, [""; 0]);
    assert_eq!(village.finds("other", "well").await, ["May meeting"]);
    assert_eq!(village.finds("nobody", "boil").await, ["Clean water"]);

    // The giver takes back that it is searched.
    let path = format!("/api/library/documents/{}", village.shelf.leaflet);
    let edit = r#"{"consent":{"uses":[],"level":"local_only"}}"#;
    assert_eq!(village.json("owner", "PATCH", &path, edit).await.0, 200);
    assert_eq!(village.finds("nobody", "boil").await, [""; 0]);
    assert_eq!(village.status("nobody", &path).await, 404);
    assert_eq!(village.status("owner", &path).await, 200);
}

#[tokio::test]
async fn guests_learn_nothing_of_people_and_files_are_handed_out_but_never_shown() {
    let village = Village::founded().await;
    let path = format!("/api/library/documents/{}", village.shelf.leaflet);
    let (_, read) = village.json("nobody", "GET", &path, "").await;
    assert_eq!((&read["document"]["contributor"], &read["version"]["by"]), (&Value::Null, &Value::Null));
    let (_, read) = village.json("other", "GET", &path, "").await;
    assert_eq!(
        (&read["document"]["contributor_name"], &read["document"]["may_change"]),
        (&"owner".into(), &false.into())
    );
    assert_eq!(read["blocks"][1]["text"], "Boil water for one minute.");

    let query = format!("collection={}&name=%3Cscript%3E.html", village.shelf.open);
    let given = village.give("owner", &query, "<script>alert(1)</script>").await;
    let path = format!("/api/library/documents/{}/original", given["document"].as_str().unwrap());
    let (response, bytes) = village.send("nobody", "GET", &path, "").await;
    assert_eq!((response.status().as_u16(), bytes.as_str()), (200, "<script>alert(1)</script>"));
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-disposition").starts_with("attachment; filename=\"_script_.html\""));
}

#[tokio::test]
async fn a_guest_who_searches_without_end_is_slowed_down_and_a_box_without_a_library_says_so() {
    let mut library = None;
    let site = TestBox::with(|config| {
        let store = Store::open(&config.data_dir, &StoreKey::from_bytes([3; 32]), &banyan_knowledge::rooms());
        let opened = Library::open(store.unwrap()).unwrap();
        config.importer = Some(Importer::new(opened.clone(), Arc::new(Plain)));
        config.library = Some(opened.clone());
        config.limits.spare_loopback = false;
        library = Some(opened);
    })
    .await;
    for number in 0..20 {
        assert_eq!(site.get("/api/library/search?q=rain").await.0.status(), 200, "{number}");
    }
    for path in ["/api/library/search?q=rain", "/library/search?q=rain"] {
        let (response, text) = site.get(path).await;
        assert_eq!(response.status(), 429, "{text}");
        assert!(response.headers().contains_key("retry-after"));
    }
    let long = format!("/api/library/documents?contains={}", "x".repeat(400));
    assert_eq!(site.get(&long).await.0.status(), 200, "reading goes on");
    assert_eq!(site.get("/api/library/mine").await.0.status(), 401);

    let bare = TestBox::start().await;
    let (response, text) = bare.get("/api/library/collections").await;
    assert_eq!((response.status().as_u16(), text.contains("no_library")), (503, true));
    assert_eq!(bare.get("/library").await.0.status(), 503);
    assert!(!bare.get("/").await.1.contains("href=\"/library\""));
    assert!(site.get("/").await.1.contains("href=\"/library\""));
}
