//! The community's store, opened for the node; and what members read while it cannot be.

use anyhow::{Context, Result};
use std::sync::Arc;

use banyan_assembly::Assembly;
use banyan_assembly::people::SetupCode;
use banyan_identity::SigningKey;
use banyan_knowledge::Reranker;
use banyan_store::{KeySource, Room, Store};

use crate::ledger;
use crate::library::Desk;
use crate::paths::Paths;

/// Everything that a box keeps, for opening its store.
pub(crate) fn rooms() -> Vec<Room> {
    banyan_assembly::rooms().into_iter().chain(banyan_knowledge::rooms()).collect()
}

/// Opens the store, or makes it at the first start. Nothing is repaired, replaced or made anew beside what is there: on
/// an error the store is as it was, and the words say what helps.
fn open_store(paths: &Paths) -> Result<(Store, SigningKey)> {
    // Power may have failed while a backup changed places with what was here.
    banyan_store::finish_restore(&paths.data)?;
    let key = KeySource::of_box(&paths.data).load_or_create(Store::exists(&paths.data))?;
    let store = Store::open(&paths.data, &key, &rooms())?;
    let signs = ledger::box_key(&paths.data, &key).context("the key that signs the ledger cannot be used")?;
    Ok((store, signs))
}

/// The library, for a command that runs while no box does.
pub(crate) fn library_desk(paths: &Paths) -> Result<Desk> {
    let (store, signs) = open_store(paths)?;
    Ok(Desk::open(&paths.data, store, signs, None)?)
}

/// The community and its library, for the node.
pub(super) fn open(paths: &Paths, reranker: Arc<dyn Reranker>) -> Result<(Assembly, Desk)> {
    let (store, signs) = open_store(paths)?;
    let desk = Desk::open(&paths.data, store.clone(), signs.clone(), Some(reranker))?;
    Ok((open_assembly(paths, store, signs)?, desk))
}

fn open_assembly(paths: &Paths, store: Store, signs: SigningKey) -> Result<Assembly> {
    let assembly = Assembly::open(store, signs)?;
    let setup = SetupCode::of_box(&paths.data);
    if assembly.in_force().is_founded() {
        // Left over where the power went just after the founding.
        setup.remove()?;
    } else {
        setup.load_or_create()?;
    }
    Ok(assembly)
}

/// The address at which whoever stands before the box founds the community; none once it is founded.
pub(crate) fn setup_address(paths: &Paths, page: &str) -> Option<String> {
    let code = SetupCode::of_box(&paths.data).load().ok().flatten()?;
    Some(format!("{page}/#/start?code={code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(data: &std::path::Path) -> Paths {
        Paths::new(Some(data.to_owned()), None, "desk".into(), None).unwrap()
    }

    fn open(paths: &Paths) -> Result<Assembly> {
        let (store, signs) = open_store(paths)?;
        open_assembly(paths, store, signs)
    }

    #[test]
    fn the_first_start_makes_a_store_and_a_code_and_the_second_finds_both() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        let assembly = open(&paths).unwrap();
        assert!(!assembly.in_force().is_founded());
        let address = setup_address(&paths, "http://10.0.0.1").unwrap();
        assert!(address.starts_with("http://10.0.0.1/#/start?code="), "{address}");
        drop(assembly);
        drop(open(&paths).unwrap());
        assert_eq!(setup_address(&paths, "http://10.0.0.1"), Some(address));
    }

    #[test]
    fn a_wrong_or_missing_key_is_told_in_words_and_nothing_is_made_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        drop(open(&paths).unwrap());
        let key = dir.path().join("keys/store.key");
        let right = std::fs::read(&key).unwrap();
        std::fs::remove_file(&key).unwrap();
        let error = format!("{:#}", open(&paths).unwrap_err());
        assert!(error.contains("banyan recover") && !key.exists(), "{error}");
        let source = KeySource::of_box(dir.path());
        source.replace(&banyan_store::StoreKey::from_bytes([9; 32])).unwrap();
        let error = format!("{:#}", open(&paths).unwrap_err());
        assert!(error.contains("does not open"), "{error}");
        std::fs::write(&key, right).unwrap();
        open(&paths).unwrap();
    }
}
