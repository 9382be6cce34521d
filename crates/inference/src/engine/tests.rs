use super::*;
use crate::adapters::AdapterLease;
use crate::kv::BLOCK;
use crate::testing::{EOS, ScriptedModel, byte_tokenizer};
use std::time::Instant;

const LIMITS: Limits = Limits {
    slots: 3,
    capacity: 64,
    row_tokens: 192,
    max_waiting: 4,
    chunk: 16,
    longest_stall: 400_000,
    compact: true,
};

fn start(limits: Limits, model: ScriptedModel) -> Engine {
    let options = EngineOptions {
        limits,
        tokenizer: byte_tokenizer(),
        eos: vec![EOS],
        blocks: 32,
        metrics: Arc::new(Metrics::default()),
    };
    Engine::start(Box::new(model), options).unwrap()
}

fn paper(script: &[(&str, &str)]) -> ScriptedModel {
    ScriptedModel::new(LIMITS.slots, LIMITS.capacity, script)
}

fn ask(prompt: &str) -> Request {
    Request {
        prompt: prompt.bytes().map(u32::from).collect(),
        max_tokens: None,
        sampling: Settings { temperature: 0.0, ..Settings::default() },
        stop: Vec::new(),
        adapter: AdapterLease::default(),
        constraint: None,
        scope: CacheScope::default(),
    }
}

