//! Text in pictures, by tesseract where it is installed. The picture goes to it through a pipe, so it needs no file but
//! its own; the limits of this process are its limits too.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::words::Words;
use super::{ExtractError, image, text};

/// Recognized text is never quite what stands there.
pub(super) const LOOK_IT_OVER: &str = "this text was read from pictures; look it over";
const PROGRAMS: [&str; 2] = ["/usr/bin/tesseract", "/usr/local/bin/tesseract"];
const DATA: [&str; 4] = [
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
];
/// Each language that it has to try makes it slower.
const LANGUAGES: usize = 6;
/// How often it is looked whether it is done.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether text in pictures can be read on this machine.
#[must_use]
pub fn installed() -> bool {
    program().is_some()
}

/// What the program needs to see of the file system, to read and to run; nothing else.
#[must_use]
pub fn places() -> &'static [&'static str] {
    &["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc/self", "/sys/devices/system/cpu", "/dev/null"]
}

fn program() -> Option<&'static Path> {
    PROGRAMS.into_iter().map(Path::new).find(|path| path.exists())
}

pub(super) fn read(bytes: &[u8], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let size = image::size(bytes).ok_or_else(|| words.broken("it does not say how large it is"))?;
    let found = text_in(bytes, size, words)?;
    words.warn(LOOK_IT_OVER);
    text::paragraphs(&found, words)
}

/// The text in a picture that has so many points across and down.
pub(super) fn text_in(
    bytes: &[u8],
    (width, height): (u32, u32),
    words: &Words<'_>,
) -> Result<String, ExtractError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > words.limits.pixels {
        return Err(ExtractError::TooManyPixels { pixels, limit: words.limits.pixels });
    }
    let program = program().ok_or(ExtractError::NoOcr)?;
    let (languages, data) = languages().ok_or(ExtractError::NoOcr)?;
    let mut child = Command::new(program)
        .args(["stdin", "stdout", "-l", &languages, "--tessdata-dir"])
        .arg(data)
        // One thread: the box has other work.
        .env("OMP_THREAD_LIMIT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| ExtractError::Ocr(error.to_string()))?;
    let found = recognize(&mut child, bytes, words);
    // A worker has not the right to end another process; whoever started it ends both.
    if found.is_err() && child.kill().is_ok() {
        let _ = child.wait();
    }
    found
}

fn recognize(child: &mut Child, bytes: &[u8], words: &Words<'_>) -> Result<String, ExtractError> {
    let failed = |error: std::io::Error| ExtractError::Ocr(error.to_string());
    let most = words.limits.text.saturating_add(1);
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut found = Vec::new();
        output.map_or(Ok(0), |output| output.take(most).read_to_end(&mut found)).map(|_| found)
    });
    if let Some(mut input) = child.stdin.take() {
        // It reads the whole picture before it writes a word, or ends without: then its end says why.
        let _ = input.write_all(bytes);
    }
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None => words.check_time()?,
        }
        thread::sleep(PAUSE);
    };
    let found =
        reader.join().map_err(|_| ExtractError::Ocr("its words were lost".into()))?.map_err(failed)?;
    if !status.success() {
        return Err(ExtractError::Ocr(format!("tesseract: {status}")));
    }
    Ok(String::from_utf8_lossy(&found).into_owned())
}

/// The languages that it knows, as it wants to be told them, and where they are.
fn languages() -> Option<(String, PathBuf)> {
    let data = DATA.into_iter().map(Path::new).find(|folder| folder.is_dir())?;
    let mut names: Vec<String> = std::fs::read_dir(data)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".traineddata").map(Into::into))
        .filter(|name: &String| !matches!(name.as_str(), "osd" | "equ" | "snum"))
        .collect();
    names.sort();
    names.truncate(LANGUAGES);
    (!names.is_empty()).then(|| (names.join("+"), data.to_owned()))
}
