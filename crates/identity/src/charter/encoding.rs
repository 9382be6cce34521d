//! A charter as bytes: CBOR, of which this is the only form that is read.
//!
//! ```text
//! [1, version, previous hash or null, name, threshold, [key of a steward, …], [endpoint, …]]
//! ```

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::{Charter, CharterError, CharterHash, MAX_ENDPOINTS, MAX_STEWARDS};
use crate::keys::PublicKey;

/// Number of this form.
const FORM: u8 = 1;
/// Parts of the outer list.
const PARTS: u64 = 7;
/// Bytes of a charter with every part as large as it may be, rounded up.
pub(super) const MAX_BYTES: usize = 16 * 1024;

const IN_MEMORY: &str = "writing into memory cannot fail";

impl Charter {
    /// The bytes that are signed.
    pub fn encode(&self) -> Result<Vec<u8>, CharterError> {
        self.check()?;
        let mut encoder = Encoder::new(Vec::new());
        self.write(&mut encoder).expect(IN_MEMORY);
        Ok(encoder.into_writer())
    }

    fn write(
        &self,
        to: &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        to.array(PARTS)?.u8(FORM)?.u32(self.version)?;
        match &self.previous {
            Some(hash) => to.bytes(hash.as_bytes())?,
            None => to.null()?,
        };
        to.str(&self.name)?.u8(self.threshold)?.array(self.stewards.len() as u64)?;
        for steward in &self.stewards {
            to.bytes(steward.as_bytes())?;
        }
        to.array(self.endpoints.len() as u64)?;
        for endpoint in &self.endpoints {
            to.str(endpoint)?;
        }
        Ok(())
    }

    /// Reads what [`Charter::encode`] writes, and no other form of the same content.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CharterError> {
        if bytes.len() > MAX_BYTES {
            return Err(unreadable(format!("it has more than {MAX_BYTES} bytes")));
        }
        let charter = Self::read(bytes).map_err(unreadable)?;
        if charter.encode()? != bytes {
            return Err(unreadable("it is written in another form than stewards sign"));
        }
        Ok(charter)
    }

    fn read(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut from = Decoder::new(bytes);
        let expect = |right: bool, what: &'static str| {
            if right { Ok(()) } else { Err(minicbor::decode::Error::message(what)) }
        };
        expect(from.array()? == Some(PARTS), "it has another number of parts")?;
        expect(from.u8()? == FORM, "it has another form")?;
        let version = from.u32()?;
        let previous = if from.datatype()? == Type::Null {
            from.null()?;
            None
        } else {
            Some(CharterHash::from_bytes(thirty_two(&mut from)?))
        };
        let name = from.str()?.to_owned();
        let threshold = from.u8()?;
        let count = from.array()?.filter(|count| *count <= MAX_STEWARDS as u64);
        let count = count.ok_or_else(|| minicbor::decode::Error::message("it has too many stewards"))?;
        let stewards =
            (0..count).map(|_| thirty_two(&mut from).map(PublicKey::from_bytes)).collect::<Result<_, _>>()?;
        let count = from.array()?.filter(|count| *count <= MAX_ENDPOINTS as u64);
        let count = count.ok_or_else(|| minicbor::decode::Error::message("it has too many endpoints"))?;
        let endpoints = (0..count).map(|_| from.str().map(str::to_owned)).collect::<Result<_, _>>()?;
        expect(from.position() == bytes.len(), "something follows it")?;
        Ok(Self { name, stewards, threshold, endpoints, version, previous })
    }
}

pub(super) fn thirty_two(from: &mut Decoder<'_>) -> Result<[u8; 32], minicbor::decode::Error> {
    from.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("a key or hash has not 32 bytes"))
}

pub(super) fn unreadable(why: impl std::fmt::Display) -> CharterError {
    CharterError::Unreadable(why.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hex::to_hex;
    use crate::keys::SigningKey;

    fn example() -> Charter {
        let stewards = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]).public()).into();
        Charter::first("Río Abajo", stewards, 2, vec!["/dns/rio.example/udp/4001".into()]).unwrap()
    }

    #[test]
    fn a_charter_has_these_bytes_for_ever() {
        assert_eq!(to_hex(&example().encode().unwrap()), GOLDEN);
        assert_eq!(CharterHash::of(&example().encode().unwrap()).to_string(), GOLDEN_HASH);
    }

    const GOLDEN: &str = "870101f66a52c3ad6f204162616a6f028358208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39458208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c5820ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d18178192f646e732f72696f2e6578616d706c652f7564702f34303031";
    const GOLDEN_HASH: &str = "6f3a0df094a678ede8fd6506d7b2d5e9a5d9e1049d3e4e72867bc3a32ee5b3ef";

    #[test]
    fn another_form_of_the_same_charter_is_not_read() {
        let bytes = example().encode().unwrap();
        // The version 1 written in two bytes: CBOR allows it, a signature over one fixed form does not.
        let longer = [&bytes[..2], &[0x18], &bytes[2..]].concat();
        assert!(matches!(Charter::decode(&longer), Err(CharterError::Unreadable(_))));
        let followed = [&bytes[..], &[0]].concat();
        assert!(matches!(Charter::decode(&followed), Err(CharterError::Unreadable(_))));
        for length in 0..bytes.len() {
            assert!(Charter::decode(&bytes[..length]).is_err(), "cut off after {length} bytes");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_no_two_bytes_mean_the_same(
            name in "[^ \\p{C}]{1,30}",
            seeds in proptest::collection::btree_set(any::<[u8; 32]>(), 1..8),
            threshold in any::<proptest::sample::Index>(),
            endpoints in proptest::collection::vec("[a-z/0-9]{1,30}", 0..4),
            later in proptest::option::of((2_u32.., any::<[u8; 32]>())),
            place in any::<proptest::sample::Index>(),
            flip in 1_u8..,
        ) {
            prop_assume!(name.trim() == name);
            let charter = Charter {
                threshold: u8::try_from(threshold.index(seeds.len()) + 1).unwrap(),
                stewards: seeds.into_iter().map(PublicKey::from_bytes).collect(),
                name,
                endpoints,
                version: later.map_or(1, |(version, _)| version),
                previous: later.map(|(_, hash)| CharterHash::from_bytes(hash)),
            };
            let mut bytes = charter.encode().unwrap();
            let read = Charter::decode(&bytes);
            prop_assert_eq!(read.as_ref(), Ok(&charter));
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            prop_assert_ne!(Charter::decode(&bytes).ok(), Some(charter));
        }

        #[test]
        fn whatever_a_stranger_sends_never_brings_a_box_down(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Charter::decode(&bytes);
        }
    }
}
