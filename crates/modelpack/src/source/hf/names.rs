//! Hugging Face's tensor names as canonical ones.

/// The canonical name of a decoder's tensor; `None` when it is none that the families have.
pub(crate) fn decoder(name: &str) -> Option<String> {
    if name == "lm_head.weight" {
        return Some("output.weight".into());
    }
    let name = name.strip_prefix("model.").unwrap_or(name);
    match name {
        "embed_tokens.weight" => return Some("token_embd.weight".into()),
        "norm.weight" => return Some("output_norm.weight".into()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("layers.")?.split_once('.')?;
    let (module, kind) = rest.rsplit_once('.')?;
    let module = match module {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    block(layer, module, kind)
}

/// The canonical name of a BERT encoder's tensor.
pub(super) fn encoder(name: &str) -> Option<String> {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    match name {
        "embeddings.word_embeddings.weight" => return Some("token_embd.weight".into()),
        "embeddings.position_embeddings.weight" => return Some("position_embd.weight".into()),
        "embeddings.token_type_embeddings.weight" => return Some("token_types.weight".into()),
        _ => {}
    }
    let (place, kind) = name.rsplit_once('.')?;
    // Checkpoints converted from TensorFlow call the norm's weight and bias gamma and beta.
    let kind = match kind {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    if place == "embeddings.LayerNorm" {
        return Some(format!("token_embd_norm.{kind}"));
    }
    let (layer, module) = place.strip_prefix("encoder.layer.")?.split_once('.')?;
    let module = match module {
        "attention.self.query" => "attn_q",
        "attention.self.key" => "attn_k",
        "attention.self.value" => "attn_v",
        "attention.output.dense" => "attn_output",
        "attention.output.LayerNorm" => "attn_output_norm",
        "intermediate.dense" => "ffn_up",
        "output.dense" => "ffn_down",
        "output.LayerNorm" => "layer_output_norm",
        _ => return None,
    };
    block(layer, module, kind)
}

/// The canonical name of a tensor of a BERT cross-encoder: the encoder's, the pooler's and the classifier's.
pub(super) fn reranker(name: &str) -> Option<String> {
    match name.strip_prefix("bert.").unwrap_or(name) {
        "pooler.dense.weight" => Some("pooler.weight".into()),
        "pooler.dense.bias" => Some("pooler.bias".into()),
        plain @ ("classifier.weight" | "classifier.bias") => Some(plain.into()),
        _ => encoder(name),
    }
}

/// A head on top of BERT that a sentence vector does not pass through.
pub(super) fn is_unused_head(name: &str) -> bool {
    ["pooler.", "bert.pooler.", "cls."].iter().any(|prefix| name.starts_with(prefix))
}

fn block(layer: &str, module: &str, kind: &str) -> Option<String> {
    let plain =
        matches!(kind, "weight" | "bias") && layer.parse::<u16>().is_ok_and(|n| n.to_string() == layer);
    plain.then(|| format!("blk.{layer}.{module}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_kinds_become_canonical_with_and_without_their_prefix() {
        let cases = [
            ("model.layers.3.self_attn.q_proj.weight", Some("blk.3.attn_q.weight")),
            ("layers.0.self_attn.k_proj.bias", Some("blk.0.attn_k.bias")),
            ("model.layers.11.post_attention_layernorm.weight", Some("blk.11.ffn_norm.weight")),
            ("model.norm.weight", Some("output_norm.weight")),
            ("lm_head.weight", Some("output.weight")),
            ("model.layers.03.mlp.up_proj.weight", None),
            ("model.layers.-1.mlp.up_proj.weight", None),
            ("model.layers.1.mlp.experts.0.up_proj.weight", None),
        ];
        for (name, canonical) in cases {
            assert_eq!(decoder(name).as_deref(), canonical, "{name}");
        }
        assert_eq!(
            encoder("bert.encoder.layer.1.output.LayerNorm.gamma").as_deref(),
            Some("blk.1.layer_output_norm.weight")
        );
        assert_eq!(
            encoder("encoder.layer.1.attention.output.dense.bias").as_deref(),
            Some("blk.1.attn_output.bias")
        );
    }
}
