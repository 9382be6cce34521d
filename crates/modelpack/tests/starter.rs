//! The two real models that a new box begins with: imported, verified, and tokenized as their authors do.
//!
//! The expected ids were written down once from Hugging Face's tokenizers with the published pre-tokenizers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use banyan_modelpack::{ImportOptions, Kind, Message, Pack, Store, import};
use std::path::PathBuf;
use tempfile::TempDir;
use tokenizers::Tokenizer;

fn imported(variable: &str) -> (TempDir, Pack) {
    let source = std::env::var_os(variable).map(PathBuf::from);
    let source =
        source.unwrap_or_else(|| panic!("{variable} names a starter model; `cargo xtask test` sets it"));
    let dir = TempDir::new().unwrap();
    let store = Store::new(dir.path());
    let pack = import(&source, &store, &ImportOptions::default(), &mut |_| {}).unwrap();
    let (mut done, mut total) = (0, 1);
    pack.verify(&mut |d, t| (done, total) = (d, t)).unwrap();
    assert_eq!(done, total);
    println!("{}", std::fs::read_to_string(pack.dir().join("manifest.toml")).unwrap());
    (dir, pack)
}

fn ids(pack: &Pack, text: &str, special: bool) -> Vec<u32> {
    let tokenizer = Tokenizer::from_file(pack.tokenizer_path()).unwrap();
    tokenizer.encode(text, special).unwrap().get_ids().to_vec()
}

#[test]
fn the_starter_model_becomes_a_pack_that_reads_text_as_its_authors_do() {
    let (_dir, pack) = imported("BANYAN_TEST_GGUF");
    let manifest = pack.manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.kind, manifest.family.as_str()),
        ("smollm2-135m-instruct", Kind::Decoder, "llama")
    );
    assert_eq!(
        (manifest.architecture.layers, manifest.architecture.kv_heads, manifest.architecture.head_dim),
        (30, 3, 64)
    );
    assert_eq!((manifest.context_length, manifest.licence.as_deref()), (8192, Some("apache-2.0")));
    assert_eq!((manifest.tokenizer.eos.as_slice(), manifest.tokenizer.add_bos), ([0, 2].as_slice(), false));

    let cases: [(&str, &[u32]); 6] = [
        ("Hello, world! It is 12345.", &[19556, 28, 905, 17, 657, 314, 216, 33, 34, 35, 36, 37, 30]),
        (
            "Habari ya asubuhi? Ng'ombe wangu",
            &[29801, 2566, 47801, 347, 611, 101, 6004, 47, 28254, 23, 300, 1425, 267, 1312],
        ),
        ("السلام عليكم", &[22208, 30914, 12667, 10805, 21706, 45704, 12667, 23339, 48934, 21706]),
        (
            "नमस्ते दुनिया",
            &[30658, 35090, 38770, 16525, 26293, 30581, 12335, 116, 42990, 30658, 27011, 32932, 18075],
        ),
        (
            "👩🏽‍🌾 🇰🇪",
            &[10813, 235, 119, 10813, 233, 138, 321, 231, 10813, 230, 139, 15107, 225, 125, 10813, 225, 120],
        ),
        ("<|im_start|>user\nHi<|im_end|>\n", &[1, 4093, 198, 26843, 2, 198]),
    ];
    let tokenizer = Tokenizer::from_file(pack.tokenizer_path()).unwrap();
    for (text, expected) in cases {
        assert_eq!(ids(&pack, text, true), expected, "{text}");
        assert_eq!(tokenizer.decode(expected, false).unwrap(), text);
    }
    let template = pack.chat_template().unwrap().unwrap();
    let chat = template.render(&[Message { role: "user", content: "Hi" }], true).unwrap();
    assert!(chat.starts_with("<|im_start|>system\nYou are a helpful AI assistant named SmolLM"), "{chat}");
    assert!(chat.ends_with("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"), "{chat}");
}

#[test]
fn the_starter_encoder_becomes_a_pack_without_its_limits_on_length() {
    let (_dir, pack) = imported("BANYAN_TEST_ENCODER");
    let manifest = pack.manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.kind, manifest.family.as_str()),
        ("all-minilm-l6-v2", Kind::Encoder, "bert")
    );
    assert_eq!((manifest.architecture.layers, manifest.architecture.hidden), (6, 384));
    assert_eq!((manifest.context_length, manifest.max_positions), (256, 512));
    assert_eq!(manifest.licence.as_deref(), Some("apache-2.0"));
    let expected = [101, 1037, 2158, 2003, 5983, 2833, 1012, 12835, 1005, 18168, 4783, 102];
    assert_eq!(ids(&pack, "A man is eating food. Ng'ombe", true), expected);
    assert_eq!(ids(&pack, &"water ".repeat(300), true).len(), 302);
}
