use banyan_modelpack::source::DType;
use banyan_modelpack::source::gguf::Gguf;
use banyan_modelpack::source::hf::HfFolder;
use banyan_modelpack::testing::gguf::{GgufFile, Meta};
use banyan_modelpack::testing::tokenizer::{byte_alphabet, tokens};
use banyan_modelpack::testing::{Tiny, TinyFamily};
use banyan_modelpack::tokenizer::{TokenizerError, TokenizerParts, from_folder, from_gguf};
use std::io::Write;
use tempfile::{NamedTempFile, TempDir};
use tokenizers::Tokenizer;

/// Text that tokenizers stumble over: scripts, marks, emoji with joiners, digits, white space, controls.
const TEXTS: [&str; 10] = [
    "Hello, world! It's 12345 o'clock; we'll SHOUT I'LL.",
    "Habari ya asubuhi? Ng'ombe wangu ameng'olewa.",
    "السلام عليكم ورحمة الله — ١٢٣",
    "नमस्ते दुनिया, कैसे हैं आप? ३४",
    "👩🏽‍🌾 👨‍👩‍👧‍👦 🇰🇪 e\u{301}",
    "  leading, trailing  \n\n\ttabs\r\n",
    "你好，世界。こんにちは",
    "x = {'a': [1,2.5e-3]}  # <b>&amp;</b>",
    "\u{0}\u{7f}\u{85}\u{200b}",
    "",
];

fn convert(file: &GgufFile) -> Result<TokenizerParts, TokenizerError> {
    let mut on_disk = NamedTempFile::new().unwrap();
    on_disk.write_all(&file.to_bytes()).unwrap();
    from_gguf(&Gguf::open(on_disk.path()).unwrap())
}

fn tiny() -> GgufFile {
    Tiny::new(TinyFamily::Llama, 1).gguf(DType::Q8_0)
}

fn load(parts: &TokenizerParts) -> Tokenizer {
    Tokenizer::from_bytes(&parts.json).unwrap()
}

fn encode(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text, false).unwrap().get_ids().to_vec()
}

fn refused(file: &GgufFile, expected: &str) {
    let error = convert(file).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(expected), "the refusal does not say `{expected}`: {error}");
}

#[test]
fn every_byte_level_tokenizer_gives_text_back_whole() {
    for pre in ["smollm", "gpt-2", "llama-bpe", "qwen2", "tekken", "default"] {
        let mut file = tiny();
        file.set("tokenizer.ggml.pre", Meta::Text(pre.into()));
        let tokenizer = load(&convert(&file).unwrap());
        for text in TEXTS {
            let back = tokenizer.decode(&encode(&tokenizer, text), false).unwrap();
            // Qwen composes characters before it splits.
            let expected = if pre == "qwen2" { text.replace("e\u{301}", "é") } else { text.into() };
            assert_eq!(back, expected, "{pre}");
        }
    }
}

/// The words into which each family splits a text, worked out from its published pattern.
#[test]
fn words_are_split_as_each_family_publishes() {
    let text = "I'LL pay 12345 now,\n\n  ok";
    let cases: [(&str, &[&str]); 5] = [
        ("smollm", &["I", "'", "LL", "Ġpay", "Ġ", "1", "2", "3", "4", "5", "Ġnow", ",", "ĊĊĠ", "Ġok"]),
        ("gpt-2", &["I", "'", "LL", "Ġpay", "Ġ12345", "Ġnow", ",", "ĊĊĠ", "Ġok"]),
        ("llama-bpe", &["I", "'LL", "Ġpay", "Ġ", "123", "45", "Ġnow", ",ĊĊ", "Ġ", "Ġok"]),
        ("qwen2", &["I", "'LL", "Ġpay", "Ġ", "1", "2", "3", "4", "5", "Ġnow", ",ĊĊ", "Ġ", "Ġok"]),
        ("tekken", &["I", "'LL", "Ġpay", "Ġ", "1", "2", "3", "4", "5", "Ġnow", ",ĊĊ", "Ġ", "Ġok"]),
    ];
    for (pre, expected) in cases {
        let mut file = tiny();
        file.set("tokenizer.ggml.pre", Meta::Text(pre.into()));
        let tokenizer = load(&convert(&file).unwrap());
        let mut pieces = tokenizers::PreTokenizedString::from(text);
        let splitter = tokenizer.get_pre_tokenizer().unwrap();
        tokenizers::PreTokenizer::pre_tokenize(splitter, &mut pieces).unwrap();
        let words = pieces.get_splits(tokenizers::OffsetReferential::Original, tokenizers::OffsetType::Byte);
        assert_eq!(words.iter().map(|(word, ..)| *word).collect::<Vec<_>>(), expected, "{pre}");
    }
}

