//! Forms in a running engine.

use super::{Constraint, Grammar, Grammars};
use crate::adapters::AdapterLease;
use crate::engine::{CacheScope, Engine, EngineOptions, Event, Finish, Request};
use crate::metrics::Metrics;
use crate::sampler::Settings;
use crate::scheduler::Limits;
use crate::testing::{EOS, ScriptedModel, byte_tokenizer};
use serde_json::json;
use std::sync::Arc;

fn engine(script: &[(&str, &str)], verifying: usize) -> Engine {
    let limits = Limits {
        slots: 3,
        capacity: 256,
        row_tokens: 700,
        max_waiting: 4,
        chunk: 64,
        longest_stall: 400_000,
        compact: true,
    };
    let options = EngineOptions {
        limits,
        tokenizer: byte_tokenizer(),
        eos: vec![EOS],
        blocks: 8,
        metrics: Arc::new(Metrics::default()),
    };
    Engine::start(Box::new(ScriptedModel::new(3, 256, script).verifying(verifying)), options).unwrap()
}

fn form(grammar: &Grammar) -> Constraint {
    Grammars::new(byte_tokenizer(), vec![EOS]).compile(grammar).unwrap()
}

fn ask(prompt: &str, constraint: Option<Constraint>) -> Request {
    Request {
        prompt: prompt.bytes().map(u32::from).collect(),
        max_tokens: None,
        sampling: Settings { temperature: 0.0, ..Settings::default() },
        stop: Vec::new(),
        adapter: AdapterLease::default(),
        constraint,
        scope: CacheScope::default(),
    }
}

fn answer(engine: &Engine, request: Request) -> (String, Event) {
    let mut stream = engine.submit(request).unwrap();
    let mut text = String::new();
    loop {
        match stream.next_blocking() {
            Some(Event::Piece { text: more, .. }) => text.push_str(&more),
            Some(last) => return (text, last),
            None => panic!("no last event after {text}"),
        }
    }
}

fn finish(event: &Event) -> Option<Finish> {
    match event {
        Event::Done { finish, .. } => Some(*finish),
        _ => None,
    }
}

#[test]
fn the_model_says_what_it_wants_as_far_as_its_form_allows() {
    let script = [("q", "{\"a\": \"it is so\"}, and more"), ("p", "no idea")];
    let schema = Grammar::JsonSchema(
        json!({"properties": {"a": {"type": "string"}}, "type": "object", "required": ["a"]}),
    );
    for verifying in [0, 32] {
        let engine = engine(&script, verifying);
        let (text, last) = answer(&engine, ask("q", Some(form(&schema))));
        assert_eq!(
            (text.as_str(), finish(&last)),
            ("{\"a\": \"it is so\"}", Some(Finish::Stop)),
            "the rest has no place"
        );
        let choice = Grammar::Choice(vec!["yes".into(), "no".into()]);
        let (text, last) = answer(&engine, ask("p", Some(form(&choice))));
        assert_eq!((text.as_str(), finish(&last)), ("no", Some(Finish::Stop)));
    }
}

#[test]
fn an_answer_that_is_cut_ends_with_length_and_others_are_not_held_to_its_form() {
    let engine = engine(&[("q", "{\"a\": 1234567}"), ("p", "free as a bird")], 0);
    let cut = Request { max_tokens: Some(9), ..ask("q", Some(form(&Grammar::JsonObject))) };
    let cut = engine.submit(cut).unwrap();
    let (free, last) = answer(&engine, ask("p", None));
    assert_eq!((free.as_str(), finish(&last)), ("free as a bird", Some(Finish::Stop)));
    drop(cut);
    let cut = Request { max_tokens: Some(9), ..ask("q", Some(form(&Grammar::JsonObject))) };
    let (text, last) = answer(&engine, cut);
    assert_eq!((text.as_str(), finish(&last)), ("{\"a\": 123", Some(Finish::Length)));
}

#[test]
fn log_probabilities_stay_the_models_own() {
    let engine = engine(&[("p", "xyz")], 0);
    let mut request = ask("p", Some(form(&Grammar::Choice(vec!["no".into()]))));
    request.sampling.logprobs = Some(1);
    let mut stream = engine.submit(request).unwrap();
    let mut first = None;
    while let Some(event) = stream.next_blocking() {
        if let Event::Piece { scored, .. } = event {
            first = first.or(scored.into_iter().next());
        }
    }
    let first = first.unwrap();
    assert_eq!(first.token, u32::from(b'n'));
    assert_eq!(first.logprob.top[0].0, u32::from(b'x'), "what the model would have said");
    assert!(first.logprob.picked < -15.0, "{first:?}");
}

#[test]
fn a_form_that_goes_wrong_ends_its_own_answer_in_words_and_no_other() {
    let engine = engine(&[("p", "free")], 0);
    let mut spent = form(&Grammar::Choice(vec!["a".into()]));
    assert!(spent.accept(u32::from(b'b')).is_err());
    let (_, last) = answer(&engine, ask("q", Some(spent)));
    assert!(matches!(&last, Event::Failed(words) if words.contains("simplify")), "{last:?}");
    assert_eq!(answer(&engine, ask("p", None)).0, "free");
}
