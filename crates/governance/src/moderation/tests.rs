use proptest::prelude::*;

use super::*;
use crate::policy::TopicAction;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn rule(name: &str, on: ModerationSide, action: ModerationAction, pattern: Pattern) -> ModerationRule {
    ModerationRule { name: name.to_owned(), pattern, on, action }
}

fn says(list: &[&str]) -> Pattern {
    Pattern::Words { words: words(list) }
}

fn policy(moderation: Vec<ModerationRule>) -> Policy {
    let topic = |name: &str, action| TopicRule {
        name: name.to_owned(),
        words: words(&[name]),
        action,
        message: format!("Not {name}."),
    };
    let topics = vec![topic("lottery", TopicAction::Decline), topic("illness", TopicAction::HandOver)];
    Policy { moderation, topics, ..Policy::default() }
}

fn compiled(moderation: Vec<ModerationRule>) -> Rules {
    Rules::compile(&policy(moderation)).unwrap()
}

use ModerationAction::{Allow, Hold, Refuse, Warn};
use ModerationSide::{Answer, Both, Question};

#[test]
fn every_rule_that_fires_is_named_and_the_strictest_decides() {
    let rules = compiled(vec![
        rule("noted", Both, Allow, says(&["tea"])),
        rule("strict", Question, Refuse, Pattern::Regex { expression: "(?i)te+a".to_owned() }),
        rule("looked at", Both, Hold, says(&["green tea"])),
    ]);
    let ruling = rules.question("Green  TEA, please");
    assert_eq!(ruling.action, Refuse);
    assert_eq!(ruling.fired, ["noted", "strict", "looked at"]);
    assert_eq!(rules.answer("green tea").action, Hold);
    assert_eq!(rules.question("coffee"), Ruling::default());
}

#[test]
fn rules_look_only_where_they_are_told_to() {
    let rules =
        compiled(vec![rule("q", Question, Warn, says(&["ask"])), rule("a", Answer, Warn, says(&["tell"]))]);
    assert_eq!(rules.question("ask tell").fired, ["q"]);
    assert_eq!(rules.answer("ask tell").fired, ["a"]);
}

#[test]
fn a_topic_is_known_in_the_question_and_never_in_the_answer() {
    let rules = compiled(vec![rule("lottery", Both, Warn, says(&["win"]))]);
    let ruling = rules.question("How do I win the LOTTERY?");
    assert_eq!(ruling.topic.unwrap().message, "Not lottery.");
    assert_eq!(
        (ruling.action, ruling.fired.as_slice()),
        (Warn, ["lottery", "lottery"].map(String::from).as_slice())
    );
    assert_eq!(rules.question("my illness and the lottery").topic.unwrap().name, "lottery");
    assert_eq!(rules.answer("the lottery").topic, None);
}

#[test]
fn what_a_model_says_about_meaning_is_added_to_what_words_say() {
    let semantic = |nearness| Pattern::Semantic { examples: words(&["hurt somebody"]), nearness };
    let rules = compiled(vec![
        rule("illness", Both, Refuse, says(&["poison"])),
        rule("meaning", Question, Hold, semantic(80)),
        rule("far", Answer, Refuse, semantic(10)),
    ]);
    let asked: Vec<_> = rules.semantic(Question).map(|rule| (rule.rule, rule.nearness)).collect();
    assert_eq!(asked, [(1, 80)]);
    let ruling = rules.question("about an illness");
    let add = |cosine| rules.with_similarities(ruling.clone(), Question, &[(1, cosine), (2, 1.0)]);
    assert_eq!(add(0.79), ruling);
    let near = add(0.8);
    assert_eq!(
        (near.action, near.fired.as_slice()),
        (Hold, ["meaning", "illness"].map(String::from).as_slice())
    );
    assert!(near.topic.is_some());
}

#[test]
fn an_answer_is_held_back_as_long_as_it_may_become_what_is_not_shown() {
    let rules = compiled(vec![rule("r", Answer, Refuse, says(&["red cross"]))]);
    let mut watch = rules.watch();
    assert_eq!(watch.push("The red"), "The ".len());
    assert_eq!(watch.push(" "), "The ".len());
    assert_eq!(watch.push("car"), "The red car".len());
    assert_eq!(watch.push(" red \n cr"), "The red car ".len());
    assert_eq!(watch.push("oss"), "The red car ".len());
    assert!(!watch.is_withheld(), "it may still be another word");
    assert_eq!(watch.push("es"), "The red car red \n crosses".len());
    watch.push(" red cross");
    assert_eq!(watch.push("!"), "The red car red \n crosses ".len());
    assert!(watch.is_withheld());
    assert_eq!(watch.ruling().fired, ["r"]);
    assert_eq!(watch.push(" and more"), "The red car red \n crosses ".len(), "nothing more is shown");
}

