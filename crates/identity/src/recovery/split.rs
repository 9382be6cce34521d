//! Splitting a key, and rebuilding it.

use blahaj::Sharks;
use zeroize::Zeroizing;

use super::{RecoveryError, Share};
use crate::error::IdentityError;
use crate::random::random_bytes;

/// More papers than anyone keeps track of.
pub const MAX_SHARES: u8 = 50;

/// Splits a key into `of` shares, any `needed` of which rebuild it.
pub fn split(secret: &[u8; 32], needed: u8, of: u8) -> Result<Vec<Share>, IdentityError> {
    if needed == 0 || needed > of || of > MAX_SHARES {
        return Err(RecoveryError::Threshold { needed, of }.into());
    }
    let set = u16::from_be_bytes(random_bytes()?);
    let shares = Sharks(needed).dealer(secret).take(usize::from(of));
    shares.map(|share| Ok(of_bytes(needed, set, &Zeroizing::new(Vec::<u8>::from(&share)))?)).collect()
}

/// Rebuilds the key. More shares than needed are allowed, and have to agree.
pub fn combine(shares: &[Share]) -> Result<Zeroizing<[u8; 32]>, RecoveryError> {
    let first = shares.first().ok_or(RecoveryError::TooFew { given: 0, needed: 1 })?;
    for (place, share) in shares.iter().enumerate() {
        if (share.set, share.needed) != (first.set, first.needed) {
            return Err(RecoveryError::OtherSet { index: share.index });
        }
        if shares[..place].iter().any(|earlier| earlier.index == share.index) {
            return Err(RecoveryError::Twice { index: share.index });
        }
    }
    let needed = usize::from(first.needed);
    if shares.len() < needed {
        return Err(RecoveryError::TooFew { given: shares.len(), needed: first.needed });
    }
    let secret = rebuild(&shares[..needed], first.needed)?;
    // Any other choice of as many shares has to make the same key.
    let last = &shares[shares.len() - needed..];
    if rebuild(last, first.needed)? != secret {
        return Err(RecoveryError::NoKey("two choices of them make two keys"));
    }
    Ok(secret)
}

fn rebuild(shares: &[Share], needed: u8) -> Result<Zeroizing<[u8; 32]>, RecoveryError> {
    let as_bytes = |share: &Share| Zeroizing::new([&[share.index], share.data().as_slice()].concat());
    let shares = shares.iter().map(|share| blahaj::Share::try_from(as_bytes(share).as_slice()));
    let shares =
        shares.collect::<Result<Vec<_>, _>>().map_err(|_| RecoveryError::NoKey("one is too short"))?;
    let secret = Sharks(needed).recover(&shares).map_err(|_| RecoveryError::NoKey("they are too few"))?;
    let secret = Zeroizing::new(secret);
    let secret = secret.as_slice().try_into().map_err(|_| RecoveryError::NoKey("it has not 32 bytes"))?;
    Ok(Zeroizing::new(secret))
}

/// From the index and then a byte of the share for each of the key.
fn of_bytes(needed: u8, set: u16, bytes: &[u8]) -> Result<Share, RecoveryError> {
    let (index, data) = bytes.split_first().ok_or(RecoveryError::NoKey("a share is empty"))?;
    let data = data.try_into().map_err(|_| RecoveryError::NoKey("a share has not 32 bytes"))?;
    Ok(Share::new(*index, needed, set, data))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_of_two_splittings_do_not_mix_even_of_one_key() {
        let (one, mut other) = (split(&[1; 32], 2, 3).unwrap(), split(&[1; 32], 2, 3).unwrap());
        // Two splittings have the same number once in 65,536 times.
        other.iter_mut().for_each(|share| share.set = one[0].set.wrapping_add(1));
        let mixed = [one[0].clone(), other[1].clone()];
        assert_eq!(combine(&mixed), Err(RecoveryError::OtherSet { index: 2 }));
    }

    #[test]
    fn a_share_given_twice_does_not_count_twice() {
        let shares = split(&[1; 32], 2, 3).unwrap();
        let twice = [shares[2].clone(), shares[2].clone()];
        assert_eq!(combine(&twice), Err(RecoveryError::Twice { index: 3 }));
        assert_eq!(combine(&[]), Err(RecoveryError::TooFew { given: 0, needed: 1 }));
    }

    #[test]
    fn a_splitting_that_could_never_be_undone_is_refused() {
        for (needed, of) in [(0, 3), (4, 3), (1, 0), (2, 51)] {
            let error = split(&[1; 32], needed, of).unwrap_err();
            assert!(matches!(error, IdentityError::Recovery(RecoveryError::Threshold { .. })), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_k_of_n_shares_rebuild_the_key_in_any_order_and_fewer_do_not(
            secret in any::<[u8; 32]>(),
            of in 1_u8..=8,
            needed in any::<proptest::sample::Index>(),
            order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
            more in 0_usize..3,
        ) {
            let needed = needed.index(usize::from(of)) + 1;
            let shares = split(&secret, u8::try_from(needed).unwrap(), of).unwrap();
            let chosen: Vec<Share> = order.iter().filter_map(|place| shares.get(*place)).cloned().collect();
            // Through the paper.
            let chosen: Vec<Share> =
                chosen.iter().map(|share| Share::from_words(&share.to_words()).unwrap()).collect();
            let enough = &chosen[..(needed + more).min(chosen.len())];
            prop_assert_eq!(*combine(enough).unwrap(), secret);
            let too_few = &chosen[..needed - 1];
            prop_assert!(combine(too_few).is_err());
            // Forging a lower threshold does not help: what comes out is not the key.
            if needed > 1 {
                let forged: Vec<Share> = too_few
                    .iter()
                    .map(|share| {
                        let mut forged = share.clone();
                        forged.needed -= 1;
                        forged
                    })
                    .collect();
                prop_assert_ne!(combine(&forged).ok().map(|secret| *secret), Some(secret));
            }
        }
    }
}
