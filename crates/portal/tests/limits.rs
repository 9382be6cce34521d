//! The accept loop under those who take too much, and its stop.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use std::time::{Duration, Instant};

use common::{Act, TestBox, form};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_comes_a_letter_at_a_time_is_cut_off() {
    let site = TestBox::with(|config| config.limits.head_within = Duration::from_millis(300)).await;
    let started = Instant::now();
    let mut slow = TcpStream::connect(site.address).await.unwrap();
    let (mut reading, mut writing) = slow.split();
    let drip = async {
        loop {
            if writing.write_all(b"x").await.is_err() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = reading.read_to_end(&mut answer) => {}
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(site.get("/healthz").await.1.contains("ok"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let site = TestBox::with(|config| config.limits.body_within = Duration::from_millis(200)).await;
    let head = "POST /chat HTTP/1.1\r\nhost: box\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nquestion=";
    let answer = timeout(Duration::from_secs(3), site.raw(head)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("took too long to arrive"), "{answer}");
}

#[tokio::test]
async fn a_browser_that_first_sends_everything_still_sees_that_it_was_too_much() {
    let site = TestBox::start().await;
    let head = "POST /chat HTTP/1.1\r\nhost: box\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let answer = site.raw(&format!("{head}content-length: 3000000\r\n\r\n{}", "x".repeat(3_000_000))).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("too much at once"), "{answer}");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let site = TestBox::start().await;
    let answer = site.raw(&format!("GET / HTTP/1.1\r\nhost: box\r\nx: {}", "x".repeat(200_000))).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    assert!(site.get("/healthz").await.1.contains("ok"));
}

#[tokio::test]
async fn whoever_finds_the_box_full_is_told_so_in_every_language() {
    let site = TestBox::with(|config| config.limits.connections = 2).await;
    let held =
        [TcpStream::connect(site.address).await.unwrap(), TcpStream::connect(site.address).await.unwrap()];
    let mut third = TcpStream::connect(site.address).await.unwrap();
    third.write_all(b"GET / HTTP/1.1\r\nhost: box\r\n\r\n").await.unwrap();
    third.shutdown().await.unwrap();
    let answer = timeout(Duration::from_secs(5), read_all(&mut third)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 10"), "{answer}");
    for words in ["Wait half a minute", "Espera medio minuto", "Subiri nusu dakika", "dir=\"rtl\""] {
        assert!(answer.contains(words), "{words}: {answer}");
    }
    assert!(answer.contains("content-security-policy: default-src 'self'"), "{answer}");
    let length: usize =
        answer.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), length);

    drop(held);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(site.get("/healthz").await.0.status(), 200);
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let site = TestBox::with(|config| {
        config.limits.connections_per_address = 2;
        config.limits.spare_loopback = false;
    })
    .await;
    let held =
        [TcpStream::connect(site.address).await.unwrap(), TcpStream::connect(site.address).await.unwrap()];
    let mut third = TcpStream::connect(site.address).await.unwrap();
    third.shutdown().await.unwrap();
    assert!(read_all(&mut third).await.starts_with("HTTP/1.1 503 "));
    drop(held);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(site.get("/healthz").await.0.status(), 200);
}

#[tokio::test]
async fn a_stop_lets_an_answer_come_to_its_end_and_does_not_wait_for_whoever_is_quiet() {
    let mut site = TestBox::start().await;
    let mut quiet = TcpStream::connect(site.address).await.unwrap();
    quiet.write_all(b"GET /healthz HTTP/1.1\r\nhost: box\r\n\r\n").await.unwrap();
    quiet.read_u8().await.unwrap();
    let _engine = site.engine([Act::SaySlowly(vec!["one ", "two ", "three."], Duration::from_millis(100))]);
    let mut body = site.ask_by_form(form("Count", "")).await.into_body();
    body.frame().await.unwrap().unwrap();
    site.stop.take().unwrap().send(()).unwrap();
    let rest = timeout(Duration::from_secs(3), body.collect()).await.unwrap().unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&rest).contains("three."));
    timeout(Duration::from_secs(2), &mut site.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(site.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut site = TestBox::with(|config| config.limits.stop_within = Duration::from_millis(200)).await;
    let engine = site.engine([Act::SayForEver("word ")]);
    let _idle = TcpStream::connect(site.address).await.unwrap();
    let mut body = site.ask_by_form(form("Go on", "")).await.into_body();
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    site.stop.take().unwrap().send(()).unwrap();
    timeout(Duration::from_secs(2), &mut site.serving).await.unwrap().unwrap();
    engine.wait_for_cancellation().await;
}
