// What a call can answer. Exhaustion and misuse are values; the heap never throws and never aborts by itself.
#pragma once

#include <cstdint>

namespace slabheap {

enum class Status : std::uint32_t {
  ok,
  out_of_memory,     ///< no run of pages is long enough, even after everything kept back was given up
  invalid_argument,  ///< an argument or an option is outside its range
  not_owned,         ///< no region of this heap holds the pointer
  not_allocated,     ///< the pointer lies in this heap, but in no live block
  misaligned,        ///< the pointer lies inside a live block, not at its start
  wrong_layout,      ///< a live block, but not of the class of that size and alignment
  overlap,           ///< added memory overlaps a region of this heap
  too_small,         ///< the memory cannot hold the metadata and one page
  too_many_regions,  ///< the heap has as many regions, or as many pages, as it can number
  corrupt,           ///< an invariant does not hold: something wrote over the metadata
  unsupported,       ///< this build, or this system, cannot do it
};

inline constexpr std::uint32_t status_count = 12;

}  // namespace slabheap
