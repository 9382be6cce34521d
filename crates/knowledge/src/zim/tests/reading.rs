//! Archives of every kind are read alike.

use std::path::Path;

use crate::zim::cluster::{Clusters, MAX_CLUSTER};
use crate::zim::source::Source;
use crate::zim::testing::{Maker, Packing};
use crate::zim::{Zim, is_zim};

fn kinds() -> Vec<Maker> {
    let mut all = Vec::new();
    for one_namespace in [true, false] {
        for packing in [Packing::Plain, Packing::Zstandard] {
            for wide in [false, true] {
                let maker =
                    Maker { one_namespace, packing, wide, main_page: Some("Main"), ..Maker::default() };
                let maker = maker
                    .about("Title", "Water book")
                    .about("Language", "eng")
                    .article("Well", "The well", &["A well gives water.", "Cover it."])
                    .article("Main", "", &["Begin here."])
                    .article("ä/ö?", "Árbol", &["Sombra."])
                    .redirect("Borehole", "Borehole", "Shaft")
                    .redirect("Shaft", "Shaft", "Well")
                    .page("logo.png", "", "image/png", b"\x89PNG");
                all.push(maker);
            }
        }
    }
    all
}

fn opened(maker: &Maker, folder: &Path) -> Zim {
    Zim::open(&maker.write(folder, "a.zim")).unwrap()
}

#[test]
fn articles_are_read_from_every_kind_of_archive_and_through_redirects() {
    for maker in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let zim = opened(&maker, folder.path());
        let path = |path: &str| if maker.one_namespace { path.to_owned() } else { format!("A/{path}") };
        let (at, title, words) = zim.article(&path("Borehole")).unwrap();
        assert_eq!((at, title.as_str()), (path("Well"), "The well"), "{maker:?}");
        let texts: Vec<&str> = words.blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(texts, ["The well", "A well gives water.", "Cover it."]);
        assert_eq!(zim.article(&path("ä/ö?")).unwrap().1, "Árbol");
        assert_eq!(zim.main_page().unwrap(), Some(path("Main")));
        assert_eq!(zim.metadata("Title").unwrap().as_deref(), Some("Water book"));
        assert_eq!(zim.metadata("Creator").unwrap(), None);
        for missing in ["Wel", "", "A", "zzz", "Well/", "M/Title"] {
            let error = zim.article(missing).unwrap_err().to_string();
            assert!(error.contains("no article") && error.contains("search it again"), "{error}");
        }
        let error = zim.article(&path("logo.png")).unwrap_err().to_string();
        assert!(error.contains("image/png"), "{error}");
    }
}

#[test]
fn titles_are_listed_from_where_one_begins_and_without_pictures() {
    for maker in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let zim = opened(&maker, folder.path());
        let titles = |from: &str, limit| {
            let found = zim.titles_from(from, limit).unwrap();
            found.into_iter().map(|(_, title)| title).collect::<Vec<_>>()
        };
        let all = titles("", 10);
        assert_eq!(
            all.first().map(String::as_str),
            Some(if maker.one_namespace { "Main" } else { "Borehole" })
        );
        assert!(
            all.iter().all(|title| title != "logo.png") && all.contains(&"The well".to_owned()),
            "{all:?}"
        );
        assert_eq!(titles("The", 10).first().map(String::as_str), Some("The well"));
        assert_eq!(titles("", 1).len(), 1);
        assert_eq!(titles("\u{10FFFF}", 10), [""; 0]);
    }
}

#[test]
fn an_lzma_cluster_of_an_older_archive_is_unpacked() {
    let packed = "fd377a585a0000016922de36020021011c00000010cf58cce0005200475d000600350366caad82ab9dda437229a31b99840455b0\
                  e03e6428caf92bd3438db86ba536a4e2a5590c78b0dbeaa261f4bcf2ec007f01309ad7df83a58e34650b296fea70a314bac4\
                  000057e9bbac00015f53fef4c7ef9042990d010000000001595a";
    let digits: Vec<char> = packed.chars().collect();
    let bytes = digits.chunks(2).map(|two| u8::from_str_radix(&two.iter().collect::<String>(), 16).unwrap());
    let cluster: Vec<u8> = std::iter::once(4).chain(bytes).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster");
    std::fs::write(&path, &cluster).unwrap();
    let source = Source::open(&path).unwrap();
    let clusters = Clusters::default();
    let first = clusters.blob(&source, (0, 0), 0, MAX_CLUSTER).unwrap();
    assert!(String::from_utf8(first).unwrap().contains("Maji safi ya kisima."));
    assert_eq!(clusters.blob(&source, (0, 0), 1, MAX_CLUSTER).unwrap(), b"two");
    assert!(clusters.blob(&source, (0, 0), 2, MAX_CLUSTER).is_err());
    let mut broken = cluster;
    broken[60] ^= 1;
    std::fs::write(&path, broken).unwrap();
    let error = Clusters::default().blob(&source, (0, 0), 0, MAX_CLUSTER).unwrap_err().to_string();
    assert!(error.contains("cannot be unpacked"), "{error}");
}

#[test]
fn the_checksum_tells_whether_a_byte_was_changed_in_copying() {
    let folder = tempfile::tempdir().unwrap();
    let maker = Maker::default().article("Well", "Well", &["Water."]);
    let path = maker.write(folder.path(), "a.zim");
    assert!(is_zim(&path) && !is_zim(folder.path()));
    let zim = Zim::open(&path).unwrap();
    assert_eq!(zim.verify(&|| false).unwrap(), Some(true));
    assert_eq!(zim.verify(&|| true).unwrap(), None);
    let before = zim.fingerprint();
    let mut bytes = maker.bytes();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let zim = Zim::open(&path).unwrap();
    assert_eq!(zim.verify(&|| false).unwrap(), Some(false));
    assert_eq!(
        zim.fingerprint(),
        before,
        "it is known by its number, its size and the checksum that it carries"
    );
    let other = Maker { uuid: *b"fedcba9876543210", ..maker }.write(folder.path(), "b.zim");
    assert_ne!(Zim::open(&other).unwrap().fingerprint(), before);
}
