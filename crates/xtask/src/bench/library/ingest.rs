//! Pages a second that come in through the box's own command: each file read in a process without rights, cut, indexed
//! and on the disk. Beside a plain pipeline in Python, which trusts its files and encrypts nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use super::scene::Scene;
use super::watched::{number, run};
use crate::bench::Report;
use crate::shell::{capture, note, say};

/// A printed page.
const WORDS_OF_A_PAGE: f64 = 400.0;
/// Enough for half a minute, few enough to wait for.
const FILES: usize = 300;

pub(super) fn measure(scene: &Scene, report: &mut Report) -> Result<()> {
    let folder = scene.folder.join("pages");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut found = Vec::new();
    html_files(&scene.packages.join("python-doc"), &mut found)?;
    found.sort();
    found.truncate(FILES);
    for (number, file) in found.iter().enumerate() {
        let name = file.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        fs::copy(file, folder.join(format!("{number:03}-{name}")))?;
    }
    let database = scene.folder.join("pages.sqlite");
    let _ = fs::remove_file(&database);
    say(&format!("{} files of Python's documentation, by a plain pipeline in Python", found.len()));
    let theirs = run(scene.peers().arg("ingest").args([&folder, &database]))?;
    let pages = number(&theirs.printed, "/words") / WORDS_OF_A_PAGE;
    note(&format!("they are {pages:.0} pages of {WORDS_OF_A_PAGE} words"));

    let running = scene.start_box()?;
    say("The same files by `banyan library add`");
    capture(running.banyan().args(["library", "new", "Pages", "--licence", "PSF-2.0"]))?;
    let began = Instant::now();
    let said = capture(running.banyan().args(["library", "add", "--collection", "Pages"]).arg(&folder))?;
    let seconds = began.elapsed().as_secs_f64();
    note(said.trim());
    let own = pages / seconds;
    report.against(
        "library.ingest",
        own,
        "pages/s",
        "plain-python",
        pages / number(&theirs.printed, "/seconds"),
    );
    Ok(())
}

fn html_files(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let (kind, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        let kind = kind?;
        if kind.is_dir() {
            html_files(&path, into)?;
        } else if kind.is_file() && path.extension().is_some_and(|ending| ending == "html") {
            into.push(path);
        }
    }
    Ok(())
}
