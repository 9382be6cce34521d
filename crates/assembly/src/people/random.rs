//! What nobody can guess: codes that people read out, and tokens that browsers keep.

use banyan_identity::random_bytes;

use crate::error::AssemblyError;

/// Letters and digits that are not mistaken for each other when read aloud (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a code: 50 random bits. At a guess a millisecond that is 17,000 years for every second one.
const CODE_CHARACTERS: usize = 10;

/// Random bits for the name of a thing.
pub(crate) fn bits() -> Result<u64, AssemblyError> {
    Ok(u64::from_le_bytes(random_bytes()?))
}

/// A code such as `7K2QF-0XH4M`.
pub(crate) fn code() -> Result<String, AssemblyError> {
    let bits = bits()?;
    let mut code: String =
        (0..CODE_CHARACTERS).map(|place| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31])).collect();
    code.insert(CODE_CHARACTERS / 2, '-');
    Ok(code)
}

/// The hash under which a code is kept; the same however it was typed. A code has 50 random bits and a short life, so
/// a fast hash is enough.
pub(crate) fn code_hash(typed: &str) -> [u8; 32] {
    let plain: String = typed
        .chars()
        .filter(|character| character.is_ascii_alphanumeric())
        .map(|character| match character.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    blake3::derive_key("banyan code v1", plain.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed() {
        let hash = code_hash("10ABC-DEF7K");
        for typed in ["10abcdef7k", " lOabc def7k ", "I0ABC–DEF7K"] {
            assert_eq!(code_hash(typed), hash, "{typed}");
        }
        assert_ne!(code_hash("10ABC-DEF7J"), hash);
        let (one, other) = (code().unwrap(), code().unwrap());
        assert!(one != other && one.len() == 11 && one.as_bytes()[5] == b'-', "{one} {other}");
    }
}
