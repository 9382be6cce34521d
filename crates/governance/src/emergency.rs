//! What stewards may do alone, for a short time, in the open.
//!
//! ```text
//!   Asked ──as many stewards agree as the constitution says──▶ InUse ──time──▶ Ended ──ratified──▶ Ratified
//!     └── nobody joins within a day ──▶ Lapsed                                   └── too late ──▶ Unratified
//! ```
//!
//! Where a use stands follows from what is written down and the time ([`Emergency::standing`]): it ends by itself on a
//! box that nobody looks at, and a crash changes nothing. The community can ratify it as soon as it is in use. A power
//! that was not ratified cannot be used again for a month, so that a chain of short emergencies is no way to govern.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::constitution::{EmergencyPower, EmergencyRule};
use crate::decision::Decision;
use crate::enactment::{Authority, Enactment};
use crate::ids::{EmergencyId, MemberId};
use crate::roles::Role;
use crate::time::Time;

/// Hours for which a steward's call waits for the others; after a day it is no emergency any more.
pub const LAPSE_HOURS: u32 = 24;

/// Days for which a power rests that was used and not ratified.
pub const REST_DAYS: u32 = 30;

/// A use of an emergency power.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// Its name.
    pub id: EmergencyId,
    /// What it allows.
    pub power: EmergencyPower,
    /// Stewards who agreed, the one who asked among them.
    pub agreed: BTreeSet<MemberId>,
    /// When the first steward asked.
    pub asked: Time,
    /// When it began; absent: too few have agreed.
    #[serde(default)]
    pub began: Option<Time>,
    /// When it ends by itself.
    #[serde(default)]
    pub until: Option<Time>,
    /// Until when the community can ratify it.
    #[serde(default)]
    pub ratify_by: Option<Time>,
    /// When the community ratified it.
    #[serde(default)]
    pub ratified: Option<Time>,
}

/// Where a use of a power stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Waits for more stewards.
    Asked,
    /// Too few agreed in time.
    Lapsed,
    /// The power is in use.
    InUse,
    /// Over, and the community can still ratify it.
    Ended,
    /// The community confirmed that it was right.
    Ratified,
    /// The community did not confirm it in time.
    Unratified,
}

/// Why a power cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmergencyError {
    /// The constitution does not have it.
    #[error("the constitution gives stewards no power {0:?}; propose what should happen instead")]
    NoSuchPower(EmergencyPower),
    /// Not a steward.
    #[error("only stewards use emergency powers; the Roles page says who they are")]
    NotASteward,
    /// It is asked for or in use.
    #[error("this power is asked for or in use already; agree to that instead of asking again")]
    Already,
    /// An earlier use was not ratified, or not yet.
    #[error("the last use of this power was not ratified; it can be used again once it is, or after {until}")]
    Resting {
        /// Until then.
        until: Time,
    },
    /// It does not wait for agreement.
    #[error("this call is {0:?} and waits for nobody; ask anew if the emergency goes on")]
    NotAsked(Standing),
}

impl Emergency {
    /// A steward asks for a power; `earlier` are all uses so far. Where one steward is enough, it begins at once.
    pub fn ask(
        id: EmergencyId,
        power: EmergencyPower,
        steward: &MemberId,
        roles: &BTreeSet<Role>,
        rule: &EmergencyRule,
        earlier: &[Self],
        now: Time,
    ) -> Result<(Self, Option<Enactment>), EmergencyError> {
        if !rule.powers.contains(&power) {
            return Err(EmergencyError::NoSuchPower(power));
        }
        for used in earlier.iter().filter(|used| used.power == power) {
            match used.standing(now) {
                Standing::Asked | Standing::InUse => return Err(EmergencyError::Already),
                Standing::Ended | Standing::Unratified => {
                    let until = used.until.unwrap_or(used.asked).plus_days(REST_DAYS);
                    if now < until {
                        return Err(EmergencyError::Resting { until });
                    }
                }
                Standing::Lapsed | Standing::Ratified => {}
            }
        }
        let mut emergency = Self {
            id,
            power,
            agreed: BTreeSet::new(),
            asked: now,
            began: None,
            until: None,
            ratify_by: None,
            ratified: None,
        };
        let enactment = emergency.agree(steward, roles, rule, now)?;
        Ok((emergency, enactment))
    }

