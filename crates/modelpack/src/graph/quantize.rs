//! From a source's stored rows to the integers, scales and corrections that MatMulNBits multiplies.
//!
//! Everything is brought into one shape, per block of 32 weights: `w = d * i + c`, with `i` an integer centred on
//! zero, a scale `d` and a correction `c`. ONNX Runtime's fast kernels take `d * i` (symmetric, zero point 8 or 128);
//! `c` becomes an extra product with the sums of the input's blocks (see `linear.rs`). Measured on SmolLM2, this is
//! exact where rounding `c` into an integer zero point raised perplexity by 8 % on one text and 18 % on another.

use crate::source::DType;
use crate::source::dequant::dequantize_rows;

/// Weights in a block, in every form.
pub(super) const BLOCK: usize = 32;
/// Largest relative error of a float tensor that may get four bits (when the choice is automatic). Gaussian weights
/// come to about 0.08; a tensor with outliers comes to more and gets eight bits.
pub(super) const FOUR_BIT_LIMIT: f64 = 0.09;

/// A tensor's form in the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// 4 or 8.
    pub bits: u8,
    /// Whether blocks carry a correction `c`.
    pub correction: bool,
}

impl Form {
    pub(super) const EIGHT: Form = Form { bits: 8, correction: false };
    pub(super) const FOUR_SUM: Form = Form { bits: 4, correction: true };

    /// The form that holds tensors of both forms without loss: fused tensors share one.
    pub(super) fn join(self, other: Form) -> Form {
        Form { bits: self.bits.max(other.bits), correction: self.correction || other.correction }
    }

    /// The form that keeps a quantized source as it is; `None` for floats, whose form is a choice.
    pub(super) fn native(dtype: DType) -> Option<Form> {
        let (bits, correction) = match dtype {
            DType::F32 | DType::F16 | DType::BF16 => return None,
            DType::Q4_0 => (4, false),
            DType::Q4_1 | DType::Q4_K => (4, true),
            DType::Q5_0 | DType::Q8_0 | DType::Q6_K => (8, false),
            DType::Q5_1 | DType::Q5_K => (8, true),
        };
        Some(Form { bits, correction })
    }

    /// As reports print it.
    pub(super) fn name(self) -> String {
        format!("int{}{}", self.bits, if self.correction { "+sum" } else { "" })
    }
}

/// Rows in the common shape.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Integers, centred on zero.
    pub ints: Vec<i8>,
    /// A scale a block.
    pub scales: Vec<f32>,
    /// A correction a block; zeros where the source has none.
    pub corrections: Vec<f32>,
}

impl Blocks {
    fn clear(&mut self) {
        self.ints.clear();
        self.scales.clear();
        self.corrections.clear();
    }

    fn push(&mut self, scale: f32, correction: f32) {
        self.scales.push(scale);
        self.corrections.push(correction);
    }

    /// The value of weight `index`.
    fn value(&self, index: usize) -> f64 {
        let block = index / BLOCK;
        f64::from(self.scales[block]) * f64::from(self.ints[index]) + f64::from(self.corrections[block])
    }
}

/// Sums for a relative root mean square error.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ErrorSum {
    error: f64,
    power: f64,
}

impl ErrorSum {
    pub(super) fn add(&mut self, source: &[f32], blocks: &Blocks) {
        for (index, &value) in source.iter().enumerate() {
            let value = f64::from(value);
            let error = blocks.value(index) - value;
            self.error += error * error;
            self.power += value * value;
        }
    }

    pub(super) fn relative(self) -> f64 {
        if self.power == 0.0 { 0.0 } else { (self.error / self.power).sqrt() }
    }
}

