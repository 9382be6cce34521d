//! Figures out of many answers.

use super::client::{Answer, Outcome};

/// The value below which this share of the values lies; NaN of none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// Jain's index: 1 where all received the same, 1/n where one received all.
pub(crate) fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) = shares.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    sum * sum / (shares.len() as f64 * squares)
}

/// How fast the second value grows with the first: the slope of the straight line with the least squares.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / n, y + point.1 / n));
    let (over, under) = points.iter().fold((0.0, 0.0), |(over, under), point| {
        (over + (point.0 - x) * (point.1 - y), under + (point.0 - x).powi(2))
    });
    over / under
}

/// What happened in a stretch of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    pub(crate) seconds: f64,
    pub(crate) cpu_s: f64,
    /// Processor time of programs that have nothing to do with the bench.
    pub(crate) others_s: f64,
    /// Tokens that arrived.
    pub(crate) tokens: f64,
    /// Tokens of each member, of those that asked at all.
    pub(crate) tokens_of: Vec<f64>,
    pub(crate) ttft: Vec<f64>,
    pub(crate) gaps: Vec<f64>,
    pub(crate) whole_s: Vec<f64>,
    pub(crate) received: Vec<f64>,
    pub(crate) ended: usize,
    pub(crate) refused: usize,
    /// Asked and not ended when everybody hung up.
    pub(crate) cut_off: usize,
    pub(crate) failed: Vec<String>,
    pub(crate) cached_share: f64,
}

impl Window {
    /// The part of `answers` between two points in time. Pieces count where they arrived, waits where the question was
    /// asked, everything about whole answers where they ended.
    pub(crate) fn of(answers: &[Answer], from: f64, to: f64, members: usize) -> Window {
        let within = |time: f64| (from..to).contains(&time);
        let mut window = Window { seconds: to - from, tokens_of: vec![0.0; members], ..Window::default() };
        let (mut prompt, mut cached) = (0, 0);
        // A piece may hold several tokens (speculation) or a token no piece (half a character).
        let whole = |answer: &&Answer| answer.outcome == Outcome::Whole;
        let (tokens, pieces) = answers
            .iter()
            .filter(whole)
            .fold((0, 0), |(tokens, pieces), answer| (tokens + answer.tokens, pieces + answer.pieces.len()));
        let usual = if pieces == 0 { 1.0 } else { tokens as f64 / pieces as f64 };
        for answer in answers {
            let each = match answer.outcome {
                Outcome::Whole if !answer.pieces.is_empty() => {
                    answer.tokens as f64 / answer.pieces.len() as f64
                }
                _ => usual,
            };
            let arrived = answer.pieces.iter().filter(|time| within(**time)).count() as f64 * each;
            window.tokens += arrived;
            if let Some(of) = window.tokens_of.get_mut(answer.member) {
                *of += arrived;
            }
            if let Some(first) = answer.first_token_s()
                && within(answer.asked)
            {
                window.ttft.push(first);
            }
            if let Some(received) = answer.received
                && within(answer.asked)
            {
                window.received.push(received - answer.asked);
            }
            let heard = answer.pieces.iter().skip(1).zip(answer.gaps());
            window.gaps.extend(heard.filter(|(time, _)| within(**time)).map(|(_, gap)| gap));
            window.cut_off += usize::from(answer.outcome == Outcome::HungUp && within(answer.asked));
            if !within(answer.ended) {
                continue;
            }
            match &answer.outcome {
                Outcome::Whole => {
                    window.ended += 1;
                    window.whole_s.push(answer.ended - answer.asked);
                    prompt += answer.prompt_tokens;
                    cached += answer.cached_tokens;
                }
                Outcome::HungUp => {}
                Outcome::Refused(_) => window.refused += 1,
                Outcome::Failed(why) => window.failed.push(why.clone()),
            }
        }
        window.cached_share = cached as f64 / prompt as f64;
        window
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.tokens / self.seconds
    }

    pub(crate) fn answers_per_second(&self) -> f64 {
        self.ended as f64 / self.seconds
    }

    pub(crate) fn per_cpu_second(&self) -> f64 {
        self.tokens / self.cpu_s
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:.0} tokens in {:.1} s: {:.1} tok/s, {:.1} tok/cpu-s ({:.2} cores, others {:.2}); first token p50 {:.2} p95 {:.2} s; \
             between tokens p50 {:.0} p95 {:.0} ms; {} whole, {} refused, {} failed; {:.0} % of prompts from cache",
            self.tokens,
            self.seconds,
            self.per_second(),
            self.per_cpu_second(),
            self.cpu_s / self.seconds,
            self.others_s / self.seconds,
            median(&self.ttft),
            percentile(&self.ttft, 0.95),
            median(&self.gaps) * 1e3,
            percentile(&self.gaps, 0.95) * 1e3,
            self.ended,
            self.refused,
            self.failed.len(),
            self.cached_share * 100.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jains_index_is_one_among_equals_and_small_where_one_takes_all() {
        assert_eq!(jain(&[5.0; 4]), 1.0);
        assert_eq!(jain(&[8.0, 0.0, 0.0, 0.0]), 0.25);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.95), 95.0);
        assert_eq!(median(&values), 50.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_slope_of_a_line_is_found_through_its_points() {
        let points: Vec<(f64, f64)> = (0..50).map(|x| (f64::from(x), 3.0 * f64::from(x) + 7.0)).collect();
        assert!((slope(&points) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_window_counts_tokens_where_they_arrived_and_answers_where_they_ended() {
        let answer = Answer {
            member: 1,
            asked: 0.0,
            pieces: vec![1.0, 2.0, 3.0, 4.0],
            ended: 4.0,
            tokens: 8,
            outcome: Outcome::Whole,
            ..Answer::default()
        };
        let window = Window::of(std::slice::from_ref(&answer), 1.5, 3.5, 2);
        assert_eq!((window.tokens, window.ended, window.ttft.len()), (4.0, 0, 0));
        assert_eq!(window.tokens_of, [0.0, 4.0]);
        assert_eq!(window.gaps, [1.0, 1.0]);
        let all = Window::of(&[answer], 0.0, 5.0, 2);
        assert_eq!((all.tokens, all.ended, all.ttft[0]), (8.0, 1, 1.0));
    }
}
