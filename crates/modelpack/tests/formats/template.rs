use banyan_modelpack::{ChatTemplate, Message, TemplateError};
use std::time::{Duration, Instant};

const SMOLLM2: &str = include_str!("templates/smollm2.jinja");
const LLAMA3: &str = include_str!("templates/llama3.jinja");
const LLAMA3_2: &str = include_str!("templates/llama3.2.jinja");
const QWEN2_5: &str = include_str!("templates/qwen2.5.jinja");
const QWEN3: &str = include_str!("templates/qwen3.jinja");
const MISTRAL: &str = include_str!("templates/mistral-v0.3.jinja");

fn render(source: &str, messages: &[(&str, &str)]) -> Result<String, TemplateError> {
    let messages: Vec<_> = messages.iter().map(|&(role, content)| Message { role, content }).collect();
    ChatTemplate::parse(source, "<s>", "</s>")?.render(&messages, true)
}

const CHAT: [(&str, &str); 4] =
    [("system", "Be brief."), ("user", " Habari? <b>&\"é\" "), ("assistant", "Nzuri."), ("user", "Asante")];

#[test]
fn published_templates_render_as_their_authors_mean() {
    let smollm = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Habari? <b>&\"é\" <|im_end|>\n\
                  <|im_start|>assistant\nNzuri.<|im_end|>\n<|im_start|>user\nAsante<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(render(SMOLLM2, &CHAT).unwrap(), smollm);
    assert_eq!(render(QWEN2_5, &CHAT).unwrap(), smollm);
    assert_eq!(render(QWEN3, &CHAT).unwrap(), smollm);
    assert_eq!(
        render(LLAMA3, &CHAT).unwrap(),
        "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n\
         Habari? <b>&\"é\"<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nNzuri.<|eot_id|>\
         <|start_header_id|>user<|end_header_id|>\n\nAsante<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    );
    assert_eq!(
        render(MISTRAL, &CHAT).unwrap(),
        "<s>[INST]  Habari? <b>&\"é\" [/INST] Nzuri.</s>[INST] Be brief.\n\nAsante[/INST]"
    );
}

#[test]
fn templates_put_in_their_own_system_prompt_when_there_is_none() {
    let question = [("user", "Hi")];
    assert_eq!(
        render(SMOLLM2, &question).unwrap(),
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
         <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    assert!(render(QWEN2_5, &question).unwrap().starts_with("<|im_start|>system\nYou are Qwen, created by"));
    let llama = render(LLAMA3_2, &question).unwrap();
    let today = jiff::Zoned::now().strftime("%d %b %Y").to_string();
    assert_eq!(
        llama,
        format!(
            "<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: {today}\n\n\
             <|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\n"
        )
    );
}

#[test]
fn qwen3_forgets_its_earlier_thoughts() {
    let chat = [("user", "1+1?"), ("assistant", "<think>\nhm\n</think>\n\n2"), ("user", "2+2?")];
    assert_eq!(
        render(QWEN3, &chat).unwrap(),
        "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn a_template_that_raises_refuses_in_its_own_words() {
    let error = render(MISTRAL, &[("assistant", "I begin")]).unwrap_err();
    assert!(matches!(&error, TemplateError::Refused(words) if words.contains("must alternate")), "{error}");
}

#[test]
fn json_is_written_as_python_writes_it() {
    let source = r#"{{ {"a": [1, "<b>é"], "c": none} | tojson }}|{{ [1] | tojson(indent=2) }}"#;
    assert_eq!(render(source, &[]).unwrap(), "{\"a\": [1, \"<b>é\"], \"c\": null}|[\n  1\n]");
}

#[test]
fn blocks_do_not_leave_their_lines_behind() {
    assert_eq!(
        render("{% if true %}\n    {% if true %}\nx\n    {% endif %}\n{% endif %}\n", &[]).unwrap(),
        "x\n"
    );
}

#[test]
fn what_cannot_be_parsed_is_refused_at_once() {
    for source in ["{% for %}", "{{ '", "{% unknown %}", "{% include 'x' %}{% endif %}"] {
        assert!(matches!(ChatTemplate::parse(source, "", ""), Err(TemplateError::Syntax(_))), "{source}");
    }
    let long = "x".repeat(300 << 10);
    assert!(matches!(ChatTemplate::parse(&long, "", ""), Err(TemplateError::TooLong(307_200))));
    assert!(ChatTemplate::parse(&"{% if 1 %}".repeat(5_000), "", "").is_err());
    assert!(ChatTemplate::parse(&format!("{{{{ {} }}}}", "(".repeat(50_000)), "", "").is_err());
    assert!(ChatTemplate::parse(&format!("{{{{ {}1 }}}}", "-".repeat(50_000)), "", "").is_err());
}

#[test]
fn template_bombs_are_stopped_quickly_and_by_name() {
    let bombs = [
        (
            "a long loop",
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
        ),
        (
            "doubling",
            "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        ),
        (
            "doubling lists",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|length }}",
        ),
        ("repetition", "{% for i in range(1000) %}{% set x = 'a' * 90000000 %}{% endfor %}"),
        ("output", "{% set x = 'a' * 1000000 %}{% for i in range(1000) %}{{ x }}{% endfor %}"),
        ("recursion", "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}"),
        (
            "replacement",
            "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('a', 'aa') %}{% endfor %}",
        ),
        (
            "joining",
            "{% set ns = namespace(x='aa') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x, ns.x]|join(ns.x) %}{% endfor %}",
        ),
        (
            "shared nesting",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        ),
        (
            "shared nesting as JSON",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
        ),
        ("a wide format", "{{ '%0999999999d' % 1 }}{{ 'a'.center(999999999999) }}"),
        ("a wide indentation", "{{ 'a\nb'|indent(999999999999) }}"),
        ("a wide date", "{{ strftime_now('%999999999d') }}"),
    ];
    let nested = |uses: &str| {
        let nest = "{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}";
        format!("{{% set ns = namespace(x=1, y=2) %}}{{% for i in range(15000) %}}{nest}{{% endfor %}}{uses}")
    };
    let nested = [
        "{{ ns.x|length }}",
        "{{ ns.x|tojson }}",
        "{{ ns.x }}",
        "{{ ns.x == ns.y }}",
        "{{ {ns.x: 1} }}",
        "{{ [ns.x, ns.y]|sort }}",
        "{{ ns.x in [ns.y] }}",
        "{{ [ns.x, ns.y]|unique }}",
        "{{ ns.x|string|length }}",
    ]
    .map(|uses| (uses, nested(uses)));
    let nested = nested.iter().map(|(uses, source)| (*uses, source.as_str()));
    for (name, source) in bombs.into_iter().chain(nested) {
        let start = Instant::now();
        let result = render(source, &CHAT);
        // Without fuel they run for hours; a busy machine takes seconds.
        assert!(start.elapsed() < Duration::from_secs(60), "{name} ran for {:?}", start.elapsed());
        let harmless = matches!(&result, Ok(text) if text.len() < 100_000);
        let named = matches!(&result, Err(TemplateError::Bomb(_) | TemplateError::Failed(_)));
        assert!(harmless || named, "{name}: {:?}", result.map(|text| text.len()));
    }
}

#[test]
fn published_templates_with_a_place_for_tools_get_them_calls_and_results() {
    let tools =
        [serde_json::json!({"type": "function", "function": {"name": "weather", "description": "Tomorrow's",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}}})];
    let call = serde_json::json!([{"id": "call12345", "type": "function",
        "function": {"name": "weather", "arguments": {"place": "Ujiji"}}}]);
    let messages = [
        serde_json::json!({"role": "user", "content": "Will it rain?"}),
        serde_json::json!({"role": "assistant", "content": "", "tool_calls": call}),
        serde_json::json!({"role": "tool", "tool_call_id": "call12345", "content": "{\"rain\": 3}"}),
    ];
    for (name, source, knows) in [
        ("smollm2", SMOLLM2, false),
        ("llama3", LLAMA3, false),
        ("llama3.2, abridged so that it tells of no tools", LLAMA3_2, false),
        ("qwen2.5", QWEN2_5, true),
        ("qwen3, abridged", QWEN3, false),
        ("mistral", MISTRAL, true),
    ] {
        let template = ChatTemplate::parse(source, "<s>", "</s>").unwrap();
        assert_eq!(template.knows_tools(), knows, "{name}");
        let told = template.render_with_tools(&messages[..1], &tools, true).unwrap();
        assert_eq!(told.contains("Tomorrow's") && told.contains("weather"), knows, "{name}: {told}");
        let without = template.render_with_tools(&messages[..1], &[], true).unwrap();
        assert!(!without.contains("weather"), "{name}: {without}");
    }
    let qwen = ChatTemplate::parse(QWEN2_5, "", "").unwrap();
    let text = qwen.render_with_tools(&messages, &tools, true).unwrap();
    assert!(
        text.contains(
            "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Ujiji\"}}\n</tool_call>"
        ),
        "{text}"
    );
    assert!(
        text.contains("{\"type\": \"function\", \"function\": {\"name\""),
        "in the client's order: {text}"
    );
}
