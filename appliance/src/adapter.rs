//! `banyan adapter …`: the adapters folder from the command line, and the running engine's adapters.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use banyan_modelpack::adapter::{Adapter, AdapterOptions, AdapterStore, import};
use banyan_modelpack::{Pack, Store};
use banyan_openai::{Client, ClientError, ErrorBody};
use bytes::Bytes;
use clap::Subcommand;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use crate::model::{self, megabytes};
use crate::paths::Paths;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a LoRA adapter ready for one of the box's models, from a folder as the PEFT library saves it
    #[command(
        after_help = "Example:\n  banyan adapter import ~/lora/letters --for smollm2-135m-instruct\n  \
                            banyan adapter use letters\n  banyan ask --model letters \"Write to the water board.\""
    )]
    Import {
        /// The folder with adapter_config.json and adapter_model.safetensors
        folder: PathBuf,
        /// The model it was trained on [default: the one that answers]
        #[arg(long = "for", value_name = "MODEL")]
        base: Option<String>,
        /// What it is to be called here [default: what its folder is called]
        #[arg(long)]
        name: Option<String>,
        /// Its licence, when you know it
        #[arg(long)]
        licence: Option<String>,
    },
    /// The adapters of this box; a star marks those that can be asked for
    List,
    /// All about one adapter: its model, rank, where it came from, what it takes in memory
    Show { name: String },
    /// Let members and programs ask for it by its name from now on; a running box takes it at once
    Use { name: String },
    /// Let nobody ask for it any more; answers under way end as they began
    Unload { name: String },
    /// Delete an adapter
    Remove {
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) fn command(paths: &Paths, command: Command) -> Result<()> {
    let store = AdapterStore::new(paths.adapters());
    match command {
        Command::Import { folder, base, name, licence } => {
            import_one(paths, &store, &folder, base.as_deref(), &AdapterOptions { name, licence })
        }
        Command::List => list(paths, &store),
        Command::Show { name } => show(paths, &store, &name),
        Command::Use { name } => use_one(paths, &store, &name),
        Command::Unload { name } => unload(paths, &name),
        Command::Remove { name, yes } => remove(paths, &store, &name, yes),
    }
}

fn import_one(
    paths: &Paths,
    store: &AdapterStore,
    folder: &Path,
    base: Option<&str>,
    options: &AdapterOptions,
) -> Result<()> {
    paths.prepare()?;
    let base = base_model(paths, base)?;
    let models = Store::new(paths.models());
    if let Some(name) = &options.name
        && models.open(name).is_ok()
    {
        bail!("{name} is the name of a model; choose another one with --name");
    }
    let adapter = import(folder, &base, store, options)?;
    let name = &adapter.manifest().name;
    println!("{name} is imported for {}: {}.", base.manifest().name, megabytes(adapter.bytes()));
    println!("  In memory it takes {}.", megabytes(adapter.weights(base.manifest())?.memory_bytes()));
    println!("  Let members and programs ask for it with: banyan adapter use {name}");
    Ok(())
}

/// The named model, else the one that answers.
fn base_model(paths: &Paths, name: Option<&str>) -> Result<Pack> {
    let models = Store::new(paths.models());
    if let Some(name) = name {
        return Ok(models.open(name)?);
    }
    let packs: Vec<Pack> = models.list().into_iter().flatten().collect();
    let all: Vec<&Pack> = packs.iter().collect();
    let settings = Settings::load(&paths.settings())?;
    let chosen = model::choose(&all, &settings.models).chat.map_err(anyhow::Error::msg)?;
    Ok(models.open(chosen)?)
}

fn list(paths: &Paths, store: &AdapterStore) -> Result<()> {
    let all = store.list();
    if all.is_empty() {
        println!("There is no adapter yet. Add one with: banyan adapter import FOLDER --for MODEL");
        return Ok(());
    }
    let used = Settings::load(&paths.settings())?.models.adapters;
    for adapter in &all {
        match adapter {
            Ok(adapter) => {
                let mark = if used.contains(&adapter.manifest().name) { '*' } else { ' ' };
                println!("{mark} {}", line(adapter));
            }
            Err(error) => println!("! {error}"),
        }
    }
    Ok(())
}

