//! One supervisor a data folder.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error(
        "a box is running already on {} (process {pid}). Look at it with `banyan status`, stop it with `banyan stop`, \
         or give this one another folder with --data",
        folder.display()
    )]
    Taken { folder: PathBuf, pid: String },
    #[error("the lock file {} could not be used: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// Held as long as the supervisor lives; the kernel lets go of it however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock of a run folder, or says who has it.
pub(crate) fn take(run_dir: &Path, data: &Path) -> Result<Lock, LockError> {
    let path = run_dir.join("lock");
    let failed = |source| LockError::Io { path: path.clone(), source };
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Only for the message.
            let _ = file.read_to_string(&mut pid);
            return Err(LockError::Taken { folder: data.to_owned(), pid: pid.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_supervisor_is_told_who_has_the_folder_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path(), dir.path()).unwrap();
        let message = take(dir.path(), dir.path()).unwrap_err().to_string();
        assert!(
            message.contains(&std::process::id().to_string()) && message.contains("banyan stop"),
            "{message}"
        );
        drop(first);
        take(dir.path(), dir.path()).unwrap();
    }
}
