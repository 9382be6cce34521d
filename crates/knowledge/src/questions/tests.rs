//! Asking, answering, taking back; what is kept and for how long.

use super::*;
use crate::library::testing::{Shelf, librarian, member};

const DAY: i64 = 86_400;

fn asked(text: &str) -> NewQuestion {
    NewQuestion { text: text.into(), language: Some("en".into()), named: false }
}

fn said(text: &str) -> NewAnswer {
    NewAnswer { text: text.into(), may_become_document: true }
}

fn reader(name: &str) -> Reader {
    Reader { audience: Audience::Members, member: Some(name.into()) }
}

async fn ask(shelf: &Shelf, text: &str, now: i64) -> i64 {
    shelf.library.ask_members(asked(text), "m-amina".into(), 90, now).await.unwrap().id
}

#[tokio::test]
async fn a_question_is_answered_and_others_do_not_see_who_asked() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = ask(&shelf, " When is the well cleaned?\u{0} ", 10).await;
    let thread = library.answer_question(id, said("Each first Monday."), "m-ben".into(), 20).await.unwrap();
    assert_eq!(thread.question.state, QuestionState::Answered);
    assert_eq!((thread.question.text.as_str(), &thread.question.by), ("When is the well cleaned?", &None));
    assert_eq!((thread.answers[0].by.as_str(), thread.answers[0].yours), ("m-ben", true));
    let own = library.question(id, reader("m-amina")).await.unwrap();
    assert!(own.question.yours && own.question.by.as_deref() == Some("m-amina") && !own.answers[0].yours);
    let named = NewQuestion { named: true, ..asked("Who keeps bees?") };
    library.ask_members(named, "m-amina".into(), 90, 30).await.unwrap();
    let all = library.questions(QuestionListing::default(), reader("m-ben")).await.unwrap();
    assert_eq!(all.iter().map(|one| one.by.as_deref()).collect::<Vec<_>>(), [Some("m-amina"), None]);
    let open = QuestionListing { state: Some(QuestionState::Open), ..QuestionListing::default() };
    assert_eq!(library.questions(open, reader("m-ben")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn guests_see_no_questions() {
    let shelf = Shelf::new().await;
    let id = ask(&shelf, "When is the well cleaned?", 10).await;
    assert_eq!(shelf.library.questions(QuestionListing::default(), Audience::Guests).await.unwrap(), []);
    assert!(matches!(shelf.library.question(id, Audience::Guests).await, Err(LibraryError::NotFound { .. })));
}

#[tokio::test]
async fn nothing_is_asked_where_the_policy_keeps_no_questions() {
    let shelf = Shelf::new().await;
    let refused = shelf.library.ask_members(asked("When?"), "m-amina".into(), 0, 10).await.unwrap_err();
    assert!(refused.to_string().contains("policy"), "{refused}");
    assert_eq!(shelf.rows("questions"), 0);
}

#[tokio::test]
async fn texts_and_numbers_of_questions_have_bounds() {
    let shelf = Shelf::new().await;
    for (text, says) in [("  \u{7} ", "empty"), (&"x".repeat(1_001), "may have 1000")] {
        let refused = shelf.library.ask_members(asked(text), "m-amina".into(), 90, 1).await.unwrap_err();
        assert!(refused.to_string().contains(says), "{refused}");
    }
    for number in 0..MAX_OPEN {
        ask(&shelf, &format!("Question {number}?"), 10).await;
    }
    let refused = shelf.library.ask_members(asked("One more?"), "m-amina".into(), 90, 10).await.unwrap_err();
    assert!(refused.to_string().contains("close or withdraw"), "{refused}");
    assert!(shelf.library.ask_members(asked("One more?"), "m-ben".into(), 90, 10).await.is_ok());
}

#[tokio::test]
async fn an_answer_becomes_a_document_of_who_wrote_it_and_goes_with_it() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = ask(&shelf, "When is the well cleaned?", 10).await;
    let thread =
        library.answer_question(id, said("Each first Monday.\nBring a rope."), "m-ben".into(), 20).await;
    let answer = thread.unwrap().answers[0].id;
    let wanted = |answer| AnswerDocument {
        answer,
        collection: shelf.water.clone(),
        title: "Cleaning the well".into(),
        attribution: "Ben".into(),
    };
    let refused = library.answer_to_document(id, wanted(answer), member("m-ben"), 30).await.unwrap_err();
    assert!(matches!(refused, LibraryError::NotALibrarian), "{refused}");
    let added = library.answer_to_document(id, wanted(answer), librarian(), 30).await.unwrap();
    let document = library.document(added.document.clone(), Audience::Members).await.unwrap();
    assert_eq!(
        (document.title.as_str(), document.attribution.as_str(), document.contributor.as_deref()),
        ("Cleaning the well", "Ben", Some("m-ben"))
    );
    let thread = library.question(id, reader("m-amina")).await.unwrap();
    assert_eq!(thread.question.document, Some(added.document.clone()));
    assert!(library.answer_to_document(id, wanted(answer), librarian(), 30).await.is_err(), "once only");

    let not_theirs = library.withdraw_answer(id, answer, member("m-amina"), 40).await.unwrap_err();
    assert!(matches!(not_theirs, LibraryError::NotYours), "{not_theirs}");
    library.withdraw_answer(id, answer, member("m-ben"), 40).await.unwrap();
    assert!(library.document(added.document, Audience::Librarians).await.is_err());
    let thread = library.question(id, reader("m-amina")).await.unwrap();
    assert_eq!((thread.question.state, thread.answers.len()), (QuestionState::Open, 0));
}

#[tokio::test]
async fn an_answer_becomes_no_document_without_its_authors_consent() {
    let shelf = Shelf::new().await;
    let id = ask(&shelf, "When is the well cleaned?", 10).await;
    let private = NewAnswer { may_become_document: false, ..said("Ask me at home.") };
    let thread = shelf.library.answer_question(id, private, "m-ben".into(), 20).await.unwrap();
    let (title, attribution) = ("Well".into(), "Ben".into());
    let wanted =
        AnswerDocument { answer: thread.answers[0].id, collection: shelf.water.clone(), title, attribution };
    let refused = shelf.library.answer_to_document(id, wanted, librarian(), 30).await.unwrap_err();
    assert!(refused.to_string().contains("does not want it"), "{refused}");
    assert_eq!(shelf.rows("documents"), 0);
}

#[tokio::test]
async fn whoever_asked_closes_or_withdraws_it_and_nobody_else_but_a_librarian() {
    let shelf = Shelf::new().await;
    let library = &shelf.library;
    let id = ask(&shelf, "When is the well cleaned?", 10).await;
    let close = |hand| library.close_question(id, "I know now".into(), hand, 20);
    assert!(matches!(close(member("m-ben")).await, Err(LibraryError::NotYours)));
    close(member("m-amina")).await.unwrap();
    let refused = library.answer_question(id, said("Monday."), "m-ben".into(), 30).await.unwrap_err();
    assert!(refused.to_string().contains("I know now"), "{refused}");
    assert!(matches!(library.withdraw_question(id, member("m-ben")).await, Err(LibraryError::NotYours)));
    library.withdraw_question(id, member("m-amina")).await.unwrap();
    assert_eq!((shelf.rows("questions"), shelf.rows("answers")), (0, 0));
    let other = ask(&shelf, "And now?", 10).await;
    library.withdraw_question(other, librarian()).await.unwrap();
}

#[tokio::test]
async fn a_question_is_erased_so_long_after_the_last_that_happened_to_it() {
    let shelf = Shelf::new().await;
    let (old, answered) = (ask(&shelf, "Old?", 0).await, ask(&shelf, "Answered?", 0).await);
    shelf.library.answer_question(answered, said("Yes."), "m-ben".into(), 50 * DAY).await.unwrap();
    assert_eq!(shelf.library.sweep_questions(90, 90 * DAY - 1).await.unwrap(), 0);
    assert_eq!(shelf.library.sweep_questions(90, 90 * DAY).await.unwrap(), 1);
    assert!(shelf.library.question(old, reader("m-amina")).await.is_err());
    assert!(shelf.library.question(answered, reader("m-amina")).await.is_ok());
    assert_eq!(shelf.library.sweep_questions(90, 140 * DAY).await.unwrap(), 1);
    assert_eq!(shelf.rows("answers"), 0);
}

#[tokio::test]
async fn open_questions_stand_by_theme_without_who_asked() {
    let shelf = Shelf::new().await;
    for text in ["How deep is the new well?", "When does the bus leave?", "Who cleans the well?"] {
        shelf
            .library
            .ask_members(NewQuestion { named: true, ..asked(text) }, "m-amina".into(), 90, 1)
            .await
            .unwrap();
    }
    let themes = shelf.library.unanswered().await.unwrap();
    assert_eq!(themes.iter().map(|theme| theme.questions.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(themes[0].theme, "well");
    assert!(themes.iter().flat_map(|theme| &theme.questions).all(|question| question.by.is_none()));
}

#[tokio::test]
async fn coverage_is_counted_in_numbers_alone() {
    let shelf = Shelf::new().await;
    for (covered, now) in [(true, 5), (false, 6), (false, DAY + 1), (true, 7)] {
        shelf.library.count_coverage(covered, now).await.unwrap();
    }
    let days = shelf.library.coverage(7, DAY + 2).await.unwrap();
    let expected = [
        CoverageDay { day: DAY, covered: 0, not_covered: 1 },
        CoverageDay { day: 0, covered: 2, not_covered: 1 },
    ];
    assert_eq!(days, expected);
    shelf.library.count_coverage(true, 1_000 * DAY).await.unwrap();
    assert_eq!(shelf.rows("coverage"), 1);
}
