//! Forms and tools with the real starter model, at a temperature at which it would otherwise say anything.

use crate::common::{CHAT, pack};
use crate::engine::start;
use banyan_inference::constraint::{Grammar, Grammars};
use banyan_modelpack::Pack;
use banyan_openai::{
    ChatMessage, ChatRequest, Client, FinishReason, Form, FunctionDefinition, JsonSchemaFormat,
    ResponseFormat, Role, Sampling, Tool, ToolChoice, ToolMode,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokenizers::Tokenizer;

/// Schemas as clients write them, each with a question.
fn schemas() -> Vec<(&'static str, Value)> {
    let text = |most: u32| json!({"type": "string", "maxLength": most});
    vec![
        (
            "Who is Ada?",
            json!({"type": "object", "required": ["name", "age"], "additionalProperties": false,
            "properties": {"name": text(30), "age": {"type": "integer", "minimum": 0, "maximum": 150}}}),
        ),
        (
            "Is water wet?",
            json!({"type": "object", "required": ["answer", "why"],
            "properties": {"answer": {"enum": ["yes", "no", "unknown"]}, "why": text(60)}}),
        ),
        ("Name three trees.", json!({"type": "array", "items": text(20), "minItems": 3, "maxItems": 3})),
        (
            "What do you see?",
            json!({"type": "object", "required": ["items"], "properties": {"items": {"type": "array",
            "maxItems": 4, "items": {"type": "object", "required": ["what", "count"],
            "properties": {"what": text(15), "count": {"type": "integer", "minimum": 1, "maximum": 99}}}}}}),
        ),
        (
            "How warm is it?",
            json!({"type": "object", "required": ["celsius"],
            "properties": {"celsius": {"type": "number", "minimum": -60, "maximum": 60}}}),
        ),
        ("Yes or no?", json!({"type": "boolean"})),
        (
            "Who are you?",
            json!({"type": "object", "required": ["id"], "properties": {
            "id": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9999}, {"type": "null"}, text(12)]}}}),
        ),
        (
            "When do we meet?",
            json!({"type": "object", "required": ["on", "at"], "properties": {
            "on": {"type": "string", "format": "date"}, "at": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}}}),
        ),
        (
            "Draw a tree.",
            json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["name", "children"],
            "properties": {"name": text(10), "children": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/leaf"}}}},
            "leaf": {"type": "object", "required": ["name"], "properties": {"name": text(10)}}}}),
        ),
        (
            "Describe the well.",
            json!({"allOf": [
            {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "well"}}},
            {"type": "object", "required": ["depth"], "properties": {"kind": {"type": "string"},
                "depth": {"type": "integer", "minimum": 1, "maximum": 300}}, "additionalProperties": false}]}),
        ),
        (
            "Where is it?",
            json!({"type": "array", "prefixItems": [{"type": "number", "minimum": -90, "maximum": 90},
            {"type": "number", "minimum": -180, "maximum": 180}], "items": false, "minItems": 2}),
        ),
        (
            "Rate it.",
            json!({"type": "object", "properties": {"stars": {"type": "integer", "minimum": 1, "maximum": 5},
            "words": {"type": "array", "items": text(12), "maxItems": 3}, "anonymous": {"type": "boolean"}}}),
        ),
    ]
}

/// At the model's own temperature 1; several tries with seeds of their own.
fn hot(question: &str, seed: i64) -> ChatRequest {
    let sampling =
        Sampling { temperature: Some(1.0), seed: Some(seed), max_tokens: Some(400), ..Sampling::default() };
    ChatRequest { sampling, ..ChatRequest::new(vec![ChatMessage::new(Role::User, question)]) }
}

fn held_to(schema: &Value) -> Form {
    let json_schema = JsonSchemaFormat {
        name: "answer".into(),
        description: None,
        schema: Some(schema.clone()),
        strict: Some(true),
    };
    Form { response_format: Some(ResponseFormat::JsonSchema { json_schema }), ..Form::default() }
}

