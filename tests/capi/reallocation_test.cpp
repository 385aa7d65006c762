// What a reallocation does before it fails.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>

#include "slabheap/slabheap.h"
#include "test_heap.hpp"

using slabheap::test::TestHeap;

namespace {

/// A large block, and behind it a set that is empty but kept back; nothing else in the heap is free. Returns the block.
void* before_a_kept_set(Heap* heap, std::size_t page_bytes) {
  void* block = heap_allocate(heap, 2 * 4096, 8);
  const auto* end = static_cast<unsigned char*>(block) + std::size_t{2} * 4096;
  REQUIRE(heap_allocate(heap, 64, 8) == end);
  for (std::size_t size = 1 << 16; size > 0; size /= 2) {
    while (heap_allocate(heap, size, 8) != nullptr) continue;
  }
  for (const auto* at = end; at < end + page_bytes; at += 64)
    REQUIRE(heap_free(heap, const_cast<unsigned char*>(at)) == HEAP_STATUS_OK);
  REQUIRE(heap_stats(heap).largest_free_bytes == page_bytes);
  return block;
}

bool count_and_give_up(void* context, Heap* /*heap*/, std::size_t /*size*/, std::size_t /*align*/) {
  ++*static_cast<int*>(context);
  return false;
}

}  // namespace

TEST_CASE("a large block grows into the set behind it that was kept back, and nobody is asked for memory") {
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    HeapOptions options = heap_options_default();
    options.preset = preset;
    options.set_blocks = 16;
    int asked = 0;
    options.out_of_memory = count_and_give_up;
    options.context = &asked;
    const TestHeap heap{1 << 20, options};
    const std::size_t page_bytes = preset == HEAP_PRESET_CLASSIC ? 4096 : 1024;
    void* block = before_a_kept_set(heap, page_bytes);
    std::memset(block, 5, 2 * 4096);
    const std::uint64_t failed = heap.stats().failed_allocations;
    const int asked_before = asked;
    CHECK(heap_reallocate(heap, block, 2 * 4096, 8, 2 * 4096 + page_bytes) == block);
    CHECK(heap.stats().failed_allocations == failed);
    CHECK(asked == asked_before);
    CHECK(static_cast<unsigned char*>(block)[2 * 4096 - 1] == 5);
    CHECK(heap_deallocate(heap, block, 2 * 4096 + page_bytes, 8) == HEAP_STATUS_OK);
  }
}

TEST_CASE("a block stays where its class is that of the new size, too, although blocks of a smaller class hold it") {
  const std::size_t classes[] = {40, 64};  // of which the first are not aligned to 16
  HeapOptions options = heap_options_default();
  options.classes = classes;
  options.class_count = 2;
  const TestHeap heap{1 << 20, options};
  REQUIRE(heap_usable_size(heap, 30, 16).max == 64);
  void* elsewhere = heap_allocate(heap, 64, 16);
  void* last = elsewhere;
  for (void* block = last; block != nullptr; block = heap_allocate(heap, 64, 16)) last = block;
  const HeapStats before = heap.stats();
  for (void* block : {last, elsewhere}) {  // first in the recent set, then in another
    CHECK(heap_reallocate(heap, block, 64, 16, 30) == block);
    CHECK(heap_reallocate(heap, block, 30, 16, 0) == block);
    CHECK(heap_reallocate(heap, block, 0, 16, 64) == block);
  }
  CHECK(heap.stats().allocations == before.allocations);
  CHECK(heap.stats().failed_allocations == before.failed_allocations);
}

TEST_CASE("a reallocation to more than half of the address space is refused, wherever the block is") {
  const TestHeap heap{1 << 20};
  for (const std::size_t size : {std::size_t{100}, std::size_t{5000}}) {
    void* block = heap_allocate(heap, size, 8);
    for (const std::size_t new_size : {SIZE_MAX / 2 + 1, SIZE_MAX})
      CHECK(heap_reallocate(heap, block, size, 8, new_size) == nullptr);
    CHECK(heap_deallocate(heap, block, size, 8) == HEAP_STATUS_OK);
  }
}

#if SIZE_MAX <= 0xffffffff && defined(SLABHEAP_OS)
TEST_CASE("a block that could grow beyond half of the address space where it is does not") {
  Heap* heap = heap_new(nullptr, 0xa000'0000);
  REQUIRE(heap != nullptr);
  void* block = heap_allocate(heap, 0x2000'0000, 4096);
  REQUIRE(block != nullptr);
  CHECK(heap_reallocate(heap, block, 0x2000'0000, 4096, 0x9000'0000) == nullptr);
  CHECK(heap_reallocate(heap, block, 0x2000'0000, 4096, 0x7fff'f000) == block);
  CHECK(heap_block_size(heap, block) == 0x7fff'f000);
  heap_destroy(heap);
}
#endif
