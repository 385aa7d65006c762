// A heap that is used by the C interface, in memory of the test's.
#pragma once

#include <doctest/doctest.h>

#include "slabheap/slabheap.h"
#include "support/memory.hpp"

namespace slabheap::test {

/// At its end, its invariants hold, and nothing was written outside of its memory.
class TestHeap {
 public:
  explicit TestHeap(std::size_t bytes, HeapPreset preset = HEAP_PRESET_CLASSIC, std::size_t misalignment = 0)
      : TestHeap{bytes, of(preset), misalignment} {}
  TestHeap(std::size_t bytes, HeapOptions options, std::size_t misalignment = 0) : memory_{bytes, misalignment} {
    options.memory = memory_.start();
    options.bytes = bytes;
    REQUIRE(heap_new_with(&options, &heap_) == HEAP_STATUS_OK);
  }
  ~TestHeap() {
    CHECK(heap_check(heap_) == HEAP_STATUS_OK);
    heap_destroy(heap_);
    CHECK(memory_.rim_is_whole());
  }
  TestHeap(const TestHeap&) = delete;
  TestHeap& operator=(const TestHeap&) = delete;

  operator Heap*() const { return heap_; }
  [[nodiscard]] HeapStats stats() const { return heap_stats(heap_); }
  [[nodiscard]] const Memory& memory() const { return memory_; }

 private:
  [[nodiscard]] static HeapOptions of(HeapPreset preset) {
    HeapOptions options = heap_options_default();
    options.preset = preset;
    return options;
  }

  Memory memory_;
  Heap* heap_ = nullptr;
};

}  // namespace slabheap::test
