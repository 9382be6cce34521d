//! What a step costs: a formula with three numbers, fitted to what was measured.

use super::{Sample, Step};
use serde::{Deserialize, Serialize};

/// Microseconds of a step with `n` rows (or a chunk of `n` tokens) after `p` tokens of past:
/// `base + each · n + past · n · p`. For a chunk, `p` is what its tokens look back on in the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Of the step: reading the weights.
    pub base: f64,
    /// Of each row or token.
    pub each: f64,
    /// Of each token of past of each row or token: reading keys and values.
    pub past: f64,
}

impl Cost {
    fn of(&self, n: f64, past: f64) -> f64 {
        self.base + self.each * n + self.past * n * past
    }

    /// The least sum of squared relative errors, with no number below zero: a negative one would promise steps that get
    /// cheaper with more work. Numbers that would be negative are left out; of all ways to do that the best is taken.
    fn fit(points: &[(f64, f64, f64)]) -> Cost {
        let candidates = (1u8..8).filter_map(|kept| solve(points, kept));
        let error = |cost: &Cost| -> f64 {
            points.iter().map(|(n, past, time)| (cost.of(*n, *past) / time - 1.0).powi(2)).sum()
        };
        candidates.min_by(|a, b| error(a).total_cmp(&error(b))).unwrap_or_default()
    }
}

/// Steps by one clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepCosts {
    /// One token in each row.
    pub decode: Cost,
    /// A chunk of a prompt.
    pub prefill: Cost,
}

/// The cost of every step, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostModel {
    /// Time that passes.
    pub wall: StepCosts,
    /// Time of all processors together.
    pub processor: StepCosts,
    /// How far the formula is from the figures, in the middle: 0.05 is 5 %.
    pub error: f64,
}

impl CostModel {
    /// Fits the formula.
    pub fn fit<'a>(samples: impl Iterator<Item = &'a Sample>) -> CostModel {
        let samples: Vec<&Sample> = samples.collect();
        let fit = |step: Step, time: fn(&Sample) -> f64| {
            let points = samples.iter().filter(|sample| sample.step == step);
            Cost::fit(&points.map(|s| (s.count as f64, mean_past(s), time(s))).collect::<Vec<_>>())
        };
        let costs = |time| StepCosts { decode: fit(Step::Decode, time), prefill: fit(Step::Prefill, time) };
        let mut model =
            CostModel { wall: costs(|s| s.wall_us), processor: costs(|s| s.processor_us), error: 0.0 };
        let mut errors: Vec<f64> = samples
            .iter()
            .map(|sample| {
                let cost = match sample.step {
                    Step::Decode => model.wall.decode,
                    Step::Prefill => model.wall.prefill,
                };
                (cost.of(sample.count as f64, mean_past(sample)) / sample.wall_us - 1.0).abs()
            })
            .collect();
        errors.sort_by(f64::total_cmp);
        model.error = errors.get(errors.len() / 2).copied().unwrap_or(0.0);
        model
    }

    /// Microseconds that a decode step takes.
    pub fn decode(&self, rows: usize, past: usize) -> f64 {
        self.wall.decode.of(rows as f64, past as f64)
    }

    /// Microseconds that a chunk of a prompt takes.
    pub fn prefill(&self, tokens: usize, past: usize) -> f64 {
        self.wall.prefill.of(tokens as f64, past as f64 + (tokens.max(1) - 1) as f64 / 2.0)
    }
}

fn mean_past(sample: &Sample) -> f64 {
    match sample.step {
        Step::Decode => sample.past as f64,
        Step::Prefill => sample.past as f64 + (sample.count.max(1) - 1) as f64 / 2.0,
    }
}

/// Least squares over the numbers whose bits are in `kept`; `None` when one of them is negative or there is no solution.
fn solve(points: &[(f64, f64, f64)], kept: u8) -> Option<Cost> {
    let mut matrix = [[0.0f64; 4]; 3];
    for (n, past, time) in points {
        // Divided by the time: an error of 1 % counts the same in a short and in a long step.
        let terms = [1.0 / time, n / time, n * past / time];
        let terms: [f64; 3] = std::array::from_fn(|i| if kept & (1 << i) == 0 { 0.0 } else { terms[i] });
        for i in 0..3 {
            for j in 0..3 {
                matrix[i][j] += terms[i] * terms[j];
            }
            matrix[i][3] += terms[i];
        }
    }
    for (i, row) in matrix.iter_mut().enumerate().filter(|(i, _)| kept & (1 << i) == 0) {
        row[i] = 1.0;
    }
    let [base, each, past] = gauss(matrix)?;
    let sound = |value: f64| value.is_finite() && value >= 0.0;
    (sound(base) && sound(each) && sound(past)).then_some(Cost { base, each, past })
}

/// Three equations with three unknowns.
fn gauss(mut m: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3).max_by(|a, b| m[*a][column].abs().total_cmp(&m[*b][column].abs()))?;
        m.swap(column, pivot);
        if m[column][column] == 0.0 {
            return None;
        }
        for row in (0..3).filter(|row| *row != column) {
            let factor = m[row][column] / m[column][column];
            let upper = m[column];
            m[row].iter_mut().zip(upper).skip(column).for_each(|(value, above)| *value -= factor * above);
        }
    }
    Some([m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples(cost: Cost, noise: &[f64]) -> Vec<Sample> {
        let grid = [1usize, 4, 16, 64].into_iter().flat_map(|n| [64usize, 768].map(|past| (n, past)));
        let steps = [Step::Decode, Step::Prefill]
            .into_iter()
            .flat_map(|step| grid.clone().map(move |(count, past)| (step, count, past)));
        steps
            .enumerate()
            .map(|(i, (step, count, past))| {
                let mut sample = Sample { threads: 1, step, count, past, wall_us: 0.0, processor_us: 0.0 };
                sample.wall_us = cost.of(count as f64, mean_past(&sample)) * noise[i % noise.len()];
                sample.processor_us = 2.0 * sample.wall_us;
                sample
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_formula_behind_the_figures_is_found_again(
            base in 1e3..1e5f64, each in 1e2..1e4f64, past in 0.1..50.0f64,
        ) {
            let model = CostModel::fit(samples(Cost { base, each, past }, &[1.0]).iter());
            for (found, truth) in [(model.wall.decode.base, base), (model.wall.prefill.each, each), (model.wall.decode.past, past)] {
                prop_assert!((found / truth - 1.0).abs() < 1e-3, "{found} for {truth}");
            }
            prop_assert!((model.processor.decode.each / each / 2.0 - 1.0).abs() < 1e-3);
            prop_assert!(model.error < 1e-6);
        }

        #[test]
        fn no_noise_makes_more_work_cheaper(
            base in 1e3..1e5f64, each in 0.0..1e4f64, past in 0.0..50.0f64,
            noise in proptest::collection::vec(0.6..1.6f64, 16),
        ) {
            let model = CostModel::fit(samples(Cost { base, each, past }, &noise).iter());
            for rows in 1..200usize {
                prop_assert!(model.decode(rows + 1, 100) >= model.decode(rows, 100));
                prop_assert!(model.decode(rows, 200) >= model.decode(rows, 100));
            }
            prop_assert!(model.prefill(64, 0) > 0.0);
        }
    }

    #[test]
    fn no_figures_give_no_costs_and_no_panic() {
        assert_eq!(CostModel::fit([].iter()).decode(8, 100), 0.0);
    }
}
