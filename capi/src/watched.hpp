// The calls of a heap that change what is a block. A library that is built for a tool (SLABHEAP_TOOL) tells it; any other calls
// the core, and nothing else.
//
// Watched, a request of n bytes takes n and a red zone from the core, and ends where it asked to end:
//   | n bytes | hidden: at least the red zone; its last word is n |
// A free block is hidden as a whole, so what lies before a block is hidden too, unless it is the first of a region.
#pragma once

#include "slabheap/core/heap.hpp"

namespace slabheap::watched {

#ifdef SLABHEAP_WATCHED

/// After a heap got the region that holds this address.
void begin_region(Heap& heap, Address address);
/// Before a heap ends, and its memory is its owner's again.
void end_regions(Heap& heap);

[[nodiscard]] void* allocate(Heap& heap, std::size_t size, std::size_t align);
[[nodiscard]] void* allocate_zeroed(Heap& heap, std::size_t size, std::size_t align);
/// Moves every block whose size changes, so that a pointer to where it was is found out.
[[nodiscard]] void* reallocate(Heap& heap, void* block, std::size_t size, std::size_t align, std::size_t new_size);
[[nodiscard]] Status deallocate(Heap& heap, void* block, std::size_t size, std::size_t align);
[[nodiscard]] Status free(Heap& heap, void* block);
void reset(Heap& heap);
[[nodiscard]] std::size_t usable_size(const Heap& heap, std::size_t size, std::size_t align);
[[nodiscard]] std::size_t block_size(const Heap& heap, const void* block);
/// What a live block that holds so many bytes was asked for.
[[nodiscard]] std::size_t requested_bytes(const void* block, std::size_t held_bytes);

#else

inline void begin_region(Heap& /*heap*/, Address /*address*/) {}
inline void end_regions(Heap& /*heap*/) {}
[[nodiscard]] inline void* allocate(Heap& heap, std::size_t size, std::size_t align) { return heap.allocate(size, align); }
[[nodiscard]] inline void* allocate_zeroed(Heap& heap, std::size_t size, std::size_t align) {
  return heap.allocate_zeroed(size, align);
}
[[nodiscard]] inline void* reallocate(Heap& heap, void* block, std::size_t size, std::size_t align, std::size_t new_size) {
  return heap.reallocate(block, size, align, new_size);
}
[[nodiscard]] inline Status deallocate(Heap& heap, void* block, std::size_t size, std::size_t align) {
  return heap.deallocate(block, size, align);
}
[[nodiscard]] inline Status free(Heap& heap, void* block) { return heap.free(block); }
inline void reset(Heap& heap) { heap.reset(); }
[[nodiscard]] inline std::size_t usable_size(const Heap& heap, std::size_t size, std::size_t align) {
  return heap.usable_size(size, align);
}
[[nodiscard]] inline std::size_t block_size(const Heap& heap, const void* block) { return heap.block_size(block); }
[[nodiscard]] inline std::size_t requested_bytes(const void* /*block*/, std::size_t held_bytes) { return held_bytes; }

#endif

}  // namespace slabheap::watched
