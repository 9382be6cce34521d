//! The setup code: who reads it on the box itself may found the community. It is made at the first start, lies in
//! `keys/setup-code` for its owner alone, and is gone once there is a community.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::random;
use crate::error::{AssemblyError, Refusal};

/// Where the setup code of a box lies.
#[derive(Debug, Clone)]
pub struct SetupCode {
    path: PathBuf,
}

impl SetupCode {
    /// Of the box with this data folder. Nothing is read yet.
    #[must_use]
    pub fn of_box(data: &Path) -> Self {
        Self { path: data.join("keys").join("setup-code") }
    }

    /// The code; made now if there is none.
    pub fn load_or_create(&self) -> Result<String, AssemblyError> {
        if let Some(code) = self.load()? {
            return Ok(code);
        }
        let code = random::code()?;
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(self.io("made"))?;
        }
        let mut open = fs::OpenOptions::new();
        match open.write(true).create_new(true).mode(0o600).open(&self.path) {
            Ok(mut file) => {
                file.write_all(format!("{code}\n").as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(self.io("written"))?;
                Ok(code)
            }
            // Another process was faster; its code holds.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(self.load()?.unwrap_or(code)),
            Err(error) => Err(self.io("made")(error)),
        }
    }

    /// The code, if there is one.
    pub fn load(&self) -> Result<Option<String>, AssemblyError> {
        match fs::read_to_string(&self.path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io("read")(error)),
        }
    }

    /// Refuses another code than this one, however it was typed.
    pub fn check(&self, typed: &str) -> Result<(), AssemblyError> {
        let Some(code) = self.load()? else {
            let message = "the box has no setup code; restart it, and it makes one".into();
            return Err(Refusal::WrongState { code: "no_setup_code", message }.into());
        };
        // Hashes are compared, so how long it takes tells nothing about the code.
        if random::code_hash(typed) == random::code_hash(&code) {
            return Ok(());
        }
        let message =
            "this is not the setup code; it is shown where the box was started, and by `banyan status`"
                .into();
        Err(Refusal::Invalid { field: "setup_code", code: "wrong_setup_code", message }.into())
    }

    /// Forgets it: the community is there.
    pub fn remove(&self) -> Result<(), AssemblyError> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.io("removed")(error)),
        }
    }

    fn io(&self, action: &'static str) -> impl Fn(io::Error) -> AssemblyError + '_ {
        move |source| AssemblyError::File { path: self.path.clone(), action, source }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_code_stays_the_same_until_it_is_removed_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let setup = SetupCode::of_box(dir.path());
        assert!(setup.check("").is_err(), "before there is one, nothing fits");
        let code = setup.load_or_create().unwrap();
        assert_eq!(setup.load_or_create().unwrap(), code);
        assert_eq!(fs::metadata(&setup.path).unwrap().permissions().mode() & 0o777, 0o600);
        setup.check(&code.to_lowercase().replace('-', " ")).unwrap();
        for wrong in ["", "00000-00000", &code[..10]] {
            let refused = setup.check(wrong).unwrap_err();
            assert!(
                matches!(refused, AssemblyError::Refused(Refusal::Invalid { field: "setup_code", .. })),
                "{refused}"
            );
        }
        setup.remove().unwrap();
        setup.remove().unwrap();
        assert_eq!(setup.load().unwrap(), None);
    }
}
