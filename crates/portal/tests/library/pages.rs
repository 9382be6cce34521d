//! The library on a phone without JavaScript.

use crate::village::Village;

fn link<'p>(page: &'p str, beginning: &str) -> &'p str {
    let (_, rest) =
        page.split_once(&format!("href=\"{beginning}")).unwrap_or_else(|| panic!("{beginning}: {page}"));
    rest.split('"').next().unwrap()
}

fn unescaped(path: &str) -> String {
    path.replace("&amp;", "&").replace("&#x2f;", "/")
}

#[tokio::test]
async fn one_searches_taps_and_reads_at_the_marked_passage() {
    let village = Village::founded().await;
    let (_, home) = village.send("nobody", "GET", "/", "").await;
    assert!(home.contains("href=\"/library\""), "{home}");
    let (_, shelves) = village.send("nobody", "GET", "/library", "").await;
    assert!(
        shelves.contains("Leaflets") && shelves.contains("Clean water") && !shelves.contains("May meeting")
    );
    assert!(shelves.contains("action=\"/library/search\""));

    let (_, found) = village.send("nobody", "GET", "/library/search?q=boil+water", "").await;
    assert!(found.contains("<mark>Boil</mark> <mark>water</mark> for one minute."), "{found}");
    let found = unescaped(&found);
    let path = link(&found, "/library/d/");
    let (path, anchor) = path.split_once('#').unwrap();
    assert_eq!(anchor, "cited");
    let (response, page) = village.send("nobody", "GET", &format!("/library/d/{path}"), "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(page.matches("<mark id=\"cited\">").count(), 1, "{page}");
    assert!(page.contains("<h1 dir=\"auto\">Clean water</h1>") && page.contains("CC-BY-4.0"), "{page}");
    assert!(
        !page.contains("<script") && !page.contains("type=\"module\""),
        "the app does not take this page over"
    );
    let other = unescaped(link(&page, "?lang=sw"));
    assert!(
        other.contains("&from=") && other.contains("&v=1"),
        "another language shows the same place: {other}"
    );
    let (_, page) = village.send("nobody", "GET", &format!("/library/d/{path}&lang=ar"), "").await;
    assert!(page.contains("dir=\"rtl\"") && page.contains("<mark id=\"cited\">"), "{page}");

    let (_, nothing) = village.send("nobody", "GET", "/library/search?q=zebra", "").await;
    assert!(
        nothing.contains("does not cover this")
            && unescaped(&nothing).contains("/library/questions?text=zebra")
    );
    let (response, _) =
        village.send("nobody", "GET", &format!("/library/search?q={}", "x".repeat(600)), "").await;
    assert_eq!(response.status(), 400);
    let (response, gone) = village.send("nobody", "GET", "/library/d/nonsense", "").await;
    assert_eq!((response.status().as_u16(), gone.contains("The library has nothing here")), (404, true));
    assert_eq!(village.status("nobody", "/library/z/none/A/B").await, 404);
    assert_eq!(village.status("nobody", "/library/z/none").await, 404);
}

#[tokio::test]
async fn members_ask_each_other_with_forms_and_nothing_written_becomes_markup() {
    const ATTACK: &str = "</textarea><script>alert(1)</script><img src=x onerror=\"a\">";
    let village = Village::founded().await;
    let attack: String = form_urlencoded::byte_serialize(ATTACK.as_bytes()).collect();
    assert_eq!(village.status("nobody", "/library/questions").await, 401);
    let (response, _) = village.send("nobody", "POST", "/library/questions", "text=Where").await;
    assert_eq!(response.status(), 401);

    let (_, form) = village.send("other", "GET", &format!("/library/questions?text={attack}"), "").await;
    let (asked, _) =
        village.send("other", "POST", "/library/questions", &format!("text={attack}&named=yes")).await;
    assert_eq!(asked.status(), 303);
    let thread = asked.headers()["location"].to_str().unwrap().to_owned();
    let body = format!("text={attack}+by+the+well&may_become_document=yes");
    let (answered, _) = village.send("owner", "POST", &thread, &body).await;
    assert_eq!(
        (answered.status().as_u16(), answered.headers()["location"].to_str().unwrap()),
        (303, thread.as_str())
    );
    let (_, page) = village.send("other", "GET", &thread, "").await;
    assert!(page.contains("by the well") && page.contains("owner,"), "{page}");
    let (_, list) = village.send("other", "GET", "/library/questions", "").await;
    assert!(list.contains("Answers: 1"), "{list}");

    let shelf = &village.shelf;
    let query = format!("collection={}&name=a.txt&title={attack}&author={attack}", shelf.open);
    let given = village.give("owner", &query, &format!("# {ATTACK}\n\n{ATTACK} zebra\n\nend")).await;
    let document = format!("/library/d/{}?from=2&to=90", given["document"].as_str().unwrap());
    let mut pages = vec![form, page, list];
    for path in [&*document, "/library", "/library/search?q=zebra", &format!("/library/search?q={attack}")] {
        let (response, page) = village.send("other", "GET", path, "").await;
        assert_eq!(response.status(), 200, "{path}");
        pages.push(page);
    }
    for page in pages {
        for markup in ["<script", "<img", "</textarea><", "onerror=\""] {
            assert!(!page.replace("</textarea>\n", "").contains(markup), "{markup} in {page}");
        }
    }
    let (response, empty) = village.send("other", "POST", "/library/questions", "text=").await;
    assert_eq!((response.status().as_u16(), empty.contains("There are no words in it")), (400, true));
}
