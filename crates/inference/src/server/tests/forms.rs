//! Forms, tools, bias and several answers, over the socket of an engine on paper.

use super::*;

fn weather() -> Value {
    json!([{"type": "function", "function": {"name": "weather", "description": "Tomorrow's weather",
        "parameters": {"type": "object", "required": ["place"], "properties": {"place": {"type": "string"}}}}}])
}

const CALL: &str =
    "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Ujiji\\n\\\"}\"}}\n</tool_call>";

/// An engine whose template knows tools, and whose model calls some when it is told to.
fn served_tools() -> Served {
    let model = |_| {
        let calls = format!("Let me see.\n{CALL}\n{CALL}");
        let script = [
            ("user:hello", "Good day, <b>friend</b> 🌳"),
            ("count", "one two three four"),
            ("user:call twice", calls.as_str()),
            ("tool:hello", "It is said."),
        ];
        let tokenizer = byte_tokenizer();
        let options = EngineOptions {
            limits: Limits { capacity: 512, row_tokens: 1024, ..LIMITS },
            tokenizer: Arc::clone(&tokenizer),
            eos: vec![EOS],
            blocks: 32,
            metrics: Arc::default(),
        };
        let source = "{% if tools %}{{ tools[0].function.name }}\n{% endif %}{% for m in messages %}{{ m.role }}:{{ m.content }}\
            {% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}";
        let template = ChatTemplate::parse(source, "", "").unwrap();
        let info = TokenizerInfo { eos: vec![EOS], ..TokenizerInfo::default() };
        ChatModel {
            adapters: None,
            name: "paper".into(),
            engine: Engine::start(Box::new(ScriptedModel::new(LIMITS.slots, 512, &script)), options).unwrap(),
            prompter: Prompter::new(tokenizer, Some(template), &info),
        }
    };
    serve_app(app_with(vec![known("paper", true)], model))
}

fn question(text: &str) -> Value {
    json!({"temperature": 0, "messages": [{"role": "user", "content": text}]})
}

async fn chunks(served: &Served, request: &Value) -> Vec<Value> {
    let request = with(request.clone(), "stream", json!(true));
    let (_, body) = served.ask("POST", "/v1/chat/completions", &request.to_string()).await;
    let events = body.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    events.filter(|event| *event != "[DONE]").map(|event| serde_json::from_str(event).unwrap()).collect()
}

