//! What may be said in a vote of each method.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::MemberId;
use crate::method::{Choice, Method};

/// Options are named by a byte.
pub const OPTIONS_AT_MOST: usize = 256;

/// Characters of a reason: a page of text. It is shown to everybody beside the result.
pub const REASON_AT_MOST: usize = 2_000;

/// One member's own vote. The latest counts; there is at most one a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ballot {
    /// Whose.
    pub voter: MemberId,
    /// What.
    pub choice: Choice,
}

/// A choice that cannot be counted in this vote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BallotError {
    /// Said in another method's words.
    #[error("this vote is by {method}; it takes {takes}")]
    WrongKind {
        /// The method.
        method: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// An objection without a reason.
    #[error("an objection needs a reason that the others can work with; write what would have to change")]
    NoReason,
    /// A reason longer than a page.
    #[error("the reason has {length} characters; write it in at most {REASON_AT_MOST}")]
    LongReason {
        /// Characters.
        length: usize,
    },
    /// The vote has no options, or more than can be numbered.
    #[error("the vote has {options} options; points and rankings need 1 to {OPTIONS_AT_MOST}")]
    Options {
        /// So many.
        options: usize,
    },
    /// Not one number of points for each option.
    #[error(
        "there are {options} options and {given} numbers of points; give each option its points, 0 where it gets none"
    )]
    PointsMissing {
        /// Options.
        options: usize,
        /// Numbers.
        given: usize,
    },
    /// More points than there are to give.
    #[error("option {} got {points} points; give at most {max}", .option + 1)]
    TooManyPoints {
        /// Index of the option.
        option: usize,
        /// Given.
        points: u8,
        /// Allowed.
        max: u8,
    },
    /// A ranking of nothing.
    #[error("the ranking is empty; put at least one option into it")]
    EmptyRanking,
    /// A ranked option that does not exist.
    #[error("the ranking names option {}, and there are {options}", usize::from(*.option) + 1)]
    NoSuchOption {
        /// Its index.
        option: u8,
        /// Options.
        options: usize,
    },
    /// An option ranked twice.
    #[error("the ranking names option {} twice; name each option once", usize::from(*.option) + 1)]
    RankedTwice {
        /// Its index.
        option: u8,
    },
    /// A feeling off the scale.
    #[error("a feeling of {feeling} is off the scale; say -2 (against) to 2 (for)")]
    OffTheScale {
        /// Said.
        feeling: i8,
    },
}

impl Choice {
    /// Whether this can be counted by this method over so many options.
    pub fn check(&self, method: &Method, options: usize) -> Result<(), BallotError> {
        match (method, self) {
            (Method::Consent | Method::Consensus, Self::Yes | Self::Abstain)
            | (Method::Majority | Method::SuperMajority { .. }, Self::Yes | Self::No | Self::Abstain) => {
                Ok(())
            }
            (Method::Consent | Method::Consensus, Self::Object { reason }) => check_reason(reason),
            (Method::Score { max }, Self::Score { points }) => check_points(points, *max, options),
            (Method::RankedChoice, Self::Ranking { order }) => check_order(order, options),
            (Method::SenseCheck, Self::Sense { feeling: -2..=2 }) => Ok(()),
            (Method::SenseCheck, Self::Sense { feeling }) => {
                Err(BallotError::OffTheScale { feeling: *feeling })
            }
            _ => Err(wrong_kind(method)),
        }
    }
}

fn check_reason(reason: &str) -> Result<(), BallotError> {
    let length = reason.chars().count();
    if reason.trim().is_empty() {
        return Err(BallotError::NoReason);
    }
    if length > REASON_AT_MOST {
        return Err(BallotError::LongReason { length });
    }
    Ok(())
}

fn check_points(points: &[u8], max: u8, options: usize) -> Result<(), BallotError> {
    check_options(options)?;
    if points.len() != options {
        return Err(BallotError::PointsMissing { options, given: points.len() });
    }
    match points.iter().enumerate().find(|(_, points)| **points > max) {
        Some((option, &points)) => Err(BallotError::TooManyPoints { option, points, max }),
        None => Ok(()),
    }
}

