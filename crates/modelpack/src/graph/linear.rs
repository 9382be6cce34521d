//! Linear maps: how their weights are stored, and the nodes that compute them.
//!
//! | source | form | why |
//! |---|---|---|
//! | Q4_0 | int4 | exact |
//! | Q4_1, Q4_K | int4+sum | exact, where an integer zero point costs 8 to 18 % of perplexity |
//! | Q5_0, Q8_0 | int8 | exact |
//! | Q5_1, Q5_K | int8+sum | exact |
//! | Q6_K | int8 | rounded anew over 32 weights: its blocks are of 16; error about 0.6 % of the weights' size |
//! | floats | int4+sum or int8 | by measured error, or as asked |
//!
//! `+sum` adds `blocksums(x) · Cᵀ` to the product, with C the corrections `[out, in / 32]`: a Gemm of one thirty-second
//! of the work, whose `C` input is the quantized product, so that no node adds the two.

use super::builder::{Attr, CONTRIB, Graph, STANDARD};
use super::onnx::ElementType;
use super::quantize::{BLOCK, Blocks, ErrorSum, FOUR_BIT_LIMIT, Form, encode};
use super::weights::{Stored, WeightsWriter};
use super::{Bits, BuildError, ROW_CHUNK_BYTES, TensorQuality};
use crate::source::{SourceError, TensorInfo, WeightSource};

/// Compute in int8 (the input is rounded per block of 32): the fast kernels.
const ACCURACY_INT8: i64 = 4;

/// A linear map in the weights file: `[inputs] -> [outputs]`.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub name: String,
    pub form: Form,
    pub inputs: usize,
    pub outputs: usize,
    pub values: Stored,
    pub scales: Stored,
    corrections: Option<Stored>,
    bias: Option<Stored>,
}

/// Everything that streams weights from a source into the weights file.
pub(super) struct Packer<'a> {
    pub source: &'a dyn WeightSource,
    pub family: &'static str,
    pub bits: Bits,
    pub writer: WeightsWriter,
    pub tensors: Vec<TensorQuality>,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
    floats: Vec<f32>,
    blocks: Blocks,
    stored: Vec<u8>,
}

