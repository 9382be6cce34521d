//! Roles and what they allow.

mod held;

pub use self::held::{RoleError, check_end, check_grant, held, permissions};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::MemberId;
use crate::time::Time;

/// A role. Whoever is signed in has at least `Member`; whoever is not is a `Guest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Keeps the box alive; decides nothing alone.
    Steward,
    /// Looks at reports and held answers.
    Moderator,
    /// Looks after documents.
    Librarian,
    /// Helps members in conflict to agree.
    Mediator,
    /// Belongs to the community.
    Member,
    /// Uses the box without belonging to the community.
    Guest,
}

/// What a role allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Ask the assistant.
    Ask,
    /// Read policies, proposals, results and the ledger.
    Read,
    /// Make proposals, comment and vote.
    Decide,
    /// Invite people, where the constitution lets every member.
    Invite,
    /// Report what was wrong, appeal, ask for mediation.
    Report,
    /// Look at reports and held answers, and use the lower steps of the sanctions ladder.
    Moderate,
    /// Propose sources quickly and look after documents.
    KeepLibrary,
    /// Lead a mediation one was chosen for.
    Mediate,
    /// Back up, restart, invite, help with a forgotten secret.
    Operate,
    /// Use an emergency power that expires by itself.
    Emergency,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Steward, Self::Moderator, Self::Librarian, Self::Mediator, Self::Member, Self::Guest];

    /// Whether it is given and ended by decisions. Who joins is a member, and everybody else a guest.
    #[must_use]
    pub const fn is_given(self) -> bool {
        match self {
            Self::Steward | Self::Moderator | Self::Librarian | Self::Mediator => true,
            Self::Member | Self::Guest => false,
        }
    }

    /// What it allows. Roles other than `Guest` come on top of `Member`.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission::{
            Ask, Decide, Emergency, Invite, KeepLibrary, Mediate, Moderate, Operate, Read, Report,
        };
        match self {
            Self::Steward => &[Ask, Read, Decide, Invite, Report, Operate, Emergency],
            Self::Moderator => &[Ask, Read, Decide, Report, Moderate],
            Self::Librarian => &[Ask, Read, Decide, Report, KeepLibrary],
            Self::Mediator => &[Ask, Read, Decide, Report, Mediate],
            Self::Member => &[Ask, Read, Decide, Report],
            Self::Guest => &[],
        }
    }
}

/// That a member has a role for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleGrant {
    /// Who.
    pub member: MemberId,
    /// What as.
    pub role: Role,
    /// From when on.
    pub from: Time,
    /// Until when; absent: until ended by a decision.
    #[serde(default)]
    pub until: Option<Time>,
}

impl RoleGrant {
    /// Whether it holds at this moment.
    #[must_use]
    pub fn holds(&self, now: Time) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}
