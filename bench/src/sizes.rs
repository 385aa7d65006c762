//! How the sizes of requests are spread.

use std::fmt;

use crate::random::Random;

/// A distribution of request sizes in bytes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// One size.
    Fixed(usize),
    /// Every size as likely as every other.
    Uniform { min: usize, max: usize },
    /// Every doubling as likely as every other, as in most programs: many small blocks, few large ones.
    LogUniform { min: usize, max: usize },
}

impl Sizes {
    /// Draws a size.
    pub fn draw(self, random: &mut Random) -> usize {
        match self {
            Self::Fixed(size) => size,
            Self::Uniform { min, max } => min + random.below(max - min + 1),
            Self::LogUniform { min, max } => {
                // One past the end, so that the largest size is as likely as its neighbours.
                let ratio = (max + 1) as f64 / min as f64;
                let size = (min as f64 * ratio.powf(random.unit())) as usize;
                size.clamp(min, max) // powf may round up to the end
            }
        }
    }

    /// The smallest and the largest size.
    pub fn range(self) -> (usize, usize) {
        match self {
            Self::Fixed(size) => (size, size),
            Self::Uniform { min, max } | Self::LogUniform { min, max } => (min, max),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fixed(size) => write!(formatter, "{size} bytes"),
            Self::Uniform { min, max } => write!(formatter, "{min} to {max} bytes, uniform"),
            Self::LogUniform { min, max } => write!(formatter, "{min} to {max} bytes, log-uniform"),
        }
    }
}
