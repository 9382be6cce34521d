//! Starts the worker that reads one file, and makes a reason of whatever becomes of it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use banyan_knowledge::extract::{ExtractError, Format, Limits, ocr_installed};
use banyan_knowledge::{Block, BlockKind, Extracted};
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::extract::{Answer, Bounds, FELL};

/// The worker keeps its own time; so much later it is not waited for any more.
const GRACE: Duration = Duration::from_secs(5);
/// So much of what the worker complains is kept, to tell one kind of end from another.
const COMPLAINTS: u64 = 4096;

/// A page that is a picture takes so many times as long as one of text, or longer.
const SCANNED: u32 = 10;

/// What a worker is to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Words,
    /// The words in the pictures of a PDF that has no others.
    Pictures,
}

/// Reads files in a process of their own.
#[derive(Debug, Clone)]
pub(crate) struct Extractor {
    limits: Limits,
}

impl Extractor {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// The words of a file, or why there are none, for a librarian; `name` is what whoever gives it calls it. Waits for
    /// the worker, so not for async code.
    pub(crate) fn extract(&self, path: &Path, name: &str) -> Result<Extracted, String> {
        let mut answer = self.run(path, name, Pass::Words, &self.limits)?;
        if matches!(answer, Answer::Scanned) && ocr_installed() {
            let limits = Limits { time: self.limits.time * SCANNED, ..self.limits.clone() };
            answer = self.run(path, name, Pass::Pictures, &limits)?;
        }
        match answer {
            Answer::Read(read) => Ok(read),
            Answer::Refused(reason) => Err(reason),
            Answer::Scanned => Err(ExtractError::NoWords(Format::Pdf).to_string()),
        }
    }

    fn run(&self, path: &Path, name: &str, pass: Pass, limits: &Limits) -> Result<Answer, String> {
        let file = open(path).map_err(|error| error.to_string())?;
        let size = file.metadata().map_err(|error| ExtractError::from(error).to_string())?.len();
        if size > limits.input {
            return Err(ExtractError::TooLarge { size, limit: limits.input }.to_string());
        }
        let child = start(name, file, pass, limits)
            .map_err(|error| format!("the process that reads files could not be started: {error}"))?;
        let ended =
            wait(child, limits).map_err(|error| format!("the process that reads files was lost: {error}"))?;
        ended.into_answer(limits)
    }
}

/// Only files: a pipe would never end, a device would never stop.
fn open(path: &Path) -> Result<File, ExtractError> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(ExtractError::Unknown("this is not a file; give a file, or add the whole folder"));
    }
    Ok(file)
}

fn start(name: &str, file: File, pass: Pass, limits: &Limits) -> io::Result<Child> {
    // Only the ending of its name: whoever lists processes need not see what members add.
    let ending: String = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
        .filter(|ending| ending.len() <= 10 && ending.bytes().all(|b| b.is_ascii_alphanumeric()))
        .unwrap_or_default()
        .into();
    // The very program that runs, whatever has become of its file. No environment: there are keys in it.
    Command::new("/proc/self/exe")
        .arg0("banyan")
        .args(["--data", "/nonexistent", "extract"])
        .arg(format!("--name=x.{ending}"))
        .args((pass == Pass::Pictures).then_some("--scanned"))
        .args(Bounds::arguments(limits))
        .env_clear()
        // Each arena of the C library takes 64 MB of address space, and there is one thread.
        .env("MALLOC_ARENA_MAX", "1")
        .env("BANYAN_LOG", "off")
        .current_dir("/")
        .process_group(0)
        .stdin(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// How a worker ended.
struct Ended {
    /// None when it was not waited for any more.
    status: Option<ExitStatus>,
    answer: Vec<u8>,
    complaints: String,
}

fn wait(mut child: Child, limits: &Limits) -> io::Result<Ended> {
    let group = Pid::from_raw(child.id().cast_signed());
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let most = limits.output();
    let (send, answered) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = Vec::new();
        if let Some(output) = output {
            // An answer that is cut off does not parse, and that is said.
            let _ = output.take(most).read_to_end(&mut answer);
        }
        let _ = send.send(answer);
    });
    let complaining = thread::spawn(move || {
        let mut complaints = Vec::new();
        if let Some(mut errors) = errors {
            let _ = errors.by_ref().take(COMPLAINTS).read_to_end(&mut complaints);
            let _ = io::copy(&mut errors, &mut io::sink());
        }
        String::from_utf8_lossy(&complaints).into_owned()
    });
    let answer = answered.recv_timeout(limits.time + GRACE);
    // It, and what it started. When it has answered it has nothing left to do; when it has ended, this changes nothing,
    // and until it is collected below its number is its own.
    let _ = killpg(group, Signal::SIGKILL);
    let status = child.wait()?;
    let complaints = complaining.join().unwrap_or_default();
    Ok(Ended { status: answer.is_ok().then_some(status), answer: answer.unwrap_or_default(), complaints })
}

