use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Extract, FileOutcome, Import, ImportState, Importer, NewImport, Upload};
use crate::consent::Audience;
use crate::document::{Listing, NewDocument};
use crate::extracted::Extracted;
use crate::library::testing::{Shelf, librarian, member, words};
use crate::library::{Hand, LibraryError};

/// Reads text files, refuses those named `.bad`, and counts.
#[derive(Default)]
struct Plain(AtomicUsize);

impl Extract for Plain {
    fn extract(&self, path: &Path, name: &str) -> Result<Extracted, String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if name.ends_with(".bad") {
            return Err("it is damaged; save it anew".into());
        }
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Ok(words(&text.lines().collect::<Vec<_>>()))
    }
}

struct Folder {
    shelf: Shelf,
    files: tempfile::TempDir,
    plain: Arc<Plain>,
}

impl Folder {
    async fn new(files: &[(&str, &str)]) -> Self {
        let folder =
            Self { shelf: Shelf::new().await, files: tempfile::tempdir().unwrap(), plain: Arc::default() };
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).unwrap();
    }

    fn note(&self, watched: bool) -> Import {
        let new = NewImport { watched, ..NewImport::new(self.files.path(), self.shelf.water.clone()) };
        self.shelf.library.add_import_blocking(new, &librarian()).unwrap()
    }

    fn importer(&self) -> Importer {
        Importer::new(self.shelf.library.clone(), self.plain.clone())
    }

    /// Runs the folder until so many files were looked at.
    fn run(&self, files: usize) -> Import {
        let left = AtomicUsize::new(files);
        let stop = || left.fetch_sub(1, Ordering::SeqCst) == 0;
        self.importer().run(self.note(false).id, false, &|| 9, &stop, &mut |_, _| ()).unwrap()
    }

    fn read(&self) -> usize {
        self.plain.0.load(Ordering::SeqCst)
    }
}

