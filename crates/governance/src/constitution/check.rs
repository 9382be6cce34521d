//! Whether a constitution can work: no number that means nothing, and no rule that locks the community out.

use std::collections::BTreeSet;

use crate::constitution::Constitution;
use crate::decision::Topic;
use crate::method::{Method, MethodRule};

/// The longest discussion or vote: 90 days. What takes longer is forgotten, and locks what it is about.
const MAX_HOURS: u32 = 90 * 24;

/// The longest time until a review: ten years.
const MAX_REVIEW_DAYS: u32 = 3650;

/// The longest chain of delegations. Beyond a handful nobody knows any more who votes for them.
const MAX_CHAIN: u32 = 10;

/// The longest emergency: a week. What takes longer is no emergency, but a policy.
const MAX_EMERGENCY_HOURS: u32 = 7 * 24;

/// Why a constitution cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstitutionError {
    /// A number is out of bounds.
    #[error("{field} is {value}; it can be {least} to {most}")]
    OutOfRange {
        /// Where, such as `rules.people.quorum_percent`.
        field: String,
        /// What it is.
        value: u32,
        /// The least possible.
        least: u32,
        /// The most possible.
        most: u32,
    },
    /// A sense check decides nothing.
    #[error(
        "{field} is a sense check, which decides nothing; only the topic \"other\" can go by it. Choose consent or a \
         majority instead"
    )]
    DecidesNothing {
        /// Where.
        field: String,
    },
    /// A vote would have to be open longer than it may be.
    #[error(
        "{field}: a vote is open for at least {least} hours and at most {most}; let the longer time be the longer"
    )]
    ShutBeforeOpen {
        /// Where.
        field: String,
        /// At least.
        least: u32,
        /// At most.
        most: u32,
    },
    /// An emergency could never be confirmed in time.
    #[error(
        "an emergency has to be ratified within {ratify} hours, but the community takes up to {takes} to decide on \
         operation; allow more time, or make the rule for operation quicker"
    )]
    NeverRatified {
        /// Time that is allowed.
        ratify: u32,
        /// Time that the rule takes.
        takes: u32,
    },
    /// An emergency rule without powers, or with one twice.
    #[error(
        "the emergency rule names no power, or one twice; name each power once, or leave the whole rule out"
    )]
    EmergencyPowers,
}

impl Constitution {
    /// Whether it can work.
    pub fn check(&self) -> Result<(), ConstitutionError> {
        for (topic, rule) in &self.rules {
            let name = serde_json::to_value(topic).ok();
            let name = name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
            check_rule(&format!("rules.{name}"), rule, *topic == Topic::Other)?;
        }
        check_rule("otherwise", &self.otherwise, false)?;
        if let Some(delegation) = &self.delegation {
            range("delegation.max_length", delegation.max_length.into(), 1, MAX_CHAIN)?;
            if let Some(votes) = delegation.max_votes {
                range("delegation.max_votes", votes, 2, u32::MAX)?;
            }
        }
        self.check_emergency()
    }

    fn check_emergency(&self) -> Result<(), ConstitutionError> {
        let Some(emergency) = &self.emergency else { return Ok(()) };
        range("emergency.max_hours", emergency.max_hours, 1, MAX_EMERGENCY_HOURS)?;
        range("emergency.ratify_hours", emergency.ratify_hours, emergency.max_hours, MAX_HOURS)?;
        range("emergency.stewards", emergency.stewards.into(), 1, 20)?;
        let distinct: BTreeSet<_> = emergency.powers.iter().collect();
        if emergency.powers.is_empty() || distinct.len() != emergency.powers.len() {
            return Err(ConstitutionError::EmergencyPowers);
        }
        // Not everybody votes, so the longest time of the vote is what it takes.
        let rule = self.rule(Topic::Operation);
        let takes = rule.discussion_hours + rule.max_open_hours;
        if takes < emergency.ratify_hours {
            Ok(())
        } else {
            Err(ConstitutionError::NeverRatified { ratify: emergency.ratify_hours, takes })
        }
    }
}

