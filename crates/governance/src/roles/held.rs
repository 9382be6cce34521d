//! Who has which role at a moment, and what keeps a box from being left without anybody who may look after it.
//!
//! * **Terms end by themselves**, and a recall ends them sooner.
//! * **There is always a steward.** The last one cannot be recalled before another is chosen; and when the last term
//!   ends by itself, whoever's ended last stays on as a caretaker until another is chosen. A box that nobody may back
//!   up or mend would help nobody.
//! * **Nobody votes on their own recall** (see [`Decision::concerns`](crate::Decision::concerns)).

use std::collections::BTreeSet;

use crate::constitution::Joining;
use crate::ids::MemberId;
use crate::roles::{Permission, Role, RoleGrant};
use crate::time::Time;

/// Why a role is not given or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// It is not given by decision.
    #[error("{0:?} is not given or ended by a decision: who joins is a member, and everybody else a guest")]
    NotGiven(Role),
    /// The member has it already, for at least as long.
    #[error("this member has the role {0:?} already, for at least as long")]
    HasIt(Role),
    /// The member has not got it.
    #[error("this member does not have the role {0:?}; it may have ended by itself")]
    HasNotGotIt(Role),
    /// Nobody could look after the box.
    #[error(
        "this is the only steward, and without one nobody may back up or mend the box; choose another first"
    )]
    LastSteward,
}

/// The roles that a member has at this moment, by all grants to anybody (a recall sets `until`). Everybody here is a
/// member.
#[must_use]
pub fn held(grants: &[RoleGrant], member: &MemberId, now: Time) -> BTreeSet<Role> {
    let mut roles: BTreeSet<Role> = grants
        .iter()
        .filter(|grant| grant.member == *member && grant.role.is_given() && grant.holds(now))
        .map(|grant| grant.role)
        .collect();
    if stewards(grants, now).contains(member) {
        roles.insert(Role::Steward);
    }
    roles.insert(Role::Member);
    roles
}

/// Who looks after the box at this moment: stewards in their term, or else those whose term ended last.
fn stewards(grants: &[RoleGrant], now: Time) -> BTreeSet<&MemberId> {
    let begun = || grants.iter().filter(|grant| grant.role == Role::Steward && grant.from <= now);
    let in_term: BTreeSet<_> = begun().filter(|grant| grant.holds(now)).map(|grant| &grant.member).collect();
    if !in_term.is_empty() {
        return in_term;
    }
    let last = begun().map(|grant| grant.until).max();
    begun().filter(|grant| Some(grant.until) == last).map(|grant| &grant.member).collect()
}

/// Whether a role may be given, for the time until `until`.
pub fn check_grant(
    grants: &[RoleGrant],
    member: &MemberId,
    role: Role,
    until: Option<Time>,
    now: Time,
) -> Result<(), RoleError> {
    if !role.is_given() {
        return Err(RoleError::NotGiven(role));
    }
    let has_it = grants
        .iter()
        .filter(|grant| grant.member == *member && grant.role == role && grant.holds(now))
        .any(|grant| grant.until.is_none() || (until.is_some() && grant.until >= until));
    if has_it { Err(RoleError::HasIt(role)) } else { Ok(()) }
}

/// Whether a role may be ended before its time.
pub fn check_end(grants: &[RoleGrant], member: &MemberId, role: Role, now: Time) -> Result<(), RoleError> {
    if !role.is_given() {
        return Err(RoleError::NotGiven(role));
    }
    if !held(grants, member, now).contains(&role) {
        return Err(RoleError::HasNotGotIt(role));
    }
    if role == Role::Steward && stewards(grants, now).iter().all(|steward| *steward == member) {
        return Err(RoleError::LastSteward);
    }
    Ok(())
}

