use super::*;
use crate::constraint::{Constraint, Grammar, Grammars};
use crate::testing::{EOS, VOCAB, byte_tokenizer};
use proptest::prelude::*;
use serde_json::{Value, json};

fn calls(form: CallForm, otherwise: Otherwise) -> Calls {
    let weather = json!({"type": "object", "required": ["place"], "properties": {
        "place": {"type": "string", "maxLength": 20}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}});
    let functions = vec![("weather".into(), Some(weather)), ("time-now".into(), None)];
    Calls { form, functions, several: true, otherwise }
}

fn compiled(calls: Calls) -> Constraint {
    Grammars::new(byte_tokenizer(), vec![EOS]).compile(&Grammar::Calls(calls)).unwrap()
}

/// Whether a model may write all this and then end.
fn allows(mut constraint: Constraint, text: &str) -> bool {
    let mask = |constraint: &mut Constraint, token: u32| {
        let mut logits = vec![0.0; VOCAB];
        constraint.mask(&mut logits).is_ok() && logits[token as usize] == 0.0
    };
    for byte in text.bytes() {
        if !mask(&mut constraint, byte.into()) {
            return false;
        }
        constraint.accept(byte.into()).unwrap();
    }
    mask(&mut constraint, EOS)
}

#[test]
fn the_form_of_calls_is_that_of_the_models_family() {
    let of = |source: &str| CallForm::of(Some(&ChatTemplate::parse(source, "", "").unwrap()));
    let llama = include_str!("../../../modelpack/tests/formats/templates/llama3.2.jinja");
    let told = "{%- if tools %}{{- tools | tojson }}{%- endif %}\n{%- for message in messages %}";
    assert_eq!(of(&llama.replace("{%- for message in messages %}", told)), CallForm::Bare);
    assert_eq!(of(llama), CallForm::Tagged, "what tells of no tools gets our own words and our own form");
    assert_eq!(
        of(include_str!("../../../modelpack/tests/formats/templates/qwen2.5.jinja")),
        CallForm::Tagged
    );
    assert_eq!(
        of(include_str!("../../../modelpack/tests/formats/templates/smollm2.jinja")),
        CallForm::Tagged
    );
    assert_eq!(CallForm::of(None), CallForm::Tagged);
}

const WEATHER: &str = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Ujiji }{\\\"\", \"days\": 2}}\n</tool_call>";
const TIME: &str = "<tool_call>\n{\"name\": \"time-now\", \"arguments\": {}}\n</tool_call>";

#[test]
fn free_text_calls_or_text_and_then_calls_may_be_written_and_nothing_else() {
    let constraint = compiled(calls(CallForm::Tagged, Otherwise::Text));
    for text in
        ["Habari!\n\"{x}\" <tool", WEATHER, &format!("Let me see.\n{WEATHER}"), &format!("{WEATHER}\n{TIME}")]
    {
        assert!(allows(constraint.clone(), text), "{text}");
    }
    for text in [
        "<tool_call>",
        "<tool_call> and what not",
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>",
        "<tool_call>\n{\"name\": \"whether\", \"arguments\": {}}\n</tool_call>",
        &format!("{TIME} and so on"),
    ] {
        assert!(!allows(constraint.clone(), text), "{text}");
    }
}

#[test]
fn where_a_call_is_required_there_is_one_from_the_first_token() {
    let constraint = compiled(calls(CallForm::Tagged, Otherwise::Nothing));
    assert!(allows(constraint.clone(), &format!("{TIME}\n{WEATHER}")));
    assert!(!allows(constraint.clone(), "Habari!") && !allows(constraint, ""));
    let one = Calls { several: false, ..calls(CallForm::Tagged, Otherwise::Nothing) };
    assert!(!allows(compiled(one), &format!("{TIME}\n{WEATHER}")));
}

#[test]
fn a_call_may_stand_beside_json_of_a_schema_and_in_the_bare_form() {
    let json =
        Otherwise::Json(json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "null"}}}));
    let constraint = compiled(calls(CallForm::Tagged, json));
    assert!(allows(constraint.clone(), TIME) && allows(constraint.clone(), "{\"a\": null}"));
    assert!(!allows(constraint, "text"));
    let constraint = compiled(calls(CallForm::Bare, Otherwise::Text));
    assert!(allows(constraint.clone(), "{\"name\": \"time-now\", \"parameters\": {}}"));
    assert!(allows(constraint.clone(), "It is late.") && !allows(constraint, "{\"name\": \"x\"}"));
}

