// The descriptor of a page. Descriptors lie out of band, in a region's metadata; a page's own bytes are its user's.
//
// The first page of a run, its head, says what the run is; the kinds of heads are exact at every moment. Descriptors inside a run
// hold nothing, or hints that are verified at the head before they are believed, so that a run of any length is
// handed out and taken back without touching them all. A descriptor of zeros is a page that nobody has used yet.
#pragma once

#include "slabheap/core/units.hpp"

namespace slabheap {

enum class PageKind : std::uint8_t {
  inner = 0,  ///< not a head: inside a run, or never used
  free_run,   ///< head of a free run
  kept_run,   ///< head of a free run that the page layer does not know of, see RunCache
  free_end,   ///< last page of a free run of two pages or more; kept by best fit only
  set,        ///< head of a set
  large,      ///< head of a large block
  hint,       ///< inside a large block, or once was: its word names a head (see LargeBlocks)
};

struct Page {
  /// set: its blocks in use, one bit each (see Slab) · free_run, free_end, kept_run, large: the run's length in pages ·
  /// hint: number of a head
  std::uint64_t word;
  /// The next page on the list that this one is on; the previous one stands in the region's `previous`. Of a current set, the
  /// first page on its slab's list.
  PageNumber next;
  PageKind kind;
  std::uint8_t class_index;  ///< set: its size class · free run: `given_back`, or 0 · large, kept run: `short_way`, or 0
  std::uint8_t block_count;  ///< blocks of a set; 0 if and only if this is not the head of a set
  std::uint8_t front;        ///< set: the SlabFront that frees go by (see Heap), `no_front` where the slow path has to see them
};
static_assert(sizeof(Page) == 16, "the fast paths index descriptors by a shift");

/// Names no SlabFront. Whatever is not the head of a set names none, so that the fast paths of a free leave it to the slow ones.
inline constexpr std::uint8_t no_front = 0;

/// Marks a free run whose memory went back to the OS and has not been used since.
inline constexpr std::uint8_t given_back = 1;

/// Marks a large block that is a run as the page layer handed it out, or the front of one, and not too long to be kept, in a heap
/// where no class lies beyond the routing table; and such a run that is kept, whose hints are where the next block wants them.
inline constexpr std::uint8_t short_way = 1;

/// How many pages a page of a set lies behind the head.
using HeadDistance = std::uint8_t;
inline constexpr std::uint32_t max_set_pages = 256;

/// Bytes of metadata that a page costs: its descriptor, its distance from a set's head, its backward link.
inline constexpr std::size_t metadata_per_page = sizeof(Page) + sizeof(HeadDistance) + sizeof(PageNumber);

}  // namespace slabheap
