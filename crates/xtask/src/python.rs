//! Python for tests and comparisons: virtual environments made of exactly the hashes that a requirements.txt names.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::shell::run;

/// The interpreter of the environment for this folder, which holds a `requirements.txt`; made anew when that changes.
pub(crate) fn venv(folder: &Path) -> Result<PathBuf> {
    let name = folder.file_name().with_context(|| format!("{} has no name", folder.display()))?;
    let requirements = folder.join("requirements.txt");
    let hash = cache::sha256_of_file(&requirements)?;
    let venv = cache::dir()?.join(format!("{}-venv", name.display()));
    let stamp = venv.join("banyan-requirements");
    if !cache::is_stamped(&stamp, &hash) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--require-hashes"]);
        run(pip.args(["--only-binary=:all:", "--requirement"]).arg(&requirements))?;
        cache::write_stamp(&stamp, &hash)?;
    }
    Ok(venv.join("bin/python"))
}
