//! How an index grows, batch by batch.

use std::time::{Duration, Instant};

use banyan_store::rusqlite::{self, Connection, Transaction, TransactionBehavior, params};

use super::{Grown, Index};
use crate::search::fold::{Folding, indexed};
use crate::zim::archive::Zim;
use crate::zim::article::{is_text, shown};
use crate::zim::entry::{Entry, What};
use crate::zim::{ZimError, language};

/// A batch ends when it took so long: so much is lost at a power cut, and so long another waits to write.
const BATCH: Duration = Duration::from_secs(1);

/// Up to so many articles every word of each goes in. An encyclopaedia of more is indexed by the beginning of each
/// article, which says what it is about: five times as many of them fit.
const WHOLE: u64 = 200_000;

/// Bytes of an article that go in, in archives up to [`WHOLE`] and beyond.
const TEXT: [usize; 2] = [256 << 10, 4 << 10];

/// Bytes of an index. What does not fit is found by its title.
pub(in crate::zim) const MAX_INDEX: u64 = 4 << 30;

/// Entries of the list of articles that are read at once.
const PIECE: u32 = 16 << 10;

/// Bytes that stay free on the disk of the box.
const LEFT_FREE: u64 = 1 << 30;

/// What an index grows from.
pub(in crate::zim) struct Batch<'a> {
    pub(in crate::zim) zim: &'a Zim,
    /// The archive's languages (BCP 47).
    pub(in crate::zim) languages: &'a [String],
}