fn check_rule(field: &str, rule: &MethodRule, may_be_sense_check: bool) -> Result<(), ConstitutionError> {
    let of = |name: &str| format!("{field}.{name}");
    match rule.method {
        Method::SuperMajority { percent } => range(of("method.percent"), percent.into(), 51, 100)?,
        Method::Score { max } => range(of("method.max"), max.into(), 1, 10)?,
        Method::SenseCheck if !may_be_sense_check => {
            return Err(ConstitutionError::DecidesNothing { field: field.to_owned() });
        }
        Method::SenseCheck
        | Method::Consent
        | Method::Consensus
        | Method::Majority
        | Method::RankedChoice => {}
    }
    if let Some(percent) = rule.quorum_percent {
        range(of("quorum_percent"), percent.into(), 1, 100)?;
    }
    range(of("discussion_hours"), rule.discussion_hours, 0, MAX_HOURS)?;
    range(of("max_open_hours"), rule.max_open_hours, 1, MAX_HOURS)?;
    if rule.min_open_hours > rule.max_open_hours {
        let (least, most) = (rule.min_open_hours, rule.max_open_hours);
        return Err(ConstitutionError::ShutBeforeOpen { field: field.to_owned(), least, most });
    }
    rule.review_days.map_or(Ok(()), |days| range(of("review_days"), days, 1, MAX_REVIEW_DAYS))
}

fn range(field: impl Into<String>, value: u32, least: u32, most: u32) -> Result<(), ConstitutionError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(ConstitutionError::OutOfRange { field: field.into(), value, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constitution::{DelegationRule, EmergencyPower};
    use crate::kits;

    fn refused(change: impl FnOnce(&mut Constitution)) -> String {
        let mut constitution = kits::find("circle").unwrap().constitution.clone();
        assert_eq!(constitution.check(), Ok(()));
        change(&mut constitution);
        constitution.check().unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_remedy() {
        assert!(
            refused(|c| c.otherwise.method = Method::SuperMajority { percent: 50 }).contains("51 to 100")
        );
        assert!(refused(|c| c.otherwise.method = Method::Score { max: 11 }).contains("1 to 10"));
        assert!(
            refused(|c| c.otherwise.quorum_percent = Some(101)).contains("otherwise.quorum_percent is 101")
        );
        assert!(refused(|c| c.otherwise.max_open_hours = 0).contains("max_open_hours is 0"));
        assert!(refused(|c| c.otherwise.min_open_hours = 2000).contains("let the longer time be the longer"));
        assert!(
            refused(|c| c.delegation = Some(DelegationRule { max_length: 0, max_votes: None }))
                .contains("1 to 10")
        );
        assert!(
            refused(|c| c.delegation = Some(DelegationRule { max_length: 2, max_votes: Some(1) }))
                .contains("max_votes is 1")
        );
    }

    #[test]
    fn what_binds_is_never_left_to_a_sense_check() {
        let message = refused(|c| {
            let rule = MethodRule { method: Method::SenseCheck, ..c.otherwise.clone() };
            c.rules.insert(Topic::Behaviour, rule);
        });
        assert!(message.contains("rules.behaviour is a sense check"), "{message}");
    }

    #[test]
    fn an_emergency_can_always_be_ratified_in_time() {
        let message = refused(|c| {
            c.rules.remove(&Topic::Operation);
            c.otherwise.max_open_hours = 100;
            let rule = c.emergency.as_mut().unwrap();
            (rule.max_hours, rule.ratify_hours) = (24, 100);
        });
        assert!(message.contains("make the rule for operation quicker"), "{message}");
        let twice = refused(|c| c.emergency.as_mut().unwrap().powers = vec![EmergencyPower::PauseAnswers; 2]);
        assert!(twice.contains("each power once"), "{twice}");
    }
}
