//! An open archive: what stands under a path, what a redirect leads to, what it says of itself.

mod titles;

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use md5::{Digest as _, Md5};

use self::titles::Titles;
use super::ZimError;
use super::cluster::Clusters;
use super::entry::{Entry, READS, What};
use super::header::Header;
use super::source::Source;

/// A redirect that leads to a redirect is followed so often; one that leads round in a circle ends here.
const REDIRECTS: usize = 8;

/// Bytes of one thing that an archive says of itself.
const METADATA: usize = 64 << 10;

/// Bytes of a page: the longest of Wikipedia have 2 MB. Beside [`MAX_CLUSTER`] for the cluster it comes from.
pub(super) const MAX_PAGE: usize = 8 << 20;

/// Where articles stand in archives since 2021, and before.
const ARTICLES: [char; 2] = ['C', 'A'];

/// A ZIM archive that is read where it lies. Every read looks first whether what is asked for lies within the file, so
/// whatever the archive says of itself, the worst is a [`ZimError`]. It holds unpacked clusters of 16 MiB at most, or one
/// of 32 MiB; two that are being unpacked take at most 64 MiB each.
#[derive(Debug)]
pub struct Zim {
    source: Source,
    header: Header,
    clusters: Clusters,
    titles: Titles,
    /// Whether that is a list of articles alone.
    lists_articles: bool,
}

