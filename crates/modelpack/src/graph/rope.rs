//! The rotary position table (Su et al., RoFormer, 2021), with Llama 3.1's frequency divisors where a model has them.

/// Cosines and sines, each `[positions, head_dim / 2]`, row by row.
pub(super) fn table(
    positions: usize,
    head_dim: usize,
    theta: f64,
    factors: Option<&[f32]>,
) -> (Vec<f32>, Vec<f32>) {
    let half = head_dim / 2;
    let frequencies: Vec<f64> = (0..half)
        .map(|i| {
            let factor = factors.and_then(|f| f.get(i)).map_or(1.0, |f| f64::from(*f));
            theta.powf(-2.0 * i as f64 / head_dim as f64) / factor
        })
        .collect();
    let angles = || (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
    (angles().map(|a| a.cos() as f32).collect(), angles().map(|a| a.sin() as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_zero_does_not_rotate_and_the_first_pair_turns_a_radian_a_position() {
        let (cos, sin) = table(3, 4, 10_000.0, None);
        assert_eq!((&cos[..2], &sin[..2]), (&[1.0, 1.0][..], &[0.0, 0.0][..]));
        assert!((cos[2] - 1f32.cos()).abs() < 1e-7 && (sin[4] - 2f32.sin()).abs() < 1e-7);
        assert!((sin[5] - 0.02f32.sin()).abs() < 1e-7, "the second pair turns by theta^(-1/2) = 0.01");
    }

    #[test]
    fn a_factor_slows_its_frequency() {
        let (_, plain) = table(9, 4, 10_000.0, None);
        let (_, slowed) = table(9, 4, 10_000.0, Some(&[1.0, 8.0]));
        assert!((slowed[8 * 2 + 1] - plain[2 + 1]).abs() < 1e-7);
    }
}
