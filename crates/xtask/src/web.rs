//! The web app: `npm ci` when the lock file changed, `npm run build` when a source changed.

use std::path::Path;

use anyhow::Result;

use crate::cache::{is_stamped, sha256_of_file, sha256_of_sources, write_stamp};
use crate::setup::Node;
use crate::shell::{root, run, say};

/// Builds `web/dist`, which the portal takes into the binary.
pub(crate) fn build(node: &Node) -> Result<()> {
    let web = root().join("web");
    npm_ci(node, &web)?;
    let sources = sha256_of_sources(&["web"])?;
    // Beside the packages and not in dist: what is in dist becomes part of the binary.
    let stamp = web.join("node_modules/.banyan-build");
    if web.join("dist").is_dir() && is_stamped(&stamp, &sources) {
        return Ok(());
    }
    say("Building the web page");
    run(node.npm().current_dir(&web).args(["run", "build"]))?;
    write_stamp(&stamp, &sources)
}

/// Installs a folder's npm packages exactly as its lock file says (npm checks their hashes).
pub(crate) fn npm_ci(node: &Node, folder: &Path) -> Result<()> {
    let wanted = format!("{} node {}", sha256_of_file(&folder.join("package-lock.json"))?, node.version()?);
    let stamp = folder.join("node_modules/.banyan-lock");
    if is_stamped(&stamp, &wanted) {
        return Ok(());
    }
    let name = folder.strip_prefix(root()).unwrap_or(folder).display();
    say(&format!("Installing the npm packages of {name}, as its lock file says"));
    run(node.npm().current_dir(folder).args(["ci", "--no-audit", "--no-fund"]))?;
    write_stamp(&stamp, &wanted)
}
