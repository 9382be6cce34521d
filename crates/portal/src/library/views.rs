//! What is sent of documents and versions: with the names of people for members, without people for guests.

use std::collections::HashMap;

use banyan_governance::Permission;
use banyan_knowledge::{CollectionId, Document, Version};

use super::patron::Patron;
use super::types::{DocumentView, VersionView};
use crate::Portal;
use crate::community::{Refused, now};

/// Names that views are made with, for one patron.
pub(crate) struct Views {
    collections: HashMap<CollectionId, String>,
    /// None for guests: who gave what is between members.
    members: Option<HashMap<String, String>>,
    own: Option<String>,
    keeps: bool,
}

impl Views {
    pub(crate) async fn of(portal: &Portal, patron: &Patron) -> Result<Self, Refused> {
        let collections = patron.library.collections(patron.reader.audience).await?;
        let members = match (&patron.caller, portal.maybe_assembly()) {
            (Some(caller), Some(assembly)) if caller.may(Permission::Read) => {
                let members = assembly.members(caller, now()).await?.into_iter();
                Some(members.map(|member| (member.id.to_string(), member.name)).collect())
            }
            _ => None,
        };
        Ok(Self {
            collections: collections.into_iter().map(|one| (one.id, one.name)).collect(),
            members,
            own: patron.reader.member.clone(),
            keeps: patron.keeps(),
        })
    }

    /// What a member is called; none for guests, and of who has left.
    pub(super) fn name(&self, member: Option<&String>) -> Option<String> {
        self.members.as_ref()?.get(member?).cloned()
    }

    pub(crate) fn document(&self, mut document: Document) -> DocumentView {
        let yours = self.own.is_some() && self.own == document.contributor;
        let contributor_name = self.name(document.contributor.as_ref());
        if self.members.is_none() && !yours {
            document.contributor = None;
        }
        DocumentView {
            collection_name: self.collections.get(&document.collection).cloned().unwrap_or_default(),
            contributor_name,
            yours,
            may_change: yours || self.keeps,
            document,
        }
    }

    pub(crate) fn version(&self, mut version: Version) -> VersionView {
        let by_name = self.name(version.by.as_ref());
        if self.members.is_none() && version.by != self.own {
            version.by = None;
        }
        VersionView { version, by_name }
    }
}
