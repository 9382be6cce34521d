//! The hardware profile: what one kind of board is like, as `hardware/*.toml` says.
//!
//! A profile is written by people who know the board and not this code; so an unknown or misspelt field is an error
//! that names it, and `hardware/profile.schema.json` lets an editor help while typing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The profile of an ordinary computer, which is always there.
const DESK: &str = include_str!("../../hardware/desk.toml");

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("there is no hardware profile \"{name}\"; looked in {}", looked.join(", "))]
    Unknown { name: String, looked: Vec<String> },
    #[error("the hardware profile {} could not be read: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the hardware profile {name} is wrong: {source}")]
    Format { name: String, source: Box<toml::de::Error> },
    #[error("the hardware profile {name} is wrong: {field} {problem}")]
    Value { name: String, field: &'static str, problem: &'static str },
}

/// One kind of board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) name: String,
    /// For people: which board, and for whom.
    pub(crate) about: String,
    pub(crate) portal: PortalProfile,
    pub(crate) engine: EngineProfile,
}

/// How members reach the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortalProfile {
    pub(crate) listen: SocketAddr,
}

/// What models may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineProfile {
    /// In the order of preference; CPU is always tried last.
    pub(crate) providers: Vec<String>,
    /// 0: as `banyan model tune` found, else all that this process may use.
    pub(crate) threads: usize,
    /// Answers made at the same time; 0: as `banyan model tune` found, else as many as memory allows, up to 128.
    pub(crate) slots: usize,
    /// The most tokens of one conversation; 0: what the model was trained for.
    pub(crate) context: usize,
    /// Memory for conversations under way; 0: a quarter of what is free.
    pub(crate) kv_mib: u64,
    /// Questions that may wait.
    pub(crate) queue: usize,
    /// Whether threads wait for each other by spinning.
    pub(crate) spin: bool,
}

/// Loads a profile by its name, or from a file when the word looks like one.
pub(crate) fn load(name_or_file: &str) -> Result<Profile, ProfileError> {
    if name_or_file.contains('/') || name_or_file.ends_with(".toml") {
        return read(Path::new(name_or_file));
    }
    let folders = folders();
    for folder in &folders {
        let path = folder.join(format!("{name_or_file}.toml"));
        if path.is_file() {
            return read(&path);
        }
    }
    if name_or_file == "desk" {
        return parse("desk", DESK);
    }
    let looked = folders.iter().map(|folder| folder.display().to_string()).collect();
    Err(ProfileError::Unknown { name: name_or_file.into(), looked })
}

/// Where an installed box keeps profiles.
fn folders() -> Vec<PathBuf> {
    let beside =
        std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("../share/banyan/hardware")));
    beside.into_iter().chain([PathBuf::from("/usr/share/banyan/hardware")]).collect()
}

fn read(path: &Path) -> Result<Profile, ProfileError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ProfileError::Io { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text)
}

fn parse(name: &str, text: &str) -> Result<Profile, ProfileError> {
    let profile: Profile = toml::from_str(text)
        .map_err(|source| ProfileError::Format { name: name.into(), source: Box::new(source) })?;
    let wrong = |field, problem| Err(ProfileError::Value { name: name.into(), field, problem });
    if profile.engine.slots > 1024 {
        return wrong("engine.slots", "is above 1024, which no machine has the memory for");
    }
    if profile.engine.providers.iter().any(|provider| provider.trim().is_empty()) {
        return wrong("engine.providers", "has an empty name");
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desk_profile_is_valid_and_reaches_phones() {
        let desk = parse("desk", DESK).unwrap();
        assert_eq!(desk.name, "desk");
        assert!(desk.portal.listen.ip().is_unspecified(), "a box is there for others' phones");
    }

    #[test]
    fn a_mistake_in_a_profile_is_named_with_its_field() {
        for (from, to, expected) in [
            ("threads =", "thread =", "unknown field `thread`"),
            ("slots = 0", "slots = \"many\"", "slots"),
            ("slots = 0", "slots = 2000", "engine.slots is above 1024"),
            ("0.0.0.0:8080", "everywhere", "listen"),
            ("[\"cpu\"]", "[\"\"]", "engine.providers"),
        ] {
            assert!(DESK.contains(from), "the desk profile has no {from}");
            let message = parse("mine.toml", &DESK.replace(from, to)).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("mine.toml"), "{message}");
        }
    }

    #[test]
    fn an_unknown_profile_says_where_it_was_looked_for() {
        let message = load("no-such-board").unwrap_err().to_string();
        assert!(
            message.contains("no-such-board") && message.contains("/usr/share/banyan/hardware"),
            "{message}"
        );
    }

    /// The schema is for editors; it must neither lack a field nor promise one.
    #[test]
    fn the_schema_knows_exactly_the_fields_of_the_type() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../hardware/profile.schema.json")).unwrap();
        let profile = serde_json::to_value(parse("desk", DESK).unwrap()).unwrap();
        compare("", &profile, &schema);
    }

    fn compare(at: &str, value: &serde_json::Value, schema: &serde_json::Value) {
        let Some(fields) = value.as_object() else { return };
        let described = schema["properties"].as_object().unwrap();
        let names = |map: &serde_json::Map<String, serde_json::Value>| {
            let mut names: Vec<String> = map.keys().filter(|name| *name != "$schema").cloned().collect();
            names.sort();
            names
        };
        assert_eq!(names(fields), names(described), "at \"{at}\"");
        assert_eq!(schema["additionalProperties"], false, "at \"{at}\"");
        let mut required: Vec<String> = serde_json::from_value(schema["required"].clone()).unwrap();
        required.sort();
        assert_eq!(required, names(fields), "at \"{at}\"");
        for (name, field) in fields {
            assert!(described[name]["description"].is_string(), "{at}.{name} has no description");
            compare(&format!("{at}.{name}"), field, &described[name]);
        }
    }
}
