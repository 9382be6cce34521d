use banyan_modelpack::graph::{Bits, Variant};
use banyan_modelpack::source::DType;
use banyan_modelpack::testing::gguf::Meta;
use banyan_modelpack::testing::{Tiny, TinyFamily};
use banyan_modelpack::{
    ImportError, ImportOptions, Kind, Manifest, Pack, PackError, Progress, Store, import,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::new(dir.path().join("models"));
        Self { dir, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn gguf(&self, family: TinyFamily) -> PathBuf {
        let path = self.path("Tiny-Chat.Q4_1.gguf");
        std::fs::write(&path, Tiny::new(family, 1).gguf(DType::Q4_1).to_bytes()).unwrap();
        path
    }

    fn import(&self, source: &Path) -> Result<Pack, ImportError> {
        import(source, &self.store, &ImportOptions::default(), &mut |_| {})
    }

    /// Names of everything in the store, hidden things too.
    fn listing(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.store.dir()).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_gguf_file_becomes_a_pack_that_opens_and_verifies() {
    let place = Place::new();
    let mut steps = Vec::new();
    let pack = import(&place.gguf(TinyFamily::Qwen2), &place.store, &ImportOptions::default(), &mut |p| {
        steps.push(p);
    })
    .unwrap();
    let manifest = pack.manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.kind, manifest.family.as_str()),
        ("tiny-chat", Kind::Decoder, "qwen2")
    );
    assert_eq!(
        (manifest.context_length, manifest.max_positions, manifest.licence.as_deref()),
        (256, 256, Some("cc0-1.0"))
    );
    assert_eq!((manifest.tokenizer.eos.as_slice(), manifest.architecture.kv_heads), ([0, 2].as_slice(), 2));
    let source = std::fs::read(place.path("Tiny-Chat.Q4_1.gguf")).unwrap();
    assert_eq!(manifest.provenance.source_blake3, blake3::hash(&source).to_hex().to_string());
    assert!(manifest.quality.worst.is_some() && !manifest.quality.forms.is_empty());
    assert!(
        pack.graph_path().is_file()
            && Variant::ALL.iter().all(|v| pack.variant_path(*v).unwrap().is_file())
            && pack.tokenizer_path().is_file()
    );
    assert!(pack.chat_template().unwrap().is_some());

    let mut last = (0, 0);
    pack.verify(&mut |done, total| last = (done, total)).unwrap();
    assert!(last.0 == last.1 && last.1 > 0);
    assert_eq!(steps.first(), Some(&Progress::Reading));
    assert_eq!(steps.last(), Some(&Progress::Finishing));
    assert!(
        steps
            .iter()
            .any(|step| matches!(step, Progress::Building { done, total } if 0 < *done && done <= total))
    );
    assert_eq!(place.listing(), [".import.lock", "tiny-chat"]);
    assert_eq!(place.store.list().len(), 1);
    assert_eq!(place.store.open("tiny-chat").unwrap().manifest(), manifest);
}

#[test]
fn an_encoder_folder_becomes_a_pack_named_after_its_readme() {
    let place = Place::new();
    Tiny::new(TinyFamily::Bert, 1).write_folder(&place.path("model"), DType::F32).unwrap();
    let pack = place.import(&place.path("model")).unwrap();
    let manifest = pack.manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.kind, manifest.family.as_str()),
        ("tiny-model", Kind::Encoder, "bert")
    );
    assert_eq!((manifest.context_length, manifest.max_positions), (128, 256));
    assert_eq!(manifest.licence.as_deref(), Some("cc0-1.0"));
    assert!(pack.variant_path(Variant::LORA).is_none() && pack.chat_template().unwrap().is_none());
    pack.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn a_cross_encoder_folder_becomes_a_pack_of_its_own_kind() {
    let place = Place::new();
    Tiny::reranker(1).write_folder(&place.path("tiny-reranker"), DType::F32).unwrap();
    let pack = place.import(&place.path("tiny-reranker")).unwrap();
    assert_eq!((pack.manifest().kind, pack.manifest().context_length), (Kind::Reranker, 256));
    let text = pack.manifest().to_toml().unwrap();
    assert!(text.contains("kind = \"reranker\"") && !text.contains("pooling"), "{text}");
    assert!(pack.chat_template().unwrap().is_none());
    pack.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn a_manifest_reads_back_as_it_was_written_and_explains_itself() {
    let place = Place::new();
    let pack = place.import(&place.gguf(TinyFamily::Llama)).unwrap();
    let text = std::fs::read_to_string(pack.dir().join("manifest.toml")).unwrap();
    assert!(text.starts_with("# A Banyan model pack."), "{text}");
    assert_eq!(&Manifest::parse(&text).unwrap(), pack.manifest());
}

#[test]
fn any_changed_cut_linked_or_missing_file_is_found_and_named() {
    let place = Place::new();
    let pack = place.import(&place.gguf(TinyFamily::Llama)).unwrap();
    for entry in &pack.manifest().files {
        let path = pack.dir().join(&entry.path);
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let error = place.store.open("tiny-chat").unwrap().verify(&mut |_, _| {}).unwrap_err().to_string();
        assert!(error.contains(&entry.path) && error.contains("import the model again"), "{error}");

        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let error = place.store.open("tiny-chat").unwrap_err().to_string();
        assert!(error.contains(&entry.path) && error.contains("where the manifest says"), "{error}");

        std::fs::remove_file(&path).unwrap();
        let error = place.store.open("tiny-chat").unwrap_err().to_string();
        assert!(error.contains(&entry.path) && error.contains("is missing"), "{error}");

        std::fs::write(place.path("elsewhere"), &whole).unwrap();
        std::os::unix::fs::symlink(place.path("elsewhere"), &path).unwrap();
        let error = place.store.open("tiny-chat").unwrap_err().to_string();
        assert!(error.contains(&entry.path) && error.contains("not a regular file"), "{error}");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &whole).unwrap();
    }
    place.store.open("tiny-chat").unwrap().verify(&mut |_, _| {}).unwrap();
}

