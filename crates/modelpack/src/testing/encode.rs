//! Simple encoders for every stored form: right in layout, not tuned for quality.

use crate::source::DType;
use half::{bf16, f16};

/// Encodes values, whose count is a multiple of the form's block.
pub fn rows(dtype: DType, values: &[f32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() / dtype.block_len() * dtype.block_bytes());
    for block in values.chunks_exact(dtype.block_len()) {
        match dtype {
            DType::F32 => out.extend(block[0].to_le_bytes()),
            DType::F16 => out.extend(f16::from_f32(block[0]).to_le_bytes()),
            DType::BF16 => out.extend(bf16::from_f32(block[0]).to_le_bytes()),
            DType::Q4_0 => symmetric(block, 8, &mut out),
            DType::Q5_0 => symmetric(block, 16, &mut out),
            DType::Q4_1 => affine(block, 15, &mut out),
            DType::Q5_1 => affine(block, 31, &mut out),
            DType::Q8_0 => {
                let d = half(block.iter().fold(0.0, |most: f32, v| most.max(v.abs())) / 127.0, &mut out);
                out.extend(block.iter().map(|v| quantum(*v, d, -127, 127) as u8));
            }
            DType::Q4_K => super_affine(block, 15, &mut out),
            DType::Q5_K => super_affine(block, 31, &mut out),
            DType::Q6_K => super_symmetric(block, &mut out),
        }
    }
    out
}

/// Writes a half and gives back what a reader will see.
fn half(value: f32, out: &mut Vec<u8>) -> f32 {
    let half = f16::from_f32(value);
    out.extend(half.to_le_bytes());
    half.to_f32()
}

fn quantum(value: f32, scale: f32, least: i32, most: i32) -> i32 {
    if scale == 0.0 { 0.clamp(least, most) } else { ((value / scale).round() as i32).clamp(least, most) }
}

/// Fifth bits of 32 weights, then their nibbles in two halves.
fn pack_small(quanta: &[u8], fifth: bool, out: &mut Vec<u8>) {
    if fifth {
        let bits = quanta.iter().enumerate().fold(0u32, |bits, (i, q)| bits | u32::from(q >> 4) << i);
        out.extend(bits.to_le_bytes());
    }
    out.extend((0..16).map(|i| quanta[i] & 15 | quanta[i + 16] << 4));
}

/// Q4_0 and Q5_0: the weight of the largest magnitude becomes the lowest quantum.
fn symmetric(block: &[f32], zero: i32, out: &mut Vec<u8>) {
    let peak = block.iter().fold(0.0, |most: f32, v| if v.abs() > most.abs() { *v } else { most });
    let d = half(peak / -zero as f32, out);
    let quanta: Vec<u8> = block.iter().map(|v| (quantum(*v, d, -zero, zero - 1) + zero) as u8).collect();
    pack_small(&quanta, zero == 16, out);
}

/// Q4_1 and Q5_1.
fn affine(block: &[f32], most: i32, out: &mut Vec<u8>) {
    let (low, high) = bounds(block);
    let d = half((high - low) / most as f32, out);
    let m = half(low, out);
    let quanta: Vec<u8> = block.iter().map(|v| quantum(v - m, d, 0, most) as u8).collect();
    pack_small(&quanta, most == 31, out);
}

fn bounds(block: &[f32]) -> (f32, f32) {
    block.iter().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// Q4_K and Q5_K.
fn super_affine(block: &[f32], most: i32, out: &mut Vec<u8>) {
    let parts: Vec<(f32, f32)> = block
        .chunks(32)
        .map(|part| {
            let (low, high) = bounds(part);
            let min = (-low).max(0.0);
            ((high + min).max(0.0) / most as f32, min)
        })
        .collect();
    let largest = |pick: fn(&(f32, f32)) -> f32| parts.iter().map(pick).fold(0.0, f32::max);
    let d = half(largest(|p| p.0) / 63.0, out);
    let dmin = half(largest(|p| p.1) / 63.0, out);
    let mut packed = [0u8; 12];
    let mut quanta = Vec::new();
    for (j, (part, (scale, min))) in block.chunks(32).zip(&parts).enumerate() {
        let (scale, min) = (quantum(*scale, d, 0, 63) as u8, quantum(*min, dmin, 0, 63) as u8);
        if j < 4 {
            packed[j] |= scale;
            packed[j + 4] |= min;
        } else {
            packed[j + 4] |= scale & 15 | min << 4;
            packed[j - 4] |= scale >> 4 << 6;
            packed[j] |= min >> 4 << 6;
        }
        let (d, m) = (d * f32::from(scale), dmin * f32::from(min));
        quanta.extend(part.iter().map(|v| quantum(v + m, d, 0, most) as u8));
    }
    out.extend(packed);
    if most == 31 {
        out.extend((0..32).map(|l| (0..8).fold(0, |bits, j| bits | quanta[j * 32 + l] >> 4 << j)));
    }
    for pair in quanta.chunks(64) {
        out.extend((0..32).map(|l| pair[l] & 15 | pair[l + 32] << 4));
    }
}

/// Q6_K.
fn super_symmetric(block: &[f32], out: &mut Vec<u8>) {
    let magnitude = |part: &[f32]| part.iter().fold(0.0, |most: f32, v| most.max(v.abs())) / 31.0;
    let largest = block.chunks(16).map(magnitude).fold(0.0, f32::max);
    let d = f16::from_f32(largest / 127.0).to_f32();
    let scales: Vec<i32> = block.chunks(16).map(|part| quantum(magnitude(part), d, 0, 127)).collect();
    let scale_of = |i: usize| d * scales[i / 16] as f32;
    let quanta: Vec<u8> =
        block.iter().enumerate().map(|(i, v)| (quantum(*v, scale_of(i), -32, 31) + 32) as u8).collect();
    for half in quanta.chunks(128) {
        out.extend((0..64).map(|l| half[l] & 15 | half[l + 64] << 4));
    }
    for half in quanta.chunks(128) {
        out.extend((0..32).map(|l| (0..4).fold(0, |bits, run| bits | half[run * 32 + l] >> 4 << (run * 2))));
    }
    out.extend(scales.iter().map(|scale| *scale as u8));
    half(d, out);
}
