use super::TraceKind;
use crate::consent::{Audience, Use};
use crate::library::testing::{Shelf, librarian, member, words};
use crate::library::{Hand, LibraryError};
use crate::version::NewVersion;

#[tokio::test]
async fn a_withdrawal_takes_every_word_and_leaves_an_honest_trace() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(shelf.file("well.txt", &["Deep."]), member("m-a"), 2).await.unwrap().document;
    let new =
        NewVersion { extracted: words(&["Shallow."]), original: None, why: "measured".into(), review: false };
    library.replace(id.clone(), new, member("m-a"), 3).await.unwrap();
    let others = library.withdraw(id.clone(), "not mine".into(), member("m-b"), 4).await;
    assert!(matches!(others, Err(LibraryError::NotYours)));
    let empty = library.withdraw(id.clone(), " ".into(), member("m-a"), 4).await.unwrap_err();
    assert!(empty.to_string().contains("why: it is empty"), "{empty}");

    let trace = library.withdraw(id.clone(), "I moved away".into(), member("m-a"), 4).await.unwrap();
    for table in ["documents", "versions", "passages", "originals_to_remove"] {
        assert_eq!(shelf.rows(table), 0, "{table}");
    }
    assert_eq!(shelf.blobs(), 0);
    assert_eq!((trace.kind, trace.added, trace.at), (TraceKind::Withdrawn, 2, 4));
    assert_eq!((trace.by.as_deref(), trace.why.as_str()), (Some("m-a"), "I moved away"));
    assert_eq!(trace.hash.len(), 64);
    assert_eq!(library.trace(id.clone()).await.unwrap(), Some(trace.clone()));
    assert_eq!(library.contributions("m-a".into()).await.unwrap().traces, [trace]);
    assert!(library.read(id, None, Audience::Librarians).await.is_err());
}

#[tokio::test]
async fn a_file_that_another_document_holds_stays() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let one = library.add(shelf.file("well.txt", &["Deep."]), librarian(), 2).await.unwrap().document;
    let open = crate::library::testing::collection("Open", Audience::Guests);
    let open = library.add_collection(open, librarian(), 2).await.unwrap();
    let mut new = shelf.file("well.txt", &["Deep."]);
    new.collection = open.id;
    let other = library.add(new, librarian(), 3).await.unwrap().document;
    library.withdraw(one, "twice".into(), librarian(), 4).await.unwrap();
    assert!(library.original(other.clone(), None, Audience::Guests).await.unwrap().is_some());
    library.withdraw(other, "gone too".into(), librarian(), 5).await.unwrap();
    assert_eq!(shelf.blobs(), 0);
}

#[tokio::test]
async fn what_was_withdrawn_does_not_come_back_by_itself_but_somebody_may_give_it_again() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = library.add(shelf.file("well.txt", &["Deep."]), Hand::Box, 2).await.unwrap().document;
    library.withdraw(id, "out of date".into(), librarian(), 3).await.unwrap();
    let again = library.add(shelf.file("well.txt", &["Deep."]), Hand::Box, 4).await.unwrap_err();
    assert!(again.to_string().contains("out of date"), "{again}");
    library.add(shelf.file("well.txt", &["Deep."]), librarian(), 5).await.unwrap();
}

#[tokio::test]
async fn a_member_withdraws_all_they_gave_at_once_and_nobody_elses() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    for (name, hand) in [("a", member("m-a")), ("b", member("m-a")), ("c", member("m-b"))] {
        library.add(shelf.file(name, &[name]), hand, 2).await.unwrap();
    }
    let others = library.withdraw_all_of("m-a".into(), "x".into(), member("m-b"), 3).await;
    assert!(matches!(others, Err(LibraryError::NotYours)));
    let traces = library.withdraw_all_of("m-a".into(), "leaving".into(), member("m-a"), 3).await.unwrap();
    assert_eq!((traces.len(), shelf.rows("documents"), shelf.blobs()), (2, 1, 1));
    assert!(library.contributions("m-a".into()).await.unwrap().documents.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_began_before_a_withdrawal_sees_all_of_it_and_the_next_one_nothing() {
    let shelf = Shelf::new().await;
    let library = shelf.library.clone();
    let id = library.add(shelf.file("well.txt", &["Deep."]), librarian(), 2).await.unwrap().document;
    let (began, has_begun) = std::sync::mpsc::channel();
    let (withdrawn, is_withdrawn) = std::sync::mpsc::channel::<()>();
    let reader = library.clone();
    let reading = std::thread::spawn(move || {
        reader.store().read_blocking(move |connection| {
            let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
            let before = count("SELECT count(*) FROM passages")?;
            let _ = began.send(());
            let _ = is_withdrawn.recv();
            Ok::<_, LibraryError>((before, count("SELECT count(*) FROM passages")?))
        })
    });
    has_begun.recv().unwrap();
    let passages: Vec<i64> =
        library.usable(Use::Search, 0, 9).await.unwrap().iter().map(|passage| passage.id).collect();
    library.withdraw(id, "now".into(), librarian(), 3).await.unwrap();
    assert!(library.still_usable(passages, Use::Search, Audience::Members).await.unwrap().is_empty());
    withdrawn.send(()).unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), (1, 1));
}
