//! The key that an engine wants to see.

use std::fmt;

use http::HeaderValue;

/// A key as it goes into the `Authorization` header. Never shown by `Debug`, nor by logs of headers.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerKey(HeaderValue);

impl BearerKey {
    /// A key, without the line break that its file ends with; none when it is empty or has characters that no key can have.
    #[must_use]
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for BearerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_from_a_file_as_it_is_and_never_shown() {
        let key = BearerKey::new("bk_secret\n").unwrap();
        assert_eq!(key.header(), "Bearer bk_secret");
        assert!(!format!("{key:?} {:?}", key.header()).contains("secret"));
        for unusable in ["", "\n", "two words", "a\nb", "ctl\u{7}"] {
            assert_eq!(BearerKey::new(unusable), None, "{unusable:?}");
        }
    }
}