/// Replaces `blocks` with the rows `stored` (whole rows of `cols` weights, a multiple of [`BLOCK`]) in a form of
/// `form.bits` bits, and `floats` with the source's exact values.
pub(super) fn encode(
    dtype: DType,
    cols: usize,
    stored: &[u8],
    form: Form,
    floats: &mut Vec<f32>,
    blocks: &mut Blocks,
) {
    blocks.clear();
    floats.clear();
    dequantize_rows(dtype, cols, stored, floats);
    let native = Form::native(dtype).is_some_and(|native| native.join(form) == form);
    if native && keep(dtype, floats, stored, blocks) {
        return;
    }
    for block in floats.chunks(BLOCK) {
        if form.bits == 8 { round_symmetric(block, blocks) } else { round_affine(block, blocks) }
    }
}

/// Copies a quantized source's own integers. False for the forms whose blocks are not of 32 weights.
fn keep(dtype: DType, floats: &[f32], stored: &[u8], blocks: &mut Blocks) -> bool {
    let half = |at: usize| half::f16::from_le_bytes([stored[at], stored[at + 1]]).to_f32();
    let starts = (0..stored.len()).step_by(dtype.block_bytes());
    match dtype {
        DType::Q4_0 | DType::Q5_0 | DType::Q8_0 => starts.for_each(|at| blocks.push(half(at), 0.0)),
        DType::Q4_1 => starts.for_each(|at| blocks.push(half(at), half(at + 2) + 8.0 * half(at))),
        DType::Q5_1 => starts.for_each(|at| blocks.push(half(at), half(at + 2) + 16.0 * half(at))),
        DType::Q4_K | DType::Q5_K => {
            let centre = if dtype == DType::Q4_K { 8.0 } else { 16.0 };
            for at in starts {
                for (scale, min) in crate::source::dequant::sub_scales(&stored[at..at + dtype.block_bytes()])
                {
                    blocks.push(scale, centre * scale - min);
                }
            }
        }
        DType::Q6_K | DType::F32 | DType::F16 | DType::BF16 => return false,
    }
    // The exact values lead back to the integers: (w - c) / d is whole but for the rounding of one f32 operation.
    // The clamp matters only where a scale is so small beside its minimum that the integers make no difference.
    let most = if Form::native(dtype).is_some_and(|form| form.bits == 4) { 7.0 } else { 127.0 };
    for (index, &value) in floats.iter().enumerate() {
        let (scale, correction) = (blocks.scales[index / BLOCK], blocks.corrections[index / BLOCK]);
        let int = if scale == 0.0 { 0.0 } else { ((value - correction) / scale).round() };
        blocks.ints.push(int.clamp(-most - 1.0, most) as i8);
    }
    true
}

/// Eight bits, symmetric.
fn round_symmetric(block: &[f32], blocks: &mut Blocks) {
    let peak = block.iter().fold(0f32, |peak, v| peak.max(v.abs()));
    let scale = peak / 127.0;
    blocks.ints.extend(block.iter().map(|v| if scale == 0.0 { 0 } else { (v / scale).round() as i8 }));
    blocks.push(scale, 0.0);
}