#[test]
fn merges_are_applied_in_the_order_of_their_rank() {
    let tokenizer = load(&convert(&tiny()).unwrap());
    let words = tokenizer.encode("the and the", false).unwrap();
    assert_eq!(words.get_tokens(), ["t", "he", "Ġ", "and", "Ġthe"]);
}

#[test]
fn a_word_that_is_a_token_is_kept_whole_where_the_family_says_so() {
    let mut file = tiny();
    let mut list = tokens();
    list.push("xyz".into()); // no merge leads here
    file.set("tokenizer.ggml.token_type", Meta::Ints(vec![1; list.len()]));
    file.set("tokenizer.ggml.tokens", Meta::Texts(list));
    for (pre, expected) in [("llama-bpe", vec!["xyz"]), ("qwen2", vec!["x", "y", "z"])] {
        file.set("tokenizer.ggml.pre", Meta::Text(pre.into()));
        assert_eq!(
            load(&convert(&file).unwrap()).encode("xyz", false).unwrap().get_tokens(),
            expected,
            "{pre}"
        );
    }
}

#[test]
fn control_tokens_are_found_in_text_and_end_turns() {
    let parts = convert(&tiny()).unwrap();
    assert_eq!(parts.eos, [0, 2], "<|endoftext|> and <|im_end|>");
    assert_eq!(
        (parts.bos.as_ref().map(|b| b.0), parts.eos_text.as_str(), parts.add_bos),
        (Some(0), "<|im_end|>", false)
    );
    let tokenizer = load(&parts);
    assert_eq!(encode(&tokenizer, "<|im_start|>t<|im_end|>"), [1, tokenizer.token_to_id("t").unwrap(), 2]);
    assert_eq!(tokenizer.decode(&[1, 2], true).unwrap(), "");

    let mut plain = tiny();
    plain.set("tokenizer.ggml.token_type", Meta::Ints(vec![1; tokens().len()]));
    assert_eq!(convert(&plain).unwrap().eos, [2], "a plain word is no end of a turn");
}

#[test]
fn the_begin_token_is_added_to_bare_text_exactly_when_the_parts_say_so() {
    for (pre, flag, expected) in [
        ("smollm", None, false),
        ("smollm", Some(true), true),
        ("llama-bpe", None, true),
        ("llama-bpe", Some(false), false),
    ] {
        let mut file = tiny();
        file.set("tokenizer.ggml.pre", Meta::Text(pre.into()));
        flag.into_iter().for_each(|on| file.set("tokenizer.ggml.add_bos_token", Meta::Bool(on)));
        let parts = convert(&file).unwrap();
        assert_eq!(parts.add_bos, expected, "{pre} {flag:?}");
        let ids = load(&parts).encode("t", true).unwrap().get_ids().to_vec();
        assert_eq!(ids.first() == Some(&0), expected);
        assert_eq!(encode(&load(&parts), "t").len(), 1, "a rendered chat gets none");
    }
}

