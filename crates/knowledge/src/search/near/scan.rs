//! Codes of one bit for each dimension, and the scan over them.

/// The code of a vector: its bits say on which side of the mean each dimension lies.
pub(super) fn code(values: impl Iterator<Item = f32>, mean: &[f32], width: usize) -> Vec<u64> {
    let mut code = vec![0; width];
    for (at, (value, mean)) in values.zip(mean).enumerate() {
        if let (true, Some(word)) = (value > *mean, code.get_mut(at / 64)) {
            *word |= 1 << (at % 64);
        }
    }
    code
}

/// The places whose codes differ least from the question's, of those that are looked at: `most`, and as many more as
/// differ like the last of them (up to twice as many). In the order of their places.
pub(super) fn nearest(
    codes: &[u64],
    question: &[u64],
    looked_at: impl Iterator<Item = bool>,
    most: usize,
) -> Vec<u32> {
    match question.len() {
        0 => Vec::new(),
        // The usual widths, so that the compiler unrolls them.
        6 => fixed::<6>(codes, question, looked_at, most),
        8 => fixed::<8>(codes, question, looked_at, most),
        12 => fixed::<12>(codes, question, looked_at, most),
        16 => fixed::<16>(codes, question, looked_at, most),
        width => {
            let distances = codes.chunks_exact(width).map(|code| distance(code, question));
            least(distances, width, looked_at, most)
        }
    }
}

fn fixed<const WIDTH: usize>(
    codes: &[u64],
    question: &[u64],
    looked_at: impl Iterator<Item = bool>,
    most: usize,
) -> Vec<u32> {
    let Some(question) = question.first_chunk::<WIDTH>() else { return Vec::new() };
    let distances = codes.as_chunks::<WIDTH>().0.iter().map(|code| distance(code, question));
    least(distances, WIDTH, looked_at, most)
}

fn distance(code: &[u64], question: &[u64]) -> u16 {
    // At most 64 for each word: with up to a thousand words it fits.
    code.iter().zip(question).map(|(one, other)| (one ^ other).count_ones() as u16).sum()
}

/// Counts how many have each distance, which says up to which distance they are wanted, then takes those.
fn least(
    distances: impl Iterator<Item = u16>,
    width: usize,
    looked_at: impl Iterator<Item = bool>,
    most: usize,
) -> Vec<u32> {
    let mut histogram = vec![0_usize; width * 64 + 1];
    let mut all = Vec::with_capacity(distances.size_hint().0);
    for (distance, looked_at) in distances.zip(looked_at) {
        let distance = if looked_at { distance } else { u16::MAX };
        if let Some(count) = histogram.get_mut(usize::from(distance)) {
            *count += 1;
        }
        all.push(distance);
    }
    let mut sum = 0;
    let border = histogram.iter().position(|count| {
        sum += count;
        sum >= most
    });
    let border = u16::try_from(border.unwrap_or(histogram.len() - 1)).unwrap_or(u16::MAX - 1);
    let within = (0_u32..).zip(all).filter(|(_, distance)| *distance <= border);
    within.take(2 * most).map(|(place, _)| place).collect()
}