#[test]
fn manifests_that_lead_out_of_the_pack_or_lie_are_refused() {
    let place = Place::new();
    let pack = place.import(&place.gguf(TinyFamily::Llama)).unwrap();
    let text = std::fs::read_to_string(pack.dir().join("manifest.toml")).unwrap();
    let cases = [
        ("path = \"weights.bin\"", "path = \"../../../etc/passwd\"", "not a plain file name"),
        ("path = \"weights.bin\"", "path = \"/etc/passwd\"", "not a plain file name"),
        ("path = \"weights.bin\"", "path = \"manifest.toml\"", "not a plain file name"),
        ("path = \"weights.bin\"", "path = \"model.onnx\"", "occurs twice"),
        ("path = \"weights.bin\"", "path = \"other.bin\"", "`weights.bin` is not listed"),
        ("name = \"tiny-chat\"", "name = \"../tiny\"", "is not a pack name"),
        ("name = \"tiny-chat\"", "name = \"tiny-chat\"\nsurprise = 1", "unknown field `surprise`"),
        ("format = 1", "format = 2", "update Banyan"),
        ("layers = 2", "layers = 99999999999", "a size is zero or absurd"),
        ("layers = 2", "layers = -2", "cannot be read"),
        ("\nblake3 = \"", "\nblake3 = \"zz", "64 hexadecimal digits"),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(from), "{from}");
        let error = Manifest::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_second_import_of_the_same_name_is_refused_with_the_remedy() {
    let place = Place::new();
    let source = place.gguf(TinyFamily::Llama);
    place.import(&source).unwrap();
    let error = place.import(&source).unwrap_err();
    assert!(matches!(&error, ImportError::Exists { name } if name == "tiny-chat"));
    assert!(error.to_string().contains("banyan model remove tiny-chat"), "{error}");
    let other = ImportOptions { name: Some("other".into()), bits: Bits::Auto, max_positions: Some(64) };
    let pack = import(&source, &place.store, &other, &mut |_| {}).unwrap();
    assert_eq!((pack.manifest().name.as_str(), pack.manifest().max_positions), ("other", 64));
    assert_eq!(place.store.list().len(), 2);
}

#[test]
fn what_a_failed_or_killed_import_leaves_is_never_a_pack() {
    let place = Place::new();
    std::fs::create_dir_all(place.store.dir().join(".importing-killed")).unwrap();
    let mut broken = Tiny::new(TinyFamily::Llama, 1).gguf(DType::Q8_0);
    broken.set(
        "tokenizer.chat_template",
        Meta::Text("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}".into()),
    );
    std::fs::write(place.path("bomb.gguf"), broken.to_bytes()).unwrap();
    let error = place.import(&place.path("bomb.gguf")).unwrap_err().to_string();
    assert!(error.contains("the chat template was stopped"), "{error}");
    assert!(place.store.list().is_empty());
    place.import(&place.gguf(TinyFamily::Llama)).unwrap();
    assert_eq!(place.listing(), [".import.lock", "tiny-chat"], "the next import clears away");
}

#[test]
fn names_sources_and_options_that_make_no_sense_are_refused() {
    let place = Place::new();
    let source = place.gguf(TinyFamily::Llama);
    for name in ["", ".hidden", "../up", "UPPER", "a/b", "ünï", "-x", &"a".repeat(65)] {
        let options = ImportOptions { name: Some(name.into()), ..ImportOptions::default() };
        assert!(
            matches!(import(&source, &place.store, &options, &mut |_| {}), Err(ImportError::Name(_))),
            "{name}"
        );
        assert!(matches!(place.store.open(name), Err(PackError::Name(_))), "{name}");
        assert!(matches!(place.store.remove(name), Err(PackError::Name(_))), "{name}");
    }
    let options = ImportOptions { max_positions: Some(257), ..ImportOptions::default() };
    let error = import(&source, &place.store, &options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("trained for 256"), "{error}");
    std::fs::write(place.path("notes.txt"), "hello").unwrap();
    assert!(matches!(place.import(&place.path("notes.txt")), Err(ImportError::Unknown { .. })));
    assert!(matches!(place.import(place.dir.path()), Err(ImportError::Unknown { .. })));
    assert!(matches!(place.import(&place.path("nowhere")), Err(ImportError::Io { .. })));
    assert_eq!(place.store.list().len(), 0);
}

#[test]
fn a_removed_pack_is_gone_and_a_renamed_one_is_noticed() {
    let place = Place::new();
    place.import(&place.gguf(TinyFamily::Llama)).unwrap();
    std::fs::rename(place.store.dir().join("tiny-chat"), place.store.dir().join("renamed")).unwrap();
    let error = place.store.open("renamed").unwrap_err().to_string();
    assert!(error.contains("holds a pack named `tiny-chat`"), "{error}");
    assert!(place.store.list()[0].is_err());
    place.store.remove("renamed").unwrap();
    assert!(matches!(place.store.open("renamed"), Err(PackError::NotFound { .. })));
    assert_eq!(place.listing(), [".import.lock"]);
}
