//! The real binary with the real model: the main job, and the engine killed in the middle of it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::test_box::{TestBox, command, is_alive, parts, signal, state, text, worker_of};

const QUESTION: &str = "What is the capital of France?";

#[test]
fn a_question_on_the_command_line_is_answered_by_the_model() {
    let Some(parts) = parts() else { return };
    let running = TestBox::with_models(&parts);
    let output = running.banyan(&["ask", "--temperature", "0", "--max-tokens", "24", QUESTION]);
    let answer = text(&output.stdout);
    assert!(output.status.success() && answer.contains("Paris"), "{answer} {}", text(&output.stderr));

    let mut piped = command(running.data.path(), None);
    piped
        .args(["ask", "--temperature", "0", "--max-tokens", "24", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut piped = piped.spawn().unwrap();
    std::io::Write::write_all(&mut piped.stdin.take().unwrap(), QUESTION.as_bytes()).unwrap();
    assert_eq!(text(&piped.wait_with_output().unwrap().stdout), answer);
}

#[test]
fn without_a_box_ask_says_how_to_start_one() {
    let dir = tempfile::tempdir().unwrap();
    let output = command(dir.path(), None).args(["ask", QUESTION]).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("banyan run"), "{}", text(&output.stderr));
}

#[test]
fn an_engine_killed_under_load_is_back_by_itself_and_those_who_waited_are_told() {
    let Some(parts) = parts() else { return };
    let running = TestBox::with_models(&parts);
    let engine = running.pid("infer");
    let story = ["ask", "--max-tokens", "1500", "Tell a very long story about a tree."];
    let asking: Vec<_> = (0..4).map(|_| running.start_banyan(&story)).collect();
    std::thread::sleep(Duration::from_secs(2));
    signal(engine, "-KILL");
    let killed = Instant::now();
    let again = running.banyan(&["ask", "--max-tokens", "1", "Say hello."]);
    println!("answering again after {:.2} s", killed.elapsed().as_secs_f64());
    assert!(again.status.success(), "{}", text(&again.stderr));
    for question in asking {
        let output = question.wait_with_output().unwrap();
        let words = text(&output.stderr);
        assert!(!output.status.success() && words.contains("ask again"), "{words}");
    }
    let status = running.status().unwrap();
    assert_eq!(worker_of(&status, "infer")["last_exit"], "it was killed (SIGKILL)");
    assert_eq!(state(&status, "node"), "ready");
    assert!(!is_alive(engine));
}

#[test]
fn doctor_finds_nothing_wrong_with_a_box_that_answers() {
    let Some(parts) = parts() else { return };
    let running = TestBox::with_models(&parts);
    let output = running.banyan(&["doctor"]);
    let words = text(&output.stdout);
    assert!(output.status.success(), "{words}");
    assert!(
        words.contains("every file is as it was imported") && words.contains("matrix product"),
        "{words}"
    );
}

#[test]
fn a_model_that_serves_is_not_removed() {
    let Some(parts) = parts() else { return };
    let running = TestBox::with_models(&parts);
    let list = text(&running.banyan(&["model", "list"]).stdout);
    let name = list.lines().find_map(|line| line.strip_prefix("* ")?.split_whitespace().next()).unwrap();
    let output = running.banyan(&["model", "remove", "--yes", name]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("banyan model use"), "{}", text(&output.stderr));
    assert!(text(&running.banyan(&["model", "list"]).stdout).contains(name));
}

#[test]
fn programs_use_the_box_with_a_key_until_it_is_revoked() {
    let Some(parts) = parts() else { return };
    let running = TestBox::with_models(&parts);
    let key = text(&running.banyan(&["key", "add", "our-website"]).stdout).trim().to_owned();
    let ask = || running.get("/v1/models", &format!("Authorization: Bearer {key}\r\n"));
    let answer = ask();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("instruct"), "{answer}");
    assert!(text(&running.banyan(&["key", "list"]).stdout).contains("our-website"));
    assert!(running.banyan(&["key", "revoke", "our-website"]).status.success());
    let revoked = Instant::now();
    while !ask().starts_with("HTTP/1.1 401") {
        assert!(revoked.elapsed() < Duration::from_secs(10), "a revoked key still opens");
        std::thread::sleep(Duration::from_millis(100));
    }
}
