//! Texts that may be withdrawn: beside the ledger, each sealed under a key of its own. The ledger gets the hash over
//! the text and a salt, from which a text cannot be guessed; with the row, both key and salt are gone, and the entry
//! that names it verifies as before.

use banyan_identity::{IdentityError, random_bytes, seal, to_hex};
use banyan_store::rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::hex32;

/// Parts these hashes from every other use of BLAKE3.
const HASH: &str = "banyan: withheld text v1";
const CONTEXT: &str = "withheld text v1";

/// What the ledger keeps of a text: put it into an entry's payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// The text's name.
    pub id: String,
    /// The hash over a salt and the text.
    #[serde(with = "hex32")]
    pub hash: [u8; 32],
}

/// Puts a text beside the ledger.
pub fn conceal(tx: &Transaction<'_>, text: &str) -> Result<Withheld, LedgerError> {
    let id = to_hex(&random_bytes::<12>()?);
    let (key, salt) = (random_bytes::<32>()?, random_bytes::<32>()?);
    let sealed = seal::seal(&key, &context(&id), text.as_bytes())?;
    tx.execute(
        "INSERT INTO withheld (id, key, salt, sealed) VALUES (?, ?, ?, ?)",
        params![id, key, salt, sealed],
    )?;
    Ok(Withheld { id, hash: salted_hash(&salt, text) })
}

/// The text; none when it was erased.
pub fn reveal(connection: &Connection, id: &str) -> Result<Option<String>, LedgerError> {
    Ok(look(connection, id)?.map(|(_, text)| text))
}

/// The text, if it is the one that the ledger's hash is of; an error if it is another one.
pub fn reveal_proved(connection: &Connection, withheld: &Withheld) -> Result<Option<String>, LedgerError> {
    match look(connection, &withheld.id)? {
        Some((salt, text)) if salted_hash(&salt, &text) != withheld.hash => {
            Err(IdentityError::DoesNotOpen { what: CONTEXT.into() }.into())
        }
        found => Ok(found.map(|(_, text)| text)),
    }
}

/// Erases a text with its key and salt; says whether there was one.
pub fn erase(tx: &Transaction<'_>, id: &str) -> Result<bool, LedgerError> {
    // The store overwrites what is deleted.
    Ok(tx.execute("DELETE FROM withheld WHERE id = ?", [id])? > 0)
}

fn look(connection: &Connection, id: &str) -> Result<Option<([u8; 32], String)>, LedgerError> {
    let row: Option<([u8; 32], [u8; 32], Vec<u8>)> = connection
        .prepare_cached("SELECT key, salt, sealed FROM withheld WHERE id = ?")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((key, salt, sealed)) = row else { return Ok(None) };
    let text = String::from_utf8(seal::open(&key, &context(id), &sealed)?);
    let text = text.map_err(|_| IdentityError::DoesNotOpen { what: CONTEXT.into() })?;
    Ok(Some((salt, text)))
}

/// Names the text, so that two rows cannot change places.
fn context(id: &str) -> String {
    format!("{CONTEXT} {id}")
}

fn salted_hash(salt: &[u8; 32], text: &str) -> [u8; 32] {
    blake3::Hasher::new_derive_key(HASH).update(salt).update(text.as_bytes()).finalize().into()
}
