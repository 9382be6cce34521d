//! The fair queue and the answers that outlive a connection, as members meet them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use banyan_portal::{PortalConfig, Quota};
use common::{ALONE, Act, Engine, TestBox, api_question, by, events, form, send_to, whole};
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// A box with one place, whose engine was seen.
async fn one_place(
    change: impl FnOnce(&mut PortalConfig),
    acts: impl IntoIterator<Item = Act>,
) -> (TestBox, Engine) {
    let site = TestBox::with(|config| {
        config.patience.quiet = Duration::from_secs(5);
        change(config);
    })
    .await;
    let engine = site.engine(acts);
    *engine.health.lock().unwrap() = ALONE;
    site.is_ready().await;
    (site, engine)
}

fn question(text: &str, more: &Value) -> Request<String> {
    let mut body = json!({ "messages": [{ "role": "user", "content": text }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::post("/api/chat").header("content-type", "application/json").body(body.to_string()).unwrap()
}

fn get(path: &str) -> Request<String> {
    Request::get(path).body(String::new()).unwrap()
}

/// Reads events until one of this type is there.
async fn read_until(body: &mut Incoming, kind: &str) -> Vec<(usize, Value)> {
    let mut text = String::new();
    loop {
        let frame = timeout(Duration::from_secs(5), body.frame()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        let read = events(&text);
        if read.iter().any(|(_, event)| event["type"] == kind) {
            return read;
        }
    }
}

fn name(events: &[(usize, Value)]) -> String {
    events[0].1["answer"].as_str().unwrap().to_owned()
}

fn text(events: &[(usize, Value)]) -> String {
    events.iter().filter_map(|(_, event)| event["text"].as_str()).collect()
}

#[tokio::test]
async fn a_question_is_received_and_has_its_place_at_once_whatever_the_engine_does() {
    let site = TestBox::start().await;
    let asked = Instant::now();
    let mut body = site.send(api_question("Hi")).await.into_body();
    let read = read_until(&mut body, "queued").await;
    // Whoever waits for the engine waits for many seconds; a busy machine takes its time too.
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!((read[0].0, &read[0].1["type"]), (0, &json!("started")));
    assert_eq!(read[1], (1, json!({"type":"queued","place":1,"expected_s":null})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_members_have_their_place_within_200_ms_while_every_core_computes() {
    let (site, _engine) = one_place(|_| {}, [Act::SayForEver("word ")]).await;
    let over = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let busy: Vec<_> = (0..cores)
        .map(|_| {
            let over = over.clone();
            std::thread::spawn(move || while !over.load(Ordering::Relaxed) {})
        })
        .collect();
    let asking: Vec<_> = (0..100)
        .map(|member| {
            let address = site.address;
            tokio::spawn(async move {
                sleep(Duration::from_millis(20 * u64::from(member))).await;
                let asked = Instant::now();
                let mut body = send_to(address, by(member, api_question("Hi"))).await.into_body();
                read_until(&mut body, "queued").await;
                (asked.elapsed(), body)
            })
        })
        .collect();
    let mut waits = Vec::new();
    let mut held = Vec::new();
    for asked in asking {
        let (wait, body) = asked.await.unwrap();
        waits.push(wait);
        held.push(body);
    }
    over.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    waits.sort_unstable();
    println!("received: p50 {:?}, p95 {:?}, most {:?}", waits[49], waits[94], waits[99]);
    assert!(waits[94] < Duration::from_millis(200), "p95 {:?}", waits[94]);
}

#[tokio::test]
async fn a_question_whose_engine_died_goes_before_those_who_wait() {
    let (site, engine) = one_place(|_| {}, [Act::Hang]).await;
    let mut first = site.send(by(1, api_question("First"))).await.into_body();
    read_until(&mut first, "queued").await;
    let mut second = site.send(by(2, api_question("Second"))).await.into_body();
    read_until(&mut second, "queued").await;
    sleep(Duration::from_millis(50)).await;
    engine.die();
    read_until(&mut first, "notice").await;
    let back = Engine::start(&site.dir.path().join("infer.sock"), []);
    *back.health.lock().unwrap() = ALONE;
    read_until(&mut first, "done").await;
    read_until(&mut second, "done").await;
    let asked = back.questions();
    assert!(asked[0].contains("First") && asked[1].contains("Second"), "{asked:?}");
}

#[tokio::test]
async fn one_who_asks_three_times_waits_for_another_who_asks_once() {
    let pause = Duration::from_millis(100);
    let (site, engine) = one_place(|_| {}, vec![Act::SaySlowly(vec!["Yes."], pause); 4]).await;
    let mut bodies = Vec::new();
    for (member, words) in [(1, "one a"), (1, "one b"), (1, "one c"), (2, "two")] {
        bodies.push(site.send(by(member, question(words, &json!({})))).await.into_body());
    }
    let last = read_until(&mut bodies[2], "queued").await;
    assert_eq!(last[1].1["place"], 2);
    for body in bodies {
        let text = body.collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&text).contains("\"done\""));
    }
    let asked = engine.questions();
    let at = |words: &str| asked.iter().position(|one| one.contains(words)).unwrap();
    assert_eq!([at("one a"), at("two"), at("one b"), at("one c")], [0, 1, 2, 3]);
}

#[tokio::test]
async fn an_answer_goes_on_behind_the_last_event_that_is_there() {
    let words = vec!["a ", "b ", "c ", "d ", "e ", "f."];
    let (site, engine) = one_place(|_| {}, [Act::SaySlowly(words, Duration::from_millis(60))]).await;
    let mut body = site.send(by(1, api_question("Spell"))).await.into_body();
    let first = read_until(&mut body, "token").await;
    let (name, last) = (name(&first), first.last().unwrap().0);
    drop(body);
    sleep(Duration::from_millis(80)).await;

    let mut again = by(1, get(&format!("/api/chat/{name}")));
    again.headers_mut().insert("last-event-id", last.into());
    let (response, rest) = whole(site.send(again).await).await;
    assert_eq!(response.status(), 200);
    let rest = events(&rest);
    let numbers: Vec<usize> = rest.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (last + 1..=last + rest.len()).collect::<Vec<_>>(), "no gap, and nothing twice");
    assert_eq!(text(&first) + &text(&rest), "a b c d e f.");
    assert_eq!(rest.last().unwrap().1["type"], "done");

    // After its end it is there too: from a number on, or whole.
    let (_, after) = whole(site.send(by(1, get(&format!("/api/chat/{name}?after={last}")))).await).await;
    assert_eq!(events(&after), rest);
    let (_, all) = whole(site.send(by(1, get(&format!("/api/chat/{name}")))).await).await;
    assert_eq!((text(&events(&all)).as_str(), events(&all)[0].0), ("a b c d e f.", 0));
    assert_eq!(engine.questions().len(), 1, "it was asked once");
}

#[tokio::test]
async fn an_answer_is_nobody_elses_to_read_or_to_stop() {
    let (site, engine) = one_place(|_| {}, [Act::SayForEver("secret ")]).await;
    let mut body = site.send(by(1, api_question("Mine"))).await.into_body();
    let name = name(&read_until(&mut body, "token").await);
    for path in [format!("/api/chat/{name}"), format!("/chat/{name}"), "/api/chat/0".into(), "/chat/0".into()]
    {
        let (response, text) = whole(site.send(by(2, get(&path))).await).await;
        assert_eq!(response.status(), 404, "{path}");
        assert!(!text.contains("secret") && text.contains("ten minutes"), "{text}");
    }
    let delete =
        |member| by(member, Request::delete(format!("/api/chat/{name}")).body(String::new()).unwrap());
    assert_eq!(site.send(delete(2)).await.status(), 404);
    let stop = Request::post(format!("/chat/{name}/stop")).body(String::new()).unwrap();
    assert_eq!(site.send(by(2, stop)).await.status(), 404);
    assert_eq!(engine.seen.lock().unwrap().cancelled, 0);

    assert_eq!(site.send(delete(1)).await.status(), 204);
    engine.wait_for_cancellation().await;
    let rest = body.collect().await.unwrap().to_bytes();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(rest.trim_end().ends_with(r#"{"type":"done","finish_reason":"other","stopped":true}"#), "{rest}");
}

#[tokio::test]
async fn an_answer_that_nobody_listens_to_is_stopped_after_a_while_but_not_during_a_reload() {
    let (site, engine) = one_place(|_| {}, [Act::SayForEver("word ")]).await;
    let mut body = site.send(by(1, api_question("Go on"))).await.into_body();
    let name = name(&read_until(&mut body, "token").await);
    drop(body);
    sleep(Duration::from_millis(120)).await;
    let mut body = site.send(by(1, get(&format!("/api/chat/{name}")))).await.into_body();
    read_until(&mut body, "token").await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(engine.seen.lock().unwrap().cancelled, 0, "somebody listens");
    drop(body);
    let left = Instant::now();
    engine.wait_for_cancellation().await;
    assert!(left.elapsed() >= Duration::from_millis(200), "{:?}", left.elapsed());
}

#[tokio::test]
async fn whoever_leaves_the_queue_lets_the_others_move_up() {
    let (site, engine) = one_place(|_| {}, [Act::SayForEver("word ")]).await;
    let mut running = site.send(by(1, api_question("Go on"))).await.into_body();
    let running_name = name(&read_until(&mut running, "token").await);
    let mut second = site.send(by(2, api_question("Second"))).await.into_body();
    let second_name = name(&read_until(&mut second, "queued").await);
    let mut third = site.send(by(3, api_question("Third"))).await.into_body();
    assert_eq!(read_until(&mut third, "queued").await[1].1["place"], 2);
    let status: Value = serde_json::from_str(&site.get("/api/status").await.1).unwrap();
    let queue = json!({"waiting":2,"running":1,"places":1,"expected_s":null,"urgent_allowed":false});
    assert_eq!(status["queue"], queue);

    let delete = |name: &str| Request::delete(format!("/api/chat/{name}")).body(String::new()).unwrap();
    site.send(by(2, delete(&second_name))).await;
    assert_eq!(read_until(&mut third, "queued").await[0].1["place"], 1);
    site.send(by(1, delete(&running_name))).await;
    assert_eq!(text(&read_until(&mut third, "done").await), "Hello there.");
    assert!(!engine.questions().iter().any(|asked| asked.contains("Second")));
}

#[tokio::test]
async fn what_the_queue_does_not_take_is_refused_in_words_with_when_to_come_back() {
    let change = |config: &mut PortalConfig| {
        config.queue.quotas.members = Quota { waiting: 1, running: 1, per_hour: None };
        config.queue.admission.length = 2;
    };
    let (site, _engine) = one_place(change, [Act::SayForEver("word ")]).await;
    let mut held = Vec::new();
    for member in [1, 1, 2] {
        held.push(site.send(by(member, api_question("Go on"))).await);
    }
    for (member, code, words, page) in
        [(1, "quota", "as much as one member may ask", 429), (3, "busy", "Too many people are asking", 503)]
    {
        let (response, text) = whole(site.send(by(member, api_question("More"))).await).await;
        assert_eq!(response.status(), 200);
        let refused = &events(&text)[0].1;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!(code)));
        assert!(refused["message"].as_str().unwrap().contains(words), "{refused}");
        assert!(refused["retry_after_s"].as_u64().unwrap() >= 1 && refused["retry"] == true, "{refused}");

        let (response, text) = whole(site.send(by(member, form("What is rain?", ""))).await).await;
        assert_eq!(response.status(), page);
        assert!(response.headers().contains_key("retry-after"));
        assert!(text.contains(words) && text.contains(">\nWhat is rain?</textarea>"), "{text}");
    }
}

#[tokio::test]
async fn a_deadline_is_refused_at_once_when_it_cannot_be_kept_and_told_when_it_passes() {
    let slow = Act::SaySlowly(vec!["Done."], Duration::from_millis(500));
    let (site, engine) = one_place(|_| {}, [slow, Act::SayForEver("word ")]).await;
    let _running = site.send(by(1, api_question("First"))).await;
    // Nothing is known of times yet: it is taken, and let go in words.
    let late = whole(site.send(by(2, question("Second", &json!({"deadline_s":0.2})))).await).await.1;
    let late = events(&late).pop().unwrap().1;
    assert_eq!((&late["type"], &late["code"]), (&json!("error"), &json!("too_long_a_wait")));
    assert!(late["message"].as_str().unwrap().contains("did not come in time"), "{late}");

    let mut running = site.send(by(1, api_question("Third"))).await.into_body();
    read_until(&mut running, "token").await;
    let _waiting = site.send(by(3, api_question("Fourth"))).await;
    let refused = whole(site.send(by(2, question("Fifth", &json!({"deadline_s":0.2})))).await).await.1;
    let refused = events(&refused);
    assert_eq!((refused.len(), &refused[0].1["code"]), (1, &json!("too_long_a_wait")));
    assert!(refused[0].1["message"].as_str().unwrap().contains("in minutes: about 1"), "{refused:?}");
    assert_eq!(engine.questions().len(), 2);
    let (response, text) = whole(site.send(question("Sixth", &json!({"deadline_s":-1}))).await).await;
    assert_eq!(response.status(), 400);
    assert!(text.contains("deadline_s"), "{text}");
}

#[tokio::test]
async fn an_urgent_question_goes_first_only_where_the_settings_say_so_and_the_member_is_told() {
    for allowed in [true, false] {
        let pause = Duration::from_millis(100);
        let change = |config: &mut PortalConfig| config.queue.classes.crisis.members_may = allowed;
        let (site, engine) = one_place(change, vec![Act::SaySlowly(vec!["Yes."], pause); 3]).await;
        let _running = site.send(by(1, api_question("First"))).await;
        let mut normal = site.send(by(2, api_question("Normal"))).await.into_body();
        let mut urgent = site.send(by(3, question("Urgent", &json!({"urgent":true})))).await.into_body();
        let urgent = read_until(&mut urgent, "done").await;
        let told = urgent.iter().any(|(_, event)| event["type"] == "notice");
        assert_eq!(told, !allowed, "{urgent:?}");
        read_until(&mut normal, "done").await;
        let second = &engine.questions()[1];
        assert!(second.contains(if allowed { "Urgent" } else { "Normal" }), "{second}");
    }
}

#[tokio::test]
async fn the_page_says_the_place_in_each_language_and_a_reload_shows_the_answer_again() {
    let words = vec!["Boil ", "it."];
    let (site, engine) =
        one_place(|_| {}, [Act::SayForEver("word "), Act::SaySlowly(words, Duration::from_millis(50))]).await;
    let mut running = site.send(by(1, api_question("Go on"))).await.into_body();
    let running_name = name(&read_until(&mut running, "token").await);
    let response = site.send(by(2, form("How do I clean water?", ""))).await;
    assert_eq!(response.status(), 303);
    let page = response.headers()["location"].to_str().unwrap().to_owned();
    for (language, words) in [
        ("en", "Your place in the queue: 1."),
        ("es", "Tu lugar en la fila: 1."),
        ("sw", "Nafasi yako kwenye foleni: 1."),
        ("ar", "دورك في الانتظار: 1."),
    ] {
        let mut body = site.send(by(2, get(&format!("{page}?lang={language}")))).await.into_body();
        let mut html = String::new();
        while !html.contains(words) {
            let frame = timeout(Duration::from_secs(2), body.frame()).await.unwrap().unwrap().unwrap();
            html.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        assert!(html.contains(&format!("action=\"{page}/stop\"")), "{html}");
    }
    let stop = Request::delete(format!("/api/chat/{running_name}")).body(String::new()).unwrap();
    site.send(by(1, stop)).await;
    let first = whole(site.send(by(2, get(&page))).await).await.1;
    let again = whole(site.send(by(2, get(&page))).await).await.1;
    assert!(first.contains("Boil it.</p>") && first.ends_with("</html>"), "{first}");
    assert_eq!(first, again);
    assert_eq!(engine.questions().len(), 2);
}

#[tokio::test]
async fn an_answer_is_stopped_from_the_page_without_a_script() {
    let (site, engine) = one_place(|_| {}, [Act::SayForEver("word ")]).await;
    let response = site.send(by(1, form("Go on", ""))).await;
    let page = response.headers()["location"].to_str().unwrap().to_owned();
    let mut body = site.send(by(1, get(&page))).await.into_body();
    while !body.frame().await.unwrap().unwrap().into_data().unwrap().starts_with(b"word") {}
    let response = site.send(by(1, Request::post(format!("{page}/stop")).body(String::new()).unwrap())).await;
    assert_eq!((response.status().as_u16(), response.headers()["location"].to_str().unwrap()), (303, &*page));
    engine.wait_for_cancellation().await;
    let html = whole(site.send(by(1, get(&page))).await).await.1;
    assert!(html.contains("word word") && html.contains("This answer was stopped here."), "{html}");
    assert!(html.contains("Ask on"), "the conversation goes on from what was said: {html}");
}

#[tokio::test]
async fn a_browser_gets_its_cookie_once_and_reads_its_answer_with_and_without_it() {
    let (site, _engine) = one_place(|_| {}, []).await;
    let response = site.send(form("Hello?", "")).await;
    let set = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["banyan_member=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"] {
        assert!(set.contains(part), "{set}");
    }
    let page = response.headers()["location"].to_str().unwrap();
    let mut with = get(page);
    with.headers_mut().insert("cookie", set.split(';').next().unwrap().parse().unwrap());
    for request in [with, get(page)] {
        let had_cookie = request.headers().contains_key("cookie");
        let (response, html) = whole(site.send(request).await).await;
        assert_eq!(response.status(), 200);
        assert!(html.contains("Hello there."), "{html}");
        assert_eq!(response.headers().contains_key("set-cookie"), !had_cookie);
    }
    let css = site
        .get("/")
        .await
        .1
        .split("rel=\"stylesheet\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    assert!(!site.get(&css).await.0.headers().contains_key("set-cookie"), "files are kept for a year");
}

#[tokio::test]
async fn what_was_answered_is_forgotten_after_a_while() {
    let change = |config: &mut PortalConfig| config.patience.kept_answer = Duration::from_millis(200);
    let (site, _engine) = one_place(change, []).await;
    let mut body = site.send(by(1, api_question("Hi"))).await.into_body();
    let path = format!("/api/chat/{}", name(&read_until(&mut body, "done").await));
    assert_eq!(site.send(by(1, get(&path))).await.status(), 200);
    sleep(Duration::from_millis(400)).await;
    assert_eq!(site.send(by(1, get(&path))).await.status(), 404);
}

#[tokio::test]
async fn what_an_engine_keeps_of_one_member_is_kept_under_a_name_that_no_other_has() {
    let (site, engine) = one_place(|_| {}, []).await;
    for member in [1, 1, 2] {
        whole(site.send(by(member, api_question("Hi"))).await).await;
    }
    let salt = |asked: &String| asked.split("\"cache_salt\":\"").nth(1).unwrap()[..32].to_owned();
    let salts: Vec<String> = engine.questions().iter().map(salt).collect();
    assert!(salts[0] == salts[1] && salts[0] != salts[2], "{salts:?}");
    assert!(!engine.questions().iter().any(|asked| asked.contains(&format!("{:032x}", 1))));
}
