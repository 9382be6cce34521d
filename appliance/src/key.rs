//! `banyan key …`: keys for programs that use the box through the OpenAI API.

use anyhow::Result;
use banyan_portal::ApiKeys;
use clap::Subcommand;

use crate::paths::Paths;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key and print it: the only time that it can be seen
    #[command(after_help = "Example:\n  export OPENAI_BASE_URL=http://BOX:8080/v1\n  \
                            export OPENAI_API_KEY=$(banyan key add our-website)")]
    Add {
        /// What or whom it is for
        name: String,
    },
    /// Whom keys were given to, and when
    List,
    /// Take a key away; a running box refuses it at once
    Revoke { name: String },
}

pub(crate) fn command(paths: &Paths, command: &Command) -> Result<()> {
    paths.prepare()?;
    let keys = ApiKeys::new(&paths.data);
    match command {
        Command::Add { name } => {
            // Alone on standard output, so that a script can take it.
            println!("{}", keys.add(name)?);
            eprintln!(
                "Keep it safe: only its fingerprint is stored here. Send it as `Authorization: Bearer …`."
            );
        }
        Command::List => {
            let all = keys.list()?;
            if all.is_empty() {
                println!("There is no key yet. Make one with: banyan key add NAME");
            }
            for key in all {
                println!("{:<32} since {}", key.name, key.created);
            }
        }
        Command::Revoke { name } => {
            keys.revoke(name)?;
            println!("The key of {name} opens nothing any more.");
        }
    }
    Ok(())
}