#[tokio::test]
async fn an_answer_is_held_to_the_form_that_was_asked_for_in_chat_and_completions() {
    let served = served_tools();
    let schema = json!({"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    let forms = [
        ("response_format", format),
        ("guided_json", schema.clone()),
        ("guided_json", json!(schema.to_string())),
        ("guided_regex", json!("\\{\"ok\": (true|false)\\}")),
        ("guided_choice", json!(["{\"ok\": true}", "{\"ok\": false}"])),
        ("guided_grammar", json!("start: \"{\\\"ok\\\": \" (\"true\" | \"false\") \"}\"")),
    ];
    for (field, form) in forms {
        let (status, body) = served.post("/v1/chat/completions", with(hello(), field, form.clone())).await;
        assert_eq!(status, 200, "{field}: {body}");
        let answer: Value =
            serde_json::from_str(body["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
        assert!(answer["ok"].is_boolean(), "{field}: {answer}");
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
        let plain = json!({"prompt": "count", "temperature": 0, "max_tokens": 200});
        let (_, body) = served.post("/v1/completions", with(plain, field, form)).await;
        let text = body["choices"][0]["text"].as_str().unwrap();
        assert!(serde_json::from_str::<Value>(text).unwrap()["ok"].is_boolean(), "{field}: {body}");
    }
    let cut = with(with(hello(), "response_format", json!({"type": "json_object"})), "max_tokens", json!(1));
    let (_, body) = served.post("/v1/chat/completions", cut).await;
    assert_eq!(
        (&body["choices"][0]["finish_reason"], &body["choices"][0]["message"]["content"]),
        (&json!("length"), &json!("{"))
    );
}

#[tokio::test]
async fn a_form_that_cannot_be_kept_is_refused_by_name() {
    let served = served_tools();
    let call = json!({"type": "function", "function": {"name": "none"}});
    let cases = [
        (vec![("guided_regex", json!("("))], "guided_regex"),
        (vec![("guided_choice", json!([]))], "guided_choice"),
        (vec![("guided_json", json!("{"))], "guided_json"),
        (vec![("guided_regex", json!("a")), ("guided_choice", json!(["a"]))], "guided_choice"),
        (vec![("guided_json", json!({"type": "object", "properties": {"a": {"not": {}}}}))], "guided_json"),
        (vec![("tool_choice", json!("required"))], "tool_choice"),
        (vec![("tools", weather()), ("tool_choice", call)], "tool_choice"),
        (vec![("tools", weather()), ("guided_regex", json!("a"))], "guided_regex"),
        (vec![("tools", json!([{"type": "function", "function": {"name": "a b"}}]))], "tools"),
        (vec![("tools", json!([weather()[0], weather()[0]]))], "tools"),
        (
            vec![(
                "tools",
                json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]),
            )],
            "tools",
        ),
    ];
    for (fields, param) in cases {
        let request =
            fields.iter().fold(hello(), |request, (name, value)| with(request, name, value.clone()));
        let (status, body) = served.post("/v1/chat/completions", request).await;
        assert_eq!((status, &body["error"]["param"]), (400, &json!(param)), "{fields:?}: {body}");
    }
}

#[tokio::test]
async fn a_model_that_calls_is_answered_in_openais_words_whole_and_streamed() {
    let served = served_tools();
    let arguments = "{\"place\": \"Ujiji\\n\\\"}\"}";
    let request = with(question("call twice"), "tools", weather());
    let (status, body) = served.post("/v1/chat/completions", request.clone()).await;
    assert_eq!(status, 200, "{body}");
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{body}");
    assert_eq!(choice["message"]["content"], "Let me see.");
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2, "{body}");
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert_eq!((&calls[0]["type"], &calls[0]["function"]["name"]), (&json!("function"), &json!("weather")));
    assert_eq!(calls[0]["function"]["arguments"], arguments);

    let chunks = chunks(&served, &request).await;
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    let text: String = deltas.iter().filter_map(|delta| delta["content"].as_str()).collect();
    assert_eq!(text, "Let me see.");
    let calls: Vec<&Value> = deltas.iter().filter_map(|delta| delta["tool_calls"].get(0)).collect();
    for index in 0..2 {
        let own: Vec<&&Value> = calls.iter().filter(|call| call["index"] == index).collect();
        assert!(own[0]["id"].as_str().is_some_and(|id| id.starts_with("call_")), "{own:?}");
        assert_eq!(
            (&own[0]["type"], &own[0]["function"]),
            (&json!("function"), &json!({"name": "weather", "arguments": ""}))
        );
        assert!(own.len() > 2 && own[1..].iter().all(|call| call["id"].is_null()), "{own:?}");
        let joined: String = own.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
        assert_eq!(joined, arguments);
    }
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn a_call_is_made_when_it_is_required_left_out_when_it_is_not_allowed_and_free_otherwise() {
    let served = served_tools();
    let ask = |choice: Value| with(with(hello(), "tools", weather()), "tool_choice", choice);
    let named = json!({"type": "function", "function": {"name": "weather"}});
    for choice in [json!("required"), named] {
        let request = with(ask(choice), "max_tokens", json!(120));
        let (_, body) = served.post("/v1/chat/completions", request).await;
        let message = &body["choices"][0]["message"];
        assert_eq!(
            (&message["content"], &message["tool_calls"][0]["function"]["name"]),
            (&Value::Null, &json!("weather")),
            "{body}"
        );
    }
    for choice in [json!("none"), json!("auto")] {
        let (_, body) = served.post("/v1/chat/completions", ask(choice)).await;
        assert_eq!(body["choices"][0]["finish_reason"], "stop", "{body}");
        assert!(body["choices"][0]["message"]["content"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(body["choices"][0]["message"].get("tool_calls").is_none());
    }
    let (_, body) = served.post("/v1/chat/completions", ask(json!("none"))).await;
    assert_eq!(
        body["choices"][0]["message"]["content"], "Good day, <b>friend</b> 🌳",
        "the model is not told of tools"
    );
}

#[tokio::test]
async fn a_conversation_goes_on_behind_a_call_and_its_result() {
    let served = served_tools();
    let call = json!([{"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": "{\"place\": \"Ujiji\"}"}}]);
    let messages = json!([{"role": "user", "content": "Will it rain?"},
        {"role": "assistant", "content": null, "tool_calls": call},
        {"role": "tool", "tool_call_id": "call_7", "content": "hello"}]);
    let request = json!({"temperature": 0, "messages": messages, "max_tokens": 30});
    let (status, body) = served.post("/v1/chat/completions", request).await;
    assert_eq!((status, &body["choices"][0]["message"]["content"]), (200, &json!("It is said.")), "{body}");
}

#[tokio::test]
async fn a_bias_moves_single_tokens_within_its_bounds() {
    let served = served_tools();
    let bias = |token: u32, by: f64| json!({token.to_string(): by});
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let base = if path.contains("chat") { hello() } else { json!({"prompt": "count", "temperature": 0}) };
        let text = async |bias: Value| {
            let (status, body) =
                served.post(path, with(with(base.clone(), "max_tokens", json!(1)), "logit_bias", bias)).await;
            let choice = &body["choices"][0];
            (
                status,
                choice["message"]["content"].as_str().or(choice["text"].as_str()).map(str::to_owned),
                body,
            )
        };
        assert_eq!(text(bias(u32::from(b'Z'), 100.0)).await.1.as_deref(), Some("Z"));
        let first = if path.contains("chat") { "G" } else { "o" };
        assert_eq!(text(bias(u32::from(b'Z'), -100.0)).await.1.as_deref(), Some(first));
        let many: Value =
            (0..301).map(|t: u32| (t.to_string(), json!(1))).collect::<serde_json::Map<_, _>>().into();
        for wrong in [bias(5, 101.0), bias(5, -100.5), bias(100_000, 1.0), many, json!({"x": 1})] {
            let (status, _, body) = text(wrong).await;
            assert_eq!((status, &body["error"]["param"]), (400, &json!("logit_bias")), "{body}");
        }
    }
}

#[tokio::test]
async fn several_answers_come_in_one_response_and_in_one_stream() {
    let served = served_tools();
    let request = with(hello(), "n", json!(2));
    let (status, body) = served.post("/v1/chat/completions", request.clone()).await;
    assert_eq!(status, 200, "{body}");
    let choices = body["choices"].as_array().unwrap();
    assert_eq!(choices.iter().map(|c| c["index"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1]);
    assert!(choices.iter().all(|c| c["message"]["content"] == "Good day, <b>friend</b> 🌳"));
    assert_eq!(body["usage"]["prompt_tokens"], 10, "one prompt");
    let one =
        served.post("/v1/chat/completions", hello()).await.1["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(body["usage"]["completion_tokens"], 2 * one);
    let chunks = chunks(&served, &request).await;
    for index in 0..2 {
        let own = chunks.iter().filter(|c| c["choices"][0]["index"] == index);
        let text: String = own.clone().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, "Good day, <b>friend</b> 🌳");
        assert_eq!(own.filter(|c| c["choices"][0]["finish_reason"] == "stop").count(), 1);
    }
    let hot = with(with(json!({"prompt": "zzz", "max_tokens": 20}), "n", json!(2)), "temperature", json!(2));
    let (_, body) = served.post("/v1/completions", with(hot, "seed", json!(1))).await;
    assert_eq!(body["choices"].as_array().unwrap().len(), 2);
    for n in [0, 9] {
        let (status, body) = served.post("/v1/chat/completions", with(hello(), "n", json!(n))).await;
        assert_eq!((status, &body["error"]["param"]), (400, &json!("n")), "{body}");
    }
    served.wait_until_idle().await;
}
