//! `banyan engine …`: engines on other machines that help to answer; and what the settings say of them, as the portal
//! wants it.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use banyan_openai::{BearerKey, Client, EngineAddress, HttpAddress, Introduction, Maker};
use banyan_portal::{EngineSpec, EngineState, EngineView, OWN_ENGINE};
use clap::Subcommand;

use crate::paths::Paths;
use crate::settings::{EngineSettings, Settings};
use crate::status;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let another machine's engine help to answer: a second box, vLLM, llama.cpp's server
    #[command(
        after_help = "Examples:\n  banyan engine add hall http://192.168.1.20:8080 --key-file ~/hall.key\n  \
                            banyan engine add workshop http://192.168.1.30:8000 --slots 16 --model qwen3-4b\n\n\
                            Members' questions go to it as they are. Name only machines of your own community."
    )]
    Add(Add),
    /// The engines, how they are, and why one gets no questions
    List,
    /// Let an engine help no more
    Remove { name: String },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// What to call it
    name: String,
    /// http://HOST:PORT
    #[arg(value_name = "URL")]
    url: HttpAddress,
    /// The file with the key that it wants; a second box's is made there by `banyan key add`
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The most questions at the same time [default: what it says itself, else 4]
    #[arg(long, value_name = "NUMBER")]
    slots: Option<NonZeroUsize>,
    /// Its name for the model that is to answer [default: the first that it lists]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

pub(crate) fn command(paths: &Paths, command: Command) -> Result<()> {
    paths.prepare()?;
    match command {
        Command::Add(add) => crate::on_one_thread(self::add(paths, add)),
        Command::List => crate::on_one_thread(list(paths)),
        Command::Remove { name } => crate::on_one_thread(remove(paths, &name)),
    }
}

/// What the settings say of other engines. One whose key cannot be read is left out, with the reason: the others and
/// the box's own go on.
pub(crate) fn specs(paths: &Paths, settings: &Settings) -> Vec<Result<EngineSpec, String>> {
    settings.engines.iter().map(|engine| spec(&paths.data, engine)).collect()
}

fn spec(data: &Path, engine: &EngineSettings) -> Result<EngineSpec, String> {
    let api_key = engine.api_key_file.as_ref().map(|file| read_key(&data.join(file))).transpose();
    Ok(EngineSpec {
        name: engine.name.clone(),
        address: EngineAddress::Http(engine.url.clone()),
        api_key: api_key
            .map_err(|reason| format!("the engine {} is left out: api_key_file: {reason}", engine.name))?,
        slots: engine.slots.map(NonZeroUsize::get),
        model: engine.model.clone(),
    })
}

fn read_key(file: &Path) -> Result<BearerKey, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    BearerKey::new(&text).ok_or_else(|| {
        format!("{} does not hold a key; it must hold nothing but the key, on one line", file.display())
    })
}

async fn add(paths: &Paths, add: Add) -> Result<()> {
    let mut settings = Settings::load(&paths.settings())?;
    if add.name == OWN_ENGINE || settings.engines.iter().any(|engine| engine.name == add.name) {
        bail!("there is an engine \"{}\" already; choose another name, or remove that one first", add.name);
    }
    let engine = EngineSettings {
        name: add.name,
        url: add.url,
        // The box runs in another folder than the one the path was typed in.
        api_key_file: add.key_file.map(std::path::absolute).transpose()?,
        slots: add.slots,
        model: add.model,
    };
    let spec = spec(&paths.data, &engine).map_err(anyhow::Error::msg)?;
    let name = engine.name.clone();
    settings.engines.push(engine);
    settings.save(&paths.settings())?;
    match Client::at(spec.address, spec.api_key).introduction().await {
        Ok(introduction) => println!("{name} answers: {}.", words(&introduction, spec.slots)),
        Err(error) => println!("{name} is noted, but does not answer now: {error}"),
    }
    take_up(paths).await
}

