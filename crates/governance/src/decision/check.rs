//! Whether a decision can mean anything at all, looked at before anybody discusses or votes on it. Whether it can be
//! carried out (the pack is there, the version is still the one in force) is known only when it is enacted.

use crate::constitution::ConstitutionError;
use crate::decision::{Decision, SanctionStep};
use crate::policy::PolicyError;
use crate::roles::Role;

/// The most hours for which a moderator may have comments held without a decision of the community: three days are
/// enough to propose something, and short enough to be borne when the moderator was wrong.
pub const MODERATORS_HOURS: u32 = 72;

/// The most hours for which what is closed to stewards may be opened: enough to mend something over a weekend, too
/// short to become a habit.
const MAX_BREAK_GLASS_HOURS: u32 = 72;

/// The longest sanction. None is for ever: who is to stay away longer is decided on again.
const MAX_SANCTION_DAYS: u32 = 365;

/// The longest term of a role in days; ten years.
const MAX_TERM_DAYS: u32 = 3650;

/// Characters of a name: a few lines of a phone.
const MAX_NAME: usize = 200;

/// Characters of the reason for breaking the glass.
const MAX_REASON: usize = 500;

/// Why a decision means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// The policy in it has a mistake.
    #[error("the policy cannot be proposed: {0}")]
    Policy(#[from] PolicyError),
    /// The constitution in it has a mistake.
    #[error("the constitution cannot be proposed: {0}")]
    Constitution(#[from] ConstitutionError),
    /// A name or reason is missing, too long, or has characters that cannot be shown.
    #[error("{field} needs 1 to {most} characters on one line")]
    Name {
        /// Of which field.
        field: &'static str,
        /// The most characters.
        most: usize,
    },
    /// Not a fingerprint.
    #[error("{field} needs 64 hexadecimal digits, as the neighbour's charter or the update shows them")]
    Fingerprint {
        /// Of which field.
        field: &'static str,
    },
    /// A number is out of bounds.
    #[error("{field} is {value}; it can be {least} to {most}")]
    OutOfRange {
        /// Of which field.
        field: &'static str,
        /// What was asked for.
        value: u32,
        /// The least possible.
        least: u32,
        /// The most possible.
        most: u32,
    },
    /// The role is not given or taken by decision.
    #[error(
        "{role:?} is not a role that is given or ended by a decision: who joins is a member, everybody else a guest; \
         to keep a member away for a time, propose a sanction"
    )]
    NotARole {
        /// Which.
        role: Role,
    },
    /// It is not for proposals.
    #[error("an emergency power is used by stewards, and ratified afterwards; it is not proposed")]
    NotProposed,
}

impl Decision {
    /// Whether it can be proposed.
    pub fn check(&self) -> Result<(), DecisionError> {
        match self {
            Self::SetPolicy { policy, .. } => Ok(policy.check()?),
            Self::ChangeConstitution { constitution, .. } => Ok(constitution.check()?),
            Self::ActivateModel { model } => name("model", model, MAX_NAME),
            Self::ActivateAdapter { adapter } => name("adapter", adapter, MAX_NAME),
            Self::ApproveSource { source, .. } | Self::WithdrawSource { source, .. } => {
                name("source", source, MAX_NAME)
            }
            Self::JoinTraining { run, max_epsilon_milli } => {
                name("run", run, MAX_NAME)?;
                range("max_epsilon_milli", *max_epsilon_milli, 1, 100_000)
            }
            Self::Federate { community, name: called, .. } => {
                fingerprint("community", community)?;
                name("name", called, MAX_NAME)
            }
            Self::LeaveFederation { community } => fingerprint("community", community),
            Self::InstallUpdate { version, digest } => {
                name("version", version, MAX_NAME)?;
                fingerprint("digest", digest)
            }
            Self::GrantRole { role, days, .. } => {
                given(*role)?;
                days.map_or(Ok(()), |days| range("days", days, 1, MAX_TERM_DAYS))
            }
            Self::EndRole { role, .. } => given(*role),
            Self::Sanction { step, .. } => match step {
                SanctionStep::Warning => Ok(()),
                SanctionStep::Hold { hours } => range("hours", *hours, 1, MAX_SANCTION_DAYS * 24),
                SanctionStep::Mute { days } | SanctionStep::Suspend { days } => {
                    range("days", *days, 1, MAX_SANCTION_DAYS)
                }
            },
            Self::BreakGlass { reason, hours } => {
                name("reason", reason, MAX_REASON)?;
                range("hours", *hours, 1, MAX_BREAK_GLASS_HOURS)
            }
            Self::UseEmergency { .. } => Err(DecisionError::NotProposed),
            Self::RollBackAdapter
            | Self::SetSharing { .. }
            | Self::LiftSanction { .. }
            | Self::RatifyEmergency { .. } => Ok(()),
        }
    }
}