fn counts(import: &Import) -> (u32, u32, u32, u32) {
    let progress = &import.progress;
    (progress.added, progress.updated, progress.known, progress.refused)
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_reason_and_the_rest_goes_on() {
    let folder = Folder::new(&[
        ("a.txt", "Rain."),
        ("b.bad", "?"),
        ("c.txt", "Rain."),
        ("d.txt", ""),
        ("e.txt", "Sun."),
    ])
    .await;
    let done = folder.run(usize::MAX);
    assert_eq!((counts(&done), done.state, done.progress.done()), ((2, 0, 1, 2), ImportState::Done, 5));
    let files = folder.shelf.library.imported_files(done.id, false).await.unwrap();
    let reason = |name: &str| files.iter().find(|file| file.path == name).unwrap().reason.clone();
    assert_eq!(reason("b.bad"), "it is damaged; save it anew");
    let first = files[0].document.clone().unwrap();
    assert_eq!(reason("c.txt"), format!("the library has it already, as {first}"));
    assert!(reason("d.txt").contains("no words"), "{}", reason("d.txt"));
    assert_eq!(folder.shelf.library.imported_files(done.id, true).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_and_reads_nothing_twice() {
    let folder = Folder::new(&[("a.txt", "One."), ("b.bad", "?"), ("c.txt", "Three.")]).await;
    let cut_off = folder.run(2);
    assert_eq!((counts(&cut_off), cut_off.state, folder.read()), ((1, 0, 0, 1), ImportState::Running, 2));
    let done = folder.run(usize::MAX);
    assert_eq!((counts(&done), done.state, folder.read()), ((1, 0, 1, 1), ImportState::Done, 3));
    assert_eq!(folder.shelf.rows("documents"), 2);
}

#[tokio::test]
async fn a_file_that_was_taken_in_just_before_the_power_went_is_not_taken_twice() {
    let folder = Folder::new(&[("a.txt", "One.")]).await;
    let import = folder.run(usize::MAX);
    folder
        .shelf
        .library
        .change(|tx| Ok(tx.execute("DELETE FROM import_files", []).map(|_| ())?))
        .await
        .unwrap();
    assert_eq!(counts(&folder.run(usize::MAX)), (0, 0, 1, 0));
    // And it is known as its own file, so that a change of it is a new version.
    folder.write("a.txt", "One, and more.");
    assert_eq!(counts(&folder.run(usize::MAX)), (0, 1, 0, 0));
    let files = folder.shelf.library.imported_files(import.id, false).await.unwrap();
    assert_eq!((files.len(), files[0].outcome), (1, FileOutcome::Updated));
    assert_eq!((folder.shelf.rows("documents"), folder.shelf.rows("versions")), (1, 2));
}

#[tokio::test]
async fn a_withdrawn_document_stays_away_while_its_file_lies_in_the_folder() {
    let folder = Folder::new(&[("a.txt", "One.")]).await;
    let import = folder.run(usize::MAX);
    let library = &folder.shelf.library;
    let document = library.imported_files(import.id, false).await.unwrap()[0].document.clone().unwrap();
    library.withdraw(document, "private".into(), librarian(), 10).await.unwrap();
    assert_eq!(counts(&folder.run(usize::MAX)), (0, 0, 0, 1));
    let retried = folder.importer().run(import.id, true, &|| 11, &|| false, &mut |_, _| ()).unwrap();
    assert_eq!((counts(&retried), folder.shelf.rows("documents")), ((0, 0, 0, 1), 0));
    // Nor when somebody goes on writing into the file, nor under another name.
    folder.write("a.txt", "One, and more.");
    folder.write("b.txt", "One.");
    assert_eq!((counts(&folder.run(usize::MAX)), folder.shelf.rows("documents")), ((0, 0, 0, 2), 0));
    // What the file was called is not told any more; why it went is.
    let files = library.imported_files(import.id, false).await.unwrap();
    let gone: Vec<_> = files.iter().filter(|file| file.path.starts_with("withdrawn-")).collect();
    assert!(gone.len() == 1 && gone[0].reason.contains("private"), "{files:?}");
    assert!(files.iter().all(|file| file.path != "a.txt"), "{files:?}");
}

#[tokio::test]
async fn a_folder_in_which_nothing_has_changed_is_looked_at_without_a_word_written() {
    let folder = Folder::new(&[("a.txt", "One."), ("b.bad", "?")]).await;
    folder.run(usize::MAX);
    let again = folder.importer().run(1, false, &|| 99, &|| false, &mut |_, _| ()).unwrap();
    assert_eq!(counts(&again), (0, 0, 1, 1));
    let kept = folder.shelf.library.import(1).await.unwrap();
    assert_eq!((kept.started, kept.ended, counts(&kept)), (Some(9), Some(9), (1, 0, 0, 1)));
}

#[tokio::test]
async fn what_is_said_of_a_folder_stands_with_each_of_its_documents() {
    let folder = Folder::new(&[("a.txt", "One.")]).await;
    let library = &folder.shelf.library;
    let new = NewImport {
        origin: "https://hall.example/docs/".into(),
        attribution: "The hall".into(),
        licence: "CC0-1.0".into(),
        language: "SW".into(),
        ..NewImport::new(folder.files.path(), folder.shelf.water.clone())
    };
    let import = library.add_import_blocking(new, &Hand::Box).unwrap();
    folder.importer().run(import.id, false, &|| 9, &|| false, &mut |_, _| ()).unwrap();
    let all = library.documents(Listing::default(), Audience::Members).await.unwrap();
    let told = (all[0].source.as_str(), all[0].attribution.as_str(), all[0].licence.as_str());
    assert_eq!(told, ("https://hall.example/docs/a.txt", "The hall", "CC0-1.0"));
    assert_eq!((all[0].language.as_deref(), all[0].contributor.as_deref()), (Some("sw"), None));
}

#[tokio::test]
async fn a_watched_folder_waits_until_a_file_is_copied_whole() {
    let folder = Folder::new(&[("a.txt", "One.")]).await;
    let watched = folder.note(true);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let run =
        |now: i64| folder.importer().run(watched.id, false, &|| now, &|| false, &mut |_, _| ()).unwrap();
    assert_eq!(run(now).progress.total, 0);
    assert_eq!(counts(&run(now + 60)), (1, 0, 0, 0));
    assert!(folder.note(false).watched, "looking at it once does not end the watch");
    let library = &folder.shelf.library;
    assert!(library.unwatch(watched.id, member("m-a")).await.is_err());
    assert!(!library.unwatch(watched.id, librarian()).await.unwrap().watched);
    assert_eq!(folder.shelf.rows("documents"), 1);
}

#[tokio::test]
async fn an_upload_keeps_what_its_giver_says_and_is_read_only_when_it_is_new() {
    let folder = Folder::new(&[("upload-1", "Rain.")]).await;
    let path = folder.files.path().join("upload-1");
    let about = NewDocument {
        title: Some("About rain".into()),
        ..NewDocument::new(folder.shelf.water.clone(), "", Extracted::default())
    };
    let upload = Upload { path: &path, name: "rain.txt", about, replaces: None };
    let importer = folder.importer();
    let added = importer.upload(upload.clone(), member("m-a"), 2).unwrap();
    let documents = folder.shelf.library.documents(Listing::default(), Audience::Members).await.unwrap();
    assert_eq!((documents[0].title.as_str(), documents[0].source.as_str()), ("About rain", "rain.txt"));
    let again = importer.upload(upload.clone(), member("m-b"), 3).unwrap_err();
    assert!(matches!(again, LibraryError::Known { .. }) && folder.read() == 1, "{again}");

    folder.write("upload-1", "Rain, and snow.");
    let next = Upload { replaces: Some((added.document.clone(), "snow too".into())), ..upload };
    let others = importer.upload(next.clone(), member("m-b"), 4).unwrap_err();
    assert!(matches!(others, LibraryError::NotYours) && folder.read() == 1, "{others}");
    assert_eq!(importer.upload(next, member("m-a"), 4).unwrap().version, 2);
}

#[tokio::test]
async fn members_note_no_folders_of_the_box() {
    let folder = Folder::new(&[]).await;
    let new = NewImport { watched: true, ..NewImport::new("/etc", folder.shelf.water.clone()) };
    let refused = folder.shelf.library.add_import_blocking(new, &member("m-a"));
    assert!(matches!(refused, Err(LibraryError::NotALibrarian)));
}
