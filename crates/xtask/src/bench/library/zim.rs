//! A ZIM archive of thousands of articles: seconds from the copy until it is searched over the box's own address, and
//! what is found beside libzim's own search over the Xapian index in the same file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::scene::Scene;
use crate::bench::Report;
use crate::python;
use crate::running_box::RunningBox;
use crate::shell::{capture, note, root, run, say};

/// Seconds; nobody waits longer for an encyclopaedia they have just copied.
const READY_AT_MOST: f64 = 60.0;
/// Articles that are compared.
const WANTED: usize = 10;
/// The archive is searched through when so many of its questions find their article; libzim finds them all.
const FOUND: f64 = 0.95;

pub(super) fn measure(scene: &Scene, articles: usize, report: &mut Report) -> Result<()> {
    let tests = root().join("tests/data/zim");
    let python = python::venv(&tests)?;
    let make = tests.join("make.py");
    let archive = scene.folder.join(format!("bench-{articles}.zim"));
    let about = archive.with_extension("json");
    if !about.is_file() {
        say(&format!("A ZIM archive of {articles} articles, made by libzim"));
        let mut command = Command::new(&python);
        command.arg(&make).arg(&archive).args(["--articles", &articles.to_string(), "--xapian"]);
        run(&mut command)?;
    }
    let questions = Questions::read(&about)?;
    let theirs = libzim(&python, &make, &archive, &questions)?;

    let running = scene.start_box()?;
    say("Copying it to the box and adding it");
    capture(running.banyan().args([
        "library",
        "new",
        "Articles",
        "--audience",
        "guests",
        "--licence",
        "CC0-1.0",
    ]))?;
    let copy = scene.folder.join("copied.zim");
    let _ = fs::remove_file(&copy);
    let began = Instant::now();
    fs::copy(&archive, &copy)?;
    let said = capture(running.banyan().args(["library", "add", "--collection", "Articles"]).arg(&copy))?;
    note(said.trim());
    let added = began.elapsed().as_secs_f64();
    let client = Client::new(&running);
    // The first questions one after another until the first is found, then all of them.
    let Some(first) = questions.0.first() else { bail!("{} has no questions", about.display()) };
    while !client.search(&first.text)?.contains(&first.path) {
        if began.elapsed().as_secs_f64() > 3.0 * READY_AT_MOST {
            bail!("{:?} did not find {} within {} s", first.text, first.path, 3.0 * READY_AT_MOST);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let ready = began.elapsed().as_secs_f64();
    note(&format!("added after {added:.1} s, the first article found after {ready:.1} s"));
    let mut ours = BTreeMap::new();
    for question in &questions.0 {
        ours.insert(question.text.clone(), client.search(&question.text)?);
    }
    report.result("library.zim_ready_s", ready, "s");
    report.at_most("library.zim_ready_s", ready, READY_AT_MOST);
    let (own, peer) = (questions.found_in(&ours), questions.found_in(&theirs));
    report.against("library.zim_found", own, "of 1", "libzim", peer);
    report.at_least("library.zim_found", own, FOUND.min(peer));
    report.result("library.zim_overlap10", overlap(&ours, &theirs), "of 1");
    let _ = fs::remove_file(&copy);
    Ok(())
}

struct Question {
    text: String,
    /// Of the article that answers it.
    path: String,
}

struct Questions(Vec<Question>);

impl Questions {
    fn read(about: &Path) -> Result<Questions> {
        let about: Value = serde_json::from_reader(File::open(about)?)?;
        let questions =
            about["questions"].as_array().context("the archive's description has no questions")?;
        let read = |one: &Value| {
            Some(Question { text: one["text"].as_str()?.to_owned(), path: one["path"].as_str()?.to_owned() })
        };
        Ok(Questions(questions.iter().filter_map(read).collect()))
    }

    /// The share of the questions whose article was found.
    fn found_in(&self, found: &BTreeMap<String, Vec<String>>) -> f64 {
        let right = |one: &&Question| found.get(&one.text).is_some_and(|paths| paths.contains(&one.path));
        self.0.iter().filter(right).count() as f64 / self.0.len() as f64
    }
}

/// What both found, of what libzim found: the mean over the questions for which it found anything.
fn overlap(ours: &BTreeMap<String, Vec<String>>, theirs: &BTreeMap<String, Vec<String>>) -> f64 {
    let shares: Vec<f64> = theirs
        .iter()
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(question, paths)| {
            let own = ours.get(question).map_or(&[][..], Vec::as_slice);
            paths.iter().filter(|path| own.contains(path)).count() as f64 / paths.len() as f64
        })
        .collect();
    shares.iter().sum::<f64>() / shares.len() as f64
}

/// For each question the paths that libzim's searcher finds.
fn libzim(
    python: &Path,
    make: &Path,
    archive: &Path,
    questions: &Questions,
) -> Result<BTreeMap<String, Vec<String>>> {
    let asked = archive.with_extension("questions");
    let texts: Vec<&str> = questions.0.iter().map(|one| one.text.as_str()).collect();
    fs::write(&asked, texts.join("\n"))?;
    let output = Command::new(python)
        .arg(make)
        .arg("--search")
        .arg(archive)
        .stdin(Stdio::from(File::open(&asked)?))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("libzim's search failed ({})", output.status);
    }
    let lines = String::from_utf8(output.stdout)?;
    let line = |line: &str| -> Option<(String, Vec<String>)> {
        let line: Value = serde_json::from_str(line).ok()?;
        let paths = line["paths"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
        Some((line["question"].as_str()?.to_owned(), paths.take(WANTED).collect()))
    };
    Ok(lines.lines().filter_map(line).collect())
}

/// A guest at the box's page.
struct Client {
    agent: ureq::Agent,
    address: String,
}

impl Client {
    fn new(running: &RunningBox) -> Client {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Client { agent: config.into(), address: format!("{}/api/library/search", running.address()) }
    }

    /// Paths of articles, each once.
    fn search(&self, question: &str) -> Result<Vec<String>> {
        loop {
            let request = self.agent.get(&self.address).query("q", question).query("limit", "30");
            let mut response = request.call()?;
            let (status, body) = (response.status().as_u16(), response.body_mut().read_to_string()?);
            if status == 429 {
                // A guest may not ask more often.
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
            if status != 200 {
                bail!("the search answered {status}: {body}");
            }
            let found: Value = serde_json::from_str(&body)?;
            let mut paths: Vec<String> = Vec::new();
            for hit in found["hits"].as_array().into_iter().flatten() {
                if let Some(path) = hit["place"]["path"].as_str()
                    && !paths.iter().any(|there| there == path)
                {
                    paths.push(path.to_owned());
                }
            }
            paths.truncate(WANTED);
            return Ok(paths);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        words.iter().map(|(question, paths)| ((*question).to_owned(), own(paths))).collect()
    }

    #[test]
    fn the_overlap_is_of_what_the_other_found() {
        let theirs = found(&[("a", &["1", "2"]), ("b", &["3"]), ("nothing", &[])]);
        assert_eq!(overlap(&found(&[("a", &["2", "9", "8"]), ("b", &["3"])]), &theirs), 0.75);
        assert_eq!(overlap(&found(&[]), &theirs), 0.0);
    }
}