impl SanctionStep {
    /// Whether a moderator may take this step without a decision of the community: a warning, and a hold of at most
    /// [`MODERATORS_HOURS`]. The upper half of the ladder is the community's.
    #[must_use]
    pub const fn is_for_moderators(self) -> bool {
        match self {
            Self::Warning => true,
            Self::Hold { hours } => hours <= MODERATORS_HOURS,
            Self::Mute { .. } | Self::Suspend { .. } => false,
        }
    }
}

fn given(role: Role) -> Result<(), DecisionError> {
    if role.is_given() { Ok(()) } else { Err(DecisionError::NotARole { role }) }
}

fn name(field: &'static str, text: &str, most: usize) -> Result<(), DecisionError> {
    let fits = !text.trim().is_empty() && text.chars().count() <= most && !text.contains(char::is_control);
    if fits { Ok(()) } else { Err(DecisionError::Name { field, most }) }
}

fn fingerprint(field: &'static str, text: &str) -> Result<(), DecisionError> {
    let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(()) } else { Err(DecisionError::Fingerprint { field }) }
}

fn range(field: &'static str, value: u32, least: u32, most: u32) -> Result<(), DecisionError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(DecisionError::OutOfRange { field, value, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EmergencyId, MemberId};
    use crate::{EmergencyPower, Time};

    fn ada() -> MemberId {
        MemberId::from_random(1)
    }

    #[test]
    fn what_means_nothing_is_refused_with_the_remedy() {
        let refused = [
            (Decision::ActivateModel { model: " ".to_owned() }, "1 to 200 characters"),
            (Decision::ActivateAdapter { adapter: "a\nb".to_owned() }, "on one line"),
            (Decision::LeaveFederation { community: "abc".to_owned() }, "64 hexadecimal digits"),
            (Decision::GrantRole { member: ada(), role: Role::Guest, days: None }, "who joins is a member"),
            (Decision::EndRole { member: ada(), role: Role::Member }, "propose a sanction"),
            (
                Decision::GrantRole { member: ada(), role: Role::Steward, days: Some(0) },
                "it can be 1 to 3650",
            ),
            (
                Decision::Sanction { member: ada(), step: SanctionStep::Suspend { days: 366 }, case: None },
                "it can be 1 to 365",
            ),
            (Decision::BreakGlass { reason: "disk".to_owned(), hours: 73 }, "it can be 1 to 72"),
            (Decision::JoinTraining { run: "r".to_owned(), max_epsilon_milli: 0 }, "max_epsilon_milli is 0"),
            (
                Decision::UseEmergency {
                    emergency: EmergencyId::from_random(1),
                    power: EmergencyPower::PauseAnswers,
                    until: Time(9),
                },
                "it is not proposed",
            ),
        ];
        for (decision, words) in refused {
            let error = decision.check().unwrap_err().to_string();
            assert!(error.contains(words), "{decision:?} says \"{error}\", not \"{words}\"");
        }
    }

    #[test]
    fn moderators_have_the_lower_half_of_the_ladder_only() {
        assert!(SanctionStep::Warning.is_for_moderators());
        assert!(SanctionStep::Hold { hours: 72 }.is_for_moderators());
        assert!(!SanctionStep::Hold { hours: 73 }.is_for_moderators());
        assert!(!SanctionStep::Mute { days: 1 }.is_for_moderators());
        assert!(!SanctionStep::Suspend { days: 1 }.is_for_moderators());
    }

    #[test]
    fn nobody_votes_on_their_own_recall_but_everybody_on_an_election() {
        assert_eq!(Decision::EndRole { member: ada(), role: Role::Steward }.concerns(), Some(&ada()));
        assert_eq!(Decision::GrantRole { member: ada(), role: Role::Steward, days: None }.concerns(), None);
    }
}
