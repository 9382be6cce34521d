//! Makes small archives for tests, of every kind that the format knows, and broken ones.

use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// How clusters are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Zstandard,
}

/// What an archive is made of.
#[derive(Debug, Clone)]
pub(crate) struct Maker {
    /// As since 2021.
    pub(crate) one_namespace: bool,
    pub(crate) packing: Packing,
    /// Offsets of eight bytes.
    pub(crate) wide: bool,
    /// Blobs in a cluster.
    pub(crate) per_cluster: usize,
    pub(crate) main_page: Option<&'static str>,
    pub(crate) uuid: [u8; 16],
    pub(crate) entries: Vec<Made>,
}

#[derive(Debug, Clone)]
pub(crate) struct Made {
    key: (char, String),
    title: String,
    what: MadeOf,
}

#[derive(Debug, Clone)]
enum MadeOf {
    Page(&'static str, Vec<u8>),
    Redirect(String),
}

const MIMES: [&str; 4] = ["text/html", "text/plain", "image/png", "application/octet-stream+zimlisting"];

impl Default for Maker {
    fn default() -> Self {
        Self {
            one_namespace: true,
            packing: Packing::Zstandard,
            wide: false,
            per_cluster: 3,
            main_page: None,
            uuid: *b"0123456789abcdef",
            entries: Vec::new(),
        }
    }
}

impl Maker {
    /// Where articles stand.
    fn articles(&self) -> char {
        if self.one_namespace { 'C' } else { 'A' }
    }

    pub(crate) fn about(mut self, name: &str, value: &str) -> Self {
        let what = MadeOf::Page("text/plain", value.as_bytes().to_vec());
        self.entries.push(Made { key: ('M', name.into()), title: String::new(), what });
        self
    }

    /// An article of these paragraphs.
    pub(crate) fn article(self, path: &str, title: &str, paragraphs: &[&str]) -> Self {
        let body: String = paragraphs.iter().map(|text| format!("<p>{text}</p>")).collect();
        self.page(
            path,
            title,
            "text/html",
            format!("<html><body><h1>{title}</h1>{body}</body></html>").as_bytes(),
        )
    }

    pub(crate) fn page(mut self, path: &str, title: &str, mime: &'static str, content: &[u8]) -> Self {
        let what = MadeOf::Page(mime, content.to_vec());
        self.entries.push(Made { key: (self.articles(), path.into()), title: title.into(), what });
        self
    }

    pub(crate) fn redirect(mut self, path: &str, title: &str, to: &str) -> Self {
        let what = MadeOf::Redirect(to.into());
        self.entries.push(Made { key: (self.articles(), path.into()), title: title.into(), what });
        self
    }

    /// Writes it into this folder.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, self.bytes()).unwrap();
        path
    }

