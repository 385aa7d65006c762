//! What many counted operations come to.

use serde::Serialize;

/// Counted operations of one kind.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Instructions and the size of each request.
    counts: Vec<(u64, usize)>,
}

/// Its figures, in instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub operations: usize,
    pub median: u64,
    /// One operation in a thousand takes more.
    pub all_but_a_thousandth: u64,
    pub worst: u64,
    /// Bytes of the request that took most.
    pub worst_size: usize,
}

impl Tally {
    /// Counts an operation in.
    pub fn add(&mut self, instructions: u64, size: usize) {
        self.counts.push((instructions, size));
    }

    /// Counts another tally's operations in.
    pub fn merge(&mut self, other: Tally) {
        self.counts.extend(other.counts);
    }

    /// The figures; all zero if there was no operation.
    pub fn figures(&self) -> Figures {
        let mut sorted = self.counts.clone();
        sorted.sort_unstable();
        let Some(&(worst, worst_size)) = sorted.last() else { return Figures::default() };
        // The least figure that so many operations do not exceed.
        let at = |of_thousand: usize| sorted[(sorted.len() * of_thousand).div_ceil(1000) - 1].0;
        Figures { operations: sorted.len(), median: at(500), all_but_a_thousandth: at(999), worst, worst_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_sorted_counts() {
        let mut tally = Tally::default();
        (1..=2000).rev().for_each(|count| tally.add(count, 10 * count as usize));
        let expected = Figures { operations: 2000, median: 1000, all_but_a_thousandth: 1998, worst: 2000, worst_size: 20_000 };
        assert_eq!(tally.figures(), expected);
    }

    #[test]
    fn nothing_counted_is_zero() {
        assert_eq!(Tally::default().figures(), Figures::default());
    }
}