impl Ended {
    fn into_answer(self, limits: &Limits) -> Result<Answer, String> {
        match serde_json::from_slice(&self.answer) {
            Ok(Answer::Read(read)) if is_sound(&read, limits) => return Ok(Answer::Read(read)),
            Ok(Answer::Refused(reason)) => return Ok(Answer::Refused(reason.chars().take(500).collect())),
            Ok(Answer::Scanned) => return Ok(Answer::Scanned),
            Ok(Answer::Read(_)) | Err(_) => {}
        }
        let seconds = limits.time.as_secs();
        let slow = format!(
            "reading this file took longer than {seconds} seconds; split it into parts, or save it anew"
        );
        let Some(status) = self.status else { return Err(slow) };
        tracing::warn!(%status, complaints = %self.complaints, "a file's reader gave no sound answer");
        let full = self.complaints.contains("memory allocation");
        Err(match status.signal() {
            Some(libc::SIGXCPU) => slow,
            // The kernel's own means against a machine without memory.
            Some(signal) if full || signal == libc::SIGKILL => format!(
                "reading this file needs more than the {} MB of memory that one file may have; split it into parts, or save it anew",
                limits.memory >> 20
            ),
            _ => FELL.into(),
        })
    }
}

/// Whether the worker kept the limits. It may have been taken over by the file that it read.
fn is_sound(read: &Extracted, limits: &Limits) -> bool {
    let size: u64 = read.blocks.iter().map(|block| block.text.len() as u64).sum();
    let names = [&read.title, &read.author, &read.language].into_iter().flatten();
    let sound = |block: &Block| {
        let kind = !matches!(block.kind, BlockKind::Heading(level) if !(1..=6).contains(&level));
        let letters =
            block.text.chars().all(|c| !c.is_control() || (c == '\n' && block.kind == BlockKind::Verbatim));
        kind && letters
    };
    size <= limits.text
        && read.blocks.len() <= limits.blocks
        && names.chain(&read.warnings).all(|text| text.len() <= 4000 && !text.chars().any(char::is_control))
        && read.blocks.iter().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(raw: i32, answer: &str, complaints: &str) -> Result<Answer, String> {
        let status = Some(ExitStatus::from_raw(raw));
        Ended { status, answer: answer.into(), complaints: complaints.into() }.into_answer(&Limits::default())
    }

    #[test]
    fn every_end_of_a_worker_is_a_reason() {
        let reason = |raw, answer, complaints| ended(raw, answer, complaints).unwrap_err();
        assert!(
            reason(libc::SIGABRT, "", "memory allocation of 9 bytes failed").contains("1024 MB of memory")
        );
        assert!(reason(libc::SIGKILL, "", "").contains("memory"));
        assert!(reason(libc::SIGXCPU, "", "").contains("120 seconds"));
        assert!(reason(libc::SIGSEGV, "", "").contains("damaged"));
        assert!(reason(0, "{\"read\":", "").contains("damaged"));
        // One that has answered is ended without waiting for it.
        assert!(matches!(ended(libc::SIGKILL, "{\"refused\":\"no words\"}", ""), Ok(Answer::Refused(_))));
        let late = Ended { status: None, answer: Vec::new(), complaints: String::new() };
        assert!(late.into_answer(&Limits::default()).unwrap_err().contains("120 seconds"));
    }

    #[test]
    fn a_worker_that_was_taken_over_is_not_believed() {
        let answer = |kind: &str, text: &str| {
            format!(
                "{{\"read\":{{\"title\":null,\"author\":null,\"language\":null,\"warnings\":[],\
                 \"blocks\":[{{\"kind\":{kind},\"text\":\"{text}\"}}]}}}}"
            )
        };
        assert!(ended(0, &answer("\"paragraph\"", "words"), "").is_ok());
        assert!(ended(0, &answer("\"verbatim\"", "a\\nb"), "").is_ok());
        assert!(ended(0, &answer("{\"heading\":9}", "words"), "").is_err());
        assert!(ended(0, &answer("\"paragraph\"", "a\\u0007b"), "").is_err());
        assert!(ended(0, &answer("\"program\"", "words"), "").is_err());
    }
}
