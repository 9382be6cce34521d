//! The graphs of BERT (Devlin et al., 2018): the encoder with pooling and L2 normalisation, one vector a text; and the
//! cross-encoder with pooler and classifier, one score for a question with a document.

use super::builder::{Attr, CONTRIB, Dim, Graph, STANDARD};
use super::contract;
use super::linear::{BlockSums, Linear, Packer};
use super::onnx::ElementType::{Float, Int32, Int64};
use super::quantize::Form;
use super::weights::{Stored, WeightsWriter};
use super::{BuildError, BuildOptions, GRAPH_FILE, GraphReport};
use crate::source::{EncoderConfig, Pooling, WeightSource};
use std::path::Path;

/// Writes `model.onnx` and `weights.bin` into `out_dir`. Encoders are small: every map gets eight bits.
pub fn write_encoder(
    config: &EncoderConfig,
    source: &dyn WeightSource,
    out_dir: &Path,
    options: &BuildOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<GraphReport, BuildError> {
    let (weights, report) = pack(config, source, out_dir, options, progress, |packer| {
        EncoderWeights::pack(config, packer, false)
    })?;
    finish(report, build_encoder(config, &weights), out_dir)
}

/// As [`write_encoder`] for a cross-encoder.
pub fn write_reranker(
    config: &EncoderConfig,
    source: &dyn WeightSource,
    out_dir: &Path,
    options: &BuildOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<GraphReport, BuildError> {
    let ((weights, head), report) = pack(config, source, out_dir, options, progress, |packer| {
        Ok((EncoderWeights::pack(config, packer, true)?, Head::pack(config, packer)?))
    })?;
    finish(report, build_reranker(config, &weights, &head), out_dir)
}

/// Streams the weights into their file.
fn pack<W>(
    c: &EncoderConfig,
    source: &dyn WeightSource,
    out_dir: &Path,
    options: &BuildOptions,
    progress: &mut dyn FnMut(u64, u64),
    weights: impl FnOnce(&mut Packer<'_>) -> Result<W, BuildError>,
) -> Result<(W, GraphReport), BuildError> {
    if c.heads == 0 || !c.hidden.is_multiple_of(c.heads) {
        let what = "the width must be a multiple of the count of attention heads".into();
        return Err(BuildError::Unsupported { model: source.describe(), what });
    }
    let total =
        c.layers * c.hidden * (4 * c.hidden + 2 * c.intermediate) + (c.vocab + c.max_positions) * c.hidden;
    let writer = WeightsWriter::create(out_dir)?;
    let mut packer = Packer::new(source, "bert", options.bits, writer, total as u64, progress);
    let weights = weights(&mut packer)?;
    let tensors = std::mem::take(&mut packer.tensors);
    let files = vec![packer.writer.finish()?];
    Ok((weights, GraphReport { files, tensors, max_positions: c.max_positions }))
}

fn finish(mut report: GraphReport, graph: Graph, out_dir: &Path) -> Result<GraphReport, BuildError> {
    report.files.push(graph.write(out_dir, GRAPH_FILE)?);
    Ok(report)
}

struct Norm {
    weight: Stored,
    bias: Stored,
}

struct LayerWeights {
    qkv: Linear,
    o: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
}

struct EncoderWeights {
    tokens: Linear,
    positions: Stored,
    /// There where a text has two segments; else the first row is part of the positions.
    types: Option<Stored>,
    norm: Norm,
    layers: Vec<LayerWeights>,
}

impl EncoderWeights {
    fn pack(c: &EncoderConfig, packer: &mut Packer<'_>, two_segments: bool) -> Result<Self, BuildError> {
        let words = [("token_embd.weight".to_owned(), c.vocab)];
        let tokens = packer.linear_as("tokens", &words, c.hidden, &[], Form::EIGHT)?;
        let mut positions = packer.matrix("position_embd.weight", c.max_positions, c.hidden)?;
        let table = packer.matrix("token_types.weight", c.token_types, c.hidden)?;
        let mut types = None;
        if two_segments {
            types = Some(packer.writer.floats(&[c.token_types, c.hidden], &table)?);
        } else {
            // A text is one segment: its token type's row is the same everywhere and is added to the positions here.
            for row in positions.chunks_mut(c.hidden) {
                row.iter_mut().zip(&table).for_each(|(value, own)| *value += own);
            }
        }
        let positions = packer.writer.floats(&[c.max_positions, c.hidden], &positions)?;
        let norm = Norm::pack(packer, "token_embd_norm", c.hidden)?;
        let layers =
            (0..c.layers).map(|layer| LayerWeights::pack(c, packer, layer)).collect::<Result<_, _>>()?;
        Ok(Self { tokens, positions, types, norm, layers })
    }
}

/// What a cross-encoder has on top: small, and kept as floats.
struct Head {
    pooler: [Stored; 2],
    classifier: [Stored; 2],
}

impl Head {
    fn pack(c: &EncoderConfig, packer: &mut Packer<'_>) -> Result<Self, BuildError> {
        let mut part = |name: &str, outputs| {
            let weight = packer.matrix(&format!("{name}.weight"), outputs, c.hidden)?;
            let weight = packer.writer.floats(&[outputs, c.hidden], &weight)?;
            Ok::<_, BuildError>([weight, packer.stored_vector(&format!("{name}.bias"), outputs)?])
        };
        Ok(Self { pooler: part("pooler", c.hidden)?, classifier: part("classifier", 1)? })
    }

    fn apply(g: &mut Graph, [weight, bias]: &[Stored; 2], input: &str, name: &str) -> String {
        let weight = g.external(&format!("{name}.weight"), weight);
        let bias = g.external(&format!("{name}.bias"), bias);
        g.node((STANDARD, "Gemm"), &[input, &weight, &bias], &[name], &[Attr::Int("transB", 1)])
    }
}

impl Norm {
    fn pack(packer: &mut Packer<'_>, name: &str, len: usize) -> Result<Self, BuildError> {
        let weight = packer.stored_vector(&format!("{name}.weight"), len)?;
        Ok(Self { weight, bias: packer.stored_vector(&format!("{name}.bias"), len)? })
    }

    fn declare(&self, graph: &mut Graph, name: &str) -> [String; 2] {
        [
            graph.external(&format!("{name}.weight"), &self.weight),
            graph.external(&format!("{name}.bias"), &self.bias),
        ]
    }
}

impl LayerWeights {
    fn pack(c: &EncoderConfig, packer: &mut Packer<'_>, layer: usize) -> Result<Self, BuildError> {
        let own = |name: &str| format!("blk.{layer}.{name}");
        let mut linear = |name: &str, parts: &[&str], inputs, outputs| {
            let weights: Vec<_> =
                parts.iter().map(|part| (own(&format!("{part}.weight")), outputs)).collect();
            let biases: Vec<_> = parts.iter().map(|part| own(&format!("{part}.bias"))).collect();
            packer.linear_as(&format!("{name}_{layer}"), &weights, inputs, &biases, Form::EIGHT)
        };
        let qkv = linear("qkv", &["attn_q", "attn_k", "attn_v"], c.hidden, c.hidden)?;
        let o = linear("o", &["attn_output"], c.hidden, c.hidden)?;
        let up = linear("up", &["ffn_up"], c.hidden, c.intermediate)?;
        let down = linear("down", &["ffn_down"], c.intermediate, c.hidden)?;
        let attention_norm = Norm::pack(packer, &own("attn_output_norm"), c.hidden)?;
        let output_norm = Norm::pack(packer, &own("layer_output_norm"), c.hidden)?;
        Ok(Self { qkv, o, attention_norm, up, down, output_norm })
    }
}

fn build_encoder(c: &EncoderConfig, weights: &EncoderWeights) -> Graph {
    let mut graph = Graph::new("encoder");
    let g = &mut graph;
    g.output(contract::EMBEDDING, Float, &[Dim::Name("B"), Dim::Size(c.hidden)]);
    let x = body(g, c, weights);
    pool(g, c, &x);
    graph
}

fn build_reranker(c: &EncoderConfig, weights: &EncoderWeights, head: &Head) -> Graph {
    let mut graph = Graph::new("reranker");
    let g = &mut graph;
    g.input(contract::TOKEN_TYPES, Int64, &[Dim::Name("B"), Dim::Name("S")]);
    g.output(contract::SCORE, Float, &[Dim::Name("B")]);
    let x = body(g, c, weights);
    let axis = g.ints("sequence_axis", &[1]);
    let first = first_token(g, &x, &axis);
    let dense = Head::apply(g, &head.pooler, &first, "pooler");
    let pooled = g.simple("Tanh", &[&dense], "pooled");
    let scores = Head::apply(g, &head.classifier, &pooled, "classifier");
    g.simple("Squeeze", &[&scores, &axis], contract::SCORE);
    graph
}

/// Tokens to hidden states `[B, S, hidden]`.
fn body(g: &mut Graph, c: &EncoderConfig, weights: &EncoderWeights) -> String {
    for name in [contract::INPUT_IDS, contract::ATTENTION_MASK] {
        g.input(name, Int64, &[Dim::Name("B"), Dim::Name("S")]);
    }
    let mask =
        g.node((STANDARD, "Cast"), &[contract::ATTENTION_MASK], &["mask"], &[Attr::Int("to", Int32 as i64)]);
    let mut x = embed(g, c, weights);
    for (layer, weights) in weights.layers.iter().enumerate() {
        x = block(g, c, weights, layer, &x, &mask);
    }
    x
}

fn embed(g: &mut Graph, c: &EncoderConfig, weights: &EncoderWeights) -> String {
    let table = g.external("tokens.table", &weights.tokens.values.reshaped(&[c.vocab, c.hidden]));
    let scales = g.external("tokens.scale", &weights.tokens.scales);
    let attributes = [
        Attr::Int("bits", 8),
        Attr::Int("block_size", 32),
        Attr::Int("gather_axis", 0),
        Attr::Int("quantize_axis", 1),
    ];
    let tokens = g.node(
        (CONTRIB, "GatherBlockQuantized"),
        &[&table, contract::INPUT_IDS, &scales],
        &["tokens"],
        &attributes,
    );
    let all = g.external("positions.table", &weights.positions);
    let shape = g.simple("Shape", &[contract::INPUT_IDS], "batch");
    let (one, two, zero) = (g.ints("one", &[1]), g.ints("two", &[2]), g.ints("zero", &[0]));
    let length = g.simple("Slice", &[&shape, &one, &two], "length");
    let positions = g.simple("Slice", &[&all, &zero, &length], "positions");
    let mut sum = g.simple("Add", &[&tokens, &positions], "embedded");
    if let Some(types) = &weights.types {
        let table = g.external("types.table", types);
        let types = g.simple("Gather", &[&table, contract::TOKEN_TYPES], "types");
        sum = g.simple("Add", &[&sum, &types], "embedded_typed");
    }
    let [weight, bias] = weights.norm.declare(g, "embedded_norm");
    let attributes = [Attr::Int("axis", -1), Attr::Float("epsilon", c.norm_eps)];
    g.node((STANDARD, "LayerNormalization"), &[&sum, &weight, &bias], &["x_0"], &attributes)
}

fn block(
    g: &mut Graph,
    c: &EncoderConfig,
    weights: &LayerWeights,
    layer: usize,
    x: &str,
    mask: &str,
) -> String {
    let qkv = weights.qkv.apply(g, x, &mut BlockSums::default());
    let sizes = g.ints("qkv_sizes", &[c.hidden as i64; 3]);
    let parts = ["q", "k", "v"].map(|part| format!("{part}_{layer}"));
    let [q, k, v] = &parts;
    g.node((STANDARD, "Split"), &[&qkv, &sizes], &[q, k, v], &[Attr::Int("axis", -1)]);
    let attended = g.node(
        (CONTRIB, "MultiHeadAttention"),
        &[q, k, v, "", mask],
        &[&format!("attended_{layer}")],
        &[Attr::Int("num_heads", c.heads as i64)],
    );
    let o = weights.o.apply(g, &attended, &mut BlockSums::default());
    let x = skip_norm(g, c, &o, x, &weights.attention_norm, &format!("attention_{layer}"));
    let up = weights.up.apply(g, &x, &mut BlockSums::default());
    let active = g.node((CONTRIB, "Gelu"), &[&up], &[&format!("active_{layer}")], &[]);
    let down = weights.down.apply(g, &active, &mut BlockSums::default());
    skip_norm(g, c, &down, &x, &weights.output_norm, &format!("output_{layer}"))
}

fn skip_norm(g: &mut Graph, c: &EncoderConfig, x: &str, residual: &str, norm: &Norm, name: &str) -> String {
    let [weight, bias] = norm.declare(g, &format!("{name}.norm"));
    g.node(
        (CONTRIB, "SkipLayerNormalization"),
        &[x, residual, &weight, &bias],
        &[name],
        &[Attr::Float("epsilon", c.norm_eps)],
    )
}

/// The hidden state of each text's first token: `[B, hidden]`.
fn first_token(g: &mut Graph, x: &str, axis: &str) -> String {
    let (zero, one) = (g.ints("zero", &[0]), g.ints("one", &[1]));
    let first = g.simple("Slice", &[x, &zero, &one, axis], "first");
    g.simple("Squeeze", &[&first, axis], "first_token")
}

fn pool(g: &mut Graph, c: &EncoderConfig, x: &str) {
    let axis = g.ints("sequence_axis", &[1]);
    let pooled = match c.pooling {
        Pooling::Cls => first_token(g, x, &axis),
        Pooling::Mean => {
            let mask = g.node(
                (STANDARD, "Cast"),
                &[contract::ATTENTION_MASK],
                &["mask_float"],
                &[Attr::Int("to", Float as i64)],
            );
            let last = g.ints("feature_axis", &[2]);
            let mask = g.simple("Unsqueeze", &[&mask, &last], "mask_column");
            let kept = g.simple("Mul", &[x, &mask], "kept");
            // The sum has the mean's direction, and the length is normalised away.
            g.node((STANDARD, "ReduceSum"), &[&kept, &axis], &["pooled"], &[Attr::Int("keepdims", 0)])
        }
    };
    let attributes = [Attr::Int("axis", -1), Attr::Int("p", 2)];
    g.node((STANDARD, "LpNormalization"), &[&pooled], &[contract::EMBEDDING], &attributes);
}
