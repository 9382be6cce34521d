//! Exact dequantization of every stored form, after ggml's reference routines (`ggml-quants.c`).
//!
//! The results are bit for bit those of the reference: the same operations in the same order in `f32`.

use super::DType;
use half::{bf16, f16};

/// Weights in a block of the simple quantized forms.
const SMALL_BLOCK: usize = 32;
/// Weights in a super-block of the K forms.
const SUPER_BLOCK: usize = 256;

impl DType {
    /// Weights in one block: a row is a whole number of blocks.
    pub const fn block_len(self) -> usize {
        match self {
            DType::F32 | DType::F16 | DType::BF16 => 1,
            DType::Q4_0 | DType::Q4_1 | DType::Q5_0 | DType::Q5_1 | DType::Q8_0 => SMALL_BLOCK,
            DType::Q4_K | DType::Q5_K | DType::Q6_K => SUPER_BLOCK,
        }
    }

    /// Bytes of one block.
    pub const fn block_bytes(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
            DType::Q4_0 => 18,
            DType::Q4_1 => 20,
            DType::Q5_0 => 22,
            DType::Q5_1 => 24,
            DType::Q8_0 => 34,
            DType::Q4_K => 144,
            DType::Q5_K => 176,
            DType::Q6_K => 210,
        }
    }

    /// Bytes of a row of `cols` weights; `None` when the row is not a whole number of blocks or does not fit in memory.
    pub const fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }
}

/// Appends to `out` the values of every whole row of `cols` weights in `bytes`. Never panics: a row that is not a
/// whole number of blocks gives nothing, and bytes beyond the last whole row are left out.
pub fn dequantize_rows(dtype: DType, cols: usize, bytes: &[u8], out: &mut Vec<f32>) {
    let Some(row_bytes) = dtype.row_bytes(cols).filter(|&n| n > 0) else { return };
    let bytes = &bytes[..bytes.len() / row_bytes * row_bytes];
    out.reserve(bytes.len() / dtype.block_bytes() * dtype.block_len());
    match dtype {
        DType::F32 => out.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
        DType::F16 => out.extend(bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
        DType::BF16 => out.extend(bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
        DType::Q4_0 => blocks(bytes, out, q4_0),
        DType::Q4_1 => blocks(bytes, out, q4_1),
        DType::Q5_0 => blocks(bytes, out, q5_0),
        DType::Q5_1 => blocks(bytes, out, q5_1),
        DType::Q8_0 => blocks(bytes, out, q8_0),
        DType::Q4_K => blocks(bytes, out, q4_k),
        DType::Q5_K => blocks(bytes, out, q5_k),
        DType::Q6_K => blocks(bytes, out, q6_k),
    }
}

fn blocks<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut Vec<f32>,
    decode: fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    let mut values = [0.0; LEN];
    for block in bytes.as_chunks::<BYTES>().0 {
        decode(block, &mut values);
        out.extend_from_slice(&values);
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The low nibbles are the first half of a small block, the high nibbles the second.
fn q4_0(block: &[u8; 18], out: &mut [f32; SMALL_BLOCK]) {
    let d = half_at(block, 0);
    for (j, q) in block[2..].iter().enumerate() {
        out[j] = (i32::from(q & 15) - 8) as f32 * d;
        out[j + 16] = (i32::from(q >> 4) - 8) as f32 * d;
    }
}

fn q4_1(block: &[u8; 20], out: &mut [f32; SMALL_BLOCK]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for (j, q) in block[4..].iter().enumerate() {
        out[j] = f32::from(q & 15) * d + m;
        out[j + 16] = f32::from(q >> 4) * d + m;
    }
}

/// The fifth bits of weight `j` and of weight `j + 16` stand in bits `j` and `j + 16` of `high`.
fn fifth_bits(high: &[u8], j: usize) -> (u8, u8) {
    let high = u32::from_le_bytes([high[0], high[1], high[2], high[3]]);
    ((high >> j & 1) as u8 * 16, (high >> (j + 16) & 1) as u8 * 16)
}

fn q5_0(block: &[u8; 22], out: &mut [f32; SMALL_BLOCK]) {
    let d = half_at(block, 0);
    for (j, q) in block[6..].iter().enumerate() {
        let (low, high) = fifth_bits(&block[2..6], j);
        out[j] = (i32::from(q & 15 | low) - 16) as f32 * d;
        out[j + 16] = (i32::from(q >> 4 | high) - 16) as f32 * d;
    }
}

fn q5_1(block: &[u8; 24], out: &mut [f32; SMALL_BLOCK]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for (j, q) in block[8..].iter().enumerate() {
        let (low, high) = fifth_bits(&block[4..8], j);
        out[j] = f32::from(q & 15 | low) * d + m;
        out[j + 16] = f32::from(q >> 4 | high) * d + m;
    }
}

fn q8_0(block: &[u8; 34], out: &mut [f32; SMALL_BLOCK]) {
    let d = half_at(block, 0);
    for (value, q) in out.iter_mut().zip(&block[2..]) {
        *value = f32::from(q.cast_signed()) * d;
    }
}

/// The 6-bit scale and minimum of sub-block `j` (of eight), packed into twelve bytes.
fn scale_min(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    };
    (f32::from(scale), f32::from(min))
}

/// The scales and minimums, `w = scale * q - minimum`, of the eight sub-blocks of a `Q4_K` or `Q5_K` super-block.
pub(crate) fn sub_scales(block: &[u8]) -> [(f32, f32); 8] {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    std::array::from_fn(|j| {
        let (scale, min) = scale_min(&block[4..16], j);
        (d * scale, dmin * min)
    })
}

fn q4_k(block: &[u8; 144], out: &mut [f32; SUPER_BLOCK]) {
    let scales = sub_scales(block);
    for (j, values) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (d, m) = scales[j];
        let packed = &block[16 + j / 2 * 32..];
        for (value, q) in values.iter_mut().zip(packed) {
            *value = d * f32::from(q >> (j % 2 * 4) & 15) - m;
        }
    }
}

fn q5_k(block: &[u8; 176], out: &mut [f32; SUPER_BLOCK]) {
    let scales = sub_scales(block);
    for (j, values) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (d, m) = scales[j];
        let packed = &block[48 + j / 2 * 32..];
        for (l, value) in values.iter_mut().enumerate() {
            let q = packed[l] >> (j % 2 * 4) & 15 | (block[16 + l] >> j & 1) << 4;
            *value = d * f32::from(q) - m;
        }
    }
}

/// Each half of the super-block holds four runs of 32 weights; their two high bits share the bytes of `high`.
fn q6_k(block: &[u8; 210], out: &mut [f32; SUPER_BLOCK]) {
    let d = half_at(block, 208);
    for (half, values) in out.as_chunks_mut::<128>().0.iter_mut().enumerate() {
        let low = &block[half * 64..half * 64 + 64];
        let high = &block[128 + half * 32..128 + half * 32 + 32];
        let scales = &block[192 + half * 8..192 + half * 8 + 8];
        for (i, value) in values.iter_mut().enumerate() {
            let (run, l) = (i / 32, i % 32);
            let nibble = low[run % 2 * 32 + l] >> (run / 2 * 4) & 15;
            let q = i32::from(nibble | (high[l] >> (run * 2) & 3) << 4) - 32;
            *value = d * f32::from(scales[i / 16].cast_signed()) * q as f32;
        }
    }
}
