//! The index of one archive: its words and titles in a SQLite file of its own, beside the database.
//!
//! It is not in the encrypted database on purpose. An archive is public text that anybody can download, and lies in the
//! clear on its stick; its index can be built anew at any time; and it can have gigabytes, which every backup would
//! carry. What readers look for is not in it. The text itself is not in it either, only which article has which words.
//!
//! It grows in two phases, each resumable after any power cut, since a batch and the place where it ended are one
//! transaction: first all titles, then the words of articles in the order in which their clusters stand in the file, so
//! that each cluster is unpacked once.

mod build;
mod find;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use banyan_store::rusqlite::{self, Connection, OpenFlags, OptionalExtension as _};

pub(super) use self::build::{Batch, folding, foldings};
pub(super) use self::find::{Found, Weighed};

/// Raised when what is in the file comes to mean something else: then it is built anew.
const FORMAT: i64 = 1;

/// How long one who writes waits for another: a command beside the box. A batch takes about a second.
const BUSY: Duration = Duration::from_secs(20);

/// Connections that are kept for the next search.
const SPARE: usize = 4;

const SCHEMA: &str = "
    CREATE TABLE about (
        format INTEGER NOT NULL,
        fingerprint BLOB NOT NULL,
        -- Entries of the directory that were looked at, and how many articles there were among them.
        looked_at INTEGER NOT NULL DEFAULT 0,
        titles_done INTEGER NOT NULL DEFAULT 0,
        articles INTEGER NOT NULL DEFAULT 0,
        -- The last article whose words are in, and how many are.
        cluster INTEGER NOT NULL DEFAULT -1,
        blob INTEGER NOT NULL DEFAULT -1,
        entry INTEGER NOT NULL DEFAULT -1,
        words INTEGER NOT NULL DEFAULT 0,
        words_done INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE articles (
        cluster INTEGER NOT NULL, blob INTEGER NOT NULL, entry INTEGER NOT NULL,
        PRIMARY KEY (cluster, blob, entry)
    ) STRICT, WITHOUT ROWID;
    -- Rows are numbers of directory entries; of redirects too.
    CREATE VIRTUAL TABLE titles USING fts5 (title, content = '', tokenize = 'ascii tokenchars ''_''');
    CREATE VIRTUAL TABLE words USING fts5 (title, body, content = '', tokenize = 'ascii tokenchars ''_''');
    CREATE VIRTUAL TABLE title_counts USING fts5vocab (titles, 'row');
    CREATE VIRTUAL TABLE word_counts USING fts5vocab (words, 'row');
";

/// The index file of one archive.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    fingerprint: [u8; 32],
    spare: Mutex<Vec<Connection>>,
}

/// How far an index is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Grown {
    /// All titles are in.
    pub(super) titles: bool,
    /// Articles that are known so far; all, when all titles are in.
    pub(super) articles: u64,
    /// Articles whose words are in.
    pub(super) words: u64,
    /// Whether no more words come, be it that all are in or that the bound is reached.
    pub(super) done: bool,
}

impl Index {
    /// The index in this file. Makes nothing yet.
    pub(super) fn at(path: PathBuf, fingerprint: [u8; 32]) -> Self {
        Self { path, fingerprint, spare: Mutex::default() }
    }

    /// How far it is; not begun where there is none.
    pub(super) fn grown(&self) -> Grown {
        self.read(|connection| {
            let sql = "SELECT titles_done, articles, words, words_done FROM about";
            connection.query_row(sql, [], |row| {
                Ok(Grown {
                    titles: row.get(0)?,
                    articles: row.get(1)?,
                    words: row.get(2)?,
                    done: row.get(3)?,
                })
            })
        })
        .unwrap_or_default()
        .unwrap_or_default()
    }

    /// Reads it as it is at one moment; none where it was not begun. Fails where it is damaged: then the next
    /// [`Index::batch`] begins it anew.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match spare {
            Some(connection) => connection,
            None if !self.path.exists() => return Ok(None),
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.path, flags)?;
                connection.busy_timeout(BUSY)?;
                connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4000")?;
                if !self.is_ours(&connection)? {
                    return Ok(None);
                }
                connection
            }
        };
        let moment = connection.unchecked_transaction()?;
        let result = read(&moment)?;
        drop(moment);
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(connection);
        }
        Ok(Some(result))
    }

    /// Forgets open connections: the file was replaced or removed.
    pub(super) fn let_go(&self) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The file to write into, made where there is none. One that is not of this archive, of an older format, or damaged
    /// is begun anew: it holds nothing that the archive does not.
    fn writable(&self) -> rusqlite::Result<Connection> {
        match self.try_writable() {
            Ok(Some(connection)) => Ok(connection),
            Err(error) if !is_damage(&error) => Err(error),
            _ => {
                self.let_go();
                remove(&self.path);
                self.try_writable()?.ok_or(rusqlite::Error::QueryReturnedNoRows)
            }
        }
    }

    fn try_writable(&self) -> rusqlite::Result<Option<Connection>> {
        let mut connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        // NORMAL: a power cut loses the last batches, never the file.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000;
             PRAGMA journal_size_limit = 16777216;",
        )?;
        let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let begun = tx.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'about'")?.exists([])?;
        if !begun {
            tx.execute_batch(SCHEMA)?;
            let sql = "INSERT INTO about (format, fingerprint) VALUES (?1, ?2)";
            tx.execute(sql, rusqlite::params![FORMAT, self.fingerprint])?;
        }
        tx.commit()?;
        Ok(if self.is_ours(&connection)? { Some(connection) } else { None })
    }

    fn is_ours(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let sql = "SELECT format = ?1 AND fingerprint = ?2 FROM about";
        let found = connection.query_row(sql, rusqlite::params![FORMAT, self.fingerprint], |row| row.get(0));
        Ok(found.optional()?.unwrap_or(false))
    }
}

/// Removes an index and what SQLite keeps beside it.
pub(super) fn remove(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        if let Err(error) = std::fs::remove_file(&file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %Path::new(&file).display(), %error, "the index of an archive was not removed");
        }
    }
}

/// Whether a file is damaged, and not only busy or on a full disk.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}
