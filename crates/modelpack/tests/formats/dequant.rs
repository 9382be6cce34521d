use banyan_modelpack::source::{DType, dequant::dequantize_rows};
use banyan_modelpack::testing::{Random, encode};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::f16;
use proptest::prelude::*;

const ALL: [DType; 11] = [
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::Q4_0,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::Q8_0,
    DType::Q4_K,
    DType::Q5_K,
    DType::Q6_K,
];

fn decode(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let mut out = Vec::new();
    dequantize_rows(dtype, dtype.block_len(), bytes, &mut out);
    out
}

fn half(value: f32) -> [u8; 2] {
    f16::from_f32(value).to_le_bytes()
}

/// A small block: halves, then the fifth bits when there are any, then nibble bytes `q[i] | q[i + 16] << 4`.
fn small(halves: &[f32], fifth: Option<u32>, nibbles: [u8; 16]) -> Vec<u8> {
    let mut block: Vec<u8> = halves.iter().flat_map(|h| half(*h)).collect();
    block.extend(fifth.iter().flat_map(|bits| bits.to_le_bytes()));
    block.extend(nibbles);
    block
}

#[test]
fn small_blocks_decode_to_values_worked_out_by_hand() {
    let mut nibbles = [0x88; 16];
    nibbles[0] = 0xf0; // weight 0 has 0, weight 16 has 15
    nibbles[15] = 0x1a; // weight 15 has 10, weight 31 has 1

    let q4_0 = decode(DType::Q4_0, &small(&[0.5], None, nibbles));
    assert_eq!((q4_0[0], q4_0[16], q4_0[15], q4_0[31], q4_0[1]), (-4.0, 3.5, 1.0, -3.5, 0.0));

    let q4_1 = decode(DType::Q4_1, &small(&[0.5, -2.0], None, nibbles));
    assert_eq!((q4_1[0], q4_1[16], q4_1[15], q4_1[31], q4_1[1]), (-2.0, 5.5, 3.0, -1.5, 2.0));

    // The fifth bit of weight 0 and of weight 31 is set.
    let fifth = Some(1 | 1 << 31);
    let q5_0 = decode(DType::Q5_0, &small(&[2.0], fifth, nibbles));
    assert_eq!((q5_0[0], q5_0[16], q5_0[15], q5_0[31]), (0.0, -2.0, -12.0, 2.0));

    let q5_1 = decode(DType::Q5_1, &small(&[2.0, 1.0], fifth, nibbles));
    assert_eq!((q5_1[0], q5_1[16], q5_1[15], q5_1[31]), (33.0, 31.0, 21.0, 35.0));

    let mut q8_0 = half(0.25).to_vec();
    q8_0.extend((0..32).map(|i| if i == 3 { 0x80 } else { i }));
    let q8_0 = decode(DType::Q8_0, &q8_0);
    assert_eq!((q8_0[0], q8_0[3], q8_0[31]), (0.0, -32.0, 7.75));
}

#[test]
fn floats_decode_to_themselves() {
    assert_eq!(decode(DType::F32, &(-1.5f32).to_le_bytes()), [-1.5]);
    assert_eq!(decode(DType::F16, &half(0.333_251_95)), [0.333_251_95]);
    assert_eq!(decode(DType::BF16, &[0x80, 0xbf]), [-1.0]);
}

/// Scale 2 and minimum 3 for sub-block 1, scale 0b10_0011 and minimum 0b01_0010 for sub-block 6: the packed bytes by
/// hand after ggml's `get_scale_min_k4`.
fn packed_scales() -> [u8; 12] {
    let mut packed = [0; 12];
    packed[1] = 2;
    packed[5] = 3;
    packed[10] = 0b0010_0011; // sub-block 6: low nibble of the minimum, low nibble of the scale
    packed[2] = 0b10 << 6; // high bits of its scale, above the scale of sub-block 2
    packed[6] = 0b01 << 6; // high bits of its minimum, above the minimum of sub-block 2
    packed
}

