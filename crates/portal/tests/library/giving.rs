//! Giving, reviewing, and taking back.

use crate::village::Village;

#[tokio::test]
async fn what_a_member_gives_is_followed_reviewed_found_and_taken_back_again() {
    let village = Village::founded().await;
    let query = format!("collection={}&name=bees.txt&title=Bees", village.shelf.inner);
    let given = village.give("other", &query, "The hive stands by the old mango.").await;
    assert_eq!((&given["state"], &given["waiting"]), (&"done".into(), &true.into()), "{given}");
    let document = given["document"].as_str().unwrap();
    assert_eq!(village.finds("owner", "mango").await, [""; 0], "a librarian looks first");
    let upload = format!("/api/library/uploads/{}", given["id"].as_str().unwrap());
    assert_eq!(village.status("owner", &upload).await, 404, "an upload is its giver's matter");
    let (_, own) = village.json("other", "GET", "/api/library/uploads", "").await;
    assert_eq!(own[0]["id"], given["id"], "a page that is loaded again finds it");

    let (_, desk) = village.json("librarian", "GET", "/api/library/review", "").await;
    assert!(desk.as_array().unwrap().iter().any(|one| one["document"]["id"] == document), "{desk}");
    let settle = format!("/api/library/review/{document}/1");
    assert_eq!(village.json("librarian", "POST", &settle, r#"{"accept":true}"#).await.0, 204);
    assert_eq!(village.finds("owner", "mango").await, ["Bees"]);
    assert_eq!(village.finds("nobody", "mango").await, [""; 0]);

    let (_, mine) = village.json("other", "GET", "/api/library/mine", "").await;
    assert_eq!(mine["documents"].as_array().unwrap().len(), 1);
    let (response, _) = village.send("other", "GET", "/api/library/mine/export", "").await;
    assert_eq!(response.headers()["content-type"], "application/zip");
    let (status, gone) =
        village.json("other", "DELETE", "/api/library/mine", r#"{"why":"they moved"}"#).await;
    assert_eq!((status, &gone["traces"][0]["document"]), (200, &document.into()));
    assert_eq!(village.finds("owner", "mango").await, [""; 0]);
    assert_eq!(village.status("owner", &format!("/api/library/documents/{document}")).await, 404);
    let (_, mine) = village.json("other", "GET", "/api/library/mine", "").await;
    assert_eq!(
        (mine["documents"].as_array().unwrap().len(), &mine["traces"][0]["why"]),
        (0, &"they moved".into())
    );
}

#[tokio::test]
async fn what_cannot_become_a_document_is_refused_in_words_that_tell_nothing_else() {
    let village = Village::founded().await;
    let inner = format!("collection={}&name=a.txt", village.shelf.inner);
    let broken = village.give("other", &inner, "BROKEN").await;
    assert_eq!(
        (&broken["state"], &broken["reason"]),
        (&"refused".into(), &"this file is damaged; save it anew".into())
    );

    // The same file as one that the giver may not see: that there is one is said, what and where it is, is not.
    let hidden = village.give("other", &inner, "Nobody may look for the heron.").await;
    let reason = hidden["reason"].as_str().unwrap();
    assert!(reason.contains("has this file already") && !reason.contains(&village.shelf.secret), "{reason}");
    assert!(!reason.contains("heron") && !reason.contains("file\""), "{reason}");
    let open = format!("collection={}&name=a.txt", village.shelf.open);
    let known = village.give("other", &open, "# Clean water\n\nBoil water for one minute.").await;
    assert!(known["reason"].as_str().unwrap().contains("Clean water"), "{known}");

    let cases = [
        (format!("collection={}&name=a.txt", village.shelf.closed), "x", 404),
        ("collection=k-0000000000&name=a.txt".to_owned(), "x", 404),
        ("collection=nonsense&name=a.txt".to_owned(), "x", 400),
        (format!("collection={}", village.shelf.open), "x", 400),
        ("name=a.txt".to_owned(), "x", 400),
        (open.clone(), "", 400),
        (format!("{open}&level=everywhere"), "x", 400),
        (format!("document={}&name=a.txt&why=w", village.shelf.secret), "x", 404),
        (format!("document={}&name=a.txt&why=w", village.shelf.leaflet), "x", 403),
    ];
    for (query, bytes, expected) in cases {
        let (status, said) =
            village.json("other", "POST", &format!("/api/library/documents?{query}"), bytes).await;
        assert_eq!(status, expected, "{query}: {said}");
        assert!(said["error"]["message"].as_str().unwrap().len() > 10, "{said}");
    }
    let left = village.web.dir.path().join("uploads").read_dir().unwrap().count();
    assert_eq!(left, 0, "no file is left on its way");
}

#[tokio::test]
async fn a_file_becomes_the_next_version_and_the_way_back_is_open() {
    let village = Village::founded().await;
    let leaflet = village.shelf.leaflet.clone();
    let path = format!("/api/library/documents/{leaflet}");
    let query = format!("document={leaflet}&name=water.txt&why=longer");
    let given = village.give("owner", &query, "# Clean water\n\nBoil water for three minutes.").await;
    assert_eq!((&given["document"], &given["waiting"]), (&leaflet.as_str().into(), &false.into()), "{given}");
    assert_eq!(village.finds("nobody", "three").await, ["Clean water"]);

    let (_, diff) = village.json("nobody", "GET", &format!("{path}/diff?from=1&to=2"), "").await;
    let kinds: Vec<&str> =
        diff["changes"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["same", "removed", "added"]);
    let (_, versions) = village.json("other", "GET", &format!("{path}/versions"), "").await;
    assert_eq!((&versions[0]["why"], &versions[0]["by_name"]), (&"longer".into(), &"owner".into()));

    let back = r#"{"version":1,"why":"one is enough"}"#;
    assert_eq!(village.json("other", "POST", &format!("{path}/restore"), back).await.0, 403);
    let (status, restored) = village.json("owner", "POST", &format!("{path}/restore"), back).await;
    assert_eq!((status, &restored["version"]), (200, &3.into()));
    assert_eq!(village.finds("nobody", "three").await, [""; 0]);
    assert_eq!(
        village.status("nobody", &format!("{path}?version=2")).await,
        200,
        "what was read stays in the history"
    );
}
