use banyan_modelpack::source::hf::{HfFolder, HfModel, safetensors};
use banyan_modelpack::source::{DType, Family, Pooling, WeightSource, dequant::dequantize_rows};
use banyan_modelpack::testing::{Tiny, TinyFamily};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

fn folder(family: TinyFamily) -> (Tiny, TempDir) {
    let (tiny, dir) = (Tiny::new(family, 5), TempDir::new().unwrap());
    tiny.write_folder(dir.path(), DType::F32).unwrap();
    (tiny, dir)
}

fn refused(dir: &Path, expected: &str) {
    let error = match HfFolder::open(dir).and_then(|folder| folder.model()) {
        Ok(_) => panic!("accepted, where `{expected}` was to be refused"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(expected), "the refusal does not say `{expected}`: {error}");
}

fn edit(dir: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = dir.join(file);
    let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

#[test]
fn every_family_opens_and_gives_its_weights_by_canonical_name() {
    for family in TinyFamily::ALL {
        let (tiny, dir) = folder(family);
        let opened = HfFolder::open(dir.path()).unwrap();
        match opened.model().unwrap() {
            HfModel::Decoder(config) => {
                assert!(!config.rope_interleaved && family != TinyFamily::Bert);
                assert_eq!((config.kv_heads, config.head_dim, config.sliding_window), (2, 64, None));
            }
            HfModel::Encoder(config) => {
                assert_eq!((config.pooling, config.max_positions), (Pooling::Mean, 256));
            }
            HfModel::Reranker(_) => panic!("none of the families has a classifier"),
        }
        assert_eq!(opened.names().collect::<Vec<_>>(), tiny.tensors.keys().collect::<Vec<_>>());
        for (name, tensor) in &tiny.tensors {
            let (mut bytes, mut values) = (Vec::new(), Vec::new());
            opened.read_rows(name, 0, tensor.rows, &mut bytes).unwrap();
            dequantize_rows(DType::F32, tensor.cols, &bytes, &mut values);
            assert_eq!(values, tensor.values, "{name}");
        }
    }
}

#[test]
fn our_test_files_are_safetensors_to_the_reference_library_too() {
    let (tiny, dir) = folder(TinyFamily::Qwen3);
    let bytes = std::fs::read(dir.path().join("model.safetensors")).unwrap();
    let theirs = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ours = safetensors::read_header(bytes.as_slice(), bytes.len() as u64).unwrap();
    assert_eq!((theirs.len(), ours.len()), (tiny.tensors.len(), tiny.tensors.len()));
    for (name, raw) in ours {
        let [start, end] = raw.data_offsets.map(|offset| offset as usize);
        assert_eq!(theirs.tensor(&name).unwrap().data(), &bytes[start..end], "{name}");
    }
}

#[test]
fn shards_are_one_model() {
    let (tiny, dir) = (Tiny::new(TinyFamily::Qwen2, 5), TempDir::new().unwrap());
    tiny.write_shards(dir.path(), DType::BF16, 3).unwrap();
    let opened = HfFolder::open(dir.path()).unwrap();
    assert!(matches!(opened.model().unwrap(), HfModel::Decoder(config) if config.family == Family::Qwen2));
    assert_eq!(opened.weight_files().count(), 3);
    let mut bytes = Vec::new();
    opened.read_rows("blk.1.ffn_up.weight", 100, 3, &mut bytes).unwrap();
    assert_eq!(bytes.len(), 3 * 256 * 2);

    std::fs::remove_file(dir.path().join("model-00002-of-00003.safetensors")).unwrap();
    refused(dir.path(), "model-00002-of-00003.safetensors");
    edit(dir.path(), "model.safetensors.index.json", |json| {
        json["weight_map"]["x"] = json!("../../etc/x.safetensors");
    });
    refused(dir.path(), "`x` is not in a plain .safetensors file");
}

#[test]
fn a_missing_or_unknown_tensor_is_named() {
    let (mut tiny, dir) = folder(TinyFamily::Qwen2);
    tiny.tensors.remove("blk.1.attn_k.bias");
    tiny.write_folder(dir.path(), DType::F32).unwrap();
    refused(dir.path(), "`blk.1.attn_k.bias`, which a qwen2 model needs");

    let (mut tiny, dir) = folder(TinyFamily::Mistral);
    tiny.tensors.remove("output.weight");
    tiny.write_folder(dir.path(), DType::F32).unwrap();
    refused(dir.path(), "lm_head.weight");

    let (mut tiny, dir) = folder(TinyFamily::Llama);
    let bias = tiny.tensors["blk.0.attn_norm.weight"].clone();
    tiny.tensors.insert("blk.0.attn_output.bias".into(), bias);
    tiny.write_folder(dir.path(), DType::F32).unwrap();
    refused(dir.path(), "`blk.0.attn_output.bias`, which a llama graph does not use");
}

#[test]
fn configurations_that_banyan_cannot_serve_are_named() {
    let cases: [(TinyFamily, &str, Value, &str); 10] = [
        (TinyFamily::Llama, "model_type", json!("falcon"), "`falcon`"),
        (TinyFamily::Llama, "hidden_act", json!("gelu"), "hidden_act is `gelu`"),
        (TinyFamily::Llama, "attention_bias", json!(true), "biases"),
        (TinyFamily::Llama, "rope_scaling", json!({"rope_type": "yarn"}), "`yarn`"),
        (TinyFamily::Llama, "rope_scaling", json!({"rope_type": "llama3", "factor": 8}), "low_freq_factor"),
        (TinyFamily::Llama, "quantization_config", json!({"bits": 4}), "quantized"),
        (TinyFamily::Llama, "num_hidden_layers", json!(100_000_000_000u64), "layers is 100000000000"),
        (TinyFamily::Llama, "hidden_size", json!(-1), "config.json"),
        (TinyFamily::Mistral, "sliding_window", json!("wide"), "sliding_window"),
        (TinyFamily::Bert, "position_embedding_type", json!("relative_key"), "`relative_key`"),
    ];
    for (family, field, value, expected) in cases {
        let (_, dir) = folder(family);
        edit(dir.path(), "config.json", |json| json[field] = value);
        refused(dir.path(), expected);
    }
    let (_, dir) = folder(TinyFamily::Bert);
    edit(dir.path(), "1_Pooling/config.json", |json| json["pooling_mode_max_tokens"] = json!(true));
    refused(dir.path(), "pooling");
    std::fs::write(dir.path().join("modules.json"), r#"[{"type": "sentence_transformers.models.Dense"}]"#)
        .unwrap();
    refused(dir.path(), "`Dense`");
}

#[test]
fn bert_with_one_class_is_a_reranker_and_with_several_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut tiny = Tiny::reranker(3);
    tiny.write_folder(dir.path(), DType::F32).unwrap();
    let opened = HfFolder::open(dir.path()).unwrap();
    assert!(matches!(opened.model().unwrap(), HfModel::Reranker(config) if config.token_types == 2));
    assert_eq!(opened.names().collect::<Vec<_>>(), tiny.tensors.keys().collect::<Vec<_>>());
    edit(dir.path(), "config.json", |json| json["architectures"] = json!(["BertModel"]));
    refused(dir.path(), "`classifier.bias`");

    let tensor = |name: &str| tiny.tensors[name].clone();
    let (mut weight, mut bias) = (tensor("classifier.weight"), tensor("classifier.bias"));
    weight.values = weight.values.repeat(3);
    (weight.rows, bias.cols, bias.values) = (3, 3, vec![0.0; 3]);
    tiny.tensors.extend([("classifier.weight".into(), weight), ("classifier.bias".into(), bias)]);
    tiny.write_folder(dir.path(), DType::F32).unwrap();
    refused(dir.path(), "3 outputs");
}

#[test]
fn mistral_has_a_window_unless_it_says_null() {
    let (_, dir) = folder(TinyFamily::Mistral);
    let window = || match HfFolder::open(dir.path()).unwrap().model().unwrap() {
        HfModel::Decoder(config) => config.sliding_window,
        HfModel::Encoder(_) | HfModel::Reranker(_) => None,
    };
    assert_eq!(window(), None);
    edit(dir.path(), "config.json", |json| json["sliding_window"] = json!(1024));
    assert_eq!(window(), Some(1024));
    edit(dir.path(), "config.json", |json| drop(json.as_object_mut().unwrap().remove("sliding_window")));
    assert_eq!(window(), Some(4096));
}

#[test]
fn safetensors_headers_that_lie_are_refused_by_name() {
    let check = |header: &str, data: usize, expected: &str| {
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat();
        let error = safetensors::read_header(bytes.as_slice(), bytes.len() as u64).unwrap_err();
        assert!(error.contains(expected), "the refusal does not say `{expected}`: {error}");
    };
    let one = |shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    check(&one("[4]", "[0,99]"), 16, "`a` reaches from byte 0 to 99 of 16");
    check(&one("[4]", "[16,0]"), 16, "`a` reaches from byte 16 to 0");
    check(&one("[5]", "[0,16]"), 16, "has 16 bytes, which its shape [5] in F32 contradicts");
    check(&one("[18446744073709551615,2]", "[0,16]"), 16, "absurd shape");
    check(&one("[-4]", "[0,16]"), 16, "its header is not what the format asks for");
    check(&one("[4]", "[0,18446744073709551615]"), 16, "reaches");
    check(r#"{"a":{"dtype":"Q","shape":[4],"data_offsets":[0,16]}}"#, 16, "unknown form `Q`");
    let overlap = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}"#;
    check(overlap, 32, "`a` and `b` overlap");
    let twice = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    check(twice, 16, "`a` occurs twice");
    check(&"[".repeat(100_000), 0, "its header is not what the format asks for");
    let error = safetensors::read_header((1u64 << 60).to_le_bytes().as_slice(), 8).unwrap_err();
    assert!(error.contains("claims 1152921504606846976 bytes"), "{error}");
}
