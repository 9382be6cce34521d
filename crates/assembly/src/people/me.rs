//! What the box says to whoever opens it: whether there is a community, and who they are in it.

use banyan_governance::decision::SanctionStep;
use banyan_governance::{MemberId, Permission, Role, Time};
use serde::Serialize;
use utoipa::ToSchema;

use super::invitations::may_invite;
use super::session::Caller;
use crate::assembly::Assembly;

/// Whether there is a community, and who the caller is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Me {
    /// Whether the community is founded.
    pub founded: bool,
    /// What it is called; before the founding: the box.
    pub community: String,
    /// Who is signed in.
    pub member: Option<Account>,
    /// Who may join.
    pub joining: JoiningView,
    /// Whether the caller may ask the assistant.
    pub may_ask: bool,
    /// The severest sanction that is in force against the caller.
    pub sanction: Option<SanctionView>,
    /// Whether the box waits for its setup code.
    pub setup_code_needed: bool,
}

/// The one who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Account {
    /// Who.
    pub id: MemberId,
    /// What they are called.
    pub name: String,
    /// Their roles that are in force.
    pub roles: Vec<Role>,
    /// What those allow.
    pub permissions: Vec<Permission>,
}

/// Who may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct JoiningView {
    /// Whether it goes without an invitation.
    pub open: bool,
    /// Whether every member may invite.
    pub members_invite: bool,
    /// Whether guests may ask the assistant.
    pub guests_ask: bool,
}

/// A sanction in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SanctionView {
    /// `hold`, `mute` or `suspend`.
    pub step: String,
    /// When it ends by itself.
    pub until: Option<Time>,
}

impl Me {
    /// On a box without a community, or before its founding: whoever can reach it may ask.
    #[must_use]
    pub fn unfounded(box_name: &str, setup_code_needed: bool) -> Self {
        Self {
            founded: false,
            community: box_name.to_owned(),
            member: None,
            joining: JoiningView { open: false, members_invite: false, guests_ask: true },
            may_ask: true,
            sanction: None,
            setup_code_needed,
        }
    }
}

impl Assembly {
    /// What the caller, if somebody is signed in, sees of the community and of themselves. `box_name` stands for it
    /// before the founding.
    #[must_use]
    pub fn me(&self, caller: Option<&Caller>, box_name: &str, now: Time) -> Me {
        let in_force = self.in_force();
        let Some(constitution) = &in_force.constitution else { return Me::unfounded(box_name, true) };
        let joining = JoiningView {
            open: constitution.joining.open,
            members_invite: constitution.joining.members_invite,
            guests_ask: constitution.joining.guests_ask
                && !in_force.has_power(banyan_governance::constitution::EmergencyPower::CloseToGuests, now),
        };
        let account = |caller: &Caller| {
            let mut permissions: Vec<Permission> =
                ALL_PERMISSIONS.into_iter().filter(|permission| caller.may(*permission)).collect();
            if may_invite(caller, &in_force) && !permissions.contains(&Permission::Invite) {
                permissions.push(Permission::Invite);
            }
            Account {
                id: caller.member.clone(),
                name: caller.name.clone(),
                roles: caller.roles.iter().copied().collect(),
                permissions,
            }
        };
        Me {
            founded: true,
            community: in_force.community.clone(),
            may_ask: caller.map_or(joining.guests_ask, |caller| caller.may(Permission::Ask)),
            member: caller.map(account),
            joining,
            sanction: caller
                .and_then(|caller| caller.sanction.as_ref())
                .map(|sanction| SanctionView { step: step(sanction.step).to_owned(), until: sanction.until }),
            setup_code_needed: false,
        }
    }
}

const ALL_PERMISSIONS: [Permission; 10] = [
    Permission::Ask,
    Permission::Read,
    Permission::Decide,
    Permission::Invite,
    Permission::Report,
    Permission::Moderate,
    Permission::KeepLibrary,
    Permission::Mediate,
    Permission::Operate,
    Permission::Emergency,
];

fn step(step: SanctionStep) -> &'static str {
    match step {
        SanctionStep::Warning => "warning",
        SanctionStep::Hold { .. } => "hold",
        SanctionStep::Mute { .. } => "mute",
        SanctionStep::Suspend { .. } => "suspend",
    }
}