fn check_order(order: &[u8], options: usize) -> Result<(), BallotError> {
    check_options(options)?;
    if order.is_empty() {
        return Err(BallotError::EmptyRanking);
    }
    for (place, &option) in order.iter().enumerate() {
        if usize::from(option) >= options {
            return Err(BallotError::NoSuchOption { option, options });
        }
        // At most 256 places are looked through: those before this one are all different.
        if order[..place].contains(&option) {
            return Err(BallotError::RankedTwice { option });
        }
    }
    Ok(())
}

const fn check_options(options: usize) -> Result<(), BallotError> {
    if options == 0 || options > OPTIONS_AT_MOST { Err(BallotError::Options { options }) } else { Ok(()) }
}

const fn wrong_kind(method: &Method) -> BallotError {
    let (method, takes) = match method {
        Method::Consent => ("consent", "no objection, standing aside, or an objection with its reason"),
        Method::Consensus => ("consensus", "agreement, standing aside, or a block with its reason"),
        Method::Majority => ("majority", "yes, no, or abstention"),
        Method::SuperMajority { .. } => ("super-majority", "yes, no, or abstention"),
        Method::Score { .. } => ("score", "points for each option"),
        Method::RankedChoice => ("ranked choice", "the options in order, best first"),
        Method::SenseCheck => ("sense check", "a feeling from -2 to 2"),
    };
    BallotError::WrongKind { method, takes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(reason: &str) -> Choice {
        Choice::Object { reason: reason.to_owned() }
    }

    fn ranking(order: &[u8]) -> Choice {
        Choice::Ranking { order: order.to_vec() }
    }

    fn points(points: &[u8]) -> Choice {
        Choice::Score { points: points.to_vec() }
    }

    #[test]
    fn each_method_takes_its_own_words() {
        for (method, choice) in [
            (Method::Consent, Choice::Yes),
            (Method::Consent, Choice::Abstain),
            (Method::Consent, object("the roof would leak")),
            (Method::Consensus, object("the roof would leak")),
            (Method::Majority, Choice::No),
            (Method::SuperMajority { percent: 66 }, Choice::Abstain),
            (Method::Score { max: 5 }, points(&[0, 5, 3])),
            (Method::RankedChoice, ranking(&[2, 0])),
            (Method::SenseCheck, Choice::Sense { feeling: -2 }),
        ] {
            assert_eq!(choice.check(&method, 3), Ok(()), "{method:?} {choice:?}");
        }
    }

    #[test]
    fn what_cannot_be_counted_is_refused_with_what_to_do_instead() {
        for (method, choice, words) in [
            (Method::Consent, Choice::No, "an objection with its reason"),
            (Method::Consensus, Choice::No, "a block with its reason"),
            (Method::Majority, object("no"), "yes, no, or abstention"),
            (Method::Consent, object(" \n"), "needs a reason"),
            (Method::Consent, object(&"a".repeat(REASON_AT_MOST + 1)), "2001 characters"),
            (Method::Score { max: 5 }, points(&[1, 2]), "3 options and 2 numbers"),
            (Method::Score { max: 5 }, points(&[1, 6, 2]), "option 2 got 6 points"),
            (Method::RankedChoice, ranking(&[]), "at least one"),
            (Method::RankedChoice, ranking(&[0, 3]), "option 4, and there are 3"),
            (Method::RankedChoice, ranking(&[1, 0, 1]), "option 2 twice"),
            (Method::SenseCheck, Choice::Sense { feeling: 3 }, "-2 (against) to 2 (for)"),
            (Method::SenseCheck, Choice::Yes, "a feeling from"),
        ] {
            let error = choice.check(&method, 3).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_vote_without_options_takes_no_points_and_no_ranking() {
        assert_eq!(points(&[]).check(&Method::Score { max: 5 }, 0), Err(BallotError::Options { options: 0 }));
        assert!(ranking(&[0]).check(&Method::RankedChoice, OPTIONS_AT_MOST).is_ok());
        assert!(ranking(&[0]).check(&Method::RankedChoice, OPTIONS_AT_MOST + 1).is_err());
    }
}
