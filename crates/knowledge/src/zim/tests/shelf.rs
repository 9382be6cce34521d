//! The shelf: what is found, by whom, and what becomes of an archive that goes and comes back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::consent::{Audience, Consent, Level, Use};
use crate::hit::{Hit, Place, Shelf as _};
use crate::library::testing::{collection, librarian, member, open};
use crate::library::{CollectionId, Library, LibraryError};
use crate::query::Query;
use crate::zim::testing::Maker;
use crate::zim::{ZimShelf, ZimState};

struct Box {
    folder: tempfile::TempDir,
    library: Library,
    shelf: ZimShelf,
    water: CollectionId,
}

impl Box {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = open(folder.path());
        let shelf = ZimShelf::open(folder.path(), library.store().clone()).unwrap();
        let water = made(&library, "Water", Audience::Members, [Use::Search, Use::Grounding].into());
        Self { folder, library, shelf, water }
    }

    fn write(&self, maker: &Maker) -> PathBuf {
        maker.write(self.folder.path(), "book.zim")
    }

    /// Adds an archive and builds its index.
    fn ready(&self, maker: &Maker) -> String {
        let path = self.write(maker);
        let added = self.shelf.add(&path, &self.water, &librarian(), 1).unwrap();
        self.shelf.build(&added.id, &|| false, &mut |_| {}).unwrap();
        added.id
    }

    fn index(&self, zim: &str) -> PathBuf {
        self.folder.path().join("zim").join(format!("{zim}.index"))
    }

    fn state(&self, zim: &str) -> ZimState {
        self.shelf.archive(zim, Audience::Librarians).unwrap().state
    }
}

fn made(library: &Library, name: &str, audience: Audience, uses: Vec<Use>) -> CollectionId {
    let mut new = collection(name, audience);
    new.consent = Consent { uses: uses.into_iter().collect(), level: Level::LocalOnly };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(library.add_collection(new, librarian(), 1)).unwrap().id
}

fn book() -> Maker {
    Maker { main_page: Some("Well"), ..Maker::default() }
        .about("Title", "Water book")
        .about("Language", "eng")
        .about("Creator", "The well diggers")
        .about("License", "CC-BY-4.0")
        .article(
            "Well",
            "The well",
            &["A well gives water.", "Cover it against animals, or children fall into it."],
        )
        .article("Fire", "Fire", &["Fire needs dry wood.", "Keep children away from the fire."])
        .article("Boiling", "Boiling water", &["Boil the water for one minute; it is safe then."])
        .redirect("Borehole", "Borehole", "Well")
}

fn query(text: &str) -> Query {
    Query {
        text: text.into(),
        r#use: Use::Search,
        reader: Audience::Members.into(),
        collections: None,
        languages: None,
        limit: 10,
    }
}

fn paths(hits: &[Hit]) -> Vec<String> {
    let path = |hit: &Hit| match &hit.place {
        Place::Article { path, .. } => path.clone(),
        Place::Document { .. } => String::new(),
    };
    hits.iter().map(path).collect()
}

#[test]
fn an_archive_is_found_by_title_at_once_and_by_words_when_it_is_indexed() {
    let one = Box::new();
    let path = one.write(&book());
    let added = one.shelf.add(&path, &one.water, &librarian(), 7).unwrap();
    assert_eq!((added.title.as_str(), added.licence.as_str()), ("Water book", "CC-BY-4.0"));
    assert_eq!(added.attribution, "The well diggers (Water book)");
    assert_eq!(added.state, ZimState::Indexing { done: 0, total: 0 });
    assert_eq!(paths(&one.shelf.search(&query("fire?")).unwrap()), ["Fire"]);
    assert_eq!(one.shelf.search(&query("animals")).unwrap(), []);
    let mut progress = Vec::new();
    one.shelf.build(&added.id, &|| false, &mut |at| progress.push((at.done, at.total))).unwrap();
    assert_eq!(progress, [(0, 3), (3, 3)]);
    let ready = one.shelf.archive(&added.id, Audience::Members).unwrap();
    assert_eq!((ready.state, ready.articles), (ZimState::Ready, 3));
    for (text, best) in
        [("animals", "Well"), ("boiled", "Boiling"), ("dry wood", "Fire"), ("borehole", "Well")]
    {
        let hits = one.shelf.search(&query(text)).unwrap();
        assert_eq!(paths(&hits).first().map(String::as_str), Some(best), "{text}: {hits:?}");
        let Place::Article { zim, path, start, end } = &hits[0].place else { panic!("an article") };
        let article = one.shelf.article(zim, Some(path), Audience::Members).unwrap();
        assert_eq!(&article.text[*start..*end], hits[0].text, "a citation opens exactly what was found");
        assert_eq!((hits[0].by_words, hits[0].language.as_deref()), (Some(1), Some("en")));
    }
    assert_eq!(one.shelf.search(&query("submarine")).unwrap(), []);
    assert_eq!(one.shelf.search(&query("\"':*^-{}() 😀")).unwrap(), []);
    assert_eq!(paths(&one.shelf.search(&query("\"animals* NEAR(^ NOT:")).unwrap()), ["Well"]);
    let main = one.shelf.article(&added.id, None, Audience::Members).unwrap();
    assert_eq!(main.title, "The well");
    let titles = one.shelf.titles(&added.id, "B", 1, Audience::Members).unwrap();
    assert_eq!(titles[0].title, "Boiling water");
}