#[test]
fn super_blocks_decode_to_values_worked_out_by_hand() {
    let mut q4_k: Vec<u8> = [half(0.5), half(0.25)].concat();
    q4_k.extend(packed_scales());
    q4_k.extend([0x53; 128]); // low nibble 3 (even sub-blocks), high nibble 5 (odd ones)
    let values = decode(DType::Q4_K, &q4_k);
    assert_eq!(values[32], 0.5 * 2.0 * 5.0 - 0.25 * 3.0);
    assert_eq!(values[6 * 32], 0.5 * 35.0 * 3.0 - 0.25 * 18.0);
    assert_eq!(values[0], 0.0);

    let mut q5_k: Vec<u8> = [half(0.5), half(0.25)].concat();
    q5_k.extend(packed_scales());
    q5_k.extend([0b0100_0000; 32]); // the fifth bit of sub-block 6 only
    q5_k.extend([0x53; 128]);
    let values = decode(DType::Q5_K, &q5_k);
    assert_eq!(values[32], 0.5 * 2.0 * 5.0 - 0.25 * 3.0);
    assert_eq!(values[6 * 32 + 31], 0.5 * 35.0 * 19.0 - 0.25 * 18.0);

    let mut q6_k = vec![0x21; 128]; // low nibble 1, high nibble 2
    q6_k.extend([0b11_10_01_00; 64]); // high bits of runs 0 to 3: 0, 1, 2, 3
    q6_k.extend([0xfe; 16]); // every scale is −2
    q6_k.extend(half(0.5));
    let values = decode(DType::Q6_K, &q6_k);
    // q = nibble | high << 4, minus 32; times 0.5 × −2.
    assert_eq!([values[0], values[32], values[64], values[96]], [31.0, 15.0, -2.0, -18.0]);
    assert_eq!(values[128..], values[..128]);
}

#[test]
fn every_quantized_form_agrees_with_candle() {
    let values = Random(7).values(256 * 64, 0.3);
    let tensor = Tensor::from_vec(values, (64, 256), &Device::Cpu).unwrap();
    let forms = [
        (DType::Q4_0, GgmlDType::Q4_0),
        (DType::Q4_1, GgmlDType::Q4_1),
        (DType::Q5_0, GgmlDType::Q5_0),
        (DType::Q5_1, GgmlDType::Q5_1),
        (DType::Q8_0, GgmlDType::Q8_0),
        (DType::Q4_K, GgmlDType::Q4K),
        (DType::Q5_K, GgmlDType::Q5K),
        (DType::Q6_K, GgmlDType::Q6K),
    ];
    for (ours, theirs) in forms {
        let quantized = QTensor::quantize(&tensor, theirs).unwrap();
        let expected: Vec<f32> =
            quantized.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let mut out = Vec::new();
        dequantize_rows(ours, 256, &quantized.data().unwrap(), &mut out);
        assert_eq!(out, expected, "{ours:?}");
    }
}

#[test]
fn the_test_encoders_lose_no_more_than_their_form_must() {
    let values = Random(3).values(256 * 16, 1.0);
    for dtype in ALL {
        let decoded = decode(dtype, &encode::rows(dtype, &values));
        let error: f32 =
            values.iter().zip(&decoded).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / values.len() as f32;
        let most = match dtype {
            DType::F32 => 0.0,
            DType::F16 | DType::BF16 => 0.003,
            DType::Q8_0 | DType::Q6_K => 0.03,
            DType::Q5_0 | DType::Q5_1 | DType::Q5_K => 0.06,
            DType::Q4_0 | DType::Q4_1 | DType::Q4_K => 0.12,
        };
        assert!(error.sqrt() <= most, "{dtype:?}: {}", error.sqrt());
    }
}

proptest! {
    #[test]
    fn any_bytes_give_whole_rows_and_never_a_panic(form in 0..ALL.len(), cols in 0usize..1024, bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let dtype = ALL[form];
        let mut out = vec![1.0];
        dequantize_rows(dtype, cols, &bytes, &mut out);
        let rows = dtype.row_bytes(cols).filter(|&n| n > 0).map_or(0, |n| bytes.len() / n);
        prop_assert_eq!(out.len(), 1 + rows * cols);
    }

    #[test]
    fn blocks_decode_alike_alone_and_among_others(form in 3..ALL.len(), seed in any::<u64>()) {
        let dtype = ALL[form];
        let bytes = encode::rows(dtype, &Random(seed).values(dtype.block_len() * 3, 1.0));
        let alone: Vec<f32> = bytes.chunks(dtype.block_bytes()).flat_map(|block| decode(dtype, block)).collect();
        prop_assert_eq!(alone, decode(dtype, &bytes));
    }
}
