//! `banyan doctor`: looks at everything that the box needs, and says of each what is wrong and what to do.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use banyan_inference::{providers, runtime};
use banyan_modelpack::{Pack, Store};
use banyan_openai::{Client, HealthStatus};
use banyan_portal::EngineState;
use banyan_store::{KeySource, StoreError};
use nix::sys::statvfs::statvfs;

use crate::paths::Paths;
use crate::profile::{self, Profile};
use crate::settings::Settings;
use crate::status::{self, Status, WorkerState};
use crate::tuning::{self, Machine};
use crate::{address, engine, model};

/// Below this the box cannot write what it has to; logs, settings and a small model need about so much.
const DISK_AT_LEAST: u64 = 200_000_000;
/// A model in use needs its weights, and room for conversations and the box itself; in hundredths of its weights.
const MEMORY_PERCENT: u64 = 130;

/// One thing that was looked at.
struct Check {
    what: &'static str,
    found: Found,
}

enum Found {
    Fine(String),
    /// Works, but a steward should know.
    Note(String),
    Problem {
        is: String,
        remedy: String,
    },
}

use Found::{Fine, Note, Problem};

/// Exit code 0 when nothing is wrong.
pub(crate) fn command(paths: &Paths) -> Result<ExitCode> {
    let running = crate::on_one_thread(status::ask(paths)).unwrap_or_default();
    let mut problems = 0;
    // Each is printed as soon as it is known: reading big models takes a while.
    let mut tell = |check: Check| {
        let (mark, words) = match &check.found {
            Fine(words) => ("ok", words.clone()),
            Note(words) => ("note", words.clone()),
            Problem { is, remedy } => {
                problems += 1;
                ("WRONG", format!("{is}\n{:>23}→ {remedy}", ""))
            }
        };
        println!("{mark:>6}  {:<14} {words}", check.what);
    };
    tell(Check { what: "data folder", found: data_folder(paths) });
    tell(Check { what: "disk", found: disk(&paths.data) });
    tell(Check { what: "store", found: store(&paths.data) });
    let profile = profile::load(&paths.profile);
    tell(Check { what: "profile", found: loaded(&profile, |profile| profile.about.clone()) });
    let settings = Settings::load(&paths.settings());
    tell(Check { what: "settings", found: loaded(&settings, |_| paths.settings().display().to_string()) });
    tell(Check { what: "ONNX Runtime", found: runtime_library(paths, profile.as_ref().ok()) });
    let packs = Store::new(paths.models()).list();
    for pack in &packs {
        tell(Check { what: "model", found: verified(pack) });
    }
    let opened: Vec<&Pack> = packs.iter().flatten().collect();
    let choice = model::choose(&opened, &settings.as_ref().cloned().unwrap_or_default().models);
    tell(Check { what: "answers", found: served(&choice.chat) });
    tell(Check { what: "embeddings", found: served(&choice.embedding) });
    for found in tuned(paths, &opened) {
        tell(Check { what: "tuning", found });
    }
    tell(Check { what: "memory", found: memory(&opened, choice.chat.as_deref().ok()) });
    tell(Check { what: "address", found: page(running.as_ref(), profile.as_ref().ok()) });
    for found in workers(paths, running.as_ref()) {
        tell(Check { what: "workers", found });
    }
    for found in engines(paths, settings.as_ref().ok(), running.is_some()) {
        tell(Check { what: "engines", found });
    }
    if problems == 0 {
        println!("\nNothing is wrong.");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "\n{problems} thing{} wrong; the arrows say what to do.",
        if problems == 1 { " is" } else { "s are" }
    );
    Ok(ExitCode::FAILURE)
}

fn problem(is: impl std::fmt::Display, remedy: impl Into<String>) -> Found {
    Problem { is: is.to_string(), remedy: remedy.into() }
}

fn loaded<T, E: std::error::Error>(result: &Result<T, E>, words: impl Fn(&T) -> String) -> Found {
    match result {
        Ok(value) => Fine(words(value)),
        Err(error) => {
            problem(error, "correct the field that is named, or delete the file to get the defaults")
        }
    }
}

