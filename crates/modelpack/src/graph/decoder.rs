//! The decoder graph of the Llama, Mistral, Qwen2 and Qwen3 families.
//!
//! ```text
//! ids ─ embed ─┬─ norm ─ qkv ─ attention ─ o ─(+)─ norm ─ gate|up ─ silu · up ─ down ─(+)─ … ─ norm ─ gather ─ head
//!              └────────────────────────────────┴──────────────────────────────────────┘
//! ```
//! Everything but attention works on flat rows `[tokens, features]`.

use super::builder::{Attr, CONTRIB, Dim, Graph, STANDARD};
use super::contract::{self, LoraModule};
use super::linear::{BlockSums, Linear, Packer};
use super::onnx::ElementType::{Float, Int8, Int32, Int64};
use super::quantize::Form;
use super::weights::{Stored, WeightsWriter};
use super::{BuildError, BuildOptions, GraphReport, Variant, rope};
use crate::source::{DecoderConfig, Family, WeightSource};
use std::path::Path;

/// Writes the graphs of every [`Variant`] and `weights.bin` into `out_dir`. `progress` gets weights done and in all.
pub fn write_decoder(
    config: &DecoderConfig,
    source: &dyn WeightSource,
    out_dir: &Path,
    options: &BuildOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<GraphReport, BuildError> {
    check(config, source)?;
    let max_positions = options.max_positions.min(config.context_length).max(1);
    let writer = WeightsWriter::create(out_dir)?;
    let mut packer = Packer::new(
        source,
        family_name(config.family),
        options.bits,
        writer,
        count(config, source),
        progress,
    );
    let weights = DecoderWeights::pack(config, &mut packer, max_positions)?;
    let tensors = std::mem::take(&mut packer.tensors);
    let mut files = vec![packer.writer.finish()?];
    for variant in Variant::ALL {
        let builder = Builder { config, weights: &weights, graph: Graph::new("decoder"), variant };
        files.push(builder.build().write(out_dir, variant.file())?);
    }
    Ok(GraphReport { files, tensors, max_positions })
}

fn family_name(family: Family) -> &'static str {
    match family {
        Family::Llama => "llama",
        Family::Mistral => "mistral",
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
    }
}

fn check(config: &DecoderConfig, source: &dyn WeightSource) -> Result<(), BuildError> {
    let refuse = |what: &str| Err(BuildError::Unsupported { model: source.describe(), what: what.into() });
    if config.kv_heads == 0 || !config.heads.is_multiple_of(config.kv_heads) {
        return refuse("the count of attention heads must be a multiple of the count of key/value heads");
    }
    // GroupQueryAttention's rotary kernel works on whole vectors of eight pairs.
    if config.head_dim == 0 || !config.head_dim.is_multiple_of(16) {
        return refuse("the head dimension must be a multiple of 16");
    }
    if config.rope_factors.as_ref().is_some_and(|factors| factors.len() != config.head_dim / 2) {
        return refuse("the rotary factors must be as many as half the head dimension");
    }
    Ok(())
}

/// Weights that will pass, for the progress.
fn count(config: &DecoderConfig, source: &dyn WeightSource) -> u64 {
    let c = config;
    let attention = 2 * c.heads * c.head_dim * c.hidden + 2 * c.kv_heads * c.head_dim * c.hidden;
    let embeddings = if source.info("output.weight").is_some() { 2 } else { 1 };
    (c.layers * (attention + 3 * c.intermediate * c.hidden) + embeddings * c.vocab * c.hidden) as u64
}

struct LayerWeights {
    attention_norm: Stored,
    qkv: Linear,
    head_norms: Option<(Stored, Stored)>,
    o: Linear,
    feed_forward_norm: Stored,
    gate_up: Linear,
    down: Linear,
}

struct DecoderWeights {
    embedding: Linear,
    head: Linear,
    norm: Stored,
    cos: Stored,
    sin: Stored,
    layers: Vec<LayerWeights>,
}

