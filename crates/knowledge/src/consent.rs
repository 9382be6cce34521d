//! What a source may be used for, and how far it may go. Asked at the place of use, by type: a search names its
//! [`Use`], and what does not allow it is not found.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For what a text is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Members find and read it.
    Search,
    /// Answers rest on it and cite it.
    Grounding,
    /// Models learn from it.
    Training,
    /// Neighbour communities get it.
    Federation,
    /// Everybody gets it.
    Commons,
}

impl Use {
    /// All uses.
    pub const ALL: [Self; 5] =
        [Self::Search, Self::Grounding, Self::Training, Self::Federation, Self::Commons];
}

/// How far a text may go, whatever else is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It stays on this box.
    LocalOnly,
    /// Neighbours may have it.
    FederationOk,
    /// Everybody may have it.
    CommonsOk,
}

/// What a source may be used for, and how far it may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// For what.
    pub uses: BTreeSet<Use>,
    /// How far.
    pub level: Level,
}

impl Consent {
    /// Whether this use is allowed: it was agreed to, and the text may go as far as it takes it.
    #[must_use]
    pub fn allows(&self, wanted: Use) -> bool {
        let farthest = match wanted {
            Use::Search | Use::Grounding | Use::Training => Level::LocalOnly,
            Use::Federation => Level::FederationOk,
            Use::Commons => Level::CommonsOk,
        };
        self.uses.contains(&wanted) && farthest <= self.level
    }

    /// Whether it allows nothing that `other` does not.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.uses.is_subset(&other.uses) && self.level <= other.level
    }
}

/// Who may find and read a collection. Whoever is asked for more than they are gets nothing, not an error: that something exists is knowledge too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Whoever is at the hotspot.
    Guests,
    /// Members.
    Members,
    /// Librarians: what waits for review.
    Librarians,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_bounds_every_use_that_leaves_the_box() {
        for level in [Level::LocalOnly, Level::FederationOk, Level::CommonsOk] {
            let consent = Consent { uses: Use::ALL.into(), level };
            for wanted in [Use::Search, Use::Grounding, Use::Training] {
                assert!(consent.allows(wanted));
            }
            assert_eq!(consent.allows(Use::Federation), level >= Level::FederationOk);
            assert_eq!(consent.allows(Use::Commons), level == Level::CommonsOk);
        }
        assert!(!Consent { uses: BTreeSet::new(), level: Level::CommonsOk }.allows(Use::Search));
    }
}