#[test]
fn it_is_found_and_read_only_by_whom_and_for_what_its_collection_allows() {
    for audience in [Audience::Guests, Audience::Members, Audience::Librarians] {
        for uses in [vec![], vec![Use::Search], vec![Use::Grounding], vec![Use::Search, Use::Training]] {
            let mut one = Box::new();
            one.water = made(&one.library, "Tested", audience, uses.clone());
            let zim = one.ready(&book());
            for reader in [Audience::Guests, Audience::Members, Audience::Librarians] {
                for wanted in Use::ALL {
                    let mut query = query("water");
                    (query.r#use, query.reader) = (wanted, reader.into());
                    let may = reader >= audience && uses.contains(&wanted);
                    let found = one.shelf.search(&query).unwrap();
                    assert_eq!(!found.is_empty(), may, "{audience:?} {uses:?} {reader:?} {wanted:?}");
                    assert_eq!(one.shelf.allows(&zim, wanted, reader).unwrap(), may);
                }
                let may = reader >= audience && uses.contains(&Use::Search);
                assert_eq!(one.shelf.article(&zim, Some("Well"), reader).is_ok(), may);
                assert_eq!(one.shelf.titles(&zim, "", 9, reader).is_ok(), may);
                assert_eq!(one.shelf.archives(reader).unwrap().len(), usize::from(may));
            }
        }
    }
}

#[test]
fn collections_and_languages_are_filters_within_an_archive_of_several_languages_too() {
    let one = Box::new();
    let english =
        "The water of this well is clean, and everybody in the village may take from it what they need.";
    let spanish = "El agua de este pozo está limpia, y todas las personas del pueblo pueden tomar la que necesiten \
                   para su casa: hotel Blanco.";
    let book = Maker::default().about("Language", "eng,spa").article("en", "Hotel well", &[english]).article(
        "es",
        "Hotel pozo",
        &[spanish],
    );
    one.ready(&book);
    let found = |languages: Option<&[&str]>, collections: Option<Vec<CollectionId>>| {
        let mut query = query("hotel");
        query.languages = languages.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        query.collections = collections;
        let mut found = paths(&one.shelf.search(&query).unwrap());
        found.sort_unstable();
        found
    };
    assert_eq!(found(None, None), ["en", "es"]);
    assert_eq!(found(Some(&["es-MX"]), None), ["es"]);
    assert_eq!(found(Some(&["en", "sw"]), None), ["en"]);
    assert_eq!(found(Some(&["sw"]), None), [""; 0]);
    assert_eq!(found(None, Some(vec![one.water.clone()])).len(), 2);
    assert_eq!(found(None, Some(vec![])), [""; 0]);
    let other = made(&one.library, "Other", Audience::Guests, Use::ALL.into());
    assert_eq!(found(None, Some(vec![other])), [""; 0]);
    // A word of each language in another form.
    assert_eq!(paths(&one.shelf.search(&query("villages")).unwrap()), ["en"]);
    assert_eq!(paths(&one.shelf.search(&query("personas limpias")).unwrap()), ["es"]);
}

#[test]
fn a_stick_that_is_pulled_gives_nothing_and_says_so_and_comes_back() {
    let one = Box::new();
    let zim = one.ready(&book());
    let (there, away) = (one.folder.path().join("book.zim"), one.folder.path().join("away"));
    std::fs::rename(&there, &away).unwrap();
    assert_eq!(one.shelf.search(&query("water")).unwrap(), []);
    let ZimState::Missing { reason } = one.state(&zim) else { panic!("it is missing") };
    assert!(reason.contains("plug in the stick"), "{reason}");
    let error = one.shelf.article(&zim, Some("Well"), Audience::Members).unwrap_err();
    assert!(matches!(error, LibraryError::WrongState(_)), "{error}");
    std::fs::write(&there, "another file").unwrap();
    assert!(matches!(one.state(&zim), ZimState::Missing { .. }));
    Maker { uuid: [9; 16], ..book() }.write(one.folder.path(), "book.zim");
    let ZimState::Missing { reason } = one.state(&zim) else { panic!("another edition is not it") };
    assert!(reason.contains("another edition"), "{reason}");
    std::fs::rename(&away, &there).unwrap();
    assert_eq!(one.state(&zim), ZimState::Ready);
    assert!(!one.shelf.search(&query("water")).unwrap().is_empty());
}

#[test]
fn an_archive_that_lies_elsewhere_is_known_and_a_removed_one_leaves_nothing_but_its_file() {
    let one = Box::new();
    let zim = one.ready(&book());
    let moved = one.folder.path().join("moved.zim");
    std::fs::rename(one.folder.path().join("book.zim"), &moved).unwrap();
    let again = one.shelf.add(&moved, &one.water, &librarian(), 9).unwrap();
    assert_eq!((again.id.as_str(), again.added, again.state), (zim.as_str(), 1, ZimState::Ready));
    let other = made(&one.library, "Other", Audience::Guests, Use::ALL.into());
    let error = one.shelf.add(&moved, &other, &librarian(), 9).unwrap_err().to_string();
    assert!(error.contains("another collection"), "{error}");
    assert!(matches!(one.shelf.add(&moved, &one.water, &member("m-1"), 9), Err(LibraryError::NotALibrarian)));
    assert!(matches!(one.shelf.remove(&zim, &member("m-1"), 9), Err(LibraryError::NotALibrarian)));
    assert!(one.index(&zim).exists());
    one.shelf.remove(&zim, &librarian(), 10).unwrap();
    assert_eq!(one.shelf.search(&query("water")).unwrap(), []);
    assert!(!one.index(&zim).exists() && moved.exists());
    assert!(matches!(one.shelf.archive(&zim, Audience::Librarians), Err(LibraryError::NotFound { .. })));
    assert!(!one.shelf.allows(&zim, Use::Search, Audience::Librarians).unwrap());
}

#[test]
fn an_index_goes_on_where_the_power_went_and_is_begun_anew_where_it_is_damaged() {
    let one = Box::new();
    let path = one.write(&book());
    let zim = one.shelf.add(&path, &one.water, &librarian(), 1).unwrap().id;
    one.shelf.build(&zim, &|| true, &mut |_| {}).unwrap();
    assert_eq!(one.state(&zim), ZimState::Indexing { done: 0, total: 3 });
    // Titles are all there; an article is found by each word of its title, and read.
    assert_eq!(paths(&one.shelf.search(&query("boil")).unwrap()), ["Boiling"]);
    let after = ZimShelf::open(one.folder.path(), one.library.store().clone()).unwrap();
    let mut reports = 0;
    after.build(&zim, &|| false, &mut |_| reports += 1).unwrap();
    assert_eq!((reports, one.state(&zim)), (1, ZimState::Ready));
    let found = one.shelf.search(&query("children")).unwrap();
    assert_eq!(found.len(), 2);
    for damage in ["begin", "middle"] {
        let fresh = ZimShelf::open(one.folder.path(), one.library.store().clone()).unwrap();
        let mut bytes = std::fs::read(one.index(&zim)).unwrap();
        let from = if damage == "begin" { 0 } else { 4096 };
        bytes.iter_mut().skip(from).for_each(|byte| *byte = 0x55);
        one.shelf.build(&zim, &|| true, &mut |_| {}).unwrap();
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", one.index(&zim).display()));
        }
        std::fs::write(one.index(&zim), bytes).unwrap();
        fresh.search(&query("children")).unwrap();
        fresh.build(&zim, &|| false, &mut |_| {}).unwrap();
        assert_eq!(paths(&fresh.search(&query("children")).unwrap()), paths(&found), "{damage}");
    }
}

#[test]
fn the_background_finds_what_another_process_added_and_ends_with_the_shelf() {
    let one = Box::new();
    one.shelf.start();
    let path = one.write(&book());
    let beside = ZimShelf::open(one.folder.path(), one.library.store().clone()).unwrap();
    let zim = beside.add(&path, &one.water, &librarian(), 1).unwrap().id;
    let until = Instant::now() + Duration::from_secs(30);
    while one.state(&zim) != ZimState::Ready {
        assert!(Instant::now() < until, "{:?}", one.state(&zim));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(paths(&one.shelf.search(&query("animals")).unwrap()), ["Well"]);
}

#[test]
fn a_file_that_is_no_archive_is_refused_in_words() {
    let one = Box::new();
    let path = one.folder.path().join("book.zim");
    std::fs::write(&path, "no archive").unwrap();
    let error = one.shelf.add(&path, &one.water, &librarian(), 1).unwrap_err().to_string();
    assert!(error.contains("not a ZIM archive"), "{error}");
    let error =
        one.shelf.add(Path::new("/nowhere.zim"), &one.water, &librarian(), 1).unwrap_err().to_string();
    assert!(error.contains("/nowhere.zim"), "{error}");
}