    /// A steward agrees. With enough of them the power is in use; then there is the [`Enactment`] for the one gate.
    pub fn agree(
        &mut self,
        steward: &MemberId,
        roles: &BTreeSet<Role>,
        rule: &EmergencyRule,
        now: Time,
    ) -> Result<Option<Enactment>, EmergencyError> {
        if !roles.contains(&Role::Steward) {
            return Err(EmergencyError::NotASteward);
        }
        if !rule.powers.contains(&self.power) {
            return Err(EmergencyError::NoSuchPower(self.power));
        }
        match self.standing(now) {
            Standing::Asked => {}
            standing => return Err(EmergencyError::NotAsked(standing)),
        }
        self.agreed.insert(steward.clone());
        if self.agreed.len() < usize::from(rule.stewards) {
            return Ok(None);
        }
        let until = now.plus_hours(rule.max_hours);
        self.began = Some(now);
        self.until = Some(until);
        self.ratify_by = Some(now.plus_hours(rule.ratify_hours.max(rule.max_hours)));
        Ok(Some(Enactment::new(
            Decision::UseEmergency { emergency: self.id.clone(), power: self.power, until },
            Authority::Emergency { emergency: self.id.clone() },
        )))
    }

    /// Writes down that the community ratified it, if that is what was decided, about this use and in time; says
    /// whether it was.
    pub fn ratify(&mut self, enactment: &Enactment, now: Time) -> bool {
        let is_about_this = matches!(
            enactment.decision(),
            Decision::RatifyEmergency { emergency } if *emergency == self.id
        );
        let can_be =
            matches!(self.standing(now), Standing::InUse | Standing::Ended) && self.ratified.is_none();
        if is_about_this && can_be {
            self.ratified = Some(now);
        }
        is_about_this && can_be
    }

