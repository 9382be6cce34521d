use super::*;
use crate::testing::{EOS, VOCAB, byte_tokenizer};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn grammars() -> Grammars {
    Grammars::new(byte_tokenizer(), vec![EOS])
}

/// What a model that knows nothing writes when it is held to a form; `None` when it has not ended within `most` tokens.
fn babble(mut constraint: Constraint, seed: u64, most: usize) -> Option<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut text = Vec::new();
    for _ in 0..most {
        let mut logits = vec![0.0; VOCAB];
        constraint.mask(&mut logits).unwrap();
        let allowed: Vec<u32> = (0..VOCAB as u32).filter(|t| logits[*t as usize] == 0.0).collect();
        // Leaning to the end of strings and numbers, else babble is endless.
        let ends = [EOS, u32::from(b'"'), u32::from(b'}'), u32::from(b']')];
        let end = allowed.iter().copied().find(|t| ends.contains(t));
        let token =
            end.filter(|_| rng.random_bool(0.3)).unwrap_or(allowed[rng.random_range(0..allowed.len())]);
        if token == EOS {
            assert!(constraint.may_end());
            return Some(String::from_utf8(text).unwrap());
        }
        text.push(token as u8);
        if constraint.accept(token).unwrap() {
            return Some(String::from_utf8(text).unwrap());
        }
    }
    None
}