/// Four bits with a scale and a minimum: the range of the block, then least squares on the integers found, as the
/// reference quantizers of ggml refine theirs.
fn round_affine(block: &[f32], blocks: &mut Blocks) {
    let low = block.iter().copied().fold(f32::INFINITY, f32::min);
    let high = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut scale, mut min) = ((high - low) / 15.0, low);
    let ints = |scale: f32, min: f32| -> Vec<f32> {
        let int = |v: &f32| if scale == 0.0 { 0.0 } else { ((v - min) / scale).round().clamp(0.0, 15.0) };
        block.iter().map(int).collect()
    };
    let error = |q: &[f32], scale: f32, min: f32| -> f32 {
        block.iter().zip(q).map(|(v, q)| (scale * q + min - v).powi(2)).sum()
    };
    let mut best = ints(scale, min);
    let mut least = error(&best, scale, min);
    for _ in 0..3 {
        let n = block.len() as f32;
        let (sum_q, sum_w) = (best.iter().sum::<f32>(), block.iter().sum::<f32>());
        let sum_qq: f32 = best.iter().map(|q| q * q).sum();
        let sum_qw: f32 = best.iter().zip(block).map(|(q, w)| q * w).sum();
        let determinant = n * sum_qq - sum_q * sum_q;
        if determinant <= 0.0 {
            break;
        }
        let new_scale = (n * sum_qw - sum_q * sum_w) / determinant;
        let new_min = (sum_w - new_scale * sum_q) / n;
        let candidate = ints(new_scale, new_min);
        let candidate_error = error(&candidate, new_scale, new_min);
        if new_scale <= 0.0 || candidate_error >= least {
            break;
        }
        (scale, min, best, least) = (new_scale, new_min, candidate, candidate_error);
    }
    blocks.ints.extend(best.iter().map(|q| *q as i8 - 8));
    blocks.push(scale, min + 8.0 * scale);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Stored bytes that are a block of `dtype` whatever they are, but for finite scales.
    fn stored(dtype: DType, seed: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = seed.iter().copied().cycle().take(dtype.block_bytes() * 8).collect();
        let scale = half::f16::from_f32(0.037).to_le_bytes();
        let minimum = half::f16::from_f32(-0.21).to_le_bytes();
        for block in bytes.chunks_mut(dtype.block_bytes()) {
            block[..2].copy_from_slice(&scale);
            if matches!(dtype, DType::Q4_1 | DType::Q5_1 | DType::Q4_K | DType::Q5_K) {
                block[2..4].copy_from_slice(&minimum);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn quantized_sources_are_kept_exactly(seed in proptest::collection::vec(any::<u8>(), 64..300)) {
            for dtype in [DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::Q8_0, DType::Q4_K, DType::Q5_K] {
                let bytes = stored(dtype, &seed);
                let cols = dtype.block_len() * 8;
                let form = Form::native(dtype).unwrap();
                // Alone, and fused with an eight-bit neighbour.
                for form in [form, form.join(Form { bits: 8, correction: true })] {
                    let (mut floats, mut blocks) = (Vec::new(), Blocks::default());
                    encode(dtype, cols, &bytes, form, &mut floats, &mut blocks);
                    let mut sum = ErrorSum::default();
                    sum.add(&floats, &blocks);
                    prop_assert!(sum.relative() < 1e-6, "{dtype:?}: {}", sum.relative());
                    let limit = if Form::native(dtype).unwrap().bits == 4 { -8..=7 } else { -128..=127 };
                    prop_assert!(blocks.ints.iter().all(|i| limit.contains(i)));
                }
            }
        }

        #[test]
        fn rounding_stays_within_half_a_step(values in proptest::collection::vec(-3f32..3.0, BLOCK)) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let range = values.iter().copied().fold(f32::MIN, f32::max) - values.iter().copied().fold(f32::MAX, f32::min);
            for (form, step) in [(Form::EIGHT, 3.0 / 127.0), (Form::FOUR_SUM, range / 15.0)] {
                let (mut floats, mut blocks) = (Vec::new(), Blocks::default());
                encode(DType::F32, BLOCK, &bytes, form, &mut floats, &mut blocks);
                let mean_square: f64 = (0..BLOCK).map(|i| (blocks.value(i) - f64::from(values[i])).powi(2)).sum::<f64>() / 32.0;
                prop_assert!(mean_square.sqrt() <= f64::from(step) * 0.5 + 1e-6, "{form:?}");
            }
        }
    }

    #[test]
    fn an_all_zero_block_stays_zero() {
        for form in [Form::EIGHT, Form::FOUR_SUM] {
            let (mut floats, mut blocks) = (Vec::new(), Blocks::default());
            encode(DType::F32, BLOCK, &[0; 4 * BLOCK], form, &mut floats, &mut blocks);
            assert!((0..BLOCK).all(|i| blocks.value(i) == 0.0), "{form:?}");
        }
    }
}