/// Why a batch came to nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::zim) enum BatchError {
    /// The archive.
    #[error(transparent)]
    Zim(#[from] ZimError),
    /// The index.
    #[error("the index of the archive cannot be written ({0}); is there space on the disk of the box?")]
    Index(#[from] rusqlite::Error),
}

impl Index {
    /// Takes the next batch in. Says how far the index is then.
    pub(in crate::zim) fn batch(&self, from: &Batch<'_>) -> Result<Grown, BatchError> {
        let mut connection = self.writable()?;
        let until = Instant::now() + BATCH;
        if !self.grown().titles {
            titles(&mut connection, from, until)?;
        } else if !self.grown().done {
            let full = self.is_full(&connection)?;
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = full || words(&tx, from, until)?;
            if done {
                tx.execute("UPDATE about SET words_done = 1", [])?;
            }
            tx.commit()?;
            if done && !full {
                // What is searched from now on is in one piece. Of large ones that would take minutes.
                connection.execute("INSERT INTO titles (titles) VALUES ('optimize')", [])?;
                if self.grown().articles <= WHOLE {
                    connection.execute("INSERT INTO words (words) VALUES ('optimize')", [])?;
                }
            }
        }
        Ok(self.grown())
    }

    fn is_full(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let size: u64 = connection.query_row(sql, [], |row| row.get(0))?;
        let free = nix::sys::statvfs::statvfs(&self.path)
            .map_or(u64::MAX, |disk| disk.blocks_available().saturating_mul(disk.fragment_size()));
        Ok(size >= MAX_INDEX || free < LEFT_FREE)
    }
}

/// Titles of articles and of redirects to them, in the order of the directory.
fn titles(connection: &mut Connection, from: &Batch<'_>, until: Instant) -> Result<(), BatchError> {
    let zim = from.zim;
    let listed = Listed::of(zim)?;
    let foldings = foldings(from.languages);
    // The list of titles was read whole for this; so it serves more than one transaction.
    let until = if matches!(listed, Listed::All) { until } else { until + BATCH * 9 };
    while Instant::now() < until {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (start, done): (u32, bool) =
            tx.query_row("SELECT looked_at, titles_done FROM about", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if done {
            return Ok(());
        }
        let end = start.saturating_add(2000).min(zim.entries());
        let mut articles = 0;
        {
            let mut title = tx.prepare_cached("INSERT INTO titles (rowid, title) VALUES (?1, ?2)")?;
            let sql = "INSERT OR IGNORE INTO articles (cluster, blob, entry) VALUES (?1, ?2, ?3)";
            let mut article = tx.prepare_cached(sql)?;
            for index in start..end {
                let Some(entry) = readable(zim.entry(index))? else { continue };
                match entry.what {
                    What::Content { cluster, blob, .. } if listed.is_article(zim, index, &entry) => {
                        article.execute(params![cluster, blob, index])?;
                        articles += 1;
                    }
                    What::Redirect(to) if zim.is_among_articles(&entry) => {
                        let Some((to, entry)) = readable(zim.resolve(to))? else { continue };
                        if !listed.is_article(zim, to, &entry) {
                            continue;
                        }
                    }
                    _ => continue,
                }
                title.execute(params![index, all(&entry.title, &foldings)])?;
            }
        }
        let sql = "UPDATE about SET looked_at = ?1, articles = articles + ?2, titles_done = ?3";
        tx.execute(sql, params![end, articles, end >= zim.entries()])?;
        tx.commit()?;
    }
    Ok(())
}

/// The words of the next articles. Says whether those were the last.
fn words(tx: &Transaction<'_>, from: &Batch<'_>, until: Instant) -> Result<bool, BatchError> {
    let (mut at, articles): ((i64, i64, i64), u64) =
        tx.query_row("SELECT cluster, blob, entry, articles FROM about", [], |row| {
            Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?))
        })?;
    let most = TEXT[usize::from(articles > WHOLE)];
    let mut next = tx.prepare_cached(
        "SELECT cluster, blob, entry FROM articles WHERE (cluster, blob, entry) > (?1, ?2, ?3) \
         ORDER BY cluster, blob, entry LIMIT 64",
    )?;
    let mut insert = tx.prepare_cached("INSERT INTO words (rowid, title, body) VALUES (?1, ?2, ?3)")?;
    let (mut taken, mut last) = (0, false);
    while !last && Instant::now() < until {
        let rows =
            next.query_map(params![at.0, at.1, at.2], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows: Vec<(i64, i64, i64)> = rows.collect::<Result<_, _>>()?;
        last = rows.is_empty();
        for place in rows {
            let index = u32::try_from(place.2).unwrap_or(u32::MAX);
            if let Some((title, body)) = readable(article(from, index, most))? {
                insert.execute(params![index, title, body])?;
            }
            at = place;
            taken += 1;
            if Instant::now() >= until {
                break;
            }
        }
    }
    let sql = "UPDATE about SET cluster = ?1, blob = ?2, entry = ?3, words = words + ?4";
    tx.execute(sql, params![at.0, at.1, at.2, taken])?;
    Ok(last)
}

/// The folded title and words of an article.
fn article(from: &Batch<'_>, index: u32, most: usize) -> Result<(String, String), ZimError> {
    let entry = from.zim.entry(index)?;
    let words = from.zim.words(&entry)?;
    let folding = folding(from.languages, words.language.as_deref());
    let mut body = String::new();
    for block in &words.blocks {
        if body.len() >= most {
            break;
        }
        body.push_str(&block.text);
        body.push('\n');
    }
    let end = (0..=most.min(body.len())).rev().find(|end| body.is_char_boundary(*end)).unwrap_or(0);
    Ok((indexed(&shown(&entry, &words), folding).line, indexed(&body[..end], folding).line))
}

/// What is damaged or no text is passed over: the rest of the archive is there. A stick that was pulled is not passed
/// over.
fn readable<T>(result: Result<T, ZimError>) -> Result<Option<T>, ZimError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ ZimError::Io(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// How an article is folded: in the archive's language where it has one; else in its own where that is one of the
/// archive's, so that a search knows it.
pub(in crate::zim) fn folding(languages: &[String], own: Option<&str>) -> Folding {
    match languages {
        [only] => Folding::of(Some(only)),
        _ => Folding::of(own.filter(|own| languages.iter().any(|its| language::same(its, own)))),
    }
}

/// All the ways in which articles of an archive may be folded.
pub(in crate::zim) fn foldings(languages: &[String]) -> Vec<Folding> {
    let mut all: Vec<Folding> = languages.iter().map(|language| Folding::of(Some(language))).collect();
    if languages.len() != 1 {
        all.push(Folding::Grams);
    }
    let mut seen = Vec::new();
    all.retain(|one| {
        let new = !seen.contains(one);
        seen.push(*one);
        new
    });
    all
}

/// A title in each of these ways: in what language it is, one line does not say.
fn all(title: &str, foldings: &[Folding]) -> String {
    foldings.iter().map(|folding| indexed(title, *folding).line).collect()
}

/// Which entries are articles.
enum Listed {
    /// Those that the archive lists, a bit for each entry.
    These(Vec<u64>),
    /// All pages among the articles: the archive has no list of its own.
    All,
}

impl Listed {
    fn of(zim: &Zim) -> Result<Self, ZimError> {
        if !zim.lists_articles() {
            return Ok(Self::All);
        }
        let mut bits = vec![0_u64; (zim.entries() as usize).div_ceil(64)];
        for start in (0..zim.titles().min(zim.entries())).step_by(PIECE as usize) {
            for entry in zim.by_title_from(start, PIECE)? {
                if let Some(bits) = bits.get_mut(entry as usize / 64) {
                    *bits |= 1 << (entry % 64);
                }
            }
        }
        Ok(Self::These(bits))
    }

    fn is_article(&self, zim: &Zim, index: u32, entry: &Entry) -> bool {
        let listed = match self {
            Self::These(bits) => {
                bits.get(index as usize / 64).is_some_and(|bits| bits & (1 << (index % 64)) != 0)
            }
            Self::All => true,
        };
        listed && zim.is_among_articles(entry) && zim.mime(entry).is_some_and(is_text)
    }
}
