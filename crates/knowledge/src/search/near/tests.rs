use proptest::prelude::*;

use super::*;

/// Vectors around a few directions, as texts of a few themes have.
fn vectors(count: usize, dimensions: usize, seed: u64) -> Vec<Vec<f32>> {
    let direction = |number: u64| -> Vec<f32> {
        let mut bytes = vec![0; dimensions];
        blake3::Hasher::new()
            .update(&seed.to_le_bytes())
            .update(&number.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes.into_iter().map(|byte| f32::from(byte) / 128.0 - 1.0).collect()
    };
    (0..count as u64)
        .map(|number| {
            let (theme, own) = (direction(number % 50), direction(1_000 + number));
            // All lie to one side, as those of many models do.
            theme.iter().zip(own).map(|(theme, own)| 0.7 + theme + 0.8 * own).collect()
        })
        .collect()
}

/// What a search does with them: a hundred are wanted, of which the first count most.
#[test]
fn codes_lose_few_of_those_that_are_nearest() {
    let (count, dimensions, most) = (3_000, 384, 100);
    let all = vectors(count, dimensions, 1);
    let mean: Vec<f32> =
        (0..dimensions).map(|at| all.iter().map(|vector| vector[at]).sum::<f32>() / count as f32).collect();
    let code = |vector: &[f32]| scan::code(vector.iter().copied(), &mean, 6);
    let codes: Vec<u64> = all.iter().flat_map(|vector| code(vector)).collect();
    let units: Vec<Vec<f32>> = all.iter().map(|vector| vector::unit(vector).unwrap()).collect();
    let (mut first, mut kept) = (0, 0);
    for (own, noise) in vectors(8, dimensions, 1).into_iter().zip(vectors(8, dimensions, 2)) {
        let question: Vec<f32> = own.iter().zip(noise).map(|(own, noise)| own + 0.5 * noise).collect();
        let cosines: Vec<f32> =
            units.iter().map(|unit| unit.iter().zip(&question).map(|(a, b)| a * b).sum()).collect();
        let mut exact: Vec<u32> = (0..count as u32).collect();
        exact.sort_by(|a, b| cosines[*b as usize].total_cmp(&cosines[*a as usize]));
        let found =
            scan::nearest(&codes, &code(&question), std::iter::repeat_n(true, count), most * OVERSAMPLE);
        first += exact[..10].iter().filter(|place| found.contains(place)).count();
        kept += exact[..most].iter().filter(|place| found.contains(place)).count();
    }
    assert!(first == 80 && kept * 100 >= 8 * most * 90, "{first} of the first 80, {kept} of {}", 8 * most);
}

proptest! {
    #[test]
    fn the_scan_gives_those_with_the_least_distance_of_those_that_are_looked_at(
        codes in prop::collection::vec(any::<u64>(), 0..120), question in prop::collection::vec(any::<u64>(), 1..4),
        looked_at in prop::collection::vec(any::<bool>(), 120), most in 1..20_usize,
    ) {
        let width = question.len();
        let distance = |code: &[u64]| -> u32 { code.iter().zip(&question).map(|(a, b)| (a ^ b).count_ones()).sum() };
        let mut exact: Vec<(u32, u32)> = (0_u32..).zip(codes.chunks_exact(width).zip(&looked_at))
            .filter(|(_, (_, looked_at))| **looked_at)
            .map(|(place, (code, _))| (distance(code), place))
            .collect();
        exact.sort_unstable();
        let found = scan::nearest(&codes, &question, looked_at.iter().copied(), most);
        prop_assert!(found.iter().all(|place| looked_at[*place as usize]));
        prop_assert!(found.len() >= most.min(exact.len()) && found.len() <= 2 * most);
        let border = exact.get(most - 1).map_or(u32::MAX, |(distance, _)| *distance);
        for place in found {
            let its = &codes[place as usize * width..(place as usize + 1) * width];
            prop_assert!(distance(its) <= border);
        }
    }
}