fn data_folder(paths: &Paths) -> Found {
    if let Err(error) = paths.prepare() {
        return problem(error, "give another folder with --data, or repair its permissions");
    }
    let probe = paths.data.join(".doctor");
    let written = std::fs::write(&probe, "can be written").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Fine(paths.data.display().to_string()),
        Err(error) => problem(
            format!("{} cannot be written: {error}", paths.data.display()),
            "is the disk full, failing, or read-only?",
        ),
    }
}

fn disk(folder: &Path) -> Found {
    match statvfs(folder) {
        Ok(stat) => {
            let free = stat.blocks_available() * stat.fragment_size();
            let words = format!("{} free", model::megabytes(free));
            if free < DISK_AT_LEAST {
                problem(words, "remove a model (`banyan model remove NAME`) or other files")
            } else {
                Fine(words)
            }
        }
        Err(error) => problem(format!("its free space is unknown: {error}"), "is the folder still there?"),
    }
}

/// The community's store: opens it with the box's key, and lets the database look for damage. Changes nothing; a running
/// box is not disturbed.
fn store(data: &Path) -> Found {
    if !banyan_store::Store::exists(data) {
        return Note("there is none yet; `banyan run` makes it".into());
    }
    let looked = KeySource::of_box(data).load().and_then(|key| {
        let store = banyan_store::Store::open(data, &key, &[])?;
        store.read_blocking(|connection| {
            let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            Ok::<_, StoreError>(found)
        })
    });
    match looked {
        Ok(found) if found == "ok" => Fine("the key opens it, and it is whole".into()),
        Ok(found) => problem(
            format!("it is damaged: {found}"),
            "keep the file, and put the latest backup back with `banyan restore FILE --replace`",
        ),
        Err(error) => problem(error, "do what it says, then `banyan restart node`"),
    }
}

/// Loads the library and computes something with each provider, as the engine will.
fn runtime_library(paths: &Paths, profile: Option<&Profile>) -> Found {
    let remedy = "`cargo xtask setup` fetches it; or name one with --ort-lib";
    let library = match paths.ort_library() {
        Ok(library) => library,
        Err(error) => return problem(error, remedy),
    };
    let environment = match runtime::load(&library) {
        Ok(environment) => environment,
        Err(error) => return problem(error, remedy),
    };
    let asked = profile.map(|profile| profile.engine.providers.clone()).unwrap_or_default();
    let tried = providers::try_all(&environment, &asked);
    let words: Vec<String> = tried.iter().map(|one| format!("{}: {}", one.name, one.detail)).collect();
    let words = format!("{} ({})", library.display(), words.join("; "));
    match tried.iter().filter(|provider| provider.works).count() {
        0 => problem(words, "take another build of the library; this one cannot compute on this machine"),
        working if working < tried.len() => Note(words),
        _ => Fine(words),
    }
}

fn verified(pack: &Result<Pack, banyan_modelpack::PackError>) -> Found {
    let pack = match pack {
        Ok(pack) => pack,
        Err(error) => return problem(error, "remove it (`banyan model remove NAME`) and import it again"),
    };
    let name = &pack.manifest().name;
    match pack.verify(&mut |_, _| {}) {
        Ok(()) => Fine(format!(
            "{name}, {}: every file is as it was imported",
            model::megabytes(model::bytes(pack))
        )),
        Err(error) => problem(error, format!("`banyan model remove {name}` and import it again")),
    }
}

fn served(choice: &Result<&str, String>) -> Found {
    match choice {
        Ok(name) => Fine((*name).to_owned()),
        Err(reason) => {
            problem(reason, "`banyan model list` shows what is there, `banyan model use NAME` chooses")
        }
    }
}

/// What was tuned, and for which models it does not hold here.
fn tuned(paths: &Paths, packs: &[&Pack]) -> Vec<Found> {
    let Ok(library) = paths.ort_library() else { return Vec::new() };
    let machine = Machine::this(&library);
    let of = |pack: &&Pack| {
        let name = &pack.manifest().name;
        match tuning::find(&paths.tuning(), &machine, pack) {
            tuning::Found::Never => None,
            tuning::Found::Fits(tuned) => Some(Fine(format!(
                "{name}: threads {}, {} answers at the same time, prompts by {} tokens",
                tuned.threads, tuned.slots, tuned.chunk
            ))),
            tuning::Found::Stale(why) => Some(Note(format!(
                "what was tuned for {name} is not used: {why}; measure anew with `banyan model tune {name}`"
            ))),
        }
    };
    packs.iter().filter_map(of).collect()
}

