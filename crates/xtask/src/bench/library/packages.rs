//! Documentation packages of Debian, fetched by apt and unpacked into the cache; nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::shell::{capture, note, say};

/// What a folder is called, and the packages that may fill it: the one of Debian 12, then that of Debian 13.
const WANTED: [(&str, &[&str]); 6] = [
    ("perl-doc", &["perl-doc"]),
    ("python-doc", &["python3.11-doc", "python3.13-doc"]),
    ("debian-faq", &["debian-faq"]),
    ("debian-reference-en", &["debian-reference-en"]),
    ("debian-policy", &["debian-policy"]),
    ("developers-reference", &["developers-reference"]),
];

/// Holds the name and version of the package.
const STAMP: &str = "banyan-package";

/// A folder with all of them.
pub(super) fn ensure() -> Result<PathBuf> {
    let root = cache::dir()?.join("debian-docs");
    for (name, packages) in WANTED {
        let place = root.join(name);
        if !place.join(STAMP).is_file() {
            fetch(packages, &place)?;
        }
    }
    Ok(root)
}

/// What the texts are, for whoever reads the figures.
pub(super) fn versions(root: &Path) -> String {
    let stamp = |name: &str| fs::read_to_string(root.join(name).join(STAMP)).unwrap_or_default();
    WANTED.map(|(name, _)| stamp(name).trim().to_owned()).join(", ")
}

fn fetch(packages: &[&str], place: &Path) -> Result<()> {
    say(&format!("Fetching {}: texts and questions to search with", packages.join(" or ")));
    let scratch = tempfile::Builder::new().prefix(".fetch-").tempdir_in(cache::dir()?)?;
    let Some(package) = packages.iter().find(|package| {
        let mut apt = Command::new("apt-get");
        // Without root, apt's own sandbox cannot be had; it says so and goes on.
        apt.current_dir(scratch.path()).args(["-q", "download", package]);
        capture(&mut apt).inspect_err(|error| note(&format!("{error:#}"))).is_ok()
    }) else {
        bail!("apt offers none of {}; this needs Debian, and `apt-get update` first", packages.join(", "));
    };
    let file = fs::read_dir(scratch.path())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "deb"))
        .with_context(|| format!("apt downloaded no file for {package}"))?;
    let unpacked = scratch.path().join("unpacked");
    capture(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&unpacked))?;
    let version = capture(Command::new("dpkg-deb").arg("-f").arg(&file).arg("Version"))?;
    fs::write(unpacked.join(STAMP), format!("{package} {version}"))?;
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place.parent().context("the place lies in the cache")?)?;
    fs::rename(&unpacked, place).with_context(|| format!("could not create {}", place.display()))
}
