//! `cargo xtask openapi`: the API's description out of the Rust types, and the web client's types out of that.
//!
//! Both files are committed; a test fails when one of them is older than the types.

use anyhow::{Context, Result};

use crate::shell::{capture, cargo, root, run, say};
use crate::{setup, web};

/// Where the description lies, from the root.
const DESCRIPTION: &str = "crates/portal/openapi.json";

pub(crate) fn command() -> Result<()> {
    say(&format!("Writing {DESCRIPTION}"));
    let mut banyan = cargo();
    let text = capture(banyan.args(["run", "--quiet", "--locked", "--package", "banyan", "--", "openapi"]))?;
    std::fs::write(root().join(DESCRIPTION), text).context(DESCRIPTION)?;
    say("Writing the web client's types");
    let ready = setup::for_run()?;
    let folder = root().join("web");
    web::npm_ci(&ready.node, &folder)?;
    run(ready.node.npm().current_dir(&folder).args(["run", "api"]))
}