#[test]
fn what_stands_at_the_very_end_is_found_when_the_answer_is_whole() {
    for pattern in [says(&["red cross"]), Pattern::Regex { expression: r"red cross\b".to_owned() }] {
        let rules = compiled(vec![rule("r", Answer, Hold, pattern)]);
        let mut watch = rules.watch();
        assert_eq!(watch.push("the red cross"), "the ".len());
        assert!(!watch.is_withheld());
        assert_eq!(watch.finish(), "the ".len());
        assert!(watch.is_withheld());
    }
}

#[test]
fn what_only_warns_holds_nothing_back() {
    let expression = Pattern::Regex { expression: "red.*cross".to_owned() };
    let rules =
        compiled(vec![rule("a", Answer, Warn, says(&["red cross"])), rule("b", Answer, Allow, expression)]);
    let mut watch = rules.watch();
    assert_eq!(watch.push("The red"), 7);
    assert_eq!(watch.push(" cross."), 14);
    assert_eq!(watch.ruling().fired, ["a", "b"]);
    assert!(!watch.is_withheld());
}

#[test]
fn an_expression_without_an_end_holds_back_a_sentence_or_two_and_not_for_ever() {
    let expression = Pattern::Regex { expression: r"(?s)begin.*end".to_owned() };
    let rules = compiled(vec![rule("r", Answer, Refuse, expression)]);
    let mut watch = rules.watch();
    assert_eq!(watch.push("we begin"), 3);
    let words = "x ".repeat(300);
    let shown = watch.push(&words);
    assert!(shown > 300 && watch.text().len() - shown <= MOST_HELD_BACK, "{shown}");
    watch.push("end");
    watch.push(" of it");
    assert!(watch.is_withheld());
}

/// Texts that are full of beginnings.
fn text() -> impl Strategy<Value = String> {
    let parts = vec![
        "red", " ", "cross", "re", "d c", "ross", "12", "3", "-", "é", "e\u{301}", "\n", "選", "挙", "s",
    ];
    prop::collection::vec(prop::sample::select(parts), 0..30).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn however_an_answer_is_cut_it_is_ruled_on_as_a_whole_and_nothing_withheld_is_shown(
        text in text(),
        cuts in prop::collection::vec(1_usize..6, 1..40),
    ) {
        let expression = |text: &str| Pattern::Regex { expression: text.to_owned() };
        let rules = compiled(vec![
            rule("phrase", Answer, Refuse, says(&["red cross", "crossé"])),
            rule("free", Both, Hold, says(&["選挙"])),
            rule("number", Answer, Refuse, expression(r"\b12+3\b|3-\d")),
            rule("noted", Answer, Allow, says(&["red"])),
        ]);
        let mut watch = rules.watch();
        let mut shown = 0;
        let mut pieces: Vec<String> = Vec::new();
        let mut characters = text.chars();
        for size in cuts.iter().cycle() {
            let piece: String = characters.by_ref().take(*size).collect();
            if piece.is_empty() {
                break;
            }
            pieces.push(piece);
        }
        for piece in &pieces {
            let safe = watch.push(piece);
            prop_assert!(safe >= shown && text.is_char_boundary(safe) && safe <= watch.text().len());
            shown = safe;
        }
        let safe = watch.finish();
        prop_assert!(safe >= shown);
        let whole = rules.answer(&text);
        prop_assert_eq!(watch.is_withheld(), whole.action >= Hold, "{:?} {:?}", pieces, whole);
        if watch.is_withheld() {
            // What was shown has nothing in it that a rule withholds. Its next character is looked at too: it says
            // whether the last word was whole.
            let next = text[safe..].chars().next().map_or(0, char::len_utf8);
            let shown = &text[..safe + next];
            prop_assert!(rules.answer(shown).action < Hold, "shown: {:?}", shown);
        } else {
            prop_assert_eq!(safe, text.len());
            prop_assert_eq!(watch.ruling(), &whole);
        }
    }
}
