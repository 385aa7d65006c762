// What a heap tells of itself.
#pragma once

#include "slabheap/core/page.hpp"

namespace slabheap {

/// The figures of a heap at one moment. What each means, the C interface says.
struct Stats {
  std::uint64_t total_bytes;
  std::uint64_t used_bytes;
  std::uint64_t available_bytes;
  std::uint64_t slab_total_bytes;
  std::uint64_t slab_used_bytes;
  std::uint64_t buddy_total_bytes;
  std::uint64_t buddy_used_bytes;
  std::uint64_t metadata_bytes;
  std::uint64_t used_metadata_bytes;
  std::uint64_t peak_page_bytes;
  std::uint64_t largest_free_bytes;
  std::uint64_t region_count;
  std::uint64_t live_blocks;
  std::uint64_t allocations;
  std::uint64_t deallocations;
  std::uint64_t failed_allocations;
  std::uint64_t rejected_frees;
};

/// What a stretch of pages is, for walks over the heap.
struct RunView {
  PageKind kind;  ///< free_run, set or large
  Address start;
  std::size_t bytes;
  std::size_t block_bytes;  ///< of a set's blocks, or of the one large block; 0 if the run is free
  std::uint32_t total_blocks;
  std::uint64_t used;  ///< a bit for each block in use
};

}  // namespace slabheap
