//! What can go wrong.

use crate::raw;
use core::fmt;
use slabheap_sys::{HeapStatus, known};

/// There is no memory for a request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct AllocError;

impl fmt::Display for AllocError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::OutOfMemory.fmt(formatter)
    }
}

impl core::error::Error for AllocError {}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Self::OutOfMemory
    }
}

/// Why a call was refused. What is refused has changed nothing, except that a refused free is counted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no memory for it, even after everything kept back was given up.
    OutOfMemory,
    /// Memory that starts at null, wraps around, or has more than 2³¹ pages.
    InvalidArgument,
    /// An option is out of range; which, the text says.
    InvalidOption(&'static str),
    /// No region of this heap holds the pointer.
    NotOwned,
    /// The pointer lies in this heap but in no live block: it was freed before, or never handed out.
    NotAllocated,
    /// The pointer lies inside a live block, not at its start.
    Misaligned,
    /// A live block, but not of the class that this layout belongs to.
    WrongLayout,
    /// The memory overlaps a region of this heap.
    Overlap,
    /// The memory cannot hold the heap's metadata and one page.
    TooSmall,
    /// The heap has as many regions as it can have.
    TooManyRegions,
    /// An invariant does not hold: something wrote over the heap's metadata.
    Corrupt,
    /// This system, or the way that the library was built, cannot do it.
    Unsupported,
    /// A status that only a later version of the library knows.
    Unknown(u32),
}

impl Error {
    pub(crate) fn check(status: HeapStatus) -> Result<(), Self> {
        Err(match status.known() {
            Some(known::HeapStatus::Ok) => return Ok(()),
            Some(known::HeapStatus::OutOfMemory) => Self::OutOfMemory,
            Some(known::HeapStatus::InvalidArgument) => Self::InvalidArgument,
            Some(known::HeapStatus::NotOwned) => Self::NotOwned,
            Some(known::HeapStatus::NotAllocated) => Self::NotAllocated,
            Some(known::HeapStatus::Misaligned) => Self::Misaligned,
            Some(known::HeapStatus::WrongLayout) => Self::WrongLayout,
            Some(known::HeapStatus::Overlap) => Self::Overlap,
            Some(known::HeapStatus::TooSmall) => Self::TooSmall,
            Some(known::HeapStatus::TooManyRegions) => Self::TooManyRegions,
            Some(known::HeapStatus::Corrupt) => Self::Corrupt,
            Some(known::HeapStatus::Unsupported) => Self::Unsupported,
            None => Self::Unknown(status.0),
        })
    }

    fn status(self) -> HeapStatus {
        match self {
            Self::OutOfMemory => HeapStatus::OutOfMemory,
            Self::InvalidArgument | Self::InvalidOption(_) => HeapStatus::InvalidArgument,
            Self::NotOwned => HeapStatus::NotOwned,
            Self::NotAllocated => HeapStatus::NotAllocated,
            Self::Misaligned => HeapStatus::Misaligned,
            Self::WrongLayout => HeapStatus::WrongLayout,
            Self::Overlap => HeapStatus::Overlap,
            Self::TooSmall => HeapStatus::TooSmall,
            Self::TooManyRegions => HeapStatus::TooManyRegions,
            Self::Corrupt => HeapStatus::Corrupt,
            Self::Unsupported => HeapStatus::Unsupported,
            Self::Unknown(number) => HeapStatus(number),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidOption(problem) => formatter.write_str(problem),
            Self::Unknown(number) => write!(formatter, "status {number}, which this version does not know"),
            error => formatter.write_str(raw::message_of(error.status())),
        }
    }
}

impl core::error::Error for Error {}