#[test]
fn whatever_a_model_writes_under_a_schema_is_json_of_that_schema() {
    let schema = json!({"type": "object", "required": ["name", "n", "tags"], "properties": {
        "name": {"type": "string", "maxLength": 12}, "n": {"type": "integer", "minimum": -5, "maximum": 120},
        "kind": {"enum": ["tree", "well", null]}, "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}}});
    let constraint = grammars().compile(&Grammar::JsonSchema(schema)).unwrap();
    for seed in 0..300 {
        let text = babble(constraint.clone(), seed, 400).expect("everything in it is bounded");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert!(!text.contains(['\n', '\t']), "on one line: {text:?}");
        assert!(value["name"].as_str().is_some_and(|name| name.chars().count() <= 12), "{text}");
        assert!(
            value["n"].as_f64().is_some_and(|n| (-5.0..=120.0).contains(&n) && n.fract() == 0.0),
            "{text}"
        );
        assert!(value["tags"].as_array().is_some_and(|tags| tags.len() <= 3), "{text}");
        let known = ["name", "n", "kind", "tags"];
        assert!(value.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{text}");
    }
}

#[test]
fn an_answer_ends_only_where_its_form_is_whole_and_at_once_where_nothing_can_follow() {
    let mut constraint =
        grammars().compile(&Grammar::Choice(vec!["yes".into(), "yes, \"madam\"\n".into()])).unwrap();
    let allowed = |constraint: &mut Constraint| {
        let mut logits = vec![0.0; VOCAB];
        constraint.mask(&mut logits).unwrap();
        (0..VOCAB as u32).filter(|t| logits[*t as usize] == 0.0).collect::<Vec<_>>()
    };
    assert_eq!(allowed(&mut constraint), [u32::from(b'y')]);
    for byte in *b"yes" {
        assert!(!constraint.accept(byte.into()).unwrap());
    }
    assert_eq!(allowed(&mut constraint), [u32::from(b','), EOS]);
    for byte in *b", \"madam\"" {
        assert!(!constraint.accept(byte.into()).unwrap());
    }
    assert!(constraint.accept(u32::from(b'\n')).unwrap(), "nothing can follow");
    assert!(constraint.accept(u32::from(b'x')).is_err());
}

#[test]
fn a_regular_expression_and_a_grammar_are_kept() {
    let regex = Grammar::Regex(r"[0-9]{4}-(0[1-9]|1[0-2])/[a-c]".into());
    let constraint = grammars().compile(&regex).unwrap();
    for seed in 0..50 {
        let text = babble(constraint.clone(), seed, 20).unwrap();
        assert!(text.len() == 9 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'/', "{text}");
    }
    let lark = Grammar::Lark("start: \"sum: \" NUMBER (\"+\" NUMBER){1,3}\nNUMBER: /[1-9]/".into());
    let text = babble(grammars().compile(&lark).unwrap(), 1, 20).unwrap();
    assert!(text.starts_with("sum: ") && text.contains('+'), "{text}");
}

#[test]
fn logits_beyond_the_vocabulary_are_banned_too() {
    let mut constraint = grammars().compile(&Grammar::Choice(vec!["a".into()])).unwrap();
    let mut logits = vec![1.0; VOCAB + 70];
    constraint.mask(&mut logits).unwrap();
    assert_eq!(logits.iter().filter(|l| **l == 1.0).count(), 1);
    assert_eq!(logits[usize::from(b'a')], 1.0);
}

#[test]
fn what_is_not_understood_or_too_large_is_refused_in_words() {
    let deep = (0..100).fold(json!({"type": "string"}), |inner, _| json!({"type": "array", "items": inner}));
    grammars().compile(&Grammar::JsonSchema(deep)).unwrap();
    let forms = [
        Grammar::JsonSchema(json!("x")),
        Grammar::JsonSchema(json!({"type": "whale"})),
        Grammar::JsonSchema(json!({"$ref": "https://example.org/schema.json"})),
        Grammar::JsonSchema(json!({"$ref": "#/$defs/none"})),
        Grammar::JsonSchema(json!({"type": "object", "properties": {"a": {"not": {"type": "string"}}}})),
        Grammar::JsonSchema(
            json!({"enum": [format!("{}é{}", "x".repeat(99), "y".repeat(40))], "type": "integer"}),
        ),
        Grammar::JsonSchema(json!({"type": "integer", "minimum": 5, "maximum": 4})),
        Grammar::JsonSchema(json!({"description": "x".repeat(200 << 10)})),
        Grammar::Regex("(".into()),
        Grammar::Regex("a".repeat(9 << 10)),
        Grammar::Choice(vec![]),
        Grammar::Lark("start: none".into()),
        Grammar::Lark(String::new()),
    ];
    let grammars = grammars();
    for form in forms {
        let words = grammars.compile(&form).expect_err(&format!("{form:?}")).to_string();
        assert!(words.len() < 500 && !words.contains('\n') && !words.contains("backtrace"), "{words}");
    }
}

#[test]
fn a_hostile_form_costs_little_time_whatever_comes_of_it() {
    let many =
        |n: usize| (0..n).map(|i| (format!("p{i}"), json!({"type": "string", "pattern": "^[a-z]{1,40}$"})));
    let chain: String = (0..1500).map(|i| format!("A{i}: A{} \"x\"\n", i + 1)).collect();
    let refs: serde_json::Map<String, Value> =
        (0..2000).map(|i| (format!("a{i}"), json!({"$ref": format!("#/$defs/a{}", i + 1)}))).collect();
    let forms = [
        Grammar::Regex("((a|b|ab){1,500}){1,500}".into()),
        Grammar::Regex("(.*a.{1,300}b.*){3}".into()),
        Grammar::Regex("(".repeat(240) + "a*" + &")*".repeat(240)),
        Grammar::Lark("start: ".to_owned() + &"(".repeat(20_000) + "\"a\"" + &")".repeat(20_000)),
        Grammar::Lark(format!("start: A0\n{chain}A1500: \"y\"")),
        Grammar::Lark("start: start start | \"a\" start? start? | \"a\"".into()),
        Grammar::JsonSchema(
            json!({"type": "object", "properties": many(1500).collect::<serde_json::Map<_, _>>()}),
        ),
        Grammar::JsonSchema(json!({"$ref": "#/$defs/a0", "$defs": refs})),
        Grammar::JsonSchema(
            json!({"type": "array", "minItems": 100_000, "items": {"type": "array", "minItems": 100_000}}),
        ),
        Grammar::JsonSchema(json!({"type": "string", "minLength": 100_000, "maxLength": 200_000})),
        Grammar::JsonSchema(json!({"$ref": "#"})),
    ];
    let grammars = grammars();
    grammars.compile(&Grammar::JsonObject).unwrap();
    for form in forms {
        let name: String = format!("{form:?}").chars().take(70).collect();
        let began = Instant::now();
        let compiled = grammars.compile(&form);
        let compiling = began.elapsed();
        let (mut worst, mut steps) = (Duration::ZERO, 0);
        if let Ok(mut constraint) = compiled.clone() {
            // On a stack as small as the engine thread's.
            (worst, steps) = std::thread::spawn(move || {
                let mut worst = Duration::ZERO;
                for step in 0..60 {
                    let began = Instant::now();
                    let mut logits = vec![0.0; VOCAB];
                    if constraint.mask(&mut logits).is_err() {
                        return (worst.max(began.elapsed()), step);
                    }
                    worst = worst.max(began.elapsed());
                    let Some(token) = logits.iter().position(|l| *l == 0.0) else { return (worst, step) };
                    if !matches!(constraint.accept(token as u32), Ok(false)) {
                        return (worst, step);
                    }
                }
                (worst, 60)
            })
            .join()
            .unwrap();
        }
        println!(
            "{compiling:>8.1?} compile, {worst:>8.1?} worst mask of {steps}: {name} {:?}",
            compiled.err()
        );
        assert!(compiling < Duration::from_secs(3), "{name}: {compiling:?}");
        assert!(worst < Duration::from_millis(500), "{name}: {worst:?}");
    }
}