impl DecoderWeights {
    fn pack(c: &DecoderConfig, packer: &mut Packer<'_>, positions: usize) -> Result<Self, BuildError> {
        // The embedding is looked up by GatherBlockQuantized and, in a tied model, multiplied as the head: both read
        // eight bits without corrections from the same bytes.
        let table = |name: &str| [(name.to_owned(), c.vocab)];
        let embedding =
            packer.linear_as("embedding", &table("token_embd.weight"), c.hidden, &[], Form::EIGHT)?;
        let head = if packer.source.info("output.weight").is_some() {
            packer.linear_as("head", &table("output.weight"), c.hidden, &[], Form::EIGHT)?
        } else {
            embedding.clone()
        };
        let (cos, sin) = rope::table(positions, c.head_dim, c.rope_theta, c.rope_factors.as_deref());
        let rope_dims = [positions, c.head_dim / 2];
        let (cos, sin) = (packer.writer.floats(&rope_dims, &cos)?, packer.writer.floats(&rope_dims, &sin)?);
        let norm = packer.stored_vector("output_norm.weight", c.hidden)?;
        let layers =
            (0..c.layers).map(|layer| LayerWeights::pack(c, packer, layer)).collect::<Result<_, _>>()?;
        Ok(Self { embedding, head, norm, cos, sin, layers })
    }
}

impl LayerWeights {
    fn pack(c: &DecoderConfig, packer: &mut Packer<'_>, layer: usize) -> Result<Self, BuildError> {
        let (queries, keys) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let own = |name: &str| format!("blk.{layer}.{name}");
        let part = |name: &str, rows| (own(name), rows);
        let qkv_parts =
            [part("attn_q.weight", queries), part("attn_k.weight", keys), part("attn_v.weight", keys)];
        let biases = match c.family {
            Family::Qwen2 => ["attn_q.bias", "attn_k.bias", "attn_v.bias"].map(own).to_vec(),
            Family::Llama | Family::Mistral | Family::Qwen3 => Vec::new(),
        };
        let head_norms = if c.family == Family::Qwen3 {
            let q = packer.stored_vector(&own("attn_q_norm.weight"), c.head_dim)?;
            Some((q, packer.stored_vector(&own("attn_k_norm.weight"), c.head_dim)?))
        } else {
            None
        };
        let gate_up_parts = [part("ffn_gate.weight", c.intermediate), part("ffn_up.weight", c.intermediate)];
        Ok(Self {
            attention_norm: packer.stored_vector(&own("attn_norm.weight"), c.hidden)?,
            qkv: packer.linear(&format!("qkv_{layer}"), &qkv_parts, c.hidden, &biases)?,
            head_norms,
            o: packer.linear(&format!("o_{layer}"), &[part("attn_output.weight", c.hidden)], queries, &[])?,
            feed_forward_norm: packer.stored_vector(&own("ffn_norm.weight"), c.hidden)?,
            gate_up: packer.linear(&format!("gate_up_{layer}"), &gate_up_parts, c.hidden, &[])?,
            down: packer.linear(
                &format!("down_{layer}"),
                &[part("ffn_down.weight", c.hidden)],
                c.intermediate,
                &[],
            )?,
        })
    }
}

struct Builder<'a> {
    config: &'a DecoderConfig,
    weights: &'a DecoderWeights,
    graph: Graph,
    variant: Variant,
}