    /// The archive's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut entries = self.entries.clone();
        if self.one_namespace {
            let key = ('X', "listing/titleOrdered/v1".to_owned());
            entries.push(Made { key, title: String::new(), what: MadeOf::Page(MIMES[3], Vec::new()) });
        }
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        let title = |made: &Made| if made.title.is_empty() { made.key.1.clone() } else { made.title.clone() };
        let mut by_title: Vec<u32> = (0..entries.len() as u32).collect();
        by_title.sort_by_key(|index| {
            let made = &entries[*index as usize];
            (made.key.0, title(made))
        });
        let is_article = |index: &u32| {
            let made = &entries[*index as usize];
            made.key.0 == self.articles() && matches!(made.what, MadeOf::Page("text/html", _))
        };
        let listing: Vec<u8> =
            by_title.iter().filter(|index| is_article(index)).flat_map(|at| at.to_le_bytes()).collect();
        let mut blobs: Vec<Vec<u8>> = Vec::new();
        let mut directory: Vec<Vec<u8>> = Vec::new();
        for made in &entries {
            let mut bytes = Vec::new();
            match &made.what {
                MadeOf::Page(mime, content) => {
                    let mime = MIMES.iter().position(|known| known == mime).unwrap() as u16;
                    bytes.extend(mime.to_le_bytes());
                    bytes.extend([0, made.key.0 as u8, 0, 0, 0, 0]);
                    bytes.extend(((blobs.len() / self.per_cluster) as u32).to_le_bytes());
                    bytes.extend(((blobs.len() % self.per_cluster) as u32).to_le_bytes());
                    blobs.push(if made.key.0 == 'X' { listing.clone() } else { content.clone() });
                }
                MadeOf::Redirect(to) => {
                    let to = entries.iter().position(|other| other.key == (made.key.0, to.clone()));
                    bytes.extend([0xFF, 0xFF, 0, made.key.0 as u8, 0, 0, 0, 0]);
                    bytes.extend((to.map_or(u32::MAX, |to| to as u32)).to_le_bytes());
                }
            }
            bytes.extend(made.key.1.bytes().chain([0]).chain(made.title.bytes()).chain([0]));
            directory.push(bytes);
        }
        let clusters: Vec<Vec<u8>> =
            blobs.chunks(self.per_cluster).map(|blobs| self.cluster(blobs)).collect();
        let main = entries.iter().position(|made| Some(made.key.1.as_str()) == self.main_page);
        assemble(self, &directory, &by_title, &clusters, main.map_or(u32::MAX, |main| main as u32))
    }

    fn cluster(&self, blobs: &[Vec<u8>]) -> Vec<u8> {
        let width = if self.wide { 8 } else { 4 };
        let mut at = (blobs.len() + 1) * width;
        let mut bytes = Vec::new();
        let mut offset = |at: usize| bytes.extend(&(at as u64).to_le_bytes()[..width]);
        offset(at);
        for blob in blobs {
            at += blob.len();
            offset(at);
        }
        bytes.extend(blobs.concat());
        let wide = if self.wide { 0x10 } else { 0 };
        match self.packing {
            Packing::Plain => [vec![1 | wide], bytes].concat(),
            Packing::Zstandard => {
                [vec![5 | wide], compress_to_vec(bytes.as_slice(), CompressionLevel::Fastest)].concat()
            }
        }
    }
}

fn assemble(
    maker: &Maker,
    directory: &[Vec<u8>],
    by_title: &[u32],
    clusters: &[Vec<u8>],
    main: u32,
) -> Vec<u8> {
    let mimes: Vec<u8> = MIMES.iter().flat_map(|mime| mime.bytes().chain([0])).chain([0]).collect();
    let paths = 80 + mimes.len();
    let titles = paths + directory.len() * 8;
    let cluster_list = titles + by_title.len() * 4;
    let mut at = cluster_list + clusters.len() * 8;
    let mut place = |part: &Vec<u8>| {
        let start = at as u64;
        at += part.len();
        start.to_le_bytes()
    };
    let entries: Vec<u8> = directory.iter().flat_map(&mut place).collect();
    let packed: Vec<u8> = clusters.iter().flat_map(&mut place).collect();
    let mut bytes = Vec::new();
    bytes.extend(0x044D_495A_u32.to_le_bytes());
    bytes.extend(6_u16.to_le_bytes());
    bytes.extend(u16::from(maker.one_namespace).to_le_bytes());
    bytes.extend(maker.uuid);
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend((clusters.len() as u32).to_le_bytes());
    for list in [paths, titles, cluster_list, 80] {
        bytes.extend((list as u64).to_le_bytes());
    }
    bytes.extend(main.to_le_bytes());
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend((at as u64).to_le_bytes());
    bytes.extend(mimes);
    bytes.extend(entries);
    bytes.extend(by_title.iter().flat_map(|index| index.to_le_bytes()));
    bytes.extend(packed);
    bytes.extend(directory.concat());
    bytes.extend(clusters.concat());
    let sum = Md5::digest(&bytes);
    bytes.extend(sum);
    bytes
}
