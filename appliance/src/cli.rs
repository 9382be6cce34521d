//! The command line: words in, one typed command out.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::paths::{PathError, Paths};
use crate::{adapter, ask, backup, engine, extract, key, ledger, library, model, recover, shares};

/// An assistant that a community owns: runs on this box, with no internet.
#[derive(Debug, Parser)]
#[command(name = "banyan", version, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) places: Places,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  banyan run                                start the box and print the address for phones
  banyan ask \"How do I purify water?\"       ask the running box
  banyan model import ~/qwen3-4b.gguf       add a model, then: banyan model use qwen3-4b
  banyan key add our-website                a key for a program that uses the OpenAI API
  banyan doctor                             what is wrong, and what to do";

/// Where things are; for every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Places {
    /// The folder with models, keys and settings [default: ~/.local/share/banyan]
    #[arg(long, global = true, env = "BANYAN_DATA", value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The folder with the box's sockets [default: run in the data folder]
    #[arg(long, global = true, env = "BANYAN_RUN_DIR", value_name = "FOLDER")]
    run_dir: Option<PathBuf>,
    /// The kind of board: a profile's name or file
    #[arg(long, global = true, env = "BANYAN_PROFILE", default_value = "desk")]
    profile: String,
    /// ONNX Runtime's library [default: looked for beside this program, in /usr/lib/banyan and in the data folder]
    #[arg(long, global = true, env = "BANYAN_ORT_LIB", value_name = "FILE")]
    ort_lib: Option<PathBuf>,
}

impl Places {
    pub(crate) fn resolve(self) -> Result<Paths, PathError> {
        Paths::new(self.data, self.run_dir, self.profile, self.ort_lib)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the box: the page for members, the engine, and the supervisor that keeps both alive
    Run {
        /// Address and port of the page [default: the profile's, 0.0.0.0:8080 on a desk]
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Stop the box that runs on this data folder
    Stop,
    /// Say how the box and its workers are
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Look for what is wrong, and say what to do; exits with 1 when something is
    Doctor,
    /// Ask the running box; the answer comes word by word
    #[command(
        after_help = "Examples:\n  banyan ask \"What is a banyan?\"\n  banyan ask --system \"Answer in Swahili.\" \
                            \"Where does rain come from?\"\n  cat letter.txt | banyan ask -"
    )]
    Ask(ask::Args),
    /// The models of the box
    #[command(subcommand)]
    Model(model::Command),
    /// Small changes to a model (LoRA), which can be asked for by name
    #[command(subcommand)]
    Adapter(adapter::Command),
    /// Keys for programs that use the box through the OpenAI API
    #[command(subcommand)]
    Key(key::Command),
    /// Engines on other machines that help to answer
    #[command(subcommand)]
    Engine(engine::Command),
    /// The community's documents: take in, list, withdraw, take along
    #[command(subcommand)]
    Library(library::Command),
    /// The community's record of what was decided: look at it, take it along, verify it
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Rebuild the key of the box's data from the stewards' shares on paper
    #[command(
        after_help = "Examples:\n  banyan recover\n  banyan recover --share amina.txt --share joao.txt"
    )]
    Recover(recover::Args),
    /// Make new shares of the key, for stewards to keep on paper
    #[command(after_help = "Example, any two of three rebuild the key:\n  banyan shares 2 3")]
    Shares(shares::Args),
    /// Write the whole community into one encrypted file; the box may be running
    Backup(backup::BackupArgs),
    /// Put the community of a backup on this box
    Restore(backup::RestoreArgs),
    /// Start one worker afresh: `node` (the page) or `infer` (the engine)
    Restart {
        /// Its name, as in `banyan status`
        worker: String,
    },
    /// The worker that serves members (started by `run`)
    #[command(hide = true)]
    Node {
        /// Address and port, or `stdin` when that is an open listening socket
        #[arg(long)]
        listen: Listen,
        #[arg(long, value_name = "PID")]
        supervised_by: Option<u32>,
    },
    /// The worker that runs models (started by `run`)
    #[command(hide = true)]
    Infer {
        #[arg(long, value_name = "PID")]
        supervised_by: Option<u32>,
    },
    /// Take the words out of one file, without rights (started by the library); with a FILE: show them
    #[command(hide = true)]
    Extract(extract::Args),
    /// Print the description of the HTTP API
    #[command(hide = true)]
    Openapi,
}

/// Where the node gets its listening socket from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Opened by the supervisor and passed on as standard input.
    Stdin,
    Address(SocketAddr),
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        if text == "stdin" {
            return Ok(Listen::Stdin);
        }
        text.parse()
            .map(Listen::Address)
            .map_err(|_| "give an address with a port, such as 0.0.0.0:8080".into())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_that_people_see_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        }
    }

    #[test]
    fn a_child_gets_the_same_places_as_its_supervisor() {
        let words =
            ["banyan", "--data", "/a b/data", "--profile", "x.toml", "--ort-lib", "/lib/o.so", "stop"];
        let paths = Cli::parse_from(words).places.resolve().unwrap();
        let mut again: Vec<std::ffi::OsString> = vec!["banyan".into()];
        again.extend(paths.as_arguments());
        again.push("stop".into());
        let same = Cli::parse_from(again).places.resolve().unwrap();
        assert_eq!(format!("{paths:?}"), format!("{same:?}"));
    }
}
