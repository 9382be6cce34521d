//! Milliseconds until passages are there: many who search at once while the model generates, beside SQLite's FTS5 from
//! Python and Xapian with the same passages and the same questions.

use std::path::Path;

use anyhow::Result;

use super::generation;
use super::judge::file_of;
use super::scene::Scene;
use super::watched::{self, Watched, number, run};
use super::{Args, Half};
use crate::bench::Report;
use crate::setup::apt;
use crate::shell::{note, say};

/// Milliseconds. Somebody who types does not notice more than this.
const AT_MOST: f64 = 100.0;
/// The size of library that this is promised for.
const PROMISED: usize = 100_000;
/// Most of the searches that are to find by meaning too; without this a search that gives up early would look fast.
const WITH_MEANING: f64 = 0.95;

pub(super) fn measure(scene: &Scene, args: &Args, passages: usize, report: &mut Report) -> Result<()> {
    let size = name(passages);
    let running = scene.start_box()?;
    let socket = Scene::engine(&running)?;
    say(&format!("A library of {passages} passages"));
    let (library, filled) = scene.fill("growing", passages, &socket)?;
    note(&filled.to_string());
    let texts = scene.folder.join("texts.jsonl");
    run(scene.measure().arg("dump").args([&library, &scene.kept]).arg(&socket).arg(&texts))?;
    let others = Others::build(scene, &texts)?;
    let _ = std::fs::remove_file(&texts);

    let questions = file_of(Half::Tuning);
    let load = |pause: f64| [args.searchers.to_string(), args.seconds.to_string(), pause.to_string()];
    let own = |pause: f64, by: &str| -> Result<Watched> {
        let mut command = scene.measure();
        command.arg("search").arg(&library).arg(&socket).arg(&questions).args(load(pause)).arg(by);
        run(&mut command)
    };
    say(&format!("{} search at once while the model answers {} members", args.searchers, args.members));
    let (both, nonstop, words, fts5, xapian) = generation::beside(&running, args.members, || {
        Ok((
            own(args.pause, "both")?,
            own(0.0, "both")?,
            own(args.pause, "words")?,
            others.search(scene, "fts5", &questions, &load(args.pause))?,
            others.search(scene, "xapian", &questions, &load(args.pause))?,
        ))
    })?;
    let alone = own(args.pause, "both")?;

    let p95 = |watched: &Watched| number(&watched.printed, "/p95_ms");
    let result = format!("library.search_p95_{size}");
    let (ours, theirs) = (p95(&both), fts5.as_ref().map_or(f64::NAN, p95));
    report.against_lower(&result, ours, "ms", "sqlite-fts5", theirs);
    match &xapian {
        Some(xapian) => {
            report.against_lower(&format!("{result}.vs_xapian"), ours, "ms", "xapian", p95(xapian));
        }
        None => report.skipped(&format!("{result}.vs_xapian"), "python3-xapian is not to be had here"),
    }
    report.against_lower(&format!("{result}.words"), p95(&words), "ms", "sqlite-fts5", theirs);
    report.result(&format!("library.search_p50_{size}"), number(&both.printed, "/p50_ms"), "ms");
    report.result(&format!("{result}.nonstop"), p95(&nonstop), "ms");
    let pace = number(&nonstop.printed, "/searches") / args.seconds;
    report.result(&format!("library.searches_{size}.nonstop"), pace, "searches/s");
    report.result(&format!("{result}.model_idle"), p95(&alone), "ms");
    let meaning = number(&both.printed, "/with_meaning");
    report.result(&format!("library.search_with_meaning_{size}"), meaning, "of 1");
    report.result(&format!("library.search_others_{size}"), both.others, "cores");
    if passages == PROMISED {
        report.at_most(&result, ours, AT_MOST);
        report.at_least(&format!("library.search_with_meaning_{size}"), meaning, WITH_MEANING);
    }
    Ok(())
}

/// Indexes of other programs over the same passages.
struct Others {
    xapian: bool,
}

impl Others {
    fn build(scene: &Scene, texts: &Path) -> Result<Others> {
        let xapian = match apt::ensure(&[apt::XAPIAN]) {
            Ok(()) => true,
            Err(error) => {
                note(&format!("Xapian cannot be had here: {error:#}"));
                false
            }
        };
        let others = Others { xapian };
        for name in others.names() {
            say(&format!("The same passages in {name}"));
            let database = scene.folder.join(name);
            if database.is_dir() {
                std::fs::remove_dir_all(&database)?;
            } else if database.is_file() {
                std::fs::remove_file(&database)?;
            }
            let built =
                run(others.program(scene, name).arg(format!("{name}-build")).args([&database, texts]))?;
            note(&format!("indexed in {:.1} s", number(&built.printed, "/seconds")));
        }
        Ok(others)
    }

    fn names(&self) -> &'static [&'static str] {
        if self.xapian { &["fts5", "xapian"] } else { &["fts5"] }
    }

    /// Xapian is no package of PyPI; FTS5 is part of every Python.
    fn program(&self, scene: &Scene, name: &str) -> std::process::Command {
        if name == "xapian" { scene.system_peers() } else { scene.peers() }
    }

    fn search(
        &self,
        scene: &Scene,
        name: &str,
        questions: &Path,
        load: &[String],
    ) -> Result<Option<watched::Watched>> {
        if !self.names().contains(&name) {
            return Ok(None);
        }
        let mut command = self.program(scene, name);
        command.arg(format!("{name}-search")).arg(scene.folder.join(name)).arg(questions).args(load);
        Ok(Some(run(&mut command)?))
    }
}

/// 10k, 100k, 1m.
fn name(passages: usize) -> String {
    match passages {
        n if n >= 1_000_000 && n % 1_000_000 == 0 => format!("{}m", n / 1_000_000),
        n if n >= 1000 && n % 1000 == 0 => format!("{}k", n / 1000),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_called_as_people_call_them() {
        for (passages, expected) in [(10_000, "10k"), (100_000, "100k"), (1_000_000, "1m"), (1234, "1234")] {
            assert_eq!(name(passages), expected);
        }
    }
}
