//! A configuration against the tensors that are there: absurd sizes, missing tensors, wrong shapes, and tensors that
//! the graph would silently leave out are refused by name before anything is built.

use super::{DecoderConfig, EncoderConfig, Family, SourceError, WeightSource};

/// Transformer blocks: the deepest dense model in use has 126.
const MAX_LAYERS: usize = 512;
/// Width of a model or of its feed-forward layer; the widest in use is 53 248.
const MAX_WIDTH: usize = 1 << 18;
/// Heads; the most in use is 128.
const MAX_HEADS: usize = 1024;
/// Width of one head; 64 to 256 in use.
const MAX_HEAD_DIM: usize = 1024;
/// Positions; the longest trained context in use is ten million.
const MAX_CONTEXT: usize = 1 << 24;

/// Tensors that carry nothing of the model: tables that the graph computes, and heads that Banyan does not use.
const WITHOUT_EFFECT: [&str; 3] = ["rope_freqs.weight", "position_ids", "inv_freq"];

/// One tensor that a family needs: `(name, rows, cols)`.
type Wanted = (String, usize, usize);

/// Checks a decoder.
pub(crate) fn decoder<'a>(
    config: &DecoderConfig,
    source: &dyn WeightSource,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), SourceError> {
    let sizes = [
        ("layers", config.layers, MAX_LAYERS),
        ("model width", config.hidden, MAX_WIDTH),
        ("feed-forward width", config.intermediate, MAX_WIDTH),
        ("query heads", config.heads, MAX_HEADS),
        ("key/value heads", config.kv_heads, MAX_HEADS),
        ("head width", config.head_dim, MAX_HEAD_DIM),
        ("context length", config.context_length, MAX_CONTEXT),
    ];
    refuse_absurd(source, &sizes)?;
    if !config.heads.is_multiple_of(config.kv_heads) || !config.head_dim.is_multiple_of(2) {
        return Err(malformed(
            source,
            format!(
                "{} query heads over {} key/value heads of width {} do not fit together",
                config.heads, config.kv_heads, config.head_dim
            ),
        ));
    }
    let finite = config.norm_eps.is_finite() && config.norm_eps >= 0.0;
    let rotates = config.rope_theta.is_finite() && config.rope_theta >= 1.0;
    let factors = config.rope_factors.iter().flatten().all(|f| f.is_finite() && *f > 0.0);
    if !finite || !rotates || !factors {
        return Err(malformed(
            source,
            "its norm epsilon, rotary base or rotary factors are not usable numbers",
        ));
    }
    let family = match config.family {
        Family::Llama => "llama",
        Family::Mistral => "mistral",
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
    };
    tensors(source, family, &decoder_tensors(config), names)
}

/// Checks an encoder.
pub(crate) fn encoder<'a>(
    config: &EncoderConfig,
    source: &dyn WeightSource,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), SourceError> {
    encoder_sizes(config, source)?;
    tensors(source, "bert", &encoder_tensors(config), names)
}

fn encoder_sizes(config: &EncoderConfig, source: &dyn WeightSource) -> Result<(), SourceError> {
    let sizes = [
        ("layers", config.layers, MAX_LAYERS),
        ("model width", config.hidden, MAX_WIDTH),
        ("feed-forward width", config.intermediate, MAX_WIDTH),
        ("heads", config.heads, MAX_HEADS),
        ("positions", config.max_positions, MAX_CONTEXT),
    ];
    refuse_absurd(source, &sizes)?;
    if !config.hidden.is_multiple_of(config.heads) {
        return Err(malformed(
            source,
            format!("{} heads do not divide a width of {}", config.heads, config.hidden),
        ));
    }
    if source.info("token_types.weight").is_none_or(|info| info.cols != config.hidden) {
        let tensor = "token_types.weight".into();
        return Err(SourceError::MissingTensor { path: source.describe(), tensor, family: "bert".into() });
    }
    Ok(())
}

/// Checks a cross-encoder.
pub(crate) fn reranker<'a>(
    config: &EncoderConfig,
    source: &dyn WeightSource,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), SourceError> {
    // Before the sizes of all tensors are compared: this one has words of its own.
    if let Some(labels) = source.info("classifier.weight").map(|info| info.rows).filter(|rows| *rows != 1) {
        let what = format!(
            "its classifier has {labels} outputs; Banyan serves cross-encoders with one, which is the score of a document"
        );
        return Err(SourceError::Unsupported { path: source.describe(), what });
    }
    encoder_sizes(config, source)?;
    let mut wanted = encoder_tensors(config);
    wanted.push(("pooler.weight".into(), config.hidden, config.hidden));
    wanted.push(("pooler.bias".into(), 1, config.hidden));
    wanted.push(("classifier.weight".into(), 1, config.hidden));
    wanted.push(("classifier.bias".into(), 1, 1));
    tensors(source, "bert", &wanted, names)
}

