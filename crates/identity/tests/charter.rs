//! The community's charter, signed and rotated by its stewards.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::collections::BTreeSet;

use banyan_identity::charter::CharterError;
use banyan_identity::{Charter, CharterHash, SignedCharter, SigningKey, TrustedCharter};
use proptest::prelude::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn keys(seeds: impl IntoIterator<Item = u8>) -> BTreeSet<banyan_identity::PublicKey> {
    seeds.into_iter().map(|seed| key(seed).public()).collect()
}

fn signed(charter: &Charter, by: impl IntoIterator<Item = u8>) -> SignedCharter {
    let mut signed = SignedCharter::new(charter).unwrap();
    by.into_iter().for_each(|seed| signed.sign(&key(seed)));
    signed
}

/// Stewards 1, 2 and 3, of whom two speak for the community.
fn community() -> TrustedCharter {
    let charter = Charter::first("Río Abajo", keys([1, 2, 3]), 2, vec![]).unwrap();
    let signed = signed(&charter, [1, 3]);
    signed.trust_first(&signed.fingerprint()).unwrap()
}

#[test]
fn a_first_charter_needs_its_fingerprint_and_its_threshold() {
    let charter = Charter::first("Río Abajo", keys([1, 2, 3]), 2, vec![]).unwrap();
    let whole = signed(&charter, [1, 3]);
    assert!(whole.trust_first(&whole.fingerprint()).is_ok());
    let other = CharterHash::of(b"another");
    assert!(matches!(whole.trust_first(&other), Err(CharterError::OtherFingerprint { .. })));
    for by in [vec![], vec![1], vec![1, 4], vec![4, 5, 6]] {
        let few = signed(&charter, by.clone());
        let error = few.trust_first(&few.fingerprint()).unwrap_err();
        assert!(matches!(error, CharterError::TooFewSignatures { needed: 2, .. }), "{by:?}: {error}");
    }
}

#[test]
fn a_new_charter_needs_the_stewards_before_and_the_stewards_after() {
    let before = community();
    let mut charter = before.successor();
    charter.stewards = keys([3, 4, 5]).into_iter().collect();
    for (by, missing) in [
        (vec![1, 2], Some("stewards after")),
        (vec![4, 5], Some("stewards before")),
        (vec![3, 4], Some("stewards before")),
        (vec![1, 3], Some("stewards after")),
        (vec![1, 3, 4], None),
        (vec![1, 2, 4, 5], None),
    ] {
        match (before.accept(&signed(&charter, by.clone())), missing) {
            (Ok(after), None) => assert_eq!(after.charter(), &charter),
            (Err(CharterError::TooFewSignatures { who, .. }), Some(missing)) => {
                assert_eq!(who, missing, "{by:?}");
            }
            (other, _) => panic!("{by:?}: {other:?}"),
        }
    }
}

#[test]
fn no_version_is_left_out_repeated_or_grown_on_another_trunk() {
    let first = community();
    let all = [1, 2, 3];
    let second = first.accept(&signed(&first.successor(), all)).unwrap();
    let third = signed(&second.successor(), all);
    assert!(matches!(first.accept(&third), Err(CharterError::DoesNotFollow { trusted: 1, found: 3 })));
    assert!(second.accept(&third).is_ok());
    assert!(second.accept(&signed(&first.successor(), all)).is_err(), "the same version again");
    assert!(second.accept(&signed(first.charter(), all)).is_err(), "back to the first");
    let mut elsewhere = second.successor();
    elsewhere.previous = Some(CharterHash::of(b"another trunk"));
    assert!(second.accept(&signed(&elsewhere, all)).is_err());
}

#[test]
fn a_wrong_signature_cannot_be_added_and_a_right_one_can() {
    let charter = Charter::first("Río Abajo", keys([1, 2]), 2, vec![]).unwrap();
    let mut collected = signed(&charter, [1]);
    let elsewhere = signed(&charter, [2]);
    let wrong = key(2).sign(banyan_identity::charter::DOMAIN, b"something else");
    assert!(matches!(collected.add(key(2).public(), wrong), Err(CharterError::NotASignature(_))));
    let right = key(2).sign(banyan_identity::charter::DOMAIN, &charter.encode().unwrap());
    collected.add(key(2).public(), right).unwrap();
    assert_eq!(collected.signers().count(), 2);
    assert!(collected.trust_first(&elsewhere.fingerprint()).is_ok());
}

/// Makes a charter impossible.
type Spoil = fn(&mut Charter);

#[test]
fn a_charter_that_cannot_be_one_is_refused_in_words() {
    let good = community().successor();
    let cases: [(&str, Spoil); 7] = [
        ("name", |charter| charter.name = " Río".into()),
        ("stewards", |charter| charter.stewards.clear()),
        ("ascending", |charter| charter.stewards.reverse()),
        ("each once", |charter| charter.stewards[1] = charter.stewards[0]),
        ("threshold", |charter| charter.threshold = 4),
        ("endpoints", |charter| charter.endpoints = vec![String::new()]),
        ("first version", |charter| charter.version = 1),
    ];
    for (words, spoil) in cases {
        let mut charter = good.clone();
        spoil(&mut charter);
        let error = SignedCharter::new(&charter).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever signs, a rotation passes exactly when both counts are reached: computed here from the seeds alone.
    #[test]
    fn a_rotation_passes_exactly_with_both_thresholds(
        old in proptest::collection::btree_set(0_u8..8, 1..6),
        new in proptest::collection::btree_set(0_u8..8, 1..6),
        signers in proptest::collection::btree_set(0_u8..8, 0..8),
        old_needs in any::<prop::sample::Index>(),
        new_needs in any::<prop::sample::Index>(),
    ) {
        let old_needs = u8::try_from(old_needs.index(old.len()) + 1).unwrap();
        let new_needs = u8::try_from(new_needs.index(new.len()) + 1).unwrap();
        let first = Charter::first("x", keys(old.clone()), old_needs, vec![]).unwrap();
        let first = signed(&first, old.clone());
        let first = first.trust_first(&first.fingerprint()).unwrap();
        let mut next = first.successor();
        next.stewards = keys(new.clone()).into_iter().collect();
        next.threshold = new_needs;
        let next = signed(&next, signers.clone());
        // Over the wire and back: the bytes stay what was signed.
        let next = SignedCharter::decode(&next.encode()).unwrap();
        let enough = |stewards: &BTreeSet<u8>, needs| stewards.intersection(&signers).count() >= usize::from(needs);
        prop_assert_eq!(first.accept(&next).is_ok(), enough(&old, old_needs) && enough(&new, new_needs));
    }

    #[test]
    fn a_changed_byte_of_a_signed_charter_is_never_accepted(
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let first = community();
        let next = signed(&first.successor(), [1, 2]);
        let mut bytes = next.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        let accepted = SignedCharter::decode(&bytes).ok().and_then(|next| first.accept(&next).ok());
        prop_assert_eq!(accepted, None);
    }
}