async fn answer(client: &Client, request: &ChatRequest) -> (String, Option<FinishReason>) {
    let answer = client.chat(request).await.unwrap();
    let choice = answer.choices.into_iter().next().unwrap();
    (choice.message.content.unwrap_or_default(), choice.finish_reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_dozen_schemas_every_answer_parses_and_is_valid() {
    let engine = start().await;
    for (question, schema) in schemas() {
        let valid = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        for seed in 0..3 {
            let request = ChatRequest { form: held_to(&schema), ..hot(question, seed) };
            let (text, finish) = answer(&engine.client, &request).await;
            println!("{question} {text}");
            assert_eq!(finish, Some(FinishReason::Stop), "{text}");
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(valid.is_valid(&value), "{text} is not of {schema}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_form_the_same_model_does_not_keep_to_one() {
    let engine = start().await;
    let (_, schema) = &schemas()[0];
    let question = format!("Who is Ada? Answer in JSON of this schema: {schema}");
    let (text, _) = answer(&engine.client, &ChatRequest { ..hot(&question, 1) }).await;
    assert!(serde_json::from_str::<Value>(&text).is_err(), "the test above would prove nothing: {text}");
}

fn tools() -> Vec<Tool> {
    let tool = |name: &str, description: &str, parameters: Value| Tool {
        kind: "function".into(),
        function: FunctionDefinition {
            name: name.into(),
            description: Some(description.into()),
            parameters: Some(parameters),
            strict: None,
        },
    };
    vec![
        tool(
            "weather",
            "Tomorrow's weather at a place",
            json!({"type": "object", "required": ["place", "unit"], "properties": {
            "place": {"type": "string", "maxLength": 30}, "unit": {"enum": ["celsius", "fahrenheit"]}}}),
        ),
        tool(
            "add",
            "Adds two numbers",
            json!({"type": "object", "required": ["a", "b"], "properties": {
            "a": {"type": "integer", "minimum": -1000, "maximum": 1000}, "b": {"type": "integer", "minimum": -1000, "maximum": 1000}}}),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_the_real_model_are_of_known_tools_with_valid_arguments_whole_and_streamed() {
    let engine = start().await;
    for seed in 0..4 {
        let request = ChatRequest {
            tools: tools(),
            tool_choice: Some(ToolChoice::Mode(ToolMode::Required)),
            parallel_tool_calls: Some(false),
            ..hot("Will it rain in Ujiji?", seed)
        };
        let (mut name, mut arguments, mut finish) = (String::new(), String::new(), None);
        if seed % 2 == 0 {
            let choice = engine.client.chat(&request).await.unwrap().choices.remove(0);
            assert_eq!((choice.message.content, choice.message.tool_calls.len()), (None, 1));
            (name, arguments) = {
                let call = &choice.message.tool_calls[0].function;
                (call.name.clone(), call.arguments.clone())
            };
            finish = choice.finish_reason;
        } else {
            let mut stream = engine.client.chat_stream(&request.streamed()).await.unwrap();
            while let Some(chunk) = stream.next().await {
                for choice in chunk.unwrap().choices {
                    for function in choice.delta.tool_calls.into_iter().filter_map(|call| call.function) {
                        name.push_str(&function.name.unwrap_or_default());
                        arguments.push_str(&function.arguments.unwrap_or_default());
                    }
                    finish = choice.finish_reason.or(finish);
                }
            }
        }
        println!("{name} {arguments}");
        assert_eq!(finish, Some(FinishReason::ToolCalls));
        let tool = tools().into_iter().find(|tool| tool.function.name == name).unwrap();
        let arguments: Value = serde_json::from_str(&arguments).unwrap();
        assert!(jsonschema::is_valid(&tool.function.parameters.unwrap(), &arguments), "{arguments}");
    }
    let free = ChatRequest { tools: tools(), ..hot("Good morning!", 7) };
    let answer = engine.client.chat(&free).await.unwrap().choices.remove(0);
    println!("{answer:?}");
    assert!(answer.message.content.is_some() || !answer.message.tool_calls.is_empty());
}

#[test]
fn a_mask_over_the_starters_vocabulary_costs_little_beside_a_step() {
    let pack = Pack::open(&pack(CHAT)).unwrap();
    let manifest = pack.manifest();
    let tokenizer = Arc::new(Tokenizer::from_file(pack.tokenizer_path()).unwrap());
    let grammars = Grammars::new(Arc::clone(&tokenizer), manifest.tokenizer.eos.clone());
    let began = Instant::now();
    grammars.compile(&Grammar::JsonObject).unwrap();
    println!(
        "first compilation, with the tree of {} tokens: {:?}",
        manifest.architecture.vocab,
        began.elapsed()
    );
    let free = json!({"type": "object", "required": ["name", "notes", "age", "tags"], "properties": {
        "name": {"type": "string"}, "notes": {"type": "string"}, "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}}}});
    let text = "{\"name\": \"Ada of the well\", \"notes\": \"She said: \\\"the water is good\\\", and laughed; 日本 too.\", \
        \"age\": 37, \"tags\": [\"a\", \"c\"]}";
    for (what, grammar) in [("a schema", Grammar::JsonSchema(free)), ("any object", Grammar::JsonObject)] {
        let began = Instant::now();
        let constraint = grammars.compile(&grammar).unwrap();
        let compiling = began.elapsed();
        for round in ["first answer", "second answer"] {
            let mut constraint = constraint.clone();
            let mut times = Vec::new();
            for token in tokenizer.encode(text, false).unwrap().get_ids() {
                let mut logits = vec![0.0; manifest.architecture.vocab];
                let began = Instant::now();
                constraint.mask(&mut logits).unwrap();
                times.push(began.elapsed());
                assert_eq!(logits[*token as usize], 0.0, "the text is of its form");
                constraint.accept(*token).unwrap();
            }
            assert!(constraint.may_end());
            times.sort_unstable();
            let mean = times.iter().sum::<Duration>() / times.len() as u32;
            println!(
                "{what}, {round}: compiled in {compiling:?}, {} masks, mean {mean:?}, median {:?}, worst {:?}",
                times.len(),
                times[times.len() / 2],
                times[times.len() - 1]
            );
            assert!(mean < Duration::from_millis(5), "{mean:?}");
        }
    }
}
