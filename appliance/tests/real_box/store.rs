//! The community's store in a real box: made at the first start, and in words when it does not open.

use std::fs;

use crate::test_box::{TestBox, state, text, worker_of};

#[test]
fn the_first_start_says_where_the_community_is_founded() {
    let running = TestBox::empty();
    let status = running.status().unwrap();
    let setup = status["setup"].as_str().unwrap();
    let code = fs::read_to_string(running.data.path().join("keys/setup-code")).unwrap();
    assert_eq!(setup, format!("{}/#/start?code={}", status["address"].as_str().unwrap(), code.trim()));
    assert!(text(&running.banyan(&["status"]).stdout).contains(setup));
    let looked = text(&running.banyan(&["doctor"]).stdout);
    assert!(looked.contains("the key opens it, and it is whole"), "{looked}");
}

#[test]
fn a_box_whose_key_is_wrong_answers_nobody_says_why_and_is_itself_again_with_the_right_one() {
    let running = TestBox::empty();
    let key = running.data.path().join("keys/store.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, "7".repeat(64)).unwrap();
    assert!(running.banyan(&["restart", "node"]).status.success());
    let (status, _) = running.wait_until("the node has failed", |status| state(status, "node") == "failed");
    let detail = worker_of(&status, "node")["detail"].as_str().unwrap();
    assert!(detail.contains("does not open") && detail.contains("banyan recover"), "{detail}");
    let page = running.get("/", "");
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("cannot open its store"), "{page}");
    let looked = text(&running.banyan(&["doctor"]).stdout);
    assert!(looked.contains("the key does not open"), "{looked}");

    fs::write(&key, right).unwrap();
    assert!(running.banyan(&["restart", "node"]).status.success());
    running.wait_until("the page is served", |status| state(status, "node") == "ready");
    assert!(running.get("/", "").starts_with("HTTP/1.1 200"));
}