#[test]
fn tools_that_cannot_be_held_to_are_refused_by_name() {
    let grammars = Grammars::new(byte_tokenizer(), vec![EOS]);
    for (parameters, word) in
        [(json!("x"), "no JSON schema"), (json!({"type": "array"}), "type \\\"object\\\"")]
    {
        let functions = vec![("f".to_owned(), Some(parameters))];
        let calls = Calls { functions, ..calls(CallForm::Tagged, Otherwise::Text) };
        let words = grammars.compile(&Grammar::Calls(calls)).unwrap_err().to_string();
        assert!(words.contains("`f`") && words.contains(&word.replace('\\', "")), "{words}");
    }
}

/// Text, and calls with their arguments, as a client puts them together.
fn gathered(form: CallForm, pieces: &[&str]) -> (String, Vec<(String, String)>) {
    let mut reader = CallReader::new(form);
    let mut parts: Vec<Part> = pieces.iter().flat_map(|piece| reader.push(piece)).collect();
    parts.extend(reader.finish());
    let (mut text, mut calls) = (String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(more) => text.push_str(&more),
            Part::Call(name) => calls.push((name, String::new())),
            Part::Arguments(more) => calls.last_mut().unwrap().1.push_str(&more),
        }
    }
    (text, calls)
}

#[test]
fn a_call_that_is_cut_gives_the_arguments_so_far() {
    let (text, calls) =
        gathered(CallForm::Tagged, &["Wait.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1"]);
    assert_eq!((text.as_str(), calls), ("Wait.", vec![("f".into(), "{\"a\": [1".into())]));
    assert_eq!(gathered(CallForm::Tagged, &["<tool_call>\n{\"na"]), (String::new(), vec![]));
    assert_eq!(gathered(CallForm::Tagged, &["a <tool", " b  "]), ("a <tool b  ".into(), vec![]));
    assert_eq!(gathered(CallForm::Bare, &["a {\"name\": \"f\"}"]), ("a {\"name\": \"f\"}".into(), vec![]));
}

proptest! {
    #[test]
    fn however_an_answer_is_cut_into_pieces_its_calls_are_read(
        before in prop_oneof![Just(""), Just("Let me <see> {it}.\n\n"), Just("x")],
        values in prop::collection::vec("[ a-z{}\\[\\]\"\\\\é<>/_]{0,12}", 1..4),
        bare in any::<bool>(), cuts in prop::collection::vec(1usize..7, 1..40),
    ) {
        let form = if bare { CallForm::Bare } else { CallForm::Tagged };
        let (before, values) = if bare { ("", &values[..1]) } else { (before, &values[..]) };
        let arguments: Vec<String> = values.iter().map(|v| json!({"v": v, "w": [{"x": v}]}).to_string()).collect();
        let written: Vec<String> = arguments.iter().map(|a| form.write("f_1", a)).collect();
        let answer = format!("{before}{}", written.join("\n"));
        let (mut pieces, mut rest, mut cuts) = (Vec::new(), answer.as_str(), cuts.iter().cycle());
        while !rest.is_empty() {
            let mut at = (*cuts.next().unwrap()).min(rest.len());
            while !rest.is_char_boundary(at) { at += 1; }
            pieces.push(&rest[..at]);
            rest = &rest[at..];
        }
        let (text, calls) = gathered(form, &pieces);
        prop_assert_eq!(text, before.trim_end());
        let read: Vec<Value> = calls.iter().map(|(_, a)| serde_json::from_str(a).unwrap()).collect();
        let sent: Vec<Value> = arguments.iter().map(|a| serde_json::from_str(a).unwrap()).collect();
        prop_assert_eq!(read, sent);
        prop_assert!(calls.iter().all(|(name, _)| name == "f_1"));
    }
}
