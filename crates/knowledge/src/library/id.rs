//! Names of documents and collections: short, and nothing of what is in them, so that they may stand in the ledger for
//! ever while what they name is withdrawn.

use std::fmt;
use std::str::FromStr;

use banyan_store::rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Letters and digits that are not mistaken for each other when read aloud (Crockford's base 32, lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters after the letter that says what is named: 50 bits.
const CHARACTERS: usize = 10;

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
            /// A name that follows from what is named and from how many there were before, which no other has.
            pub(crate) fn of(before: i64, now: i64, content: &[u8]) -> Self {
                let mut hasher = blake3::Hasher::new_derive_key(concat!("banyan library id v1 ", $letter));
                hasher.update(&before.to_le_bytes()).update(&now.to_le_bytes()).update(content);
                let bytes = hasher.finalize();
                let bits = bytes.as_bytes().iter().take(8).fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
                let digit = |place: usize| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31]);
                Self(format!("{}-{}", $letter, (0..CHARACTERS).map(digit).collect::<String>()))
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
                    rest.len() == CHARACTERS && rest.bytes().all(|byte| ALPHABET.contains(&byte))
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

        impl ToSql for $name {
            fn to_sql(&self) -> banyan_store::rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(|error: BadId| FromSqlError::Other(Box::new(error)))
            }
        }
    };
}

id!(
    /// A document.
    DocumentId, 'd', "a document"
);
id!(
    /// A collection.
    CollectionId, 'k', "a collection"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_as_it_is_written_and_another_is_refused_in_words() {
        let id = DocumentId::of(1, 2, b"rain");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(serde_json::from_str::<DocumentId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        for other in
            [DocumentId::of(2, 2, b"rain"), DocumentId::of(1, 3, b"rain"), DocumentId::of(1, 2, b"sun")]
        {
            assert_ne!(id, other);
        }
        for wrong in
            ["", "d-", "k-0123456789", "d-012345678", "d-01234567890", "d-01234567u9", "D-0123456789"]
        {
            let error = wrong.parse::<DocumentId>().unwrap_err().to_string();
            assert!(error.contains("such as d-0123456789"), "{error}");
        }
    }
}