impl<'a> Packer<'a> {
    /// `total` is the count of weights that will pass, for the progress.
    pub(super) fn new(
        source: &'a dyn WeightSource,
        family: &'static str,
        bits: Bits,
        writer: WeightsWriter,
        total: u64,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Self {
        let (floats, blocks, stored) = (Vec::new(), Blocks::default(), Vec::new());
        Self {
            source,
            family,
            bits,
            writer,
            tensors: Vec::new(),
            done: 0,
            total,
            progress,
            floats,
            blocks,
            stored,
        }
    }

    /// The tensor `name`, which must have this shape.
    pub(super) fn expect(&self, name: &str, rows: usize, cols: usize) -> Result<TensorInfo, BuildError> {
        let info = self.source.info(name).ok_or_else(|| SourceError::MissingTensor {
            path: self.source.describe(),
            tensor: name.into(),
            family: self.family.into(),
        })?;
        if (info.rows, info.cols) != (rows, cols) {
            let (has, wants) = (format!("{} x {}", info.rows, info.cols), format!("{rows} x {cols}"));
            return Err(SourceError::Malformed {
                path: self.source.describe(),
                what: format!("tensor `{name}` has shape {has}, but the model's header asks for {wants}"),
            }
            .into());
        }
        Ok(info)
    }

    /// A small tensor as floats: a norm or a bias.
    pub(super) fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>, BuildError> {
        self.matrix(name, 1, len)
    }

    /// A small tensor of several rows as floats.
    pub(super) fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Vec<f32>, BuildError> {
        let info = self.expect(name, rows, cols)?;
        self.source.read_rows(name, 0, rows, &mut self.stored)?;
        let mut floats = Vec::new();
        crate::source::dequant::dequantize_rows(info.dtype, cols, &self.stored, &mut floats);
        self.advance(rows * cols);
        Ok(floats)
    }

    /// A vector, written into the weights file.
    pub(super) fn stored_vector(&mut self, name: &str, len: usize) -> Result<Stored, BuildError> {
        let values = self.vector(name, len)?;
        self.writer.floats(&[len], &values)
    }

    fn advance(&mut self, weights: usize) {
        self.done += weights as u64;
        (self.progress)(self.done, self.total);
    }

    /// Packs `parts` (canonical names and output counts), one under the other, as one map of `inputs` features.
    pub(super) fn linear(
        &mut self,
        name: &str,
        parts: &[(String, usize)],
        inputs: usize,
        biases: &[String],
    ) -> Result<Linear, BuildError> {
        let mut form = Form { bits: 4, correction: false };
        for (part, rows) in parts {
            let info = self.expect(part, *rows, inputs)?;
            let own = match Form::native(info.dtype) {
                Some(form) => form,
                None => self.choose(part, &info)?,
            };
            form = form.join(own);
        }
        self.linear_as(name, parts, inputs, biases, form)
    }

    /// As [`Packer::linear`], in a given form.
    pub(super) fn linear_as(
        &mut self,
        name: &str,
        parts: &[(String, usize)],
        inputs: usize,
        biases: &[String],
        form: Form,
    ) -> Result<Linear, BuildError> {
        self.check_width(name, inputs)?;
        let outputs: usize = parts.iter().map(|(_, rows)| rows).sum();
        let blocks = inputs / BLOCK;
        let mut values =
            self.writer.reserve(ElementType::Uint8, &[outputs, blocks, BLOCK * form.bits as usize / 8]);
        let mut scales = self.writer.reserve(ElementType::Float, &[outputs, blocks]);
        let mut corrections =
            form.correction.then(|| self.writer.reserve(ElementType::Float, &[outputs, blocks]));
        for (part, rows) in parts {
            let info = self.expect(part, *rows, inputs)?;
            let mut error = ErrorSum::default();
            let mut first = 0;
            while first < *rows {
                let count = rows_at_once(inputs).min(rows - first);
                self.encode_rows(part, &info, first, count, form)?;
                error.add(&self.floats, &self.blocks);
                self.writer.append(&mut values, &pack(&self.blocks.ints, form.bits))?;
                self.writer.append_floats(&mut scales, &self.blocks.scales)?;
                if let Some(corrections) = &mut corrections {
                    self.writer.append_floats(corrections, &self.blocks.corrections)?;
                }
                first += count;
                self.advance(count * inputs);
            }
            self.tensors.push(TensorQuality {
                name: part.clone(),
                form: form.name(),
                source: format!("{:?}", info.dtype),
                rmse: error.relative(),
            });
        }
        let bias = if biases.is_empty() {
            None
        } else {
            let mut all = Vec::with_capacity(outputs);
            for (bias, (_, rows)) in biases.iter().zip(parts) {
                all.extend(self.vector(bias, *rows)?);
            }
            Some(self.writer.floats(&[outputs], &all)?)
        };
        Ok(Linear {
            name: name.into(),
            form,
            inputs,
            outputs,
            values: self.writer.close(values),
            scales: self.writer.close(scales),
            corrections: corrections.map(|region| self.writer.close(region)),
            bias,
        })
    }

    fn check_width(&self, name: &str, inputs: usize) -> Result<(), BuildError> {
        if inputs.is_multiple_of(BLOCK) && inputs > 0 {
            return Ok(());
        }
        let what = format!("`{name}` has {inputs} input features; Banyan needs a multiple of {BLOCK}");
        Err(BuildError::Unsupported { model: self.source.describe(), what })
    }

    /// Four or eight bits for a float tensor: four where the error, measured over the whole tensor, is small enough.
    fn choose(&mut self, name: &str, info: &TensorInfo) -> Result<Form, BuildError> {
        self.check_width(name, info.cols)?;
        match self.bits {
            Bits::Four => return Ok(Form::FOUR_SUM),
            Bits::Eight => return Ok(Form::EIGHT),
            Bits::Auto => {}
        }
        let mut error = ErrorSum::default();
        let mut first = 0;
        while first < info.rows {
            let count = rows_at_once(info.cols).min(info.rows - first);
            self.encode_rows(name, info, first, count, Form::FOUR_SUM)?;
            error.add(&self.floats, &self.blocks);
            first += count;
        }
        Ok(if error.relative() <= FOUR_BIT_LIMIT { Form::FOUR_SUM } else { Form::EIGHT })
    }

    fn encode_rows(
        &mut self,
        name: &str,
        info: &TensorInfo,
        first: usize,
        count: usize,
        form: Form,
    ) -> Result<(), BuildError> {
        self.source.read_rows(name, first, count, &mut self.stored)?;
        encode(info.dtype, info.cols, &self.stored, form, &mut self.floats, &mut self.blocks);
        Ok(())
    }
}

/// Rows whose floats fill [`ROW_CHUNK_BYTES`].
fn rows_at_once(cols: usize) -> usize {
    (ROW_CHUNK_BYTES / 4 / cols).max(1)
}

/// MatMulNBits' layout: four bits, the even weight in the low nibble; eight bits, plain. Zero is 8 or 128.
fn pack(ints: &[i8], bits: u8) -> Vec<u8> {
    if bits == 8 {
        return ints.iter().map(|i| (i16::from(*i) + 128) as u8).collect();
    }
    let nibble = |i: i8| (i + 8) as u8 & 15;
    ints.as_chunks::<2>().0.iter().map(|[low, high]| nibble(*low) | nibble(*high) << 4).collect()
}

/// Remembers the block sums of an input, which several maps may share.
#[derive(Debug, Default)]
pub(super) struct BlockSums(Option<(String, String)>);

impl Linear {
    /// The same map under another name: its output is called by it.
    pub(super) fn named(&self, name: &str) -> Linear {
        Linear { name: name.into(), ..self.clone() }
    }