fn line(adapter: &Adapter) -> String {
    let manifest = adapter.manifest();
    let licence = manifest.licence.as_deref().unwrap_or("licence unknown");
    let (base, rank) = (&manifest.base.model, manifest.rank);
    format!("{:<32} {:>9}  for {base}, rank {rank}; {licence}", manifest.name, megabytes(adapter.bytes()))
}

/// The description is written for people, so it is shown as it is.
fn show(paths: &Paths, store: &AdapterStore, name: &str) -> Result<()> {
    let adapter = store.open(name)?;
    let manifest = adapter.manifest();
    print!("{}", manifest.to_toml()?);
    let fits = Store::new(paths.models())
        .open(&manifest.base.model)
        .map_err(anyhow::Error::from)
        .and_then(|base| Ok(adapter.weights(base.manifest())?));
    match fits {
        Ok(weights) => println!("\n# In memory it takes {}.", megabytes(weights.memory_bytes())),
        Err(error) => println!("\n# It cannot be used: {error}"),
    }
    Ok(())
}

fn use_one(paths: &Paths, store: &AdapterStore, name: &str) -> Result<()> {
    let adapter = store.open(name)?;
    let models = Store::new(paths.models());
    if models.open(name).is_ok() {
        bail!("{name} is the name of a model too; import the adapter again with another --name");
    }
    adapter.check_base(models.open(&adapter.manifest().base.model)?.manifest())?;
    adapter.verify()?;
    let load = json!({ "lora_name": name, "lora_path": adapter.dir() });
    let running = crate::on_one_thread(tell(paths, "/v1/load_lora_adapter", load))?;
    change(paths, |used| {
        if !used.iter().any(|other| other == name) {
            used.push(name.to_owned());
        }
    })?;
    let base = &adapter.manifest().base.model;
    if running {
        println!("{name} can be asked for by its name from now on; it answers with {base} beneath.");
    } else {
        println!("{name} can be asked for by its name when the box is started.");
    }
    Ok(())
}

fn unload(paths: &Paths, name: &str) -> Result<()> {
    let mut was_used = false;
    change(paths, |used| {
        let before = used.len();
        used.retain(|other| other != name);
        was_used = used.len() < before;
    })?;
    match crate::on_one_thread(tell(paths, "/v1/unload_lora_adapter", json!({ "lora_name": name }))) {
        Ok(_) => {}
        // It may have been left out at the start.
        Err(_) if was_used => {}
        Err(error) => return Err(error),
    }
    println!("{name} cannot be asked for any more; answers under way end as they began.");
    Ok(())
}

fn remove(paths: &Paths, store: &AdapterStore, name: &str, yes: bool) -> Result<()> {
    if Settings::load(&paths.settings())?.models.adapters.iter().any(|used| used == name) {
        bail!("{name} can be asked for at this moment; end that first with `banyan adapter unload {name}`");
    }
    let size =
        store.open(name).map(|adapter| format!(" ({})", megabytes(adapter.bytes()))).unwrap_or_default();
    if !yes && !model::confirmed(&format!("Delete the adapter {name}{size} for good?"))? {
        println!("Nothing was deleted.");
        return Ok(());
    }
    store.remove(name)?;
    println!("{name} is deleted.");
    Ok(())
}

fn change(paths: &Paths, change: impl FnOnce(&mut Vec<String>)) -> Result<()> {
    let mut settings = Settings::load(&paths.settings())?;
    let before = settings.models.adapters.clone();
    change(&mut settings.models.adapters);
    if settings.models.adapters != before {
        settings.save(&paths.settings())?;
    }
    Ok(())
}

/// Tells the running engine; false when none runs. An engine that still loads reads the settings itself.
async fn tell(paths: &Paths, path: &str, body: Value) -> Result<bool> {
    let body = Full::new(Bytes::from(body.to_string()));
    let request = Request::post(path).header(http::header::CONTENT_TYPE, "application/json").body(body)?;
    let response = match Client::new(paths.engine_socket()).forward(request).await {
        Ok(response) => response,
        Err(ClientError::NotRunning { .. }) => return Ok(false),
        Err(error) => return Err(error).context("the engine did not answer"),
    };
    let status = response.status();
    let body = response.into_body().collect().await.context("the engine's answer was cut off")?.to_bytes();
    if !status.is_success() {
        let words = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.error.message);
        bail!("{}", words.unwrap_or_else(|_| format!("the engine refused: {status}")));
    }
    Ok(true)
}
