//! The list of entries by title: what can be found before anything is indexed.

use super::{ARTICLES, Zim, partition};
use crate::zim::ZimError;
use crate::zim::article::is_text;
use crate::zim::cluster::{Clusters, MAX_CLUSTER};
use crate::zim::entry::What;

/// Where the list of entries in the order of their titles is.
#[derive(Debug)]
pub(super) enum Titles {
    /// In the file, so many numbers from here on.
    At(u64, u32),
    /// In a packed cluster, so unpacked here.
    Here(Vec<u8>),
    /// Nowhere.
    None,
}

impl Zim {
    /// Newer archives list their articles by title in an entry of their own, older ones all entries in the header's.
    pub(super) fn find_titles(&self) -> Result<(Titles, bool), ZimError> {
        if let Some((_, entry)) = self.find('X', "listing/titleOrdered/v1")?
            && let What::Content { cluster, blob, .. } = entry.what
        {
            let at = self.cluster_at(cluster)?;
            let titles = match Clusters::place(&self.source, at, blob)? {
                Some((at, length)) => Titles::At(at, u32::try_from(length / 4).unwrap_or(u32::MAX)),
                None => Titles::Here(self.content(&entry, MAX_CLUSTER)?),
            };
            return Ok((titles, true));
        }
        let titles = self.header.title_list.map_or(Titles::None, |at| Titles::At(at, self.header.entries));
        Ok((titles, false))
    }

    /// Whether the list by title is one of articles alone, without pictures and what else a page is made of.
    pub(in crate::zim) fn lists_articles(&self) -> bool {
        self.lists_articles
    }

    /// How many entries the list by title has.
    pub(in crate::zim) fn titles(&self) -> u32 {
        match &self.titles {
            Titles::At(_, count) => *count,
            Titles::Here(bytes) => u32::try_from(bytes.len() / 4).unwrap_or(u32::MAX),
            Titles::None => 0,
        }
    }

    /// The entry at this place in the list by title.
    fn by_title(&self, place: u32) -> Result<u32, ZimError> {
        let found = self.by_title_from(place, 1)?.first().copied();
        found.ok_or_else(|| ZimError::damaged("its list of titles ends early"))
    }

    /// So many entries from this place in the list by title on; fewer at its end.
    pub(in crate::zim) fn by_title_from(&self, place: u32, count: u32) -> Result<Vec<u32>, ZimError> {
        let count = count.min(self.titles().saturating_sub(place)) as usize * 4;
        let from = u64::from(place) * 4;
        let read;
        let bytes = match &self.titles {
            Titles::At(at, _) => {
                read = self.source.bytes(at.saturating_add(from), count)?;
                &read[..]
            }
            Titles::Here(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                bytes.get(from..).and_then(|rest| rest.get(..count)).unwrap_or_default()
            }
            Titles::None => &[],
        };
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    /// Articles whose titles come at or after this one, in their order: the reader's path and the title.
    pub(in crate::zim) fn titles_from(
        &self,
        from: &str,
        limit: usize,
    ) -> Result<Vec<(String, String)>, ZimError> {
        let namespace = ARTICLES[usize::from(!self.header.one_namespace)] as u32 as u8;
        let wanted = (namespace, from.as_bytes());
        let start = partition(0..self.titles(), |place| {
            let entry = self.entry(self.by_title(place)?)?;
            Ok((entry.namespace, entry.title.as_bytes()) < wanted)
        })?;
        let mut found = Vec::new();
        // Where pictures are listed too, they are passed over, but not all of millions.
        for place in (start..self.titles()).take(limit.saturating_mul(50)) {
            let entry = self.entry(self.by_title(place)?)?;
            if found.len() >= limit || entry.namespace != namespace {
                break;
            }
            if self.mime(&entry).is_none_or(is_text) && entry.what != What::Gone {
                found.push((self.path_of(&entry), entry.title));
            }
        }
        Ok(found)
    }
}
