//! How consent and audiences stand in the tables. What a search asks is one bit and one comparison; that they mean what
//! [`Consent::allows`] says is shown below for every case.

use crate::consent::{Audience, Consent, Level, Use};

/// The bit of a use, in `uses` and in `allowed`.
pub(crate) fn use_bit(wanted: Use) -> i64 {
    match wanted {
        Use::Search => 1,
        Use::Grounding => 2,
        Use::Training => 4,
        Use::Federation => 8,
        Use::Commons => 16,
    }
}

/// Whoever is at least this finds it.
pub(crate) fn audience_rank(audience: Audience) -> i64 {
    match audience {
        Audience::Guests => 0,
        Audience::Members => 1,
        Audience::Librarians => 2,
    }
}

/// What is not known is open to the fewest.
pub(crate) fn audience(rank: i64) -> Audience {
    match rank {
        0 => Audience::Guests,
        1 => Audience::Members,
        _ => Audience::Librarians,
    }
}

/// The columns `uses`, `level` and `allowed`.
pub(crate) fn of_consent(consent: &Consent) -> (i64, i64, i64) {
    let level = match consent.level {
        Level::LocalOnly => 0,
        Level::FederationOk => 1,
        Level::CommonsOk => 2,
    };
    let allowed = Use::ALL.into_iter().filter(|wanted| consent.allows(*wanted));
    (mask(consent.uses.iter().copied()), level, mask(allowed))
}

fn mask(uses: impl Iterator<Item = Use>) -> i64 {
    uses.map(use_bit).fold(0, |mask, bit| mask | bit)
}

/// The same back. What is not known goes least far.
pub(crate) fn consent(uses: i64, level: i64) -> Consent {
    let level = match level {
        1 => Level::FederationOk,
        2 => Level::CommonsOk,
        _ => Level::LocalOnly,
    };
    Consent { uses: Use::ALL.into_iter().filter(|wanted| uses & use_bit(*wanted) != 0).collect(), level }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_say_what_the_consent_says() {
        for level in [Level::LocalOnly, Level::FederationOk, Level::CommonsOk] {
            for chosen in 0..32 {
                let consent = consent(chosen, level as i64);
                assert_eq!(consent.level, level);
                let (uses, rank, allowed) = of_consent(&consent);
                assert_eq!(super::consent(uses, rank), consent);
                for wanted in Use::ALL {
                    assert_eq!(
                        allowed & use_bit(wanted) != 0,
                        consent.allows(wanted),
                        "{consent:?} {wanted:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_audience_is_read_back_and_what_is_not_known_is_open_to_the_fewest() {
        for one in [Audience::Guests, Audience::Members, Audience::Librarians] {
            assert_eq!(audience(audience_rank(one)), one);
        }
        assert_eq!(audience(7), Audience::Librarians);
        assert_eq!(consent(0, 9).level, Level::LocalOnly);
    }
}
