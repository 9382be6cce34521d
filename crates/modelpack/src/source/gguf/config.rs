//! The shape of a decoder, out of GGUF's metadata.

use super::Gguf;
use crate::source::{DType, DecoderConfig, Family, SourceError, WeightSource, dequant::dequantize_rows};

/// Reads the decoder's shape and checks it against the tensors that are there.
pub fn decoder_config(gguf: &Gguf) -> Result<DecoderConfig, SourceError> {
    let arch = gguf
        .text("general.architecture")
        .ok_or_else(|| gguf.malformed("it has no `general.architecture`"))?;
    let family = match arch {
        "llama" => Family::Llama,
        "qwen2" => Family::Qwen2,
        "qwen3" => Family::Qwen3,
        other => {
            return Err(gguf.unsupported(format!(
                "its architecture is `{}`; Banyan serves llama (which includes Mistral), qwen2 and qwen3 from GGUF",
                other.escape_debug()
            )));
        }
    };
    if gguf.int("split.count")?.is_some_and(|count| count > 1) {
        return Err(
            gguf.unsupported("it is one part of several; join them first with `llama-gguf-split --merge`")
        );
    }
    let fields = Fields { gguf, arch };
    if fields.optional("expert_count")?.unwrap_or(0) > 0 {
        return Err(gguf
            .unsupported("it is a mixture of experts, which Banyan does not build yet; take a dense model"));
    }
    let hidden = fields.required("embedding_length")?;
    let heads = fields.required("attention.head_count")?;
    let head_dim = match fields.optional("attention.key_length")? {
        Some(length) => length,
        None => hidden / heads.max(1),
    };
    if fields.optional("attention.value_length")?.is_some_and(|length| length != head_dim) {
        return Err(gguf.unsupported("its keys and values differ in length, which Banyan does not build"));
    }
    if fields.optional("rope.dimension_count")?.is_some_and(|count| count != head_dim) {
        return Err(gguf.unsupported("it rotates only a part of each head, which Banyan does not build"));
    }
    let vocab = gguf.info("token_embd.weight").map_or(0, |info| info.rows);
    let config = DecoderConfig {
        family,
        layers: fields.required("block_count")?,
        hidden,
        heads,
        kv_heads: fields.optional("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        intermediate: fields.required("feed_forward_length")?,
        vocab,
        norm_eps: fields.float("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-5) as f32,
        rope_theta: fields.float("rope.freq_base")?.unwrap_or(10_000.0),
        rope_factors: rope_factors(&fields, head_dim)?,
        rope_interleaved: family == Family::Llama,
        sliding_window: fields.optional("attention.sliding_window")?.filter(|&window| window > 0),
        context_length: fields.required("context_length")?,
    };
    crate::source::check::decoder(&config, gguf, gguf.names())?;
    Ok(config)
}

struct Fields<'a> {
    gguf: &'a Gguf,
    arch: &'a str,
}

impl Fields<'_> {
    fn optional(&self, name: &str) -> Result<Option<usize>, SourceError> {
        let key = format!("{}.{name}", self.arch);
        let value = self.gguf.int(&key)?;
        value
            .map(|n| {
                usize::try_from(n).map_err(|_| self.gguf.malformed(format!("the metadata `{key}` is {n}")))
            })
            .transpose()
    }

    fn required(&self, name: &str) -> Result<usize, SourceError> {
        self.optional(name)?.ok_or_else(|| self.gguf.malformed(format!("it has no `{}.{name}`", self.arch)))
    }

    fn float(&self, name: &str) -> Result<Option<f64>, SourceError> {
        self.gguf.float(&format!("{}.{name}", self.arch))
    }
}

/// Llama 3.1's divisors stand in a tensor, computed by the converter; a linear scaling is one divisor for all.
fn rope_factors(fields: &Fields<'_>, head_dim: usize) -> Result<Option<Vec<f32>>, SourceError> {
    let gguf = fields.gguf;
    if let Some(info) = gguf.info("rope_freqs.weight") {
        if info.dtype != DType::F32 || info.rows != 1 || info.cols != head_dim / 2 {
            return Err(gguf.malformed(format!("`rope_freqs.weight` is not {} floats", head_dim / 2)));
        }
        let (mut bytes, mut factors) = (Vec::new(), Vec::new());
        gguf.read_rows("rope_freqs.weight", 0, 1, &mut bytes)?;
        dequantize_rows(DType::F32, info.cols, &bytes, &mut factors);
        return Ok(Some(factors));
    }
    let scaling = format!("{}.rope.scaling.type", fields.arch);
    match gguf.text(&scaling) {
        None | Some("none" | "") => Ok(None),
        Some("linear") => {
            let factor = fields.float("rope.scaling.factor")?.or(fields.float("rope.scale_linear")?).unwrap_or(1.0);
            Ok((factor != 1.0).then(|| vec![factor as f32; head_dim / 2]))
        }
        Some(other) => Err(gguf.unsupported(format!(
            "its `{scaling}` is `{}`; Banyan builds models without scaling, with linear scaling, and Llama 3's",
            other.escape_debug()
        ))),
    }
}