/// A SentencePiece vocabulary: control tokens, all bytes, and pieces with falling scores.
fn sentence_piece(pieces: &[(&str, f32)]) -> GgufFile {
    let mut file = tiny();
    let mut texts: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).into();
    let mut types = vec![2, 3, 3];
    let mut scores = vec![0.0; 3];
    for byte in 0..=255u8 {
        texts.push(format!("<0x{byte:02X}>"));
        types.push(6);
        scores.push(0.0);
    }
    for (piece, score) in pieces {
        texts.push((*piece).into());
        types.push(1);
        scores.push(*score);
    }
    file.set("tokenizer.ggml.model", Meta::Text("llama".into()));
    file.set("tokenizer.ggml.tokens", Meta::Texts(texts));
    file.set("tokenizer.ggml.token_type", Meta::Ints(types));
    file.set("tokenizer.ggml.scores", Meta::Floats(scores));
    file.set("tokenizer.ggml.bos_token_id", Meta::U32(1));
    file.set("tokenizer.ggml.eos_token_id", Meta::U32(2));
    file.set("tokenizer.ggml.unknown_token_id", Meta::U32(0));
    file
}

const PIECES: [(&str, f32); 13] = [
    ("▁t", -1.0),
    ("he", -2.0),
    ("▁the", -3.0),
    ("an", -4.0),
    ("nd", -5.0),
    ("and", -6.0),
    ("th", -7.0),
    ("▁", -100.0),
    ("t", -101.0),
    ("h", -102.0),
    ("e", -103.0),
    ("a", -104.0),
    ("n", -105.0),
];

/// SentencePiece's own rule: again and again the neighbours whose union has the best score, the leftmost among equals.
fn by_the_book(text: &str, pieces: &[(&str, f32)]) -> Vec<String> {
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let best = (0..parts.len().saturating_sub(1))
            .filter_map(|i| {
                let union = format!("{}{}", parts[i], parts[i + 1]);
                pieces.iter().find(|(piece, _)| *piece == union).map(|(_, score)| (i, *score, union))
            })
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        match best {
            Some((i, _, union)) => drop(parts.splice(i..i + 2, [union])),
            None => return parts,
        }
    }
}

#[test]
fn sentence_piece_merges_by_score_as_sentence_piece_does() {
    let mut pieces = PIECES.to_vec();
    pieces.push(("d", -106.0));
    let tokenizer = load(&convert(&sentence_piece(&pieces)).unwrap());
    for text in ["the and the", "thand", "ananand", "hehethe", "and the theandthe", "athe", "anthend"] {
        let tokens = tokenizer.encode(text, false).unwrap().get_tokens().to_vec();
        let expected = by_the_book(&format!("▁{}", text.replace(' ', "▁")), &pieces);
        assert_eq!(tokens, expected, "{text}");
        assert_eq!(tokenizer.decode(&encode(&tokenizer, text), true).unwrap(), text);
    }
}

#[test]
fn sentence_piece_falls_back_to_bytes_and_gives_text_back_whole() {
    let parts = convert(&sentence_piece(&PIECES)).unwrap();
    assert_eq!((parts.add_bos, parts.eos.as_slice()), (true, [2].as_slice()));
    let tokenizer = load(&parts);
    let ids = tokenizer.encode("é", true).unwrap().get_ids().to_vec();
    assert_eq!(ids, [1, 266, 3 + 0xc3, 3 + 0xa9], "begin, ▁, and the two bytes of é");
    for text in TEXTS {
        assert_eq!(tokenizer.decode(&encode(&tokenizer, text), true).unwrap(), text);
    }
    let ids = encode(&tokenizer, "<s>the</s>");
    assert_eq!((ids.first(), ids.last(), ids.len()), (Some(&1), Some(&2), 3));
}