    /// Adds the nodes for `input` [rows, inputs]; gives the name of the output [rows, outputs].
    pub(super) fn apply(&self, graph: &mut Graph, input: &str, sums: &mut BlockSums) -> String {
        let output = &self.name;
        let product = if self.corrections.is_some() { format!("{output}.product") } else { output.clone() };
        let values = graph.external(&format!("{output}.q"), &self.values);
        let scales = graph.external(&format!("{output}.scale"), &self.scales);
        let bias = match &self.bias {
            Some(bias) => graph.external(&format!("{output}.bias"), bias),
            None => String::new(),
        };
        let product = graph.node(
            (CONTRIB, "MatMulNBits"),
            &[input, &values, &scales, "", "", &bias],
            &[&product],
            &[
                Attr::Int("K", self.inputs as i64),
                Attr::Int("N", self.outputs as i64),
                Attr::Int("bits", i64::from(self.form.bits)),
                Attr::Int("block_size", BLOCK as i64),
                Attr::Int("accuracy_level", ACCURACY_INT8),
            ],
        );
        let Some(corrections) = &self.corrections else { return product };
        let sums = sums.of(graph, input, self.inputs);
        let corrections = graph.external(&format!("{output}.correction"), corrections);
        graph.node((STANDARD, "Gemm"), &[&sums, &corrections, &product], &[output], &[Attr::Int("transB", 1)])
    }
}

impl BlockSums {
    fn of(&mut self, graph: &mut Graph, input: &str, inputs: usize) -> String {
        if let Some((known, sums)) = &self.0
            && known == input
        {
            return sums.clone();
        }
        let shape = graph.ints(&format!("blocks_of_{inputs}"), &[-1, (inputs / BLOCK) as i64, BLOCK as i64]);
        let blocks = graph.simple("Reshape", &[input, &shape], &format!("{input}.blocks"));
        let axis = graph.ints("last_axis", &[-1]);
        let sums = graph.node(
            (STANDARD, "ReduceSum"),
            &[&blocks, &axis],
            &[&format!("{input}.sums")],
            &[Attr::Int("keepdims", 0)],
        );
        self.0 = Some((input.into(), sums.clone()));
        sums
    }
}