fn memory(packs: &[&Pack], chat: Option<&str>) -> Found {
    let Some(available) = available_memory() else { return Note("how much is free is unknown".into()) };
    let weights = packs
        .iter()
        .filter(|pack| Some(pack.manifest().name.as_str()) == chat)
        .map(|pack| model::bytes(pack));
    let needed = weights.sum::<u64>() * MEMORY_PERCENT / 100;
    let words = format!(
        "{} available, the chat model needs about {}",
        model::megabytes(available),
        model::megabytes(needed)
    );
    if available < needed {
        problem(words, "let a smaller model answer (`banyan model use NAME`), or end other programs")
    } else {
        Fine(words)
    }
}

/// Bytes that programs can still get, as the kernel estimates it.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// A running box has its port; a stopped one must be able to get it.
fn page(running: Option<&Status>, profile: Option<&Profile>) -> Found {
    if let Some(status) = running {
        return Fine(status.address.clone());
    }
    let Some(profile) = profile else { return Note("unknown without a profile".into()) };
    match address::listen(profile.portal.listen) {
        Ok(_) => Fine(format!("{} is free", profile.portal.listen)),
        Err(error) => problem(error, "end the other program, or give `banyan run` another --listen"),
    }
}

fn workers(paths: &Paths, running: Option<&Status>) -> Vec<Found> {
    let Some(status) = running else {
        return vec![Note("the box does not run; `banyan run` starts it".into())];
    };
    let mut found: Vec<Found> = status
        .workers
        .iter()
        .map(|worker| {
            let detail =
                worker.detail.as_deref().or(worker.last_exit.as_deref()).unwrap_or("no reason is known");
            match worker.state {
                WorkerState::Ready if worker.restarts == 0 => Fine(format!("{} is ready", worker.name)),
                WorkerState::Ready => {
                    Note(format!("{} is ready; restarts: {}", worker.name, worker.restarts))
                }
                WorkerState::Starting => Note(format!("{} is starting", worker.name)),
                WorkerState::BackingOff | WorkerState::Failed | WorkerState::Stopped => problem(
                    format!("{} does not work: {detail}", worker.name),
                    format!("mend what it says, then `banyan restart {}`", worker.name),
                ),
            }
        })
        .collect();
    let answers = crate::on_one_thread(async { Ok(Client::new(paths.engine_socket()).health().await?) });
    found.push(match answers {
        Ok(health) if health.status == HealthStatus::Failed => {
            problem(health.reason.unwrap_or_default(), "mend what it says, then `banyan restart infer`")
        }
        Ok(_) => Fine("the engine's socket answers".into()),
        Err(error) => problem(format!("{error:#}"), "it comes back by itself; else `banyan restart infer`"),
    });
    found
}

/// The engines on other machines; nothing where the box answers alone.
fn engines(paths: &Paths, settings: Option<&Settings>, runs: bool) -> Vec<Found> {
    let Some(settings) = settings.filter(|settings| !settings.engines.is_empty()) else { return Vec::new() };
    let specs = engine::specs(paths, settings);
    let refused = specs.into_iter().filter_map(Result::err);
    let mut found: Vec<Found> =
        refused.map(|reason| problem(reason, "mend the file, then `banyan restart node`")).collect();
    if !runs {
        return found;
    }
    let views = match crate::on_one_thread(status::engines(paths)) {
        Ok(views) => views.unwrap_or_default(),
        Err(error) => {
            found.push(problem(format!("{error:#}"), "`banyan restart node`"));
            return found;
        }
    };
    // The first is the box's own, which stands among the workers.
    found.extend(views.iter().skip(1).map(|view| {
        let words = format!("{} at {} is {}", view.name, view.address, engine::state(view));
        match view.state {
            EngineState::Ready => Fine(words),
            EngineState::Away => problem(
                words,
                "it is used again by itself once it answers; `banyan engine remove NAME` if it will not",
            ),
            EngineState::Unseen | EngineState::Trial | EngineState::Loading => Note(words),
        }
    }));
    found
}