impl Zim {
    /// Opens an archive.
    ///
    /// # Errors
    ///
    /// When it is none, is damaged in its first part, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, ZimError> {
        let source = Source::open(path)?;
        let header = Header::read(&source)?;
        let clusters = Clusters::default();
        let mut zim = Self { source, header, clusters, titles: Titles::None, lists_articles: false };
        (zim.titles, zim.lists_articles) = zim.find_titles()?;
        Ok(zim)
    }

    /// The number that its maker gave it.
    #[must_use]
    pub fn uuid(&self) -> [u8; 16] {
        self.header.uuid
    }

    /// What tells this edition from any other, without reading it whole: its number, its size, and the checksum at its
    /// end.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("banyan zim archive v1");
        hasher.update(&self.header.uuid).update(&self.source.size().to_le_bytes());
        if let Some(Ok(sum)) = self.header.checksum.map(|at| self.source.bytes(at, 16)) {
            hasher.update(&sum);
        }
        *hasher.finalize().as_bytes()
    }

    /// Bytes of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.source.size()
    }

    /// Reads the whole file and says whether it is as its maker left it; none where it carries no checksum. `stop` ends
    /// it early, with none.
    pub fn verify(&self, stop: &dyn Fn() -> bool) -> Result<Option<bool>, ZimError> {
        let Some(at) = self.header.checksum else { return Ok(None) };
        let (mut sum, mut piece) = (Md5::new(), vec![0; 1 << 20]);
        let mut rest = self.source.reader(0, at);
        loop {
            match rest.read(&mut piece)? {
                0 => break,
                read => sum.update(&piece[..read]),
            }
            if stop() {
                return Ok(None);
            }
        }
        Ok(Some(sum.finalize()[..] == self.source.bytes(at, 16)?))
    }

    /// Something that the archive says of itself, such as `Title` or `Language`.
    pub fn metadata(&self, name: &str) -> Result<Option<String>, ZimError> {
        let Some((index, _)) = self.find('M', name)? else { return Ok(None) };
        let (_, entry) = self.resolve(index)?;
        let text = String::from_utf8_lossy(&self.content(&entry, METADATA)?).trim().to_owned();
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The path of the page to begin with.
    pub fn main_page(&self) -> Result<Option<String>, ZimError> {
        let Some(index) = self.header.main_page else { return Ok(None) };
        let (_, entry) = self.resolve(index)?;
        Ok(matches!(entry.what, What::Content { .. }).then(|| self.path_of(&entry)))
    }

    /// How many entries there are, pictures and styles among them.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.header.entries
    }

    /// How an article's path is written for readers: in older archives with its namespace.
    pub(super) fn path_of(&self, entry: &Entry) -> String {
        if self.header.one_namespace {
            entry.path.clone()
        } else {
            format!("{}/{}", char::from(entry.namespace), entry.path)
        }
    }

    /// The entry that a reader's path names.
    pub(super) fn at_path(&self, path: &str) -> Result<(u32, Entry), ZimError> {
        let missing = || ZimError::NoArticle(path.chars().take(200).collect());
        let found = if self.header.one_namespace {
            self.find('C', path)?
        } else {
            self.find('A', path.strip_prefix("A/").ok_or_else(missing)?)?
        };
        self.resolve(found.ok_or_else(missing)?.0)
    }

    /// Whether an entry stands where articles stand.
    pub(super) fn is_among_articles(&self, entry: &Entry) -> bool {
        char::from(entry.namespace) == ARTICLES[usize::from(!self.header.one_namespace)]
    }

    /// What an entry's content is, as the archive calls it.
    pub(super) fn mime(&self, entry: &Entry) -> Option<&str> {
        let What::Content { mime, .. } = entry.what else { return None };
        self.header.mimes.get(usize::from(mime)).map(String::as_str)
    }

    /// An entry by its number.
    pub(super) fn entry(&self, index: u32) -> Result<Entry, ZimError> {
        if index >= self.header.entries {
            return Err(ZimError::damaged(format!("it names entry {index} and has {}", self.header.entries)));
        }
        let at = self.source.u64(self.header.path_list + u64::from(index) * 8)?;
        for length in READS {
            if let Some(entry) = Entry::read(&self.source.at_most(at, length)?)? {
                return Ok(entry);
            }
        }
        Err(ZimError::damaged(format!("entry {index} of its directory has no end")))
    }

    /// What an entry is another name of, in the end.
    pub(super) fn resolve(&self, mut index: u32) -> Result<(u32, Entry), ZimError> {
        for _ in 0..=REDIRECTS {
            let entry = self.entry(index)?;
            match entry.what {
                What::Redirect(to) => index = to,
                _ => return Ok((index, entry)),
            }
        }
        Err(ZimError::damaged("a redirect leads round in a circle"))
    }

    /// The content of an entry, at most so many bytes.
    pub(super) fn content(&self, entry: &Entry, most: usize) -> Result<Vec<u8>, ZimError> {
        let What::Content { cluster, blob, .. } = entry.what else {
            return Err(ZimError::NoArticle(entry.path.clone()));
        };
        self.clusters.blob(&self.source, (cluster, self.cluster_at(cluster)?), blob, most)
    }

    fn cluster_at(&self, cluster: u32) -> Result<u64, ZimError> {
        if cluster >= self.header.clusters {
            return Err(ZimError::damaged(format!(
                "it names cluster {cluster} and has {}",
                self.header.clusters
            )));
        }
        self.source.u64(self.header.cluster_list + u64::from(cluster) * 8)
    }

    /// The entry under this path. Entries stand in the order of their namespace and path.
    fn find(&self, namespace: char, path: &str) -> Result<Option<(u32, Entry)>, ZimError> {
        let wanted = (namespace as u32 as u8, path.as_bytes());
        let at = partition(0..self.header.entries, |index| {
            let entry = self.entry(index)?;
            Ok((entry.namespace, entry.path.as_bytes()) < wanted)
        })?;
        if at >= self.header.entries {
            return Ok(None);
        }
        let entry = self.entry(at)?;
        Ok(((entry.namespace, entry.path.as_bytes()) == wanted).then_some((at, entry)))
    }
}

/// The first number in the range for which it is not so. Ends after 32 questions, whatever the answers are.
fn partition(range: Range<u32>, is_before: impl Fn(u32) -> Result<bool, ZimError>) -> Result<u32, ZimError> {
    let Range { start: mut low, end: mut high } = range;
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
