//! The supervisor with real processes, without a model: what keeps the box alive must not depend on one.

use std::time::{Duration, Instant};

use crate::test_box::{PATIENCE, TestBox, command, is_alive, signal, state, text, worker_of};

#[test]
fn a_box_without_a_model_serves_the_page_and_says_what_is_missing() {
    let running = TestBox::empty();
    let (status, _) =
        running.wait_until("the engine has failed", |status| state(status, "infer") == "failed");
    let detail = worker_of(&status, "infer")["detail"].as_str().unwrap();
    assert!(detail.contains("--ort-lib") || detail.contains("model"), "{detail}");
    assert!(running.get("/", "").starts_with("HTTP/1.1 200"));
    let words = text(&running.banyan(&["status"]).stdout);
    assert!(words.contains("node   ready") && words.contains("infer  cannot work"), "{words}");
}

#[test]
fn doctor_names_what_is_wrong_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let output = command(dir.path(), None).arg("doctor").output().unwrap();
    let words = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("banyan model import") && words.contains("--ort-lib"), "{words}");
}

#[test]
fn a_second_box_on_the_same_folder_is_told_who_has_it() {
    let running = TestBox::empty();
    let second = running.banyan(&["run", "--listen", "127.0.0.1:0"]);
    assert!(!second.status.success());
    let words = text(&second.stderr);
    assert!(words.contains(&running.supervisor.id().to_string()) && words.contains("banyan stop"), "{words}");
}

#[test]
fn a_taken_port_is_told_with_a_way_out() {
    let running = TestBox::empty();
    let dir = tempfile::tempdir().unwrap();
    let second = command(dir.path(), None).args(["run", "--listen", &running.host()]).output().unwrap();
    assert!(!second.status.success());
    let words = text(&second.stderr);
    assert!(words.contains("is taken") && words.contains("--listen"), "{words}");
}

#[test]
fn stop_ends_every_process_and_leaves_no_socket() {
    let mut running = TestBox::empty();
    let pids = [running.pid("node"), running.pid("infer")];
    let output = running.banyan(&["stop"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(running.supervisor.wait().unwrap().success());
    assert!(!pids.into_iter().any(is_alive));
    assert!(!running.data.path().join("run/supervisor.sock").exists());
    assert!(!running.banyan(&["status"]).status.success());
    // Asked again, it has nothing to do and says so.
    assert!(running.banyan(&["stop"]).status.success());
}

#[test]
fn sigterm_and_ctrl_c_stop_the_box_cleanly() {
    for name in ["-TERM", "-INT"] {
        let mut running = TestBox::empty();
        let node = running.pid("node");
        signal(running.supervisor.id().into(), name);
        assert!(running.supervisor.wait().unwrap().success(), "{name}");
        assert!(!is_alive(node));
    }
}

#[test]
fn workers_die_with_a_killed_supervisor_and_the_next_one_starts_over_their_remains() {
    let mut running = TestBox::empty();
    let pids = [running.pid("node"), running.pid("infer")];
    running.supervisor.kill().unwrap();
    running.supervisor.wait().unwrap();
    let killed = Instant::now();
    while pids.into_iter().any(is_alive) {
        assert!(killed.elapsed() < Duration::from_secs(5), "a worker outlives its supervisor");
        std::thread::sleep(Duration::from_millis(10));
    }
    running.start_again();
    assert!(running.get("/", "").starts_with("HTTP/1.1 200"));
}

#[test]
fn members_who_come_while_the_node_is_dead_are_served_by_the_next_one() {
    let running = TestBox::empty();
    let host = running.host();
    let node = running.pid("node");
    signal(node, "-KILL");
    // The supervisor holds the listening socket, so this connects whether or not a node is there.
    assert!(crate::test_box::get(&host, "/", "").starts_with("HTTP/1.1 200"));
    let (status, _) = running.wait_until("the node is back", |status| state(status, "node") == "ready");
    let worker = worker_of(&status, "node");
    assert_ne!(worker["pid"].as_u64().unwrap(), node);
    assert_eq!(worker["restarts"], 1);
    assert_eq!(worker["last_exit"], "it was killed (SIGKILL)");
}

#[test]
fn a_worker_that_hangs_is_noticed_and_replaced() {
    let running = TestBox::empty();
    let node = running.pid("node");
    signal(node, "-STOP");
    let (_, took) = running.wait_until("the hung node is replaced", |status| {
        state(status, "node") == "ready" && worker_of(status, "node")["pid"] != node
    });
    // Twenty seconds without an answer, and the start of a new one.
    assert!(took > Duration::from_secs(15) && took < PATIENCE, "{took:?}");
    assert!(!is_alive(node));
}

#[test]
fn a_restart_that_was_asked_for_gives_a_fresh_process() {
    let running = TestBox::empty();
    let node = running.pid("node");
    assert!(running.banyan(&["restart", "node"]).status.success());
    running.wait_until("a fresh node serves", |status| {
        state(status, "node") == "ready" && worker_of(status, "node")["pid"] != node
    });
    let unknown = running.banyan(&["restart", "printer"]);
    assert!(!unknown.status.success());
}

#[test]
fn a_box_whose_program_file_was_replaced_still_mends_itself() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("banyan");
    std::fs::copy(crate::test_box::BANYAN, &program).unwrap();
    let running = TestBox::of_program(&program);
    std::fs::remove_file(&program).unwrap();
    let node = running.pid("node");
    signal(node, "-KILL");
    running.wait_until("the node is back", |status| {
        state(status, "node") == "ready" && worker_of(status, "node")["pid"] != node
    });
}