    /// Where it stands at this moment.
    #[must_use]
    pub fn standing(&self, now: Time) -> Standing {
        let (Some(until), Some(ratify_by)) = (self.until, self.ratify_by) else {
            let waits = now < self.asked.plus_hours(LAPSE_HOURS);
            return if waits { Standing::Asked } else { Standing::Lapsed };
        };
        if now < until {
            Standing::InUse
        } else if self.ratified.is_some() {
            Standing::Ratified
        } else if now < ratify_by {
            Standing::Ended
        } else {
            Standing::Unratified
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EmergencyPower::{CloseToGuests, PauseAnswers};

    const HOUR: i64 = 3600;

    fn rule() -> EmergencyRule {
        EmergencyRule { max_hours: 24, ratify_hours: 72, stewards: 2, powers: vec![PauseAnswers] }
    }

    fn steward() -> BTreeSet<Role> {
        BTreeSet::from([Role::Member, Role::Steward])
    }

    fn id() -> EmergencyId {
        EmergencyId::from_random(5)
    }

    fn ada() -> MemberId {
        MemberId::from_random(1)
    }

    fn ben() -> MemberId {
        MemberId::from_random(2)
    }

    fn ask(earlier: &[Emergency], now: i64) -> Result<(Emergency, Option<Enactment>), EmergencyError> {
        Emergency::ask(id(), PauseAnswers, &ada(), &steward(), &rule(), earlier, Time(now))
    }

    fn in_use() -> Emergency {
        let (mut emergency, none) = ask(&[], 0).unwrap();
        assert_eq!(none, None);
        assert!(emergency.agree(&ben(), &steward(), &rule(), Time(0)).unwrap().is_some());
        emergency
    }

    fn ratification(of: EmergencyId) -> Enactment {
        let proposal = crate::ProposalId::from_random(1);
        Enactment::new(Decision::RatifyEmergency { emergency: of }, Authority::Proposal { proposal })
    }

    #[test]
    fn one_steward_twice_is_not_two_stewards() {
        let (mut emergency, _) = ask(&[], 0).unwrap();
        assert_eq!(emergency.agree(&ada(), &steward(), &rule(), Time(1)), Ok(None));
        assert_eq!(emergency.standing(Time(1)), Standing::Asked);
        let member = BTreeSet::from([Role::Member, Role::Moderator]);
        assert_eq!(emergency.agree(&ben(), &member, &rule(), Time(1)), Err(EmergencyError::NotASteward));
        let enactment = emergency.agree(&ben(), &steward(), &rule(), Time(2)).unwrap().unwrap();
        assert_eq!(enactment.authority(), &Authority::Emergency { emergency: id() });
        assert!(matches!(enactment.decision(), Decision::UseEmergency { until: Time(86_402), .. }));
    }

    #[test]
    fn it_ends_by_itself_and_stands_unratified_when_nobody_confirms_it() {
        let emergency = in_use();
        let standing = |hours| emergency.standing(Time(hours * HOUR));
        assert_eq!(
            [23, 24, 71, 72].map(standing),
            [Standing::InUse, Standing::Ended, Standing::Ended, Standing::Unratified]
        );
    }

    #[test]
    fn only_a_decision_about_this_use_ratifies_it_and_only_in_time() {
        let mut emergency = in_use();
        assert!(!emergency.ratify(&ratification(EmergencyId::from_random(6)), Time(HOUR)));
        assert!(!emergency.ratify(&ratification(id()), Time(72 * HOUR)));
        assert!(emergency.ratify(&ratification(id()), Time(71 * HOUR)));
        assert!(!emergency.ratify(&ratification(id()), Time(71 * HOUR)), "once is enough");
        assert_eq!(emergency.standing(Time(99 * HOUR)), Standing::Ratified);
    }

    #[test]
    fn a_call_that_nobody_joins_lapses() {
        let (mut emergency, _) = ask(&[], 0).unwrap();
        let day = Time(24 * HOUR);
        assert_eq!(
            emergency.agree(&ben(), &steward(), &rule(), day),
            Err(EmergencyError::NotAsked(Standing::Lapsed))
        );
        assert!(ask(&[emergency], day.0).is_ok());
    }

    #[test]
    fn a_chain_of_short_emergencies_is_no_way_to_govern() {
        let mut emergency = in_use();
        assert_eq!(ask(std::slice::from_ref(&emergency), HOUR).unwrap_err(), EmergencyError::Already);
        let until = Time(24 * HOUR).plus_days(REST_DAYS);
        for hours in [24, 100] {
            let again = ask(std::slice::from_ref(&emergency), hours * HOUR);
            assert_eq!(again.unwrap_err(), EmergencyError::Resting { until });
        }
        assert!(ask(std::slice::from_ref(&emergency), until.0).is_ok());
        assert!(emergency.ratify(&ratification(id()), Time(30 * HOUR)));
        assert!(ask(&[emergency], 31 * HOUR).is_ok());
    }

    #[test]
    fn stewards_have_no_power_that_the_constitution_does_not_name() {
        let result = Emergency::ask(id(), CloseToGuests, &ada(), &steward(), &rule(), &[], Time(0));
        assert_eq!(result.unwrap_err(), EmergencyError::NoSuchPower(CloseToGuests));
    }

    #[test]
    fn one_steward_is_enough_where_the_constitution_says_so() {
        let alone = EmergencyRule { stewards: 1, ..rule() };
        let (emergency, enactment) =
            Emergency::ask(id(), PauseAnswers, &ada(), &steward(), &alone, &[], Time(0)).unwrap();
        assert!(enactment.is_some());
        assert_eq!(emergency.standing(Time(1)), Standing::InUse);
    }
}
