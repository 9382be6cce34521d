//! `banyan model …`: the models folder from the command line.

mod bench;
mod capacity;
mod choice;
mod import;
mod load;
mod profile;
mod score;
mod tune;

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Result, bail};
use banyan_modelpack::{Kind, Pack, Store};
use banyan_openai::{Client, Health};
use clap::Subcommand;

pub(crate) use self::choice::{Choice, choose};
pub(crate) use self::import::bar;
use crate::paths::Paths;
use crate::settings::Settings;
use crate::status;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a model ready for this box from a GGUF file or a Hugging Face folder
    #[command(after_help = "Examples:\n  banyan model import ~/Downloads/Qwen3-4B-Q4_K_M.gguf\n  \
                            banyan model import ~/models/smollm2 --name small --bits eight")]
    Import(import::Args),
    /// The models of this box; a star marks those that serve
    List,
    /// All about one model: sizes, licence, where it came from, how true it is to its source
    Show { name: String },
    /// Read every file of a model (or of all) and compare it with what was written at import
    Verify { name: Option<String> },
    /// Delete a model
    Remove {
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Let this model serve from now on; a running box takes it at once
    Use { name: String },
    /// Load a model into the running engine
    #[command(after_help = LOAD_HELP)]
    Load { name: String },
    /// Let a model's memory go; it comes back when a request names it
    Unload { name: String },
    /// Measure what a model's steps cost here, and choose threads, rows and chunks for it
    Tune(tune::Args),
    /// Measure a model's speed on this machine
    Bench(bench::Args),
    /// Where the time of a decode step goes
    #[command(hide = true)]
    Profile(profile::Args),
    /// How many members machines of some classes would serve
    #[command(hide = true)]
    Capacity(capacity::Args),
    /// How well a model foresees a text (its perplexity; lower is better)
    Score(score::Args),
}

const LOAD_HELP: &str = "\
Every model of the box can be asked for by its name; it is loaded for the first request that names it, which waits.
When the memory for models is full, the one that was idle longest goes. The settings say how much they may take, and which
ones stay beside the two defaults:

  [models]
  memory_mib = 6000
  keep_loaded = [\"qwen3-0.6b\"]";

pub(crate) fn command(paths: &Paths, command: Command) -> Result<()> {
    let store = Store::new(paths.models());
    match command {
        Command::Import(args) => import::command(paths, &store, args),
        Command::List => list(paths, &store),
        Command::Show { name } => show(&store, &name),
        Command::Verify { name } => verify(&store, name.as_deref()),
        Command::Remove { name, yes } => remove(paths, &store, &name, yes),
        Command::Use { name } => use_model(paths, &store, &name),
        Command::Load { name } => load::load(paths, &name),
        Command::Unload { name } => load::unload(paths, &name),
        Command::Tune(args) => tune::command(paths, &store, &args),
        Command::Bench(args) => bench::command(paths, &store, &args),
        Command::Capacity(args) => capacity::command(paths, &store, &args),
        Command::Profile(args) => profile::command(paths, &store, &args),
        Command::Score(args) => score::command(paths, &store, &args),
    }
}

fn list(paths: &Paths, store: &Store) -> Result<()> {
    let all = store.list();
    if all.is_empty() {
        println!("There is no model yet. Add one with: banyan model import FILE");
        return Ok(());
    }
    let packs: Vec<&Pack> = all.iter().flatten().collect();
    let choice = choose(&packs, &Settings::load(&paths.settings())?.models);
    let serving: Vec<&str> = choice.names().collect();
    for pack in &all {
        match pack {
            Ok(pack) => {
                let mark = if serving.contains(&pack.manifest().name.as_str()) { '*' } else { ' ' };
                println!("{mark} {}", line(pack));
            }
            Err(error) => println!("! {error}"),
        }
    }
    Ok(())
}

fn line(pack: &Pack) -> String {
    let manifest = pack.manifest();
    let does = match manifest.kind {
        Kind::Decoder => format!("answers, {} tokens of context", manifest.context_length),
        Kind::Encoder => format!("embeddings, {} numbers", manifest.architecture.hidden),
        Kind::Reranker => "re-ranks documents".to_owned(),
    };
    let licence = manifest.licence.as_deref().unwrap_or("licence unknown");
    format!("{:<32} {:>9}  {does}; {licence}", manifest.name, megabytes(bytes(pack)))
}

pub(crate) fn bytes(pack: &Pack) -> u64 {
    pack.manifest().files.iter().map(|file| file.bytes).sum()
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The manifest is written for people, so it is shown as it is.
fn show(store: &Store, name: &str) -> Result<()> {
    print!("{}", store.open(name)?.manifest().to_toml()?);
    Ok(())
}

fn verify(store: &Store, name: Option<&str>) -> Result<()> {
    let packs = match name {
        Some(name) => vec![store.open(name)],
        None => store.list(),
    };
    let mut broken = 0;
    for pack in packs {
        let outcome = pack.and_then(|pack| {
            let bar = import::bar();
            bar.set_message(format!("reading {}", pack.manifest().name));
            pack.verify(&mut |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            })?;
            bar.finish_and_clear();
            Ok(pack)
        });
        match outcome {
            Ok(pack) => println!("{}: every file is as it was imported", pack.manifest().name),
            Err(error) => {
                broken += 1;
                println!("{error}");
            }
        }
    }
    if broken > 0 {
        bail!("{broken} of the models cannot be trusted");
    }
    Ok(())
}

fn remove(paths: &Paths, store: &Store, name: &str, yes: bool) -> Result<()> {
    let size = store.open(name).map(|pack| format!(" ({})", megabytes(bytes(&pack)))).unwrap_or_default();
    if served_now(paths).iter().any(|serving| serving == name) {
        bail!(
            "{name} is loaded at this moment. Unload it (`banyan model unload {name}`), let another one serve if it is \
             a default (`banyan model use OTHER`), or stop the box (`banyan stop`)"
        );
    }
    if !yes && !confirmed(&format!("Delete the model {name}{size} for good?"))? {
        println!("Nothing was deleted.");
        return Ok(());
    }
    store.remove(name)?;
    println!("{name} is deleted.");
    Ok(())
}

/// Only a clear yes counts; without a person to ask, `--yes` has to be given.
pub(crate) fn confirmed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is here to confirm; give --yes to delete without asking");
    }
    print!("{question} Type yes: ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

fn use_model(paths: &Paths, store: &Store, name: &str) -> Result<()> {
    let pack = store.open(name)?;
    let mut settings = Settings::load(&paths.settings())?;
    let does = match pack.manifest().kind {
        Kind::Decoder => {
            settings.models.chat = Some(name.to_owned());
            "answers"
        }
        Kind::Encoder => {
            settings.models.embedding = Some(name.to_owned());
            "makes embeddings"
        }
        Kind::Reranker => {
            settings.models.reranker = Some(name.to_owned());
            "re-ranks"
        }
    };
    settings.save(&paths.settings())?;
    if crate::on_one_thread(status::restart(paths, "infer"))? {
        println!("{name} {does} from now on; the engine loads it.");
    } else {
        println!("{name} {does} when the box is started.");
    }
    Ok(())
}

/// What the running engine has loaded; nothing when none runs.
fn served_now(paths: &Paths) -> Vec<String> {
    let client = Client::new(paths.engine_socket());
    let health = crate::on_one_thread(async { Ok(client.health().await?) });
    let loaded = |health: Health| {
        let models =
            health.models.into_iter().filter(|model| model.state != "unloaded" && model.state != "failed");
        models.map(|model| model.name).collect()
    };
    health.map(loaded).unwrap_or_default()
}
