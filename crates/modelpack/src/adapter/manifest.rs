//! `adapter.toml`: what an adapter is, in words and numbers that a steward can read.

use super::{MAX_RANK, Projection};
use crate::manifest::{FileEntry, Provenance, is_valid_name};
use serde::{Deserialize, Serialize};

/// The format that this version writes and reads.
pub(super) const FORMAT: u32 = 1;
/// The file's name in an adapter pack.
pub const FILE_NAME: &str = "adapter.toml";
/// The tensors.
pub const TENSORS_FILE: &str = "adapter.safetensors";
/// Bytes of a description; a real one has about 1 KiB.
pub(super) const MAX_BYTES: u64 = 1 << 18;

const HEADER: &str = "\
# A Banyan adapter: a small change to one model. This file says what it is, which model it belongs to, where it came
# from, and what its file must hash to. Changing it by hand makes it unreliable: import the adapter again instead.

";

/// An adapter's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterManifest {
    /// Version of this format.
    pub format: u32,
    /// The adapter's name, which is also its folder's.
    pub name: String,
    /// The largest rank of a projection.
    pub rank: usize,
    /// What the source calls `lora_alpha`; the tensors are multiplied with their scale already.
    pub alpha: f64,
    /// The projections that it changes in some layer.
    pub modules: Vec<Projection>,
    /// The licence as the source names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The model it belongs to.
    pub base: Base,
    /// Where it came from.
    pub provenance: Provenance,
    /// Its file.
    pub files: Vec<FileEntry>,
}

/// The model that an adapter belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The pack's name, for people.
    pub model: String,
    /// BLAKE3 of the pack's weights, which decides.
    pub weights_blake3: String,
    /// What the source says it was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
}

impl AdapterManifest {
    /// Parses and checks; what is refused is named.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|e| format!("it cannot be read: {e}"))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The file's text.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEADER}{}", toml::to_string(self)?))
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "it has format {}, and this version of Banyan reads format {FORMAT}; update Banyan or import the adapter \
                 again",
                self.format
            ));
        }
        if !is_valid_name(&self.name) {
            return Err(format!("its name `{}` is not acceptable", self.name.escape_debug()));
        }
        if !(1..=MAX_RANK).contains(&self.rank) || !self.alpha.is_finite() {
            return Err(format!("its rank is {} and its alpha {}", self.rank, self.alpha));
        }
        if self.modules.is_empty() || self.modules.len() > Projection::ALL.len() {
            return Err("its `modules` are none, or some occur twice".into());
        }
        let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match self.files.as_slice() {
            [entry]
                if entry.path == TENSORS_FILE
                    && is_hash(&entry.blake3)
                    && is_hash(&self.base.weights_blake3) =>
            {
                Ok(())
            }
            _ => Err(format!("it must list `{TENSORS_FILE}` alone, with hashes of 64 hexadecimal digits")),
        }
    }
}