fn refuse_absurd(source: &dyn WeightSource, sizes: &[(&str, usize, usize)]) -> Result<(), SourceError> {
    match sizes.iter().find(|(_, value, most)| *value == 0 || value > most) {
        Some((name, value, most)) => {
            Err(malformed(source, format!("its {name} is {value}; 1 to {most} are accepted")))
        }
        None => Ok(()),
    }
}

fn decoder_tensors(config: &DecoderConfig) -> Vec<Wanted> {
    let (hidden, wide) = (config.hidden, config.intermediate);
    let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    let mut wanted =
        vec![("token_embd.weight".into(), config.vocab, hidden), ("output_norm.weight".into(), 1, hidden)];
    for i in 0..config.layers {
        let mut add = |name: &str, rows, cols| wanted.push((format!("blk.{i}.{name}"), rows, cols));
        add("attn_norm.weight", 1, hidden);
        add("attn_q.weight", q, hidden);
        add("attn_k.weight", kv, hidden);
        add("attn_v.weight", kv, hidden);
        add("attn_output.weight", hidden, q);
        add("ffn_norm.weight", 1, hidden);
        add("ffn_gate.weight", wide, hidden);
        add("ffn_up.weight", wide, hidden);
        add("ffn_down.weight", hidden, wide);
        match config.family {
            Family::Llama | Family::Mistral => {}
            Family::Qwen2 => {
                add("attn_q.bias", 1, q);
                add("attn_k.bias", 1, kv);
                add("attn_v.bias", 1, kv);
            }
            Family::Qwen3 => {
                add("attn_q_norm.weight", 1, config.head_dim);
                add("attn_k_norm.weight", 1, config.head_dim);
            }
        }
    }
    wanted
}

fn encoder_tensors(config: &EncoderConfig) -> Vec<Wanted> {
    let (hidden, wide) = (config.hidden, config.intermediate);
    let mut wanted = vec![
        ("token_embd.weight".into(), config.vocab, hidden),
        ("position_embd.weight".into(), config.max_positions, hidden),
        ("token_embd_norm.weight".into(), 1, hidden),
        ("token_embd_norm.bias".into(), 1, hidden),
    ];
    for i in 0..config.layers {
        let mut add = |name: &str, rows, cols| {
            wanted.push((format!("blk.{i}.{name}.weight"), rows, cols));
            wanted.push((format!("blk.{i}.{name}.bias"), 1, if rows == 1 { cols } else { rows }));
        };
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            add(name, hidden, hidden);
        }
        add("attn_output_norm", 1, hidden);
        add("ffn_up", wide, hidden);
        add("ffn_down", hidden, wide);
        add("layer_output_norm", 1, hidden);
    }
    wanted
}

fn tensors<'a>(
    source: &dyn WeightSource,
    family: &str,
    wanted: &[Wanted],
    names: impl Iterator<Item = &'a str>,
) -> Result<(), SourceError> {
    for (name, rows, cols) in wanted {
        let Some(info) = source.info(name) else {
            return Err(SourceError::MissingTensor {
                path: source.describe(),
                tensor: name.clone(),
                family: family.into(),
            });
        };
        if (info.rows, info.cols) != (*rows, *cols) {
            return Err(malformed(
                source,
                format!(
                    "the tensor `{name}` is {} × {}, where the model's sizes ask for {rows} × {cols}",
                    info.rows, info.cols
                ),
            ));
        }
    }
    let vocab = wanted[0].1;
    if let Some(info) =
        source.info("output.weight").filter(|info| (info.rows, info.cols) != (vocab, wanted[0].2))
    {
        return Err(malformed(
            source,
            format!("the tensor `output.weight` is {} × {}", info.rows, info.cols),
        ));
    }
    let known: std::collections::HashSet<&str> = wanted.iter().map(|(name, ..)| name.as_str()).collect();
    let also = |name: &str| name == "output.weight" || name == "token_types.weight";
    for name in names {
        if !known.contains(name) && !also(name) && !WITHOUT_EFFECT.iter().any(|suffix| name.ends_with(suffix))
        {
            return Err(SourceError::Unsupported {
                path: source.describe(),
                what: format!(
                    "it has the tensor `{}`, which a {family} graph does not use; Banyan would give wrong answers \
                     without it, so it refuses the model",
                    name.escape_debug()
                ),
            });
        }
    }
    Ok(())
}

fn malformed(source: &dyn WeightSource, what: impl Into<String>) -> SourceError {
    SourceError::Malformed { path: source.describe(), what: what.into() }
}