/// The text, and the last event.
fn collect(mut stream: EventStream) -> (String, Event) {
    let mut text = String::new();
    loop {
        match stream.next_blocking() {
            Some(Event::Piece { text: more, .. }) => text.push_str(&more),
            Some(last) => return (text, last),
            None => return (text, Event::Failed("no last event".into())),
        }
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_answer_streams_and_ends_when_the_model_ends_its_turn() {
    let engine = start(LIMITS, paper(&[("hello?", "Grüße 🌳!")]));
    let (text, last) = collect(engine.submit(ask("sys\nhello?")).unwrap());
    assert_eq!(text, "Grüße 🌳!");
    let completion_tokens = "Grüße 🌳!".len() + 1;
    assert_eq!(
        last,
        Event::Done { finish: Finish::Stop, prompt_tokens: 10, completion_tokens, cached_tokens: 0 }
    );
}

#[test]
fn every_member_of_a_crowd_gets_their_own_answer() {
    let script: Vec<(String, String)> =
        (0..40).map(|i| (format!("question {i}?"), format!("answer {i}").repeat(1 + i % 3))).collect();
    let pairs: Vec<(&str, &str)> = script.iter().map(|(q, a)| (q.as_str(), a.as_str())).collect();
    let limits = Limits { max_waiting: 100, ..LIMITS };
    let model = paper(&pairs);
    let record = Arc::clone(&model.record);
    let engine = start(limits, model);
    let streams: Vec<_> =
        script.iter().map(|(q, _)| engine.submit(ask(&format!("x\n{q}"))).unwrap()).collect();
    for (stream, (_, answer)) in streams.into_iter().zip(&script) {
        assert_eq!(collect(stream).0, *answer);
    }
    let record = record.lock().unwrap();
    assert_eq!(record.widest, LIMITS.slots, "rows were computed together");
    assert!(record.moves > 0, "rows moved when one in the middle ended");
}

#[test]
fn max_tokens_and_the_rows_length_end_an_answer_with_length() {
    let engine = start(LIMITS, paper(&[]));
    let (text, last) = collect(engine.submit(Request { max_tokens: Some(5), ..ask("go") }).unwrap());
    assert_eq!(text, "abcde");
    assert_eq!(
        last,
        Event::Done { finish: Finish::Length, prompt_tokens: 2, completion_tokens: 5, cached_tokens: 0 }
    );
    let (text, last) = collect(engine.submit(ask("go")).unwrap());
    // A row of 64 holds 2 of the prompt and 62 of the answer; the last token picked needs no place.
    assert_eq!(text.len(), 63);
    assert!(matches!(last, Event::Done { finish: Finish::Length, completion_tokens: 63, .. }));
}

#[test]
fn a_stop_text_ends_the_answer_before_it_and_nothing_of_it_leaks() {
    let engine = start(LIMITS, paper(&[("q", "one. two. END three")]));
    let (text, last) = collect(engine.submit(Request { stop: vec![" END".into()], ..ask("q") }).unwrap());
    assert_eq!(text, "one. two.");
    assert!(matches!(last, Event::Done { finish: Finish::Stop, .. }));
    // The model ends its turn while text is held back that could have become a stop text.
    let engine = start(LIMITS, paper(&[("q", "fine EN")]));
    let (text, _) = collect(engine.submit(Request { stop: vec!["END".into()], ..ask("q") }).unwrap());
    assert_eq!(text, "fine EN");
}

#[test]
fn a_dropped_stream_frees_its_slot_while_others_go_on() {
    let limits = Limits { slots: 1, capacity: 4096, row_tokens: 4096, ..LIMITS };
    let mut model = ScriptedModel::new(1, 4096, &[("short", "ok")]);
    model.step_time = Duration::from_millis(1);
    let engine = start(limits, model);
    let mut long = engine.submit(ask("endless")).unwrap();
    assert!(long.next_blocking().is_some());
    let short = engine.submit(ask("short")).unwrap();
    drop(long);
    assert_eq!(collect(short).0, "ok");
    wait_until("the engine is idle", || engine.running() == 0 && engine.waiting() == 0);
}

#[test]
fn a_request_that_is_dropped_while_it_waits_is_never_computed() {
    let limits = Limits { slots: 1, ..LIMITS };
    let mut model = paper(&[("first", "1"), ("third", "3")]);
    model.step_time = Duration::from_millis(20);
    let record = Arc::clone(&model.record);
    let engine = start(limits, model);
    let first = engine.submit(ask("first")).unwrap();
    let second = engine.submit(ask("second")).unwrap();
    drop(second);
    assert_eq!(collect(first).0, "1");
    assert_eq!(collect(engine.submit(ask("third")).unwrap()).0, "3");
    assert_eq!(record.lock().unwrap().runs, 4, "two prompts and two tokens after them");
}

#[test]
fn a_full_queue_and_a_long_conversation_are_refused_at_once_and_in_words() {
    let mut model = paper(&[]);
    model.step_time = Duration::from_millis(5);
    let engine = start(LIMITS, model);
    let held: Vec<_> =
        (0..LIMITS.slots + LIMITS.max_waiting).map(|_| engine.submit(ask("go")).unwrap()).collect();
    let refused = engine.submit(ask("go")).unwrap_err();
    assert!(matches!(refused, SubmitError::QueueFull { waiting: 4, retry_after_s: 1..=60 }), "{refused:?}");
    drop(held);
    wait_until("there is room again", || engine.submit(ask("go")).is_ok());
    let refused = engine.submit(ask(&"x".repeat(64))).unwrap_err();
    assert_eq!(refused, SubmitError::ContextLength { prompt: 64, most: 63 });
    assert!(refused.to_string().contains("shorten the question"));
    assert_eq!(engine.submit(ask("")).unwrap_err(), SubmitError::EmptyPrompt);
}

#[test]
fn a_slow_reader_loses_nothing_and_holds_up_nobody() {
    let limits = Limits { capacity: 1000, ..LIMITS };
    let engine = start(limits, ScriptedModel::new(3, 1000, &[("quick", "done")]));
    let slow = engine.submit(Request { max_tokens: Some(900), ..ask("slow") }).unwrap();
    wait_until("the slow one is computed", || engine.running() == 0);
    assert_eq!(collect(engine.submit(ask("quick")).unwrap()).0, "done");
    let (text, last) = collect(slow);
    assert_eq!(text.len(), 900);
    assert!(text.starts_with("abcdefghijklmnopqrstuvwxyzabc"));
    assert!(matches!(last, Event::Done { completion_tokens: 900, .. }));
}

#[test]
fn log_probabilities_come_with_their_text() {
    let engine = start(LIMITS, paper(&[("q", "hi")]));
    let sampling = Settings { temperature: 0.0, logprobs: Some(2), ..Settings::default() };
    let mut stream = engine.submit(Request { sampling, ..ask("q") }).unwrap();
    let Some(Event::Piece { text, scored }) = stream.next_blocking() else { panic!("a piece comes first") };
    assert_eq!(text, "h");
    assert_eq!(scored[0].token, u32::from(b'h'));
    assert!(scored[0].logprob.picked > -0.01 && scored[0].logprob.top.len() == 2);
}

#[test]
fn a_failed_step_ends_its_answers_in_words_and_the_engine_goes_on() {
    let mut model = paper(&[("q", "fine")]);
    model.fail_at_run = Some(3);
    let engine = start(LIMITS, model);
    let (_, last) = collect(engine.submit(ask("q")).unwrap());
    let Event::Failed(reason) = last else { panic!("it failed: {last:?}") };
    assert!(reason.contains("the paper tore"), "{reason}");
    assert_eq!(collect(engine.submit(ask("q")).unwrap()).0, "fine");
    assert_eq!(engine.ended(), None);
}

#[test]
fn an_engine_whose_thread_panics_says_so_and_refuses() {
    // The paper model asserts that a row never outgrows its slot; a capacity that lies makes it panic.
    let engine = start(LIMITS, ScriptedModel::new(LIMITS.slots, 8, &[]));
    let (_, last) = collect(engine.submit(ask("123456")).unwrap());
    assert!(matches!(last, Event::Failed(_)), "the stream ends: {last:?}");
    wait_until("the end is written down", || engine.ended().is_some());
    assert!(engine.ended().unwrap().contains("panicked"));
    wait_until("it refuses", || matches!(engine.submit(ask("q")), Err(SubmitError::Stopped)));
}

#[test]
fn the_thread_ends_with_its_last_handle() {
    let engine = start(LIMITS, paper(&[]));
    let shared = Arc::clone(&engine.shared);
    drop(engine);
    wait_until("the thread has ended", || shared.ended.lock().unwrap().is_some());
}

/// A long policy that everyone's prompt begins with.
fn policy() -> String {
    "be kind to each other. ".repeat(8)
}

fn member(name: u64, question: &str) -> Request {
    let policy = policy();
    let scope = CacheScope { shared: policy.len(), private: Some(name) };
    Request { scope, ..ask(&format!("{policy}\n{question}")) }
}

const LONG: Limits = Limits { capacity: 512, row_tokens: 1536, ..LIMITS };

fn cached(stream: EventStream) -> usize {
    match collect(stream).1 {
        Event::Done { cached_tokens, .. } => cached_tokens,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_policy_is_computed_once_for_all_and_a_members_own_words_for_that_member() {
    let model = ScriptedModel::new(3, 512, &[("what is this box for?", "help"), ("and then?", "tea")]);
    let record = Arc::clone(&model.record);
    let engine = start(LONG, model);
    assert_eq!(cached(engine.submit(member(1, "what is this box for?")).unwrap()), 0);
    let whole_blocks = policy().len() / BLOCK * BLOCK;
    assert_eq!(cached(engine.submit(member(2, "what is this box for?")).unwrap()), whole_blocks);
    let before = record.lock().unwrap().prefilled;
    assert!(
        cached(engine.submit(member(1, "what is this box for?\nhelp\nand then?")).unwrap()) > whole_blocks
    );
    let computed = record.lock().unwrap().prefilled - before;
    assert!(computed < 3 * BLOCK, "only what is new: {computed}");
}

#[test]
fn members_who_ask_at_once_share_the_policy_that_the_first_of_them_computes() {
    let model = ScriptedModel::new(3, 512, &[("hi", "ho")]);
    let record = Arc::clone(&model.record);
    let engine = start(Limits { max_waiting: 100, ..LONG }, model);
    let streams: Vec<_> = (0..20).map(|name| engine.submit(member(name, "hi")).unwrap()).collect();
    for stream in streams {
        assert_eq!(collect(stream).0, "ho");
    }
    let prefilled = record.lock().unwrap().prefilled;
    assert!(prefilled < policy().len() + 20 * 2 * BLOCK, "{prefilled}");
}

#[test]
fn answers_that_lose_their_row_for_lack_of_memory_come_whole_all_the_same() {
    let answer = "a long answer that takes many tokens to tell from its beginning to its end";
    let script = [("one", answer), ("two", answer), ("three", answer)];
    let limits = Limits { capacity: 128, row_tokens: 160, ..LIMITS };
    let mut model = ScriptedModel::new(3, 128, &script);
    // The first must not be over before the last is asked, however busy the machine is.
    model.step_time = Duration::from_millis(5);
    let engine = start(limits, model);
    let streams: Vec<_> = script.iter().map(|(q, _)| engine.submit(ask(q)).unwrap()).collect();
    for stream in streams {
        assert_eq!(collect(stream).0, answer);
    }
    assert!(engine.shared.metrics.preempted.get() > 0, "memory did run short");
}

#[test]
fn guesses_that_are_right_save_runs_and_change_no_word() {
    let passage = "the well is behind the school and the key hangs at the baker's door";
    let answer = format!("as written: {passage}. yes, {passage}.");
    let script = [("where?", answer.as_str())];
    let question = format!("{passage}\nwhere?");
    let limits = Limits { slots: 1, ..LONG };
    let mut runs = Vec::new();
    for width in [0, 8] {
        let mut model = ScriptedModel::new(1, 512, &script).verifying(width);
        // Guessing is worth it only when runs are known to take time.
        model.step_time = Duration::from_millis(1);
        let record = Arc::clone(&model.record);
        let engine = start(limits, model);
        assert_eq!(collect(engine.submit(ask(&question)).unwrap()).0, answer);
        runs.push(record.lock().unwrap().runs);
    }
    assert!(runs[1] * 2 < runs[0], "{runs:?}");
}
