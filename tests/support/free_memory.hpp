// Memory that no live block has: nobody's, so that a test may do with it what it likes.
#pragma once

#include <doctest/doctest.h>

#include <vector>

#include "slabheap/slabheap.h"

namespace slabheap::test {

/// Calls `use(start, bytes)` for every stretch of a heap's pages that is in no live block.
template <typename Use>
void visit_free_memory(const ::Heap* heap, Use use) {
  const auto visit = [](void* context, const HeapRun* run) {
    auto& use_stretch = *static_cast<Use*>(context);
    if (run->kind == HEAP_RUN_KIND_LARGE) return true;
    auto* start = static_cast<unsigned char*>(run->start);
    for (std::size_t i = 0; i < run->total_blocks; ++i) {
      if ((run->used >> i & 1) == 0) use_stretch(start + i * run->block_size, run->block_size);
    }
    const std::size_t tail = run->total_blocks * run->block_size;
    if (tail < run->bytes) use_stretch(start + tail, run->bytes - tail);
    return true;
  };
  REQUIRE(heap_visit_runs(heap, visit, &use) == HEAP_STATUS_OK);
}

/// Hands out all of it, in blocks as long as there are.
[[nodiscard]] inline std::vector<void*> take_free_memory(::Heap* heap) {
  std::vector<void*> taken;
  for (std::size_t bytes = 0; (bytes = heap_stats(heap).largest_free_bytes) != 0;) {
    taken.push_back(heap_allocate(heap, bytes, 1));
    REQUIRE(taken.back() != nullptr);
  }
  return taken;
}

}  // namespace slabheap::test