impl Builder<'_> {
    fn build(mut self) -> Graph {
        self.declare();
        let (c, weights) = (self.config, self.weights);
        let g = &mut self.graph;
        let table = g.external("embedding.table", &weights.embedding.values.reshaped(&[c.vocab, c.hidden]));
        let scales = g.external("embedding.scale", &weights.embedding.scales);
        let attributes = [
            Attr::Int("bits", 8),
            Attr::Int("block_size", 32),
            Attr::Int("gather_axis", 0),
            Attr::Int("quantize_axis", 1),
        ];
        let embedded = g.node(
            (CONTRIB, "GatherBlockQuantized"),
            &[&table, contract::INPUT_IDS, &scales],
            &["embedded"],
            &attributes,
        );
        let flat = g.ints("flat_hidden", &[-1, c.hidden as i64]);
        let mut residual = g.simple("Reshape", &[&embedded, &flat], "tokens");
        g.simple("Shape", &[contract::INPUT_IDS], "batch");
        let first_norm = g.external("attention_norm_0", &weights.layers[0].attention_norm);
        let attributes =
            [Attr::Int("axis", -1), Attr::Float("epsilon", c.norm_eps), Attr::Int("stash_type", 1)];
        let mut normed = g.node(
            (STANDARD, "SimplifiedLayerNormalization"),
            &[&residual, &first_norm],
            &["normed_0"],
            &attributes,
        );
        for layer in 0..c.layers {
            (normed, residual) = self.layer(layer, &normed, &residual);
        }
        let g = &mut self.graph;
        let selected = g.node(
            (STANDARD, "Gather"),
            &[&normed, contract::LOGIT_IDX],
            &["selected"],
            &[Attr::Int("axis", 0)],
        );
        let head = weights.head.named(contract::LOGITS);
        head.apply(g, &selected, &mut BlockSums::default());
        self.graph
    }

    fn declare(&mut self) {
        let (c, g) = (self.config, &mut self.graph);
        let rows = Dim::Name("B");
        g.input(contract::INPUT_IDS, Int64, &[rows, Dim::Name("S")]);
        g.input(contract::SEQLENS_K, Int32, &[rows]);
        g.input(contract::TOTAL_LEN, Int32, &[]);
        g.input(contract::QUERY_LENS, Int32, &[rows]);
        g.input(contract::LOGIT_IDX, Int64, &[Dim::Name("R")]);
        g.output(contract::LOGITS, Float, &[Dim::Name("R"), Dim::Size(c.vocab)]);
        let kept = if self.variant.kv8 { Int8 } else { Float };
        let cache = |length| [rows, Dim::Size(c.kv_heads), Dim::Name(length), Dim::Size(c.head_dim)];
        for layer in 0..c.layers {
            g.input(&contract::past_k(layer), kept, &cache("L"));
            g.input(&contract::past_v(layer), kept, &cache("L"));
            g.output(&contract::present_k(layer), kept, &cache("L_present"));
            g.output(&contract::present_v(layer), kept, &cache("L_present"));
            if self.variant.kv8 {
                let scale = [Dim::Size(c.kv_heads), Dim::Size(1), Dim::Size(c.head_dim)];
                g.input(&contract::k_scale(layer), Float, &scale);
                g.input(&contract::v_scale(layer), Float, &scale);
            }
        }
        if !self.variant.adapters {
            return;
        }
        g.input(contract::ADAPTER_IDX, Int64, &[rows]);
        for (layer, weights) in self.weights.layers.iter().enumerate() {
            for module in LoraModule::ALL {
                let linear = weights.linear(module);
                let (inputs, outputs) = (linear.inputs, linear.outputs);
                let (a, b) = (contract::lora_a(module, layer), contract::lora_b(module, layer));
                // One name means one size to ONNX Runtime, and modules that are fed stand beside modules that are not.
                let (adapters, rank) = (format!("adapters_{a}"), format!("rank_{a}"));
                g.input(&a, Float, &[Dim::Name(&adapters), Dim::Size(inputs), Dim::Name(&rank)]);
                g.input(&b, Float, &[Dim::Name(&adapters), Dim::Name(&rank), Dim::Size(outputs)]);
                // Rank zero unless fed: the product is zero, and the base model's answer stays what it is. A tensor
                // of rank zero holds nothing, however many adapters it has: any index is within it.
                let adapters = contract::MAX_ADAPTERS as i64;
                g.floats(&a, &[adapters, inputs as i64, 0], &[]);
                g.floats(&b, &[adapters, 0, outputs as i64], &[]);
            }
        }
    }

    /// One block; gives the next block's normed input and the residual.
    fn layer(&mut self, layer: usize, normed: &str, residual: &str) -> (String, String) {
        let (c, weights) = (self.config, &self.weights.layers[layer]);
        let qkv = self.linear(LoraModule::Qkv, layer, normed);
        let attended = self.attention(layer, &qkv);
        let o = self.linear(LoraModule::O, layer, &attended);
        let (normed, residual) =
            self.skip_norm(&o, residual, &weights.feed_forward_norm, &format!("feed_forward_{layer}"));
        let gate_up = self.linear(LoraModule::GateUp, layer, &normed);
        let g = &mut self.graph;
        let sizes = g.ints("gate_up_sizes", &[c.intermediate as i64; 2]);
        let (gate, up) = (format!("gate_{layer}"), format!("up_{layer}"));
        g.node((STANDARD, "Split"), &[&gate_up, &sizes], &[&gate, &up], &[Attr::Int("axis", -1)]);
        // QuickGelu with alpha 1 is x * sigmoid(x): SiLU in one node.
        let silu = g.node(
            (CONTRIB, "QuickGelu"),
            &[&gate],
            &[&format!("silu_{layer}")],
            &[Attr::Float("alpha", 1.0)],
        );
        let hidden = g.simple("Mul", &[&silu, &up], &format!("gated_{layer}"));
        let down = self.linear(LoraModule::Down, layer, &hidden);
        let next = self.weights.layers.get(layer + 1);
        let norm = next.map_or(&self.weights.norm, |next| &next.attention_norm);
        self.skip_norm(&down, &residual, norm, &format!("attention_{}", layer + 1))
    }

    /// residual + x, and its norm.
    fn skip_norm(&mut self, x: &str, residual: &str, norm: &Stored, name: &str) -> (String, String) {
        let weight = self.graph.external(&format!("{name}.norm"), norm);
        let (normed, sum) = (format!("{name}.normed"), format!("{name}.residual"));
        self.graph.node(
            (CONTRIB, "SkipSimplifiedLayerNormalization"),
            &[x, residual, &weight],
            &[&normed, "", "", &sum],
            &[Attr::Float("epsilon", self.config.norm_eps)],
        );
        (normed, sum)
    }

    fn attention(&mut self, layer: usize, qkv: &str) -> String {
        let (c, weights) = (self.config, &self.weights.layers[layer]);
        let g = &mut self.graph;
        let (queries, keys) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let (q, k, v) = match &weights.head_norms {
            None => (
                to_rows(g, qkv, queries + 2 * keys, &format!("qkv_rows_{layer}")),
                String::new(),
                String::new(),
            ),
            Some((q_norm, k_norm)) => {
                let sizes = g.ints("qkv_sizes", &[queries as i64, keys as i64, keys as i64]);
                let parts = ["q", "k", "v"].map(|part| format!("{part}_{layer}"));
                let [q, k, v] = &parts;
                g.node((STANDARD, "Split"), &[qkv, &sizes], &[q, k, v], &[Attr::Int("axis", -1)]);
                let q = head_norm(g, c, q, q_norm);
                let k = head_norm(g, c, k, k_norm);
                (
                    to_rows(g, &q, queries, &format!("q_rows_{layer}")),
                    to_rows(g, &k, keys, &format!("k_rows_{layer}")),
                    to_rows(g, v, keys, &format!("v_rows_{layer}")),
                )
            }
        };
        let (cos, sin) =
            (g.external("rope.cos", &self.weights.cos), g.external("rope.sin", &self.weights.sin));
        let mut attributes = vec![
            Attr::Int("num_heads", c.heads as i64),
            Attr::Int("kv_num_heads", c.kv_heads as i64),
            Attr::Int("do_rotary", 1),
            Attr::Int("rotary_interleaved", i64::from(c.rope_interleaved)),
            Attr::Float("scale", 1.0 / (c.head_dim as f32).sqrt()),
        ];
        if let Some(window) = c.sliding_window {
            attributes.push(Attr::Int("local_window_size", window as i64));
        }
        let attended = format!("attended_{layer}");
        let (past_k, past_v) = (contract::past_k(layer), contract::past_v(layer));
        let (mut k_scale, mut v_scale) = (String::new(), String::new());
        if self.variant.kv8 {
            (k_scale, v_scale) = (contract::k_scale(layer), contract::v_scale(layer));
            attributes.extend([
                Attr::Text("k_quant_type", "PER_CHANNEL"),
                Attr::Text("v_quant_type", "PER_CHANNEL"),
                Attr::Int("kv_cache_bit_width", 8),
            ]);
        }
        // Inputs 9 to 11 (positions, bias, sink), 14 and 15 (head norms) are not used; 16 is the count of new tokens in each
        // row.
        let inputs = [
            &q,
            &k,
            &v,
            &past_k,
            &past_v,
            contract::SEQLENS_K,
            contract::TOTAL_LEN,
            &cos,
            &sin,
            "",
            "",
            "",
            &k_scale,
            &v_scale,
            "",
            "",
            contract::QUERY_LENS,
        ];
        let (present_k, present_v) = (contract::present_k(layer), contract::present_v(layer));
        g.node((CONTRIB, "GroupQueryAttention"), &inputs, &[&attended, &present_k, &present_v], &attributes);
        let flat = g.ints("flat_queries", &[-1, queries as i64]);
        g.simple("Reshape", &[&attended, &flat], &format!("attended_tokens_{layer}"))
    }

    fn linear(&mut self, module: LoraModule, layer: usize, input: &str) -> String {
        let linear = self.weights.layers[layer].linear(module);
        let base = linear.apply(&mut self.graph, input, &mut BlockSums::default());
        if !self.variant.adapters {
            return base;
        }
        let g = &mut self.graph;
        let name = |what: &str| format!("lora_{}_{layer}.{what}", module.name());
        let gather = |g: &mut Graph, table: String, output: &str| {
            let inputs = [table.as_str(), contract::ADAPTER_IDX];
            g.node((STANDARD, "Gather"), &inputs, &[output], &[Attr::Int("axis", 0)])
        };
        let a = gather(g, contract::lora_a(module, layer), &name("a"));
        let b = gather(g, contract::lora_b(module, layer), &name("b"));
        let rows = to_rows(g, input, linear.inputs, &name("rows"));
        let low = g.simple("MatMul", &[&rows, &a], &name("low"));
        let change = g.simple("MatMul", &[&low, &b], &name("change"));
        let flat = g.ints(&format!("flat_{}", linear.outputs), &[-1, linear.outputs as i64]);
        let change = g.simple("Reshape", &[&change, &flat], &name("tokens"));
        g.simple("Add", &[&base, &change], &name("sum"))
    }
}

