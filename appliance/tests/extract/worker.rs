//! Limits and rights.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{banyan, command, hostile, reason, text, written};

const MB: u64 = 1 << 20;

#[test]
fn a_file_is_read_by_a_process_without_rights() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(&dir, "note.md", b"# The well\n\nOpen from six.\n");
    assert_eq!(text(&file), "The well\n\nOpen from six.\n\n");
}

#[test]
fn a_file_that_needs_more_memory_than_it_may_have_is_refused_and_nothing_else_suffers() {
    // A gigabyte of spaces in five kilobytes.
    let limit = 700;
    let reason = reason(&[&format!("--memory={}", limit * MB)], &hostile("bomb.pdf"));
    assert!(reason.contains("more than the 700 MB of memory"), "{reason}");
    // The most that any process had that this one waited for, and those that they waited for.
    let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() * 1024;
    assert!(most < i64::try_from(limit * MB).unwrap(), "{most} bytes");
}

#[test]
fn a_file_that_ends_its_reader_is_a_reason_like_any_other() {
    // A page that is its own parent: the parser calls itself until its stack ends.
    let reason = reason(&[], &hostile("loop.pdf"));
    assert!(reason.contains("its reader could not bear"), "{reason}");
}

#[test]
fn every_hostile_file_comes_to_an_end_within_its_time() {
    let files = std::fs::read_dir(hostile("")).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|file| !matches!(file.extension().and_then(|e| e.to_str()), Some("md" | "py"))) {
        let began = Instant::now();
        let output = banyan(&["--time=20000"], &file);
        assert!(began.elapsed() < Duration::from_secs(30), "{}", file.display());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() || said.len() > 20, "{}: {said}", file.display());
        assert!(!said.contains("panicked"), "{}: {said}", file.display());
    }
}

#[test]
fn two_gigabytes_of_nothing_and_what_is_no_file_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large.txt");
    std::fs::File::create(&large).unwrap().set_len(2 << 30).unwrap();
    assert!(reason(&[], &large).contains("2048 MB"), "{}", reason(&[], &large));
    assert!(reason(&[], dir.path()).contains("not a file"));
    assert!(reason(&[], Path::new("/dev/zero")).contains("not a file"));
    assert!(reason(&[], &dir.path().join("none.txt")).contains("No such file"));
}

#[test]
fn a_file_that_takes_longer_than_it_may_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let reason = reason(&["--time=1000"], &slow(&dir));
    assert!(reason.contains("longer than 1 seconds"), "{reason}");
}

#[test]
fn a_worker_has_no_rights_left_while_it_reads_and_its_death_is_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = slow(&dir);
    let parent = command(&[], &file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let (worker, status) = loop {
        assert!(Instant::now() < deadline, "no worker gave up its rights");
        if let Some((worker, status)) = child_of(parent.id())
            && line(&status, "Seccomp:") == "2"
        {
            break (worker, status);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(line(&status, "NoNewPrivs:"), "1");
    let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let hard = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_eq!(hard("Max address space"), (1 << 30).to_string());
    assert_eq!((hard("Max file size").as_str(), hard("Max core file size").as_str()), ("0", "0"));
    let environment = std::fs::read(format!("/proc/{worker}/environ")).unwrap();
    assert!(!environment.windows(5).any(|part| part == b"PATH="), "the worker has the box's environment");
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    let output = parent.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("of memory"), "{said}");
}

/// Text enough for seconds.
fn slow(dir: &tempfile::TempDir) -> PathBuf {
    written(dir, "long.txt", "words without an end\n".repeat(5_500_000).as_bytes())
}

fn child_of(parent: u32) -> Option<(i32, String)> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let child = children.split_whitespace().next()?.parse().ok()?;
    Some((child, std::fs::read_to_string(format!("/proc/{child}/status")).ok()?))
}

fn line<'t>(status: &'t str, name: &str) -> &'t str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
}
