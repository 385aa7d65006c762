//! Few figures for many.

use serde::Serialize;

/// Where samples lie: a quarter of them below the first, a half below the second, three quarters below the third.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quartiles {
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
}

impl Quartiles {
    /// Of at least one sample.
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { lower: quantile(&sorted, 0.25), median: quantile(&sorted, 0.5), upper: quantile(&sorted, 0.75) }
    }
}

/// Between two neighbouring samples, the line between them.
fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let position = fraction * (sorted.len() - 1) as f64;
    let below = sorted[position.floor() as usize];
    let above = sorted[position.ceil() as usize];
    below + (above - below) * position.fract()
}

/// The mean that a ratio is right for: twice as fast in one column makes up for half as fast in another.
pub fn geometric_mean(figures: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = figures.len() as f64;
    (figures.map(f64::ln).sum::<f64>() / count).exp()
}

/// The sum over the count.
pub fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_do_not_depend_on_the_order() {
        let expected = Quartiles { lower: 2.0, median: 3.0, upper: 4.0 };
        assert_eq!(Quartiles::of(&[5.0, 1.0, 4.0, 2.0, 3.0]), expected);
    }

    #[test]
    fn quartiles_of_an_even_count_lie_between_samples() {
        let expected = Quartiles { lower: 1.75, median: 2.5, upper: 3.25 };
        assert_eq!(Quartiles::of(&[1.0, 2.0, 3.0, 4.0]), expected);
    }

    #[test]
    fn one_sample_is_all_quartiles() {
        assert_eq!(Quartiles::of(&[7.0]), Quartiles { lower: 7.0, median: 7.0, upper: 7.0 });
    }

    #[test]
    fn a_doubling_and_a_halving_cancel() {
        assert!((geometric_mean([2.0, 0.5].into_iter()) - 1.0).abs() < 1e-12);
    }
}