impl LayerWeights {
    fn linear(&self, module: LoraModule) -> &Linear {
        match module {
            LoraModule::Qkv => &self.qkv,
            LoraModule::O => &self.o,
            LoraModule::GateUp => &self.gate_up,
            LoraModule::Down => &self.down,
        }
    }
}

/// Flat tokens [B * S, features] as [B, S, features].
fn to_rows(g: &mut Graph, flat: &str, features: usize, output: &str) -> String {
    let shape_name = format!("rows_of_{features}");
    let size = g.ints(&format!("size_{features}"), &[features as i64]);
    if g.once(&shape_name) {
        g.node((STANDARD, "Concat"), &["batch", &size], &[&shape_name], &[Attr::Int("axis", 0)]);
    }
    g.simple("Reshape", &[flat, &shape_name], output)
}

/// RMS norm of every head (Qwen3); gives flat heads.
fn head_norm(g: &mut Graph, c: &DecoderConfig, x: &str, norm: &Stored) -> String {
    let shape = g.ints("heads", &[-1, c.head_dim as i64]);
    let heads = g.simple("Reshape", &[x, &shape], &format!("{x}.heads"));
    let weight = g.external(&format!("{x}.norm"), norm);
    let attributes = [Attr::Int("axis", -1), Attr::Float("epsilon", c.norm_eps), Attr::Int("stash_type", 1)];
    g.node(
        (STANDARD, "SimplifiedLayerNormalization"),
        &[&heads, &weight],
        &[&format!("{x}.normed")],
        &attributes,
    )
}
