//! The last entry, which stands for everything before it, and those who vouch for having seen it.

use banyan_identity::{Domain, PublicKey, Signature, SigningKey};
use banyan_store::rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::error::LedgerError;
use crate::hex32;
use crate::read::{entry, number};

/// What a steward countersigns a head for.
pub const HEAD: Domain = Domain::new("ledger head v1");

/// The end of a ledger at some time. Its hash stands for every entry up to it; the signature is the box's own over
/// that entry, so whoever keeps a head can show that the box once stood by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The entry's number.
    pub seq: u64,
    /// Its hash.
    #[serde(with = "hex32")]
    pub hash: [u8; 32],
    /// The box's signature over it.
    pub signature: Signature,
}

impl Head {
    pub(crate) fn of(entry: &Entry) -> Self {
        Self { seq: entry.seq, hash: entry.hash, signature: entry.signature }
    }

    /// A steward's or a neighbour's signature under it; [`countersign`] keeps it.
    #[must_use]
    pub fn countersignature(&self, key: &SigningKey) -> Countersignature {
        let signature = key.sign(HEAD, &statement(self.seq, &self.hash));
        Countersignature { seq: self.seq, signer: key.public(), signature }
    }
}

/// That somebody has seen the ledger up to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Countersignature {
    /// The entry's number.
    pub seq: u64,
    /// Who.
    pub signer: PublicKey,
    /// Under the entry's number and hash.
    pub signature: Signature,
}

impl Countersignature {
    /// Whether it is of an entry with this hash.
    #[must_use]
    pub fn is_of(&self, hash: &[u8; 32]) -> bool {
        self.signer.verify(HEAD, &statement(self.seq, hash), &self.signature).is_ok()
    }
}

/// The bytes that are countersigned: `seq (8, little-endian) · hash (32)`.
fn statement(seq: u64, hash: &[u8; 32]) -> Vec<u8> {
    [seq.to_le_bytes().as_slice(), hash].concat()
}

/// Keeps a countersignature, when it is one of the entry that this ledger has.
pub fn countersign(tx: &Transaction<'_>, countersignature: &Countersignature) -> Result<(), LedgerError> {
    let Countersignature { seq, signer, signature } = countersignature;
    let entry = entry(tx, *seq)?.ok_or(LedgerError::NoEntry(*seq))?;
    signer.verify(HEAD, &statement(*seq, &entry.hash), signature)?;
    let sql = "INSERT INTO ledger_countersignatures (seq, signer, signature) VALUES (?, ?, ?)";
    tx.execute(sql, params![number(*seq), signer.as_bytes(), signature.as_bytes()])?;
    Ok(())
}

/// All of them, by entry.
pub fn countersignatures(connection: &Connection) -> Result<Vec<Countersignature>, LedgerError> {
    let sql = "SELECT seq, signer, signature FROM ledger_countersignatures ORDER BY seq, signer";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Countersignature {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            signer: PublicKey::from_bytes(row.get(1)?),
            signature: Signature::from_bytes(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}
