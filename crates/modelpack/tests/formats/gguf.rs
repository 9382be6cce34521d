use banyan_modelpack::source::gguf::{Gguf, decoder_config, reader};
use banyan_modelpack::source::{
    DType, DecoderConfig, Family, SourceError, WeightSource, dequant::dequantize_rows,
};
use banyan_modelpack::testing::gguf::{GgufFile, Meta};
use banyan_modelpack::testing::{Tiny, TinyFamily};
use std::io::Write;
use tempfile::NamedTempFile;

fn written(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn open(file: &GgufFile) -> Result<Gguf, SourceError> {
    Gguf::open(written(&file.to_bytes()).path())
}

fn config(file: &GgufFile) -> Result<DecoderConfig, SourceError> {
    decoder_config(&open(file)?)
}

/// Opening the bytes (and reading the configuration) is refused in words that hold `expected`.
fn refused(bytes: &[u8], expected: &str) {
    let file = written(bytes);
    let error = match Gguf::open(file.path()).and_then(|gguf| decoder_config(&gguf).map(|_| ())) {
        Ok(()) => panic!("accepted, where `{expected}` was to be refused"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(expected), "the refusal does not say `{expected}`: {error}");
}

fn llama() -> GgufFile {
    Tiny::new(TinyFamily::Llama, 1).gguf(DType::Q8_0)
}

/// A minimal header: counts, then `body`.
fn header(tensors: u64, entries: u64, body: &[u8]) -> Vec<u8> {
    [b"GGUF".as_slice(), &3u32.to_le_bytes(), &tensors.to_le_bytes(), &entries.to_le_bytes(), body].concat()
}

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

#[test]
fn the_shape_of_each_family_is_read() {
    for (family, expected) in [
        (TinyFamily::Llama, Family::Llama),
        (TinyFamily::Mistral, Family::Llama),
        (TinyFamily::Qwen2, Family::Qwen2),
        (TinyFamily::Qwen3, Family::Qwen3),
    ] {
        let config = config(&Tiny::new(family, 1).gguf(DType::Q4_1)).unwrap();
        assert_eq!(config.family, expected);
        assert_eq!((config.layers, config.hidden, config.heads, config.kv_heads), (2, 256, 4, 2));
        assert_eq!(
            (config.head_dim, config.intermediate, config.vocab, config.context_length),
            (64, 512, 384, 256)
        );
        assert_eq!(config.rope_interleaved, expected == Family::Llama);
        assert_eq!(config.rope_factors, None);
    }
}

#[test]
fn any_range_of_rows_is_read_in_its_stored_form() {
    let tiny = Tiny::new(TinyFamily::Qwen2, 2);
    for dtype in [DType::F32, DType::BF16, DType::Q4_0, DType::Q5_1, DType::Q8_0, DType::Q4_K, DType::Q6_K] {
        let file = open(&tiny.gguf(dtype)).unwrap();
        let stored = tiny.stored_as(dtype);
        let (mut bytes, mut values) = (vec![9; 3], Vec::new());
        file.read_rows("blk.1.ffn_down.weight", 5, 7, &mut bytes).unwrap();
        dequantize_rows(dtype, 512, &bytes, &mut values);
        assert_eq!(values, stored.tensors["blk.1.ffn_down.weight"].values[5 * 512..12 * 512], "{dtype:?}");
        assert!(file.read_rows("blk.1.ffn_down.weight", 250, 7, &mut bytes).is_err());
        assert!(file.read_rows("blk.1.ffn_down.weight", usize::MAX, 7, &mut bytes).is_err());
        assert!(file.read_rows("nothing", 0, 1, &mut bytes).is_err());
    }
}

#[test]
fn rope_factors_come_from_their_tensor() {
    let mut file = llama();
    let factors: Vec<f32> = (0..32).map(|i| 1.0 + i as f32).collect();
    let bytes = factors.iter().flat_map(|f| f.to_le_bytes()).collect();
    file.tensors.push(("rope_freqs.weight".into(), vec![32], 0, bytes));
    assert_eq!(config(&file).unwrap().rope_factors, Some(factors));
}

#[test]
fn counts_that_lie_are_refused_before_memory_is_asked_for() {
    refused(b"", "magic");
    refused(b"PK\x03\x04 and so on", "does not begin with `GGUF`");
    refused(&[b"GGUF".as_slice(), &1u32.to_le_bytes()].concat(), "version 1");
    refused(&[b"GGUF".as_slice(), &3u32.to_be_bytes()].concat(), "big-endian");
    refused(&[b"GGUF".as_slice(), &99u32.to_le_bytes()].concat(), "version is 99");
    refused(&header(u64::MAX, 0, b""), "number of tensors is 18446744073709551615");
    refused(&header(0, u64::MAX - 1, b""), "number of metadata entries");
    refused(
        &header(0, 4000, b""),
        "number of metadata entries needs 52000 bytes at offset 24, but the file ends after 0",
    );
    let long_key = [u64::MAX.to_le_bytes().as_slice(), b"a long enough key"].concat();
    refused(&header(0, 1, &long_key), "key of metadata entry 0 is 18446744073709551615 bytes long");
    let strings = [
        text("tokenizer.ggml.tokens"),
        9u32.to_le_bytes().into(),
        8u32.to_le_bytes().into(),
        (1u64 << 60).to_le_bytes().into(),
    ];
    refused(
        &header(0, 1, &strings.concat()),
        "length of the metadata `tokenizer.ggml.tokens` is 1152921504606846976",
    );
    let nested = [text("a"), 9u32.to_le_bytes().into(), 9u32.to_le_bytes().into(), 1u64.to_le_bytes().into()];
    refused(&header(0, 1, &nested.concat()), "array of arrays");
    let unknown = [text("a.b"), 77u32.to_le_bytes().into()];
    refused(&header(0, 1, &unknown.concat()), "`a.b` has the unknown type 77");
    let bad_text = [text("a"), 8u32.to_le_bytes().into(), 2u64.to_le_bytes().into(), vec![0xff, 0xfe]];
    refused(&header(0, 1, &bad_text.concat()), "`a` is not valid UTF-8");
    let twice = [text("a"), 7u32.to_le_bytes().into(), vec![1]].concat().repeat(2);
    refused(&header(0, 2, &twice), "key `a` occurs twice");
}

#[test]
fn a_header_that_never_ends_is_refused_at_the_limit() {
    let mut many = header(0, 4000, b"");
    for i in 0..70 {
        many.extend(
            [
                text(&format!("k{i}")),
                9u32.to_le_bytes().to_vec(),
                0u32.to_le_bytes().to_vec(),
                (1u64 << 20).to_le_bytes().to_vec(),
            ]
            .concat(),
        );
        many.resize(many.len() + (1 << 20), 0);
    }
    let error = reader::read_header(many.as_slice(), u64::MAX).unwrap_err();
    assert!(error.contains("`k63` would take its header beyond 64 MiB"), "{error}");
}

#[test]
fn tensors_that_lie_are_refused_by_name() {
    let tensor = |dims: Vec<u64>, form: u32| {
        let mut file = GgufFile::default();
        file.tensors.push(("bad.weight".into(), dims, form, vec![0; 64]));
        file.to_bytes()
    };
    refused(&tensor(vec![1 << 40, 1 << 40], 0), "`bad.weight` has the absurd dimensions");
    refused(&tensor(vec![u64::MAX, u64::MAX, u64::MAX], 0), "absurd dimensions");
    refused(&tensor(vec![0, 4], 0), "absurd dimensions");
    refused(&tensor(vec![1, 2, 3, 4, 5], 0), "has 5 dimensions");
    refused(&tensor(vec![33], 8), "rows of 33 weights, not a multiple of the 32");
    refused(&tensor(vec![1 << 20, 1 << 10], 0), "reaches beyond the end of the file");
    refused(&tensor(vec![16], 10), "form 10 (Q2_K)");
    refused(&tensor(vec![16], 5000), "form 5000");

    let mut twice = llama();
    let copy = twice.tensors[3].clone();
    twice.tensors.push(copy);
    refused(&twice.to_bytes(), "occurs twice");
}

#[test]
fn overlapping_and_unaligned_tensors_are_refused() {
    let mut file = GgufFile::default();
    for name in ["first", "second"] {
        file.tensors.push((name.into(), vec![16], 0, vec![0; 64]));
    }
    let bytes = file.to_bytes();
    let offset_of_second = bytes.windows(6).position(|w| w == b"second").unwrap() + 6 + 4 + 8 + 4;
    let with_offset = |offset: u64| {
        let mut bytes = bytes.clone();
        bytes[offset_of_second..offset_of_second + 8].copy_from_slice(&offset.to_le_bytes());
        bytes
    };
    refused(&with_offset(32), "`first` and `second` overlap");
    refused(&with_offset(3), "unaligned offset 3");
    refused(&with_offset(u64::MAX - 7), "reaches beyond");
}

#[test]
fn a_file_cut_anywhere_in_header_or_data_is_refused() {
    let bytes = llama().to_bytes();
    let header = reader::read_header(bytes.as_slice(), bytes.len() as u64).unwrap().bytes as usize;
    let cuts = (0..header).step_by(37).chain((header..bytes.len()).step_by(100_003)).chain([bytes.len() - 1]);
    for cut in cuts {
        let file = written(&bytes[..cut]);
        assert!(Gguf::open(file.path()).is_err(), "cut after {cut} bytes");
    }
}

#[test]
fn missing_misshapen_and_unknown_tensors_are_named() {
    let mut file = llama();
    file.tensors.retain(|(name, ..)| name != "blk.1.ffn_gate.weight");
    refused(&file.to_bytes(), "has no tensor `blk.1.ffn_gate.weight`, which a llama model needs");

    let mut file = llama();
    file.tensors.iter_mut().filter(|t| t.0 == "blk.0.attn_k.weight").for_each(|t| t.1 = vec![512, 64]);
    refused(&file.to_bytes(), "`blk.0.attn_k.weight` is 64 × 512, where the model's sizes ask for 128 × 256");

    let mut file = llama();
    file.tensors.push(("blk.0.attn_q.bias".into(), vec![256], 0, vec![0; 1024]));
    refused(&file.to_bytes(), "`blk.0.attn_q.bias`, which a llama graph does not use");
}

#[test]
fn configurations_that_banyan_cannot_serve_are_named() {
    let with = |key: &str, value: Meta| {
        let mut file = llama();
        file.set(key, value);
        file.to_bytes()
    };
    refused(&with("general.architecture", Meta::Text("mamba\u{1b}[2J".into())), "`mamba\\u{1b}[2J`");
    refused(&with("llama.block_count", Meta::U64(u64::MAX)), "layers is 18446744073709551615");
    refused(&with("llama.block_count", Meta::U32(0)), "layers is 0");
    refused(
        &with("llama.block_count", Meta::Text("two".into())),
        "`llama.block_count` is not a whole number",
    );
    refused(&with("llama.attention.head_count", Meta::U32(0)), "query heads is 0");
    refused(&with("llama.attention.head_count_kv", Meta::U32(3)), "do not fit together");
    refused(&with("llama.attention.key_length", Meta::U32(63)), "do not fit together");
    refused(&with("llama.rope.freq_base", Meta::F32(f32::NAN)), "rotary base");
    refused(&with("llama.rope.scaling.type", Meta::Text("yarn".into())), "`yarn`");
    refused(&with("llama.rope.dimension_count", Meta::U32(32)), "rotates only a part");
    refused(&with("llama.expert_count", Meta::U32(8)), "mixture of experts");
    refused(&with("split.count", Meta::U32(3)), "llama-gguf-split --merge");
    refused(&with("general.alignment", Meta::U32(7)), "general.alignment");
}

#[test]
fn a_file_that_shrinks_after_it_was_opened_is_an_error_and_no_crash() {
    let bytes = llama().to_bytes();
    let file = written(&bytes);
    let gguf = Gguf::open(file.path()).unwrap();
    file.as_file().set_len(1000).unwrap();
    let error = gguf.read_rows("token_embd.weight", 0, 384, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("token_embd.weight"), "{error}");
}
