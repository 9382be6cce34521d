//! A hash in JSON: 64 hexadecimal digits.

use std::borrow::Cow;

use banyan_identity::{from_hex, to_hex};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_hex(hash))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    from_hex(&text).ok_or_else(|| D::Error::custom("a hash has 64 hexadecimal digits"))
}
