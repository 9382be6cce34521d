//! Vectors as they are kept: a scale and a signed byte for each dimension. A quarter of the size of floats, at an error
//! of the cosine below 0.005.

/// Bytes of the scale at the beginning.
const SCALE: usize = size_of::<f32>();

/// A vector of unit length as it is kept; none for one that has no direction.
pub(super) fn encode(vector: &[f32]) -> Option<Vec<u8>> {
    let unit = unit(vector)?;
    let scale = unit.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / 127.0;
    let mut bytes = Vec::with_capacity(SCALE + unit.len());
    bytes.extend_from_slice(&scale.to_le_bytes());
    // Rounded and within a signed byte, since no value is larger than 127 times the scale.
    bytes.extend(unit.iter().flat_map(|value| ((value / scale).round() as i8).to_le_bytes()));
    Some(bytes)
}

/// The scale and the dimensions of a vector that was kept.
pub(super) fn parts(bytes: &[u8]) -> Option<(f32, impl Iterator<Item = i8> + '_)> {
    let (scale, dimensions) = bytes.split_first_chunk::<SCALE>()?;
    Some((f32::from_le_bytes(*scale), dimensions.iter().map(|byte| i8::from_le_bytes([*byte]))))
}

/// The dimensions of a vector that was kept.
pub(super) fn dimensions(bytes: &[u8]) -> usize {
    bytes.len().saturating_sub(SCALE)
}

/// The same direction at length 1; none for one that has no direction.
pub(super) fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt() as f32;
    (length.is_finite() && length > f32::MIN_POSITIVE && !vector.is_empty())
        .then(|| vector.iter().map(|value| value / length).collect())
}

/// The product of a question and a vector's dimensions, without its scale. In eight sums, so that the processor adds
/// several at once.
pub(super) fn product(question: &[f32], dimensions: &[i8]) -> f32 {
    let (questions, dimensions) = (question.as_chunks::<8>(), dimensions.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (question, dimensions) in questions.0.iter().zip(dimensions.0) {
        for (sum, (question, dimension)) in sums.iter_mut().zip(question.iter().zip(dimensions)) {
            *sum += question * f32::from(*dimension);
        }
    }
    let rest =
        questions.1.iter().zip(dimensions.1).map(|(question, dimension)| question * f32::from(*dimension));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_vector_without_a_direction_is_not_kept() {
        for vector in [vec![], vec![0.0; 8], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            assert_eq!(encode(&vector), None, "{vector:?}");
        }
    }

    proptest! {
        #[test]
        fn a_vector_that_was_kept_has_nearly_the_same_cosine_with_any_question(
            vector in prop::collection::vec(-1.0_f32..1.0, 37), question in prop::collection::vec(-1.0_f32..1.0, 37),
        ) {
            let (Some(kept), Some(question), Some(exact)) = (encode(&vector), unit(&question), unit(&vector)) else {
                return Ok(());
            };
            let (scale, dimensions) = parts(&kept).unwrap();
            let dimensions: Vec<i8> = dimensions.collect();
            let cosine: f32 = question.iter().zip(&exact).map(|(a, b)| a * b).sum();
            prop_assert!((scale * product(&question, &dimensions) - cosine).abs() < 0.005);
        }
    }
}
