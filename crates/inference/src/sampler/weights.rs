//! Logits to weights: `exp((logit - max) / temperature)` for a whole vocabulary, written so that the compiler uses
//! vector instructions. The library's `exp` costs five times as much, and half a millisecond a token is a lot beside
//! the ten that a small model takes.

/// Weights that are summed together, so that a draw need not walk through all of them.
const BLOCK: usize = 64;

/// Lanes of the running sums.
const LANES: usize = 8;

/// Below this exponent a weight is nothing: 10^-35 times the best one's.
const LEAST: f32 = -80.0;

/// The weights of one row, and their sums by blocks.
#[derive(Debug, Default)]
pub(super) struct Weights {
    weights: Vec<f32>,
    sums: Vec<f64>,
}

impl Weights {
    /// Computes the weights; the largest logit, `max`, gets 1. Returns their sum. What is not a number gets 0.
    pub(super) fn fill(&mut self, logits: &[f32], max: f32, temperature: f32) -> f64 {
        self.weights.resize(logits.len(), 0.0);
        self.sums.clear();
        let scale = 1.0 / temperature;
        for (out, logits) in self.weights.chunks_mut(BLOCK).zip(logits.chunks(BLOCK)) {
            for (weight, logit) in out.iter_mut().zip(logits) {
                let x = (*logit - max) * scale;
                *weight = if x > LEAST { exp_of_nonpositive(x) } else { 0.0 };
            }
            let mut lanes = [0.0_f32; LANES];
            let (whole, rest) = out.as_chunks::<LANES>();
            for part in whole {
                for (lane, weight) in lanes.iter_mut().zip(part) {
                    *lane += weight;
                }
            }
            self.sums.push(lanes.iter().chain(rest).map(|w| f64::from(*w)).sum());
        }
        self.sums.iter().sum()
    }

    /// All weights.
    pub(super) fn all(&self) -> impl Iterator<Item = f32> {
        self.weights.iter().copied()
    }

    /// The token at `point` on the line on which each token has a piece as long as its weight.
    pub(super) fn at(&self, mut point: f64) -> Option<u32> {
        let block = self.sums.iter().position(|sum| {
            point -= sum;
            point < 0.0
        })?;
        point += self.sums[block];
        let weights = self.weights[block * BLOCK..].iter().take(BLOCK);
        let mut last = None;
        for (id, weight) in (block * BLOCK..).zip(weights) {
            if *weight > 0.0 {
                last = Some(id as u32);
                point -= f64::from(*weight);
                if point < 0.0 {
                    break;
                }
            }
        }
        last
    }
}

/// e^x for -80 < x <= 0, to five digits: 2^n by the exponent bits, and the rest, at most half a power of two, by a
/// polynomial.
#[inline]
fn exp_of_nonpositive(x: f32) -> f32 {
    // Adding 1.5 · 2^23 rounds to a whole number and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let t = x * std::f32::consts::LOG2_E;
    let rounded = t + ROUND;
    let f = t - (rounded - ROUND);
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    let tail = 0.009_618_129 + f * (0.001_333_356 + f * 0.000_154_035_3);
    power * (1.0 + f * (std::f32::consts::LN_2 + f * (0.240_226_5 + f * (0.055_504_11 + f * tail))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_exponential_is_right_to_five_digits() {
        for i in 0..=80_000 {
            let x = -(i as f32) / 1000.0;
            let truth = f64::from(x).exp();
            let off = (f64::from(exp_of_nonpositive(x)) - truth).abs() / truth;
            assert!(off < 5e-6, "e^{x} is off by {off}");
        }
    }

    #[test]
    fn a_point_falls_on_the_token_whose_piece_it_is_in() {
        let mut weights = Weights::default();
        let mut logits = vec![f32::NEG_INFINITY; 200];
        logits[3] = 0.0;
        logits[70] = 0.5_f32.ln();
        logits[71] = f32::NAN;
        logits[199] = 0.25_f32.ln();
        let total = weights.fill(&logits, 0.0, 1.0);
        assert!((total - 1.75).abs() < 1e-5);
        for (point, token) in [(0.0, 3), (0.99, 3), (1.01, 70), (1.49, 70), (1.51, 199), (1.7499, 199)] {
            assert_eq!(weights.at(point), Some(token), "{point}");
        }
        assert_eq!(weights.at(2.0), None);
    }
}
