//! The memory that arena peers manage.

use std::ptr;

/// Bytes that the kernel maps at a time at the least.
const OS_PAGE_BYTES: usize = 4096;

/// Between two parts of an arena. ax_slab_allocator wants a multiple of 32 KiB.
const GAP_BYTES: usize = 32 << 10;

/// Memory for one peer after the other. All get the same bytes at the same place, so none has luck with the caches.
///
/// Where something is timed, it is written to once before: the first touch of a page costs what docs/figures.md says, and belongs to
/// the kernel. It is aligned to its size, because a buddy allocator would have to cut up an arena that is not.
#[derive(Debug)]
pub struct Arena {
    mapping: *mut u8,
    mapping_bytes: usize,
    start: *mut u8,
    bytes: usize,
}

/// The first bytes of an arena, lent to a peer.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    pub start: *mut u8,
    pub bytes: usize,
}

impl Arena {
    /// Maps an arena, and writes to each of its pages; `bytes` is a power of two.
    pub fn new(bytes: usize) -> Self {
        let mut arena = Self::untouched(bytes);
        arena.touch(bytes);
        arena
    }

    /// Writes to each page of the first `bytes` bytes, so that they are resident.
    pub fn touch(&mut self, bytes: usize) {
        let region = self.region(bytes);
        for offset in (0..region.bytes).step_by(OS_PAGE_BYTES) {
            // SAFETY: `offset` lies in the region, which no peer has while the arena is borrowed.
            unsafe { region.start.add(offset).write_volatile(0) };
        }
    }

    /// Maps an arena that takes up no memory but where a peer writes, for what is not timed.
    pub fn untouched(bytes: usize) -> Self {
        assert!(bytes.is_power_of_two(), "an arena's size is its alignment");
        let mapping_bytes = 2 * bytes; // holds an aligned range of half its length
        // SAFETY: a new private mapping at a place of the kernel's choice touches no other memory.
        let mapping = unsafe {
            libc::mmap(
                ptr::null_mut(),
                mapping_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(mapping, libc::MAP_FAILED, "there is memory for an arena of {bytes} bytes");
        let mapping = mapping.cast::<u8>();
        // SAFETY: the next multiple of `bytes` lies in the mapping, with `bytes` bytes behind it.
        let start = unsafe { mapping.add(mapping.align_offset(bytes)) };
        Self { mapping, mapping_bytes, start, bytes }
    }

    /// The first `bytes` bytes.
    pub fn region(&mut self, bytes: usize) -> Region {
        assert!(bytes <= self.bytes, "a region lies in its arena");
        Region { start: self.start, bytes }
    }

    /// All of it, cut into so many regions of equal length, apart, so that none can be merged with the next.
    pub fn parts(&mut self, count: usize) -> impl Iterator<Item = Region> + use<> {
        let (start, stride) = (self.start, self.bytes / count);
        // SAFETY: every part lies in the arena.
        (0..count).map(move |part| Region { start: unsafe { start.add(part * stride) }, bytes: stride - GAP_BYTES })
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is this arena's, and a peer that uses it borrows the arena.
        unsafe { libc::munmap(self.mapping.cast(), self.mapping_bytes) };
    }
}