#[test]
fn tokenizers_that_cannot_be_converted_rightly_are_named() {
    let with = |key: &str, value: Meta| {
        let mut file = tiny();
        file.set(key, value);
        file
    };
    refused(&with("tokenizer.ggml.model", Meta::Text("t5".into())), "`t5`");
    refused(&with("tokenizer.ggml.pre", Meta::Text("gemma9".into())), "`gemma9`, which Banyan does not know");
    refused(&with("tokenizer.ggml.tokens", Meta::U32(1)), "no `tokenizer.ggml.tokens`");
    refused(
        &with("tokenizer.ggml.merges", Meta::Texts(vec!["alone".into()])),
        "merge 0 is `alone`, not two tokens",
    );
    refused(&with("tokenizer.ggml.merges", Meta::Texts(vec!["never seen".into()])), "never");
    refused(&with("tokenizer.ggml.token_type", Meta::Ints(vec![1])), "one number for each token");
    refused(
        &with("tokenizer.ggml.eos_token_id", Meta::U32(4_000_000)),
        "`tokenizer.ggml.eos_token_id` is 4000000",
    );
    refused(&with("tokenizer.ggml.model", Meta::Text("llama".into())), "tokenizer.ggml.scores");
    let mut twice = tokens();
    twice[9] = "<|im_end|>".into();
    refused(&with("tokenizer.ggml.tokens", Meta::Texts(twice)), "tokens 2 and 9 are both `<|im_end|>`");
    let mut long = tokens();
    long[9] = "a".repeat(100_000);
    refused(&with("tokenizer.ggml.tokens", Meta::Texts(long)), "token 9 is 100000 bytes long");
    let mut many = tokens();
    many.extend((many.len()..500).map(|i| format!("extra{i}")));
    let mut file = with("tokenizer.ggml.token_type", Meta::Ints(vec![1; many.len()]));
    file.set("tokenizer.ggml.tokens", Meta::Texts(many));
    refused(&file, "its highest token is 499, but the model has only 384 embeddings");
}

#[test]
fn a_folder_gives_its_own_tokenizer_without_limits_on_length() {
    let dir = TempDir::new().unwrap();
    Tiny::new(TinyFamily::Bert, 1).write_folder(dir.path(), DType::F32).unwrap();
    let parts = from_folder(&HfFolder::open(dir.path()).unwrap()).unwrap();
    assert_eq!((parts.bos.clone(), parts.eos.clone(), parts.chat_template.clone()), (None, vec![], None));
    let ids = load(&parts).encode("ab abcdefghijklmnop", true).unwrap();
    assert_eq!(ids.len(), 20, "neither cut to eight tokens nor padded");
    assert_eq!(ids.get_tokens()[..4], ["[CLS]", "a", "##b", "a"]);
}

#[test]
fn a_folder_says_in_several_files_what_ends_a_turn() {
    let dir = TempDir::new().unwrap();
    Tiny::new(TinyFamily::Qwen2, 1).write_folder(dir.path(), DType::F32).unwrap();
    let open = || from_folder(&HfFolder::open(dir.path()).unwrap());
    let parts = open().unwrap();
    assert_eq!(parts.eos, [0, 2]);
    assert_eq!(
        (parts.bos, parts.eos_text.as_str(), parts.add_bos),
        (Some((1, "<|im_start|>".into())), "<|im_end|>", false)
    );
    assert!(parts.chat_template.unwrap().contains("im_start"));

    std::fs::write(dir.path().join("chat_template.jinja"), "newer").unwrap();
    assert_eq!(open().unwrap().chat_template.as_deref(), Some("newer"));
    let json = std::fs::read_to_string(dir.path().join("tokenizer.json")).unwrap();
    std::fs::write(dir.path().join("tokenizer.json"), json.replace(r#""!":36"#, r#""!":67108864"#)).unwrap();
    let error = open().unwrap_err().to_string();
    assert!(error.contains("the token `!` has the id 67108864"), "{error}");
    std::fs::write(dir.path().join("tokenizer.json"), r#"{"model": {"type": "BPE"}}"#).unwrap();
    assert!(matches!(open(), Err(TokenizerError::Malformed { .. })));
    std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    assert!(open().unwrap_err().to_string().contains("save_pretrained"));
}

#[test]
fn the_byte_alphabet_is_the_one_of_gpt2() {
    let alphabet = byte_alphabet();
    assert_eq!((alphabet[b' ' as usize], alphabet[b'\n' as usize], alphabet[b'a' as usize]), ('Ġ', 'Ċ', 'a'));
    assert_eq!(alphabet.iter().collect::<std::collections::HashSet<_>>().len(), 256);
}
