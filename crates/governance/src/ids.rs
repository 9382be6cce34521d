//! Names of things: short, random, and nothing about the person or text behind them, so that they may stand in the
//! ledger for ever while what they name is erased.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Letters and digits that are not mistaken for each other when read aloud (Crockford's base 32, lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters after the letter that says what is named: 50 random bits.
const RANDOM_CHARACTERS: usize = 10;

/// A text that is not the name of anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is not a name of {what}; it is written {letter}- and ten letters or digits, such as {letter}-0123456789"
)]
pub struct BadId {
    text: String,
    what: &'static str,
    letter: char,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// A name from 64 random bits (50 are used).
            #[must_use]
            pub fn from_random(bits: u64) -> Self {
                Self(written($letter, bits))
            }

            /// As it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let well_formed = text.strip_prefix(concat!($letter, "-")).is_some_and(|rest| {
                    rest.len() == RANDOM_CHARACTERS && rest.bytes().all(|byte| ALPHABET.contains(&byte))
                });
                if well_formed {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId { text: text.chars().take(40).collect(), what: $what, letter: $letter })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A member.
    MemberId, 'm', "a member"
);
id!(
    /// A proposal.
    ProposalId, 'p', "a proposal"
);
id!(
    /// A report, and what follows from it: a sanction, an appeal, a mediation.
    CaseId, 'c', "a case"
);
id!(
    /// A sanction.
    SanctionId, 's', "a sanction"
);
id!(
    /// An emergency power in use.
    EmergencyId, 'e', "an emergency"
);

fn written(letter: char, bits: u64) -> String {
    let characters =
        (0..RANDOM_CHARACTERS).map(|place| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31]));
    format!("{letter}-{}", characters.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for bits in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = MemberId::from_random(bits);
            assert_eq!(id.as_str().parse::<MemberId>().as_ref(), Ok(&id));
        }
        assert_ne!(MemberId::from_random(1), MemberId::from_random(2));
    }

    #[test]
    fn what_is_not_a_name_is_refused_in_words() {
        for text in ["", "m-", "p-0123456789", "m-012345678", "m-01234567890", "m-012345678I", "m-0123 45678"]
        {
            let error = text.parse::<MemberId>().unwrap_err();
            assert!(error.to_string().contains("ten letters or digits"), "{error}");
        }
    }
}