/// What somebody with these roles may do, under what the constitution says about joining. `roles` is empty for whoever
/// is not signed in.
#[must_use]
pub fn permissions(roles: &BTreeSet<Role>, joining: &Joining) -> BTreeSet<Permission> {
    let mut all: BTreeSet<Permission> = roles.iter().flat_map(|role| role.permissions()).copied().collect();
    if roles.contains(&Role::Member) && joining.members_invite {
        all.insert(Permission::Invite);
    }
    if joining.guests_ask {
        all.insert(Permission::Ask);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u64) -> MemberId {
        MemberId::from_random(number)
    }

    fn grant(number: u64, role: Role, from: i64, until: Option<i64>) -> RoleGrant {
        RoleGrant { member: member(number), role, from: Time(from), until: until.map(Time) }
    }

    #[test]
    fn a_term_ends_by_itself() {
        let grants = [grant(1, Role::Moderator, 10, Some(20)), grant(2, Role::Steward, 0, None)];
        let has = |now| held(&grants, &member(1), Time(now)).contains(&Role::Moderator);
        assert_eq!([9, 10, 19, 20].map(has), [false, true, true, false]);
        assert!(held(&grants, &member(1), Time(50)).contains(&Role::Member));
    }

    #[test]
    fn the_last_steward_stays_on_until_another_is_chosen() {
        let mut grants = vec![grant(1, Role::Steward, 0, Some(10)), grant(2, Role::Steward, 0, Some(20))];
        let is_steward =
            |grants: &[RoleGrant], who, now| held(grants, &member(who), Time(now)).contains(&Role::Steward);
        assert!(!is_steward(&grants, 1, 15));
        assert!(is_steward(&grants, 2, 25), "the box would have no steward");
        assert!(!is_steward(&grants, 1, 25));
        grants.push(grant(3, Role::Steward, 30, None));
        assert!(!is_steward(&grants, 2, 30));
        assert!(is_steward(&grants, 3, 30));
    }

    #[test]
    fn the_only_steward_is_not_recalled_before_another_is_chosen() {
        let mut grants = vec![grant(1, Role::Steward, 0, None)];
        let end = |grants: &[RoleGrant]| check_end(grants, &member(1), Role::Steward, Time(5));
        assert_eq!(end(&grants), Err(RoleError::LastSteward));
        grants.push(grant(1, Role::Steward, 1, None));
        assert_eq!(end(&grants), Err(RoleError::LastSteward), "twice the same person is one steward");
        grants.push(grant(2, Role::Steward, 3, Some(9)));
        assert_eq!(end(&grants), Ok(()));
    }

    #[test]
    fn a_role_is_given_once_but_can_be_prolonged() {
        let grants = [grant(1, Role::Librarian, 0, Some(10))];
        let give = |until| check_grant(&grants, &member(1), Role::Librarian, until, Time(5));
        assert_eq!(give(Some(Time(10))), Err(RoleError::HasIt(Role::Librarian)));
        assert_eq!(give(Some(Time(11))), Ok(()));
        assert_eq!(give(None), Ok(()));
        assert_eq!(
            check_grant(&[], &member(1), Role::Guest, None, Time(5)),
            Err(RoleError::NotGiven(Role::Guest))
        );
        assert_eq!(
            check_end(&grants, &member(2), Role::Librarian, Time(5)),
            Err(RoleError::HasNotGotIt(Role::Librarian))
        );
    }

    #[test]
    fn members_invite_and_guests_ask_only_where_the_constitution_says_so() {
        let joining = |members_invite, guests_ask| Joining { open: false, members_invite, guests_ask };
        let member = BTreeSet::from([Role::Member]);
        assert!(!permissions(&member, &joining(false, false)).contains(&Permission::Invite));
        assert!(permissions(&member, &joining(true, false)).contains(&Permission::Invite));
        assert!(permissions(&BTreeSet::new(), &joining(true, false)).is_empty());
        assert_eq!(permissions(&BTreeSet::new(), &joining(true, true)), BTreeSet::from([Permission::Ask]));
        let steward = BTreeSet::from([Role::Member, Role::Steward]);
        assert!(!permissions(&steward, &joining(false, false)).contains(&Permission::Moderate));
    }
}
