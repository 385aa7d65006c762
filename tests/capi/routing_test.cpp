// Which run or set a request gets, where that is promised.
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "slabheap/slabheap.h"

namespace {

Heap* compact_heap(HeapFreedRuns freed_runs, std::size_t bytes = 1 << 20) {
  HeapOptions options = heap_options_default();
  options.bytes = bytes;
  options.preset = HEAP_PRESET_COMPACT;
  options.freed_runs = freed_runs;
  Heap* heap = nullptr;
  REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
  return heap;
}

}  // namespace

TEST_CASE("a request just above the largest class gets a block that holds it, wherever short runs are free") {
  Heap* heap = compact_heap(HEAP_FREED_RUNS_MERGED);
  for (std::size_t size = 1; size <= 4096; size *= 2) REQUIRE(heap_allocate(heap, size, 1) != nullptr);
  for (int i = 0; i < 60; ++i) {
    // Of six pages that were free, one is left.
    void* six = heap_allocate(heap, 6144, 1);
    REQUIRE(heap_allocate(heap, 5120, 1) != nullptr);
    REQUIRE(heap_free(heap, six) == HEAP_STATUS_OK);
    void* block = heap_allocate(heap, 4097, 1);
    CHECK(block == six);
    CHECK(heap_block_size(heap, block) == 5120);
    block = heap_allocate(heap, 4097, 1);
    CHECK(heap_block_size(heap, block) == 5120);
  }
  heap_destroy(heap);
}

TEST_CASE("a heap that is full of the smallest blocks has none that is just above the largest class") {
  Heap* heap = compact_heap(HEAP_FREED_RUNS_KEPT);
  while (heap_allocate(heap, 1, 1) != nullptr) continue;
  CHECK(heap_allocate(heap, 4097, 1) == nullptr);
  CHECK(heap_allocate(heap, 4096, 1) == nullptr);
  heap_destroy(heap);
}

TEST_CASE("best fit compares eight free runs of a bin: of more, a longer one may be passed over, until a request would fail") {
  Heap* heap = compact_heap(HEAP_FREED_RUNS_MERGED);
  // Runs of 30 pages and one of 31, the first that is freed, apart from each other; the rest of the heap in use.
  std::vector<void*> freed;
  for (int i = 0; i < 10; ++i) {
    freed.push_back(heap_allocate(heap, i == 0 ? 31 * 1024 : 30 * 1024, 1));
    REQUIRE(heap_allocate(heap, 40 * 1024, 1) != nullptr);
  }
  while (heap_allocate(heap, 1, 1) != nullptr) continue;
  for (int i = 0; i < 10; ++i) {
    REQUIRE(heap_free(heap, freed[static_cast<std::size_t>(i)]) == HEAP_STATUS_OK);
    CHECK(heap_stats(heap).largest_free_bytes == (i < 8 ? 31 : 30) * 1024);
  }
  CHECK(heap_allocate(heap, 30 * 1024, 1) == freed[9]);
  CHECK(heap_allocate(heap, 31 * 1024, 1) == freed[0]);
  CHECK(heap_allocate(heap, 31 * 1024, 1) == nullptr);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  heap_destroy(heap);
}

TEST_CASE("the longest run that a heap tells of is found, although many more are filed when it gives up those that it keeps") {
  Heap* heap = compact_heap(HEAP_FREED_RUNS_KEPT, 2 << 20);
  // Runs of 16 pages and one of 19, the last that is freed, apart from each other; the rest of the heap in use.
  std::vector<void*> freed;
  void* longest = nullptr;
  while (heap_stats(heap).largest_free_bytes > 64 * 1024) {
    if (freed.size() == 20 && longest == nullptr) {
      longest = heap_allocate(heap, 19 * 1024, 1);
    } else {
      freed.push_back(heap_allocate(heap, 16 * 1024, 1));
    }
    REQUIRE(heap_allocate(heap, 9 * 1024, 1) != nullptr);
  }
  for (std::size_t size = 32 * 1024; size > 0; size /= 2) {
    while (heap_allocate(heap, size, 1) != nullptr) continue;
  }
  for (void* block : freed) REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
  REQUIRE(heap_free(heap, longest) == HEAP_STATUS_OK);
  REQUIRE(heap_stats(heap).largest_free_bytes == 19 * 1024);
  const std::uint64_t failed = heap_stats(heap).failed_allocations;
  CHECK(heap_allocate(heap, 18 * 1024, 1) == static_cast<char*>(longest) + 1024);  // cut from the upper end
  CHECK(heap_stats(heap).failed_allocations == failed);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  heap_destroy(heap);
}
