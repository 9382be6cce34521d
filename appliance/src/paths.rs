//! Where the box keeps things: one data folder, one run folder with the sockets, and the runtime library.

use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use banyan_openai::client::MAX_SOCKET_PATH;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error(
        "neither --data, BANYAN_DATA, XDG_DATA_HOME nor HOME says where to keep things; give --data FOLDER"
    )]
    NoHome,
    #[error(
        "the socket {} has {length} bytes, and Linux allows {MAX_SOCKET_PATH}; give a shorter --data, or a short \
         --run-dir such as /tmp/banyan",
        path.display()
    )]
    SocketTooLong { path: PathBuf, length: usize },
    #[error("the folder {} could not be made: {source}; is it yours, and is the disk writable?", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(
        "ONNX Runtime, the library that runs the models, was not found; give the path of libonnxruntime.so with \
         --ort-lib or BANYAN_ORT_LIB, or put it into {}",
        best.display()
    )]
    NoRuntime { best: PathBuf },
}

/// The places of one box.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) data: PathBuf,
    pub(crate) run_dir: PathBuf,
    /// As given; a profile's name or file.
    pub(crate) profile: String,
    ort_lib: Option<PathBuf>,
}

impl Paths {
    /// Works the places out; touches nothing.
    pub(crate) fn new(
        data: Option<PathBuf>,
        run_dir: Option<PathBuf>,
        profile: String,
        ort_lib: Option<PathBuf>,
    ) -> Result<Paths, PathError> {
        let data = absolute(match data {
            Some(data) => data,
            None => default_data()?,
        });
        let run_dir = run_dir.map_or_else(|| data.join("run"), absolute);
        Ok(Paths { data, run_dir, profile, ort_lib: ort_lib.map(absolute) })
    }

    /// Makes the folders. The run folder is the owner's alone: whoever reaches its sockets commands the box.
    pub(crate) fn prepare(&self) -> Result<(), PathError> {
        let longest = self.supervisor_socket();
        let length = longest.as_os_str().len();
        if length > MAX_SOCKET_PATH {
            return Err(PathError::SocketTooLong { path: longest, length });
        }
        for (path, mode) in [
            (self.data.clone(), 0o755),
            (self.models(), 0o755),
            (self.tuning(), 0o755),
            (self.run_dir.clone(), 0o700),
        ] {
            let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
            made.map_err(|source| PathError::Folder { path: path.clone(), source })?;
            if path == self.run_dir {
                std::fs::set_permissions(&path, Permissions::from_mode(mode))
                    .map_err(|source| PathError::Folder { path, source })?;
            }
        }
        Ok(())
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.data.join("models")
    }

    /// What was measured about models on this machine.
    pub(crate) fn tuning(&self) -> PathBuf {
        self.data.join("tuning")
    }

    pub(crate) fn adapters(&self) -> PathBuf {
        self.data.join("adapters")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.data.join("settings.toml")
    }

    pub(crate) fn supervisor_socket(&self) -> PathBuf {
        self.run_dir.join("supervisor.sock")
    }

    pub(crate) fn engine_socket(&self) -> PathBuf {
        self.run_dir.join("infer.sock")
    }

    pub(crate) fn node_socket(&self) -> PathBuf {
        self.run_dir.join("node.sock")
    }

    /// ONNX Runtime's library: the one that was named, else the first that is found.
    pub(crate) fn ort_library(&self) -> Result<PathBuf, PathError> {
        if let Some(path) = &self.ort_lib {
            return Ok(path.clone());
        }
        let beside_binary = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("../lib")));
        let own = self.data.join("lib");
        let folders = beside_binary.into_iter().chain([PathBuf::from("/usr/lib/banyan"), own.clone()]);
        folders
            .filter_map(|folder| newest_library(&folder))
            .next()
            .ok_or_else(|| PathError::NoRuntime { best: own.join("libonnxruntime.so") })
    }

    /// The same places as words for a child of this binary.
    pub(crate) fn as_arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut pair = |name: &str, value: OsString| words.extend([name.into(), value]);
        pair("--data", self.data.clone().into());
        pair("--run-dir", self.run_dir.clone().into());
        pair("--profile", self.profile.clone().into());
        if let Some(path) = &self.ort_lib {
            pair("--ort-lib", path.clone().into());
        }
        words
    }
}

fn default_data() -> Result<PathBuf, PathError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    Ok(base.ok_or(PathError::NoHome)?.join("banyan"))
}

/// A worker may run in another folder than the one the path was typed in.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// `libonnxruntime.so`, or the highest of `libonnxruntime.so.*` in name order.
fn newest_library(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let is_library = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so.")
    };
    entries.map(|entry| entry.path()).filter(|path| is_library(path) && path.exists()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(data: &Path) -> Paths {
        Paths::new(Some(data.to_owned()), None, "desk".into(), None).unwrap()
    }

    #[test]
    fn a_data_folder_too_deep_for_sockets_is_refused_with_a_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("x".repeat(120));
        let message = paths(&deep).prepare().unwrap_err().to_string();
        assert!(message.contains("107") && message.contains("--run-dir"), "{message}");
        let short = Paths::new(Some(deep), Some(dir.path().join("run")), "desk".into(), None).unwrap();
        short.prepare().unwrap();
    }

    #[test]
    fn only_the_owner_reaches_the_sockets() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        std::fs::create_dir(&paths.run_dir).unwrap();
        paths.prepare().unwrap();
        let mode = std::fs::metadata(&paths.run_dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn the_runtime_library_is_found_in_the_data_folder_and_missing_it_says_where_it_may_lie() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        let message = paths.ort_library().unwrap_err().to_string();
        assert!(message.contains("--ort-lib") && message.contains("lib/libonnxruntime.so"), "{message}");
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        for name in
            ["libonnxruntime.so.1.24.0", "libonnxruntime.so.1.32.0", "libonnxruntime_providers_shared.so"]
        {
            std::fs::write(dir.path().join("lib").join(name), "").unwrap();
        }
        assert!(paths.ort_library().unwrap().ends_with("lib/libonnxruntime.so.1.32.0"));
    }
}
