//! PINs and passphrases. What is kept is the member's data key, sealed under a key that argon2id makes from the secret:
//! opening it is the check, and whoever sets a new secret without the old one cannot open what was closed with the key.

use std::fmt;
use std::sync::Arc;

use banyan_identity::{IdentityError, random_bytes, seal};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::error::{AssemblyError, Refusal};

/// What the seal is for; a seal made for something else does not open here.
const CONTEXT: &str = "banyan member key v1";

/// Each check takes some tens of MiB and a core for a moment; more than this at a time would starve a small box.
static AT_A_TIME: Semaphore = Semaphore::const_new(2);

const MIN_CHARACTERS: usize = 4;
const MAX_CHARACTERS: usize = 200;

/// A member's data key: what is closed with it, nobody but the member opens. Cheap to clone.
#[derive(Clone)]
pub struct MemberKey(Arc<Zeroizing<[u8; 32]>>);

impl MemberKey {
    pub(crate) fn generate() -> Result<Self, AssemblyError> {
        Ok(Self(Arc::new(Zeroizing::new(random_bytes()?))))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::try_from(bytes).ok().map(|bytes| Self(Arc::new(Zeroizing::new(bytes))))
    }

    /// For sealing and opening.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberKey(…)")
    }
}

/// A PIN or passphrase on its way; forgotten when it was used.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// As it was typed, whatever keyboard it was typed with.
    pub(crate) fn typed(text: &str) -> Self {
        let normal: String = text.trim().nfkc().map(plain_digit).collect();
        Self(Zeroizing::new(normal))
    }

    /// A new one; refused in words when it would be guessed at once.
    pub(crate) fn new(text: &str, field: &'static str) -> Result<Self, Refusal> {
        let secret = Self::typed(text);
        let refuse = |code, message: String| Err(Refusal::Invalid { field, code, message });
        let characters: Vec<char> = secret.0.chars().collect();
        if characters.len() < MIN_CHARACTERS {
            let message = format!("a PIN has at least {MIN_CHARACTERS} digits; a few words are better");
            return refuse("secret_too_short", message);
        }
        if characters.len() > MAX_CHARACTERS {
            return refuse(
                "secret_too_long",
                format!("a passphrase has at most {MAX_CHARACTERS} characters"),
            );
        }
        if is_run(&characters) {
            let message = "this would be guessed at once; take digits that are not in a row, or a few words";
            return refuse("secret_too_simple", message.into());
        }
        Ok(secret)
    }

    /// Seals the key under this secret. Takes a moment.
    pub(crate) async fn seal(self, key: &MemberKey) -> Result<Vec<u8>, AssemblyError> {
        let key = key.clone();
        apart(move || Ok(seal::seal_with_passphrase(&self.0, CONTEXT, key.as_bytes())?)).await
    }

    /// Opens the key with this secret; none when it is the wrong one. Takes a moment.
    pub(crate) async fn open(self, sealed: Vec<u8>) -> Result<Option<MemberKey>, AssemblyError> {
        apart(move || match seal::open_with_passphrase(&self.0, CONTEXT, &sealed) {
            Ok(key) => Ok(MemberKey::from_slice(&Zeroizing::new(key))),
            Err(IdentityError::DoesNotOpen { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Takes as long as a check, for a name that nobody has: so that the time does not tell who belongs here.
    pub(crate) async fn pretend(self) -> Result<(), AssemblyError> {
        let key = MemberKey::generate()?;
        self.seal(&key).await.map(drop)
    }
}

async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AssemblyError> + Send + 'static,
) -> Result<T, AssemblyError> {
    let _turn = AT_A_TIME.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(AssemblyError::Stopping))
}

/// Digits of the Arabic and Persian keyboards are digits.
fn plain_digit(character: char) -> char {
    let value = match character {
        '\u{660}'..='\u{669}' => character as u32 - 0x660,
        '\u{6f0}'..='\u{6f9}' => character as u32 - 0x6f0,
        _ => return character,
    };
    char::from_digit(value, 10).unwrap_or(character)
}

/// Whether each character follows the one before in the same way: 0000, 1234, 9876.
fn is_run(characters: &[char]) -> bool {
    let mut steps =
        characters.windows(2).map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])));
    let first = steps.next();
    matches!(first, Some(-1..=1)) && steps.all(|step| Some(step) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_opens_with_its_secret_and_with_no_other() {
        let key = MemberKey::generate().unwrap();
        let sealed = Secret::new("2580", "secret").unwrap().seal(&key).await.unwrap();
        let open = |typed| Secret::typed(typed).open(sealed.clone());
        assert_eq!(open("2580").await.unwrap().unwrap().as_bytes(), key.as_bytes());
        assert_eq!(open(" ٢٥٨٠ ").await.unwrap().unwrap().as_bytes(), key.as_bytes());
        assert!(open("2581").await.unwrap().is_none());
        assert_eq!(format!("{key:?}"), "MemberKey(…)");
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for text in ["", "123", "  12  ", "0000", "1234", "9876", "aaaa", "abcd", &"x1".repeat(101)] {
            let refused = Secret::new(text, "secret").err();
            assert!(matches!(refused, Some(Refusal::Invalid { field: "secret", .. })), "{text}");
        }
        for text in ["2580", "1357", "three goats on a hill", "ぬるぽ木"] {
            assert!(Secret::new(text, "secret").is_ok(), "{text}");
        }
    }
}
