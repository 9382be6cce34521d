use super::*;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn topic(name: &str, action: TopicAction) -> TopicRule {
    TopicRule { name: name.to_owned(), words: words(&[name]), action, message: String::new() }
}

fn rule(name: &str, pattern: Pattern) -> ModerationRule {
    ModerationRule {
        name: name.to_owned(),
        pattern,
        on: ModerationSide::Both,
        action: ModerationAction::Refuse,
    }
}

/// A policy in which everything is said once.
fn full() -> Policy {
    Policy {
        persona: "Baobab".to_owned(),
        style: "Friendly, short sentences".to_owned(),
        values: "We share water.\nWe listen first.".to_owned(),
        languages: words(&["es", "qu"]),
        closing: "Go well!".to_owned(),
        topics: vec![topic("lotteries", TopicAction::Decline), topic("illness", TopicAction::HandOver)],
        disclaimers: vec![
            Disclaimer { words: words(&["dose"]), text: "Ask a nurse.".to_owned() },
            Disclaimer { words: Vec::new(), text: "A machine wrote this.".to_owned() },
        ],
        max_answer_tokens: Some(300),
        sources: Some(BTreeSet::from(["handbook".to_owned()])),
        moderation: vec![
            rule("insults", Pattern::Words { words: words(&["fool"]) }),
            rule("numbers", Pattern::Regex { expression: r"\d{9}".to_owned() }),
            rule("weapons", Pattern::Semantic { examples: words(&["how to build a bomb"]), nearness: 80 }),
        ],
        quotas: QuotaPolicy {
            members_per_hour: Some(60),
            guests_per_hour: Some(5),
            guest_weight_percent: Some(50),
            program_weight_percent: BTreeMap::from([("books".to_owned(), 20)]),
            urgent: true,
        },
        keeping: Keeping {
            conversations: true,
            conversation_days: 30,
            moderation_days: 7,
            question_days: 30,
        },
        sharing: BTreeSet::from([SharingKind::Knowledge, SharingKind::Compute]),
        training: true,
        sample_questions: words(&["Who are you?"]),
    }
}

#[test]
fn a_policy_that_says_nothing_is_fine_and_tells_the_model_the_base_sentence_alone() {
    assert_eq!(Policy::default().check(), Ok(()));
    assert_eq!(Policy::default().system_prompt(), "You are a helpful assistant.");
}

#[test]
fn the_model_is_told_what_the_community_wants_of_it() {
    assert_eq!(full().check(), Ok(()));
    assert_eq!(
        full().system_prompt(),
        "You are a helpful assistant. Your name is Baobab. Style: Friendly, short sentences. Answer in the language \
         of the question if it is one of these: Spanish, Quechua; otherwise in Spanish. Answer in at most 150 words. \
         Do not talk about: lotteries. Leave to people, and do not answer yourself, questions about: illness.\n\
         What this community holds dear:\nWe share water.\nWe listen first."
    );
}

#[test]
fn the_same_policy_gives_the_same_bytes_and_what_the_model_need_not_know_changes_none() {
    let mut other = full();
    other.closing = "Farewell!".to_owned();
    other.moderation.clear();
    other.disclaimers.clear();
    other.quotas = QuotaPolicy::default();
    other.sample_questions.clear();
    assert_eq!(other.system_prompt(), full().system_prompt());
}

