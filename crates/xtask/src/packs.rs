//! The two models as packs in a box's data folder, imported by the box's own command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, is_stamped, write_stamp};
use crate::pins::{self, Wheel};
use crate::setup::Ready;
use crate::shell::{run, say};

/// Imports both models into `data/models`, each unless it is there from the same source.
pub(crate) fn import_into(data: &Path, banyan: &Path, ready: &Ready) -> Result<()> {
    import(data, banyan, pins::CHAT_PACK, &ready.chat_model, &pins::CHAT_MODEL)?;
    import(data, banyan, pins::EMBEDDING_PACK, &ready.embedding_model, &pins::EMBEDDING_MODEL)
}

fn import(data: &Path, banyan: &Path, name: &str, source: &Path, pin: &Wheel) -> Result<()> {
    let stamps = data.join("imported");
    let stamp = stamps.join(name);
    let there = data.join("models").join(name).join("manifest.toml").is_file();
    if there && is_stamped(&stamp, pin.sha256) {
        return Ok(());
    }
    say(&format!("Importing {name}: checks the file and builds the graph that ONNX Runtime runs (once)"));
    fs::create_dir_all(&stamps).with_context(|| format!("could not create {}", stamps.display()))?;
    let model = |words: &[&str]| {
        let mut command = Command::new(banyan);
        command.arg("--data").arg(data).arg("model").args(words);
        command
    };
    if there {
        // Made from another source than the pinned one.
        run(&mut model(&["remove", "--yes", name]))?;
    }
    run(model(&["import", "--name", name]).arg(source))?;
    write_stamp(&stamp, pin.sha256)
}

/// A data folder in the cache whose packs were made by exactly this importer; tests read them and never write.
pub(crate) fn for_tests(banyan: &Path, ready: &Ready) -> Result<PathBuf> {
    let importer = cache::sha256_of_sources(&["crates/modelpack/src"])?;
    let name = format!("test-packs-{}", importer.get(..16).unwrap_or(&importer));
    let all = cache::dir()?;
    for entry in fs::read_dir(&all).with_context(|| format!("could not read {}", all.display()))?.flatten() {
        let other = entry.file_name();
        // Packs of an older importer are never asked for again.
        if other.to_string_lossy().starts_with("test-packs-") && *other != *name {
            fs::remove_dir_all(entry.path())?;
        }
    }
    let data = all.join(name);
    fs::create_dir_all(&data)?;
    import_into(&data, banyan, ready)?;
    Ok(data.join("models"))
}
