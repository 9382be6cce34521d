//! Three words that find a mistake in the others: a Reed–Solomon code whose letters are the 2,048 words.
//!
//! A share is a polynomial over the field of 2,048 elements, the first word its highest coefficient; the check words
//! make it zero at 1, α and α². Two shares differ in at least four words, so one wrong word is found with certainty,
//! and two wrong ones are never taken for one.

/// x¹¹ + x² + 1, whose root α runs through every element but zero.
const POLYNOMIAL: u16 = 0x805;
/// Elements of the field but zero.
const ORDER: u32 = 2047;
/// (x + 1)(x + α)(x + α²) without its leading 1.
const GENERATOR: [u16; CHECK_WORDS] = [7, 14, 8];

pub(super) const CHECK_WORDS: usize = 3;

/// What the check words say of a whole share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Diagnosis {
    Right,
    /// The word at this place should be that one.
    Wrong {
        place: usize,
        right: u16,
    },
    /// The word at this place and the next changed places.
    Swapped {
        place: usize,
    },
    ManyWrong,
}

/// The check words of these words, each below 2,048.
pub(super) fn check_words(words: &[u16]) -> [u16; CHECK_WORDS] {
    words.iter().fold([0; CHECK_WORDS], |rest, word| {
        let factor = word ^ rest[0];
        [
            rest[1] ^ multiply(factor, GENERATOR[0]),
            rest[2] ^ multiply(factor, GENERATOR[1]),
            multiply(factor, GENERATOR[2]),
        ]
    })
}

/// Looks for mistakes in words that end in their check words.
pub(super) fn diagnose(words: &[u16]) -> Diagnosis {
    let [at_one, at_alpha, at_square] = syndromes(words);
    if [at_one, at_alpha, at_square] == [0; 3] {
        return Diagnosis::Right;
    }
    // One error of size e at the power p leaves e, e·α^p and e·α^2p.
    if at_one != 0 && multiply(at_alpha, at_alpha) == multiply(at_one, at_square) {
        let of_power = |power: usize| multiply(at_one, alpha_to(power)) == at_alpha;
        if let Some(place) = (0..words.len()).find(|place| of_power(words.len() - 1 - place)) {
            return Diagnosis::Wrong { place, right: words[place] ^ at_one };
        }
    }
    let mut swapped = words.to_vec();
    for place in 0..words.len().saturating_sub(1) {
        swapped.swap(place, place + 1);
        if syndromes(&swapped) == [0; 3] {
            return Diagnosis::Swapped { place };
        }
        swapped.swap(place, place + 1);
    }
    Diagnosis::ManyWrong
}

/// What the word at this place must be, if all others are right.
pub(super) fn fill(words: &[u16], place: usize) -> Option<u16> {
    let mut words = words.to_vec();
    *words.get_mut(place)? = 0;
    let [missing, ..] = syndromes(&words);
    words[place] = missing;
    (syndromes(&words) == [0; 3]).then_some(missing)
}

/// The polynomial's values at 1, α and α².
fn syndromes(words: &[u16]) -> [u16; CHECK_WORDS] {
    [0, 1, 2].map(|power| {
        let point = alpha_to(power);
        words.iter().fold(0, |value, word| multiply(value, point) ^ word)
    })
}

fn alpha_to(power: usize) -> u16 {
    (0..power % ORDER as usize).fold(1, |value, _| multiply(value, 2))
}

/// The product of two elements of the field.
fn multiply(one: u16, other: u16) -> u16 {
    let (mut one, mut other, mut product) = (one, other, 0);
    while other != 0 {
        if other & 1 != 0 {
            product ^= one;
        }
        one <<= 1;
        if one & 0x800 != 0 {
            one ^= POLYNOMIAL;
        }
        other >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn alpha_runs_through_the_whole_field() {
        let mut element = 1;
        let period = (1..=ORDER).find(|_| {
            element = multiply(element, 2);
            element == 1
        });
        assert_eq!(period, Some(ORDER));
    }

    fn share() -> impl Strategy<Value = Vec<u16>> {
        proptest::collection::vec(0_u16..2048, 27).prop_map(|mut words| {
            let check = check_words(&words);
            words.extend(check);
            words
        })
    }

    proptest! {
        #[test]
        fn one_wrong_word_is_found_and_mended(
            words in share(), place in 0_usize..30, change in 1_u16..2048,
        ) {
            prop_assert_eq!(diagnose(&words), Diagnosis::Right);
            let mut wrong = words.clone();
            wrong[place] ^= change;
            prop_assert_eq!(diagnose(&wrong), Diagnosis::Wrong { place, right: words[place] });
            prop_assert_eq!(fill(&wrong, place), Some(words[place]));
            prop_assert_eq!(fill(&wrong, (place + 1) % 30), None);
        }

        #[test]
        fn two_wrong_words_are_noticed_and_never_taken_for_one(
            words in share(), one in 0_usize..30, step in 1_usize..30, change in 1_u16..2048, other in 1_u16..2048,
        ) {
            let mut wrong = words;
            wrong[one] ^= change;
            wrong[(one + step) % 30] ^= other;
            let noticed = matches!(diagnose(&wrong), Diagnosis::ManyWrong | Diagnosis::Swapped { .. });
            prop_assert!(noticed);
        }

        #[test]
        fn neighbours_that_changed_places_are_found(words in share(), place in 0_usize..29) {
            prop_assume!(words[place] != words[place + 1]);
            let mut wrong = words;
            wrong.swap(place, place + 1);
            prop_assert_eq!(diagnose(&wrong), Diagnosis::Swapped { place });
        }
    }
}