#[test]
fn what_cannot_be_enforced_is_refused_with_the_remedy() {
    type Change = fn(&mut Policy);
    let refused: &[(Change, &str)] = &[
        (|p| p.persona = "x".repeat(61), "persona has 61 characters, and at most 60"),
        (|p| p.persona = "a\nb".to_owned(), "write it on one line"),
        (|p| p.values = "\u{7}".to_owned(), "values has a line break or a character that cannot be shown"),
        (|p| p.languages = words(&["english"]), "\"english\" is not a language"),
        (|p| p.languages = words(&["es", "es"]), "has \"es\" twice"),
        (|p| p.topics[0].words.clear(), "topics[0].words is empty"),
        (|p| p.topics[1].name = "Lotteries".to_owned(), "give each its own name"),
        (|p| p.topics[0].words[0] = "\u{200b}".to_owned(), "topics[0].words[0] is empty"),
        (
            |p| p.moderation[1].pattern = Pattern::Regex { expression: "(".to_owned() },
            "\"numbers\" has a mistake",
        ),
        (
            |p| p.moderation[1].pattern = Pattern::Regex { expression: "a*".to_owned() },
            "matches the empty text",
        ),
        (
            |p| p.moderation[1].pattern = Pattern::Regex { expression: r"(\w{200}){200}".to_owned() },
            "\"numbers\" has a mistake",
        ),
        (|p| p.max_answer_tokens = Some(5), "max_answer_tokens is 5; it can be 16 to"),
        (|p| p.quotas.members_per_hour = Some(0), "quotas.members_per_hour is 0"),
        (|p| p.quotas.guest_weight_percent = Some(0), "it can be 1 to 100"),
        (|p| p.keeping.moderation_days = 0, "keeping.moderation_days is 0"),
        (|p| p.keeping.question_days = 4_000, "keeping.question_days is 4000"),
        (|p| p.sample_questions = vec![String::new()], "sample_questions is empty"),
        (|p| p.topics = vec![p.topics[0].clone(); 61], "topics has 61 lines"),
    ];
    for (change, message) in refused {
        let mut policy = full();
        change(&mut policy);
        let error = policy.check().unwrap_err().to_string();
        assert!(error.contains(message), "\"{error}\" does not say \"{message}\"");
    }
}

#[test]
fn languages_are_codes_in_any_usual_form() {
    for tag in ["es", "qu", "pt-BR", "zh-Hant-TW", "sw-KE", "ckb"] {
        let policy = Policy { languages: vec![tag.to_owned()], ..Policy::default() };
        assert_eq!(policy.check(), Ok(()), "{tag}");
    }
    for tag in ["", "e", "ES", "es_MX", "es-", "toolong", "es-toolongpart"] {
        let policy = Policy { languages: vec![tag.to_owned()], ..Policy::default() };
        assert!(policy.check().is_err(), "{tag}");
    }
}

#[test]
fn disclaimers_come_when_question_or_answer_call_for_them() {
    let policy = full();
    assert_eq!(policy.disclaimers("hello", "hi"), ["A machine wrote this."]);
    assert_eq!(policy.disclaimers("what DOSE?", "hi"), ["Ask a nurse.", "A machine wrote this."]);
    assert_eq!(policy.disclaimers("hello", "one dose."), ["Ask a nurse.", "A machine wrote this."]);
    assert_eq!(policy.disclaimers("doses", ""), ["A machine wrote this."]);
}

#[test]
fn every_sentence_has_english_words_with_everything_filled_in() {
    let mut all = Policy::default().in_words();
    all.extend(full().in_words());
    let mut others = full();
    others.languages = words(&["es"]);
    others.sources = Some(BTreeSet::new());
    others.keeping.question_days = 0;
    others.topics[0].message = "Ask the elders {of water}.".to_owned();
    for (rule, action) in others.moderation.iter_mut().zip([
        ModerationAction::Allow,
        ModerationAction::Warn,
        ModerationAction::Hold,
    ]) {
        rule.action = action;
    }
    all.extend(others.in_words());
    for sentence in &all {
        let (_, template) = SENTENCES.iter().find(|(key, _)| *key == sentence.key).unwrap();
        for part in template.split('{').skip(1) {
            let name = part.split('}').next().unwrap();
            assert!(sentence.params.contains_key(name), "{} lacks {name}", sentence.key);
        }
        assert!(!sentence.text.is_empty());
    }
    let said: BTreeSet<_> = all.iter().map(|sentence| sentence.key.as_str()).collect();
    let there: BTreeSet<_> = SENTENCES.iter().map(|(key, _)| *key).collect();
    assert_eq!(said, there, "a sentence that is never said, or one without words");
    assert!(all.iter().any(|s| s.text == "About lotteries, members read: Ask the elders {of water}."));
    assert!(
        all.iter()
            .any(|s| s.text.starts_with("\"numbers\" refuses when the question or the answer has something"))
    );
}

#[test]
fn a_change_says_what_goes_and_what_comes() {
    let mut new = full();
    new.closing = "Farewell!".to_owned();
    new.training = false;
    let change = full().change_to(&new);
    let text = |sentences: &[PolicySentence]| sentences.iter().map(|s| s.key.clone()).collect::<Vec<_>>();
    assert_eq!(text(&change.gone), ["closing", "training_yes"]);
    assert_eq!(text(&change.new), ["closing", "training_no"]);
    assert_eq!(change.new[0].text, "Every answer ends with: Farewell!");
}
