//! `settings.toml` in the data folder: what this one box was told, as distinct from what its kind of board is like.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use banyan_openai::HttpAddress;
use banyan_portal::OWN_ENGINE;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("the settings {} could not be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the settings {} could not be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the settings {} are wrong: {source}. Without the file the box works with its defaults", path.display())]
    Format { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the settings {} name two engines \"{name}\"; give one of them another name", path.display())]
    NameTwice { path: PathBuf, name: String },
}

/// All settings; an absent file means all defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) models: ModelSettings,
    /// Engines on other machines that help the box's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) engines: Vec<EngineSettings>,
}

/// Which models serve; absent means the first of that kind in name order. All others come when a request names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ModelSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chat: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) embedding: Option<String>,
    /// Re-ranks when a request names no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reranker: Option<String>,
    /// MiB that all models together may take; absent means three quarters of what is free at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_mib: Option<u64>,
    /// Models that are loaded at the start and stay, beside the two defaults.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) keep_loaded: Vec<String>,
    /// Adapters that can be asked for by their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) adapters: Vec<String>,
    /// MiB that the adapters of one model may take; absent means a sixteenth of what is free when the model is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) adapter_mib: Option<u64>,
}

/// An engine on another machine that speaks the OpenAI API: a second box, vLLM, llama.cpp's server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineSettings {
    /// What stewards call it.
    #[serde(deserialize_with = "name")]
    pub(crate) name: String,
    /// `http://HOST:PORT`
    #[serde(deserialize_with = "address", serialize_with = "as_text")]
    pub(crate) url: HttpAddress,
    /// The file with the key that it wants; a relative path lies in the data folder. The key itself does not belong into
    /// the settings, which people show to each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// The most questions that it gets at the same time; absent means as many as it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slots: Option<NonZeroUsize>,
    /// Its name for the model that answers members; absent means the first that it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.trim() != name || name.is_empty() || name.chars().any(char::is_control) {
        return Err(D::Error::custom(
            "an engine's name is a short text on one line, with no space around it",
        ));
    }
    Ok(name)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HttpAddress, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn as_text<S: Serializer>(address: &HttpAddress, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(address)
}

impl Settings {
    pub(crate) fn load(path: &Path) -> Result<Settings, SettingsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let settings: Settings = toml::from_str(&text).map_err(|source| SettingsError::Format {
                    path: path.to_owned(),
                    source: Box::new(source),
                })?;
                match settings.name_twice() {
                    Some(name) => Err(SettingsError::NameTwice { path: path.to_owned(), name }),
                    None => Ok(settings),
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(source) => Err(SettingsError::Read { path: path.to_owned(), source }),
        }
    }

    fn name_twice(&self) -> Option<String> {
        let mut names = self.engines.iter().map(|engine| &engine.name);
        let mut seen = std::collections::BTreeSet::from([OWN_ENGINE]);
        names.find(|name| !seen.insert(name)).cloned()
    }

    /// Writes whole or not at all, and onto the disk: power may go at any instruction.
    pub(crate) fn save(&self, path: &Path) -> Result<(), SettingsError> {
        let failed = |source| SettingsError::Write { path: path.to_owned(), source };
        let text = toml::to_string(self).map_err(|error| failed(std::io::Error::other(error)))?;
        let beside = path.with_extension("toml.new");
        let mut file = std::fs::File::create(&beside).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&beside, path).map_err(failed)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_written_and_an_absent_file_means_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        let mut settings = Settings::default();
        settings.models.chat = Some("qwen3-4b".into());
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), settings);
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, "[models]\nchatt = \"x\"\n").unwrap();
        let message = Settings::load(&path).unwrap_err().to_string();
        assert!(message.contains("chatt") && message.contains("settings.toml"), "{message}");
    }

    #[test]
    fn engines_come_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let text = "[[engines]]\nname = \"hall\"\nurl = \"http://192.168.1.20:8000/v1\"\n\
                    api_key_file = \"keys/hall\"\nslots = 4\nmodel = \"qwen\"\n\n\
                    [[engines]]\nname = \"attic\"\nurl = \"http://10.0.0.2\"\n";
        std::fs::write(&path, text).unwrap();
        let settings = Settings::load(&path).unwrap();
        assert_eq!(settings.engines[0].url.to_string(), "http://192.168.1.20:8000");
        assert_eq!(settings.engines[1].slots, None);
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), settings);
    }

    #[test]
    fn a_mistake_in_an_engine_is_named_with_its_field() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let cases = [
            ("url = \"http://h\"", "name"),
            ("name = \"a\"", "url"),
            ("name = \"a\"\nurl = \"https://h\"", "does not speak"),
            ("name = \"a\"\nurl = \"h:1\"", "url = "),
            ("name = \" a\"\nurl = \"http://h\"", "name = "),
            ("name = \"a\"\nurl = \"http://h\"\nslots = 0", "slots = 0"),
            ("name = \"a\"\nurl = \"http://h\"\nslots = \"four\"", "slots = "),
            ("name = \"a\"\nurl = \"http://h\"\napi_key = \"secret\"", "api_key_file"),
        ];
        for (fields, named) in cases {
            std::fs::write(&path, format!("[[engines]]\n{fields}\n")).unwrap();
            let message = Settings::load(&path).unwrap_err().to_string();
            assert!(message.contains(named), "{fields}: {message}");
        }
    }

    #[test]
    fn two_engines_of_one_name_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let one = "[[engines]]\nname = \"hall\"\nurl = \"http://h\"\n";
        std::fs::write(&path, one.repeat(2)).unwrap();
        let message = Settings::load(&path).unwrap_err().to_string();
        assert!(message.contains("hall") && message.contains("another name"), "{message}");
    }
}