fn words(Introduction { health, maker }: &Introduction, slots: Option<usize>) -> String {
    let mut text = match maker {
        Maker::Banyan => "a Banyan box",
        Maker::LlamaCpp => "llama.cpp's server",
        Maker::Vllm => "vLLM",
        Maker::Other => "an engine that speaks the OpenAI API",
    }
    .to_owned();
    if let Some(model) = &health.model {
        // Writing into a String cannot fail.
        let _ = write!(text, " with the model {model}");
    }
    match (slots, health.slots) {
        (Some(slots), _) => drop(write!(text, ", at most {slots} questions at a time")),
        (None, 0) => {
            text.push_str("; it does not say how many questions it can answer at a time: give --slots");
        }
        (None, slots) => drop(write!(text, ", {slots} questions at a time")),
    }
    text
}

async fn list(paths: &Paths) -> Result<()> {
    let settings = Settings::load(&paths.settings())?;
    if settings.engines.is_empty() {
        println!("This box answers alone. Let another machine help with: banyan engine add NAME URL");
        return Ok(());
    }
    let views = status::engines(paths).await?.unwrap_or_default();
    for engine in &settings.engines {
        let view = views.iter().find(|view| view.name == engine.name);
        println!(
            "{:<16} {:<32} {}",
            engine.name,
            engine.url.to_string(),
            view.map_or("not asked now".into(), state)
        );
    }
    for refused in specs(paths, &settings).into_iter().filter_map(Result::err) {
        println!("{refused}");
    }
    Ok(())
}

/// How an engine is, in one line.
pub(crate) fn state(view: &EngineView) -> String {
    let words = match view.state {
        EngineState::Unseen => "not looked at yet",
        EngineState::Ready => "ready",
        EngineState::Trial => "back, on trial with one question",
        EngineState::Loading => "loading its model",
        EngineState::Away => "away",
    };
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{words}, {} of {} places taken{reason}", view.in_flight, view.slots)
}

async fn remove(paths: &Paths, name: &str) -> Result<()> {
    let mut settings = Settings::load(&paths.settings())?;
    let before = settings.engines.len();
    settings.engines.retain(|engine| engine.name != name);
    if settings.engines.len() == before {
        bail!("there is no engine \"{name}\"; `banyan engine list` shows their names");
    }
    settings.save(&paths.settings())?;
    println!("{name} gets no more questions.");
    take_up(paths).await
}

/// The node reads its settings when it starts.
async fn take_up(paths: &Paths) -> Result<()> {
    let running = status::restart(paths, "node").await.context("the running box could not be told")?;
    if running {
        println!("The page is started afresh for it; answers under way are broken off.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hall(key: Option<&str>) -> EngineSettings {
        EngineSettings {
            name: "hall".into(),
            url: "http://10.0.0.2:8080".parse().unwrap(),
            api_key_file: key.map(Into::into),
            slots: NonZeroUsize::new(3),
            model: Some("qwen".into()),
        }
    }

    #[test]
    fn a_key_is_read_from_its_file_in_the_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("hall.key"), "bk_secret\n").unwrap();
        let spec = spec(dir.path(), &hall(Some("hall.key"))).unwrap();
        assert_eq!((spec.api_key, spec.slots), (BearerKey::new("bk_secret"), Some(3)));
        assert_eq!(spec.address.to_string(), "http://10.0.0.2:8080");
        assert_eq!(self::spec(dir.path(), &hall(None)).unwrap().api_key, None);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_named_with_its_engine_field_and_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("two.key"), "a b").unwrap();
        for (file, said) in [("none.key", "cannot be read"), ("two.key", "nothing but the key")] {
            let reason = spec(dir.path(), &hall(Some(file))).unwrap_err();
            for part in ["hall", "api_key_file", file, said] {
                assert!(reason.contains(part), "{part} in {reason}");
            }
        }
    }

    #[test]
    fn an_engines_state_is_one_line_with_the_reason() {
        let view = EngineView {
            name: "hall".into(),
            address: "http://10.0.0.2:8080".into(),
            state: EngineState::Away,
            slots: 4,
            in_flight: 1,
            reason: Some("it is on fire".into()),
        };
        assert_eq!(state(&view), "away, 1 of 4 places taken: it is on fire");
    }
}
