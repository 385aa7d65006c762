// What a heap is for: blocks of every size and alignment, exact figures, refusals, and nothing lost.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/memory.hpp"
#include "support/model.hpp"
#include "support/picture.hpp"
#include "test_heap.hpp"

using slabheap::test::Memory;
using slabheap::test::picture;
using slabheap::test::TestHeap;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

enum class Order { forward, reverse, random };

/// Allocates until there is no memory, then frees everything.
void fill_and_free(Heap* heap, std::mt19937& random, Order order) {
  struct Block {
    void* address;
    std::size_t size;
  };
  std::vector<Block> blocks;
  for (;;) {
    const std::size_t size = random() % 16 == 0 ? random() % 30000 : std::size_t{1} << random() % 13;
    void* block = heap_allocate(heap, size, 8);
    if (block == nullptr) break;
    blocks.push_back({block, size});
  }
  if (order == Order::reverse) std::reverse(blocks.begin(), blocks.end());
  if (order == Order::random) std::shuffle(blocks.begin(), blocks.end(), random);
  for (const Block& block : blocks) REQUIRE(heap_deallocate(heap, block.address, block.size, 8) == HEAP_STATUS_OK);
}

}  // namespace

TEST_CASE(
    "in 32 KiB every one of the seven classes can be allocated at once, and freeing everything restores the largest block") {
  for (std::size_t misalignment = 0; misalignment < 4096; misalignment += 8) {
    TestHeap heap{32 * kib, HEAP_PRESET_CLASSIC, misalignment};
    const std::size_t largest = heap.stats().largest_free_bytes;
    std::vector<void*> blocks;
    for (std::size_t size = 64; size <= 4096; size *= 2) {
      blocks.push_back(heap_allocate(heap, size, 8));
      REQUIRE(blocks.back() != nullptr);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      REQUIRE(heap_deallocate(heap, blocks[i], std::size_t{64} << i, 8) == HEAP_STATUS_OK);
    }
    CHECK(heap.stats().used_bytes == 0);
    CHECK(heap.stats().largest_free_bytes == largest);
    CHECK(heap_allocate(heap, largest, 8) != nullptr);
  }
}

TEST_CASE("an alignment of 8192 is honoured a thousand times") {
  TestHeap heap{16 * mib};
  for (int i = 0; i < 1000; ++i) {
    void* block = heap_allocate(heap, 100, 8192);
    REQUIRE(block != nullptr);
    REQUIRE(reinterpret_cast<std::uintptr_t>(block) % 8192 == 0);
  }
}

TEST_CASE("every alignment from 1 to 1 MiB is honoured for sizes from 0 to 1 MiB") {
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    TestHeap heap{16 * mib, preset, 40};
    for (std::size_t align = 1; align <= mib; align *= 2) {
      for (std::size_t size = 0; size <= mib; size = size * 3 / 2 + 1) {
        void* block = heap_allocate(heap, size, align);
        REQUIRE(block != nullptr);
        REQUIRE(reinterpret_cast<std::uintptr_t>(block) % align == 0);
        REQUIRE(heap_block_size(heap, block) >= size);
        REQUIRE(heap_deallocate(heap, block, size, align) == HEAP_STATUS_OK);
      }
    }
  }
}

TEST_CASE("a request for 0 bytes gives a distinct block of the smallest class") {
  TestHeap heap{mib};
  void* one = heap_allocate(heap, 0, 1);
  void* other = heap_allocate(heap, 0, 1);
  CHECK(one != nullptr);
  CHECK(one != other);
  CHECK(heap_block_size(heap, one) == 64);
  CHECK(heap_deallocate(heap, one, 0, 1) == HEAP_STATUS_OK);
}

TEST_CASE("slab memory is counted once, and total never exceeds what was given") {
  TestHeap heap{mib};
  const std::size_t total = heap.stats().total_bytes;
  CHECK(total <= mib);
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(heap_allocate(heap, 64, 8));
  CHECK(heap.stats().total_bytes == total);
  CHECK(heap.stats().used_bytes == 6400);
  CHECK(heap.stats().slab_used_bytes == 6400);
  CHECK(heap.stats().slab_total_bytes == 8192);
  CHECK(heap.stats().buddy_total_bytes == total - 8192);
  CHECK(heap.stats().buddy_used_bytes == 0);
  CHECK(heap.stats().available_bytes == total - 6400);
}

TEST_CASE("metadata is at most 1 % of a classic heap of 1 MiB") {
  for (std::size_t misalignment = 0; misalignment < 4096; misalignment += 56) {
    TestHeap heap{mib, HEAP_PRESET_CLASSIC, misalignment};
    CHECK(heap.stats().metadata_bytes * 100 <= mib);
    CHECK(heap.stats().total_bytes + heap.stats().metadata_bytes >= mib - 2 * 4096);
  }
}

TEST_CASE("used metadata grows with the pages handed out so far, by what a page costs, and never shrinks") {
  TestHeap heap{mib, HEAP_PRESET_COMPACT};
  const HeapStats fresh = heap.stats();
  CHECK(fresh.used_metadata_bytes < fresh.metadata_bytes);
  void* block = heap_allocate(heap, 10 * std::size_t{1024}, 8);
  REQUIRE(block != nullptr);
  const std::size_t grown = heap.stats().used_metadata_bytes - fresh.used_metadata_bytes;
  const std::size_t page_metadata = grown / 10;
  CHECK(grown == 10 * page_metadata);
  CHECK(fresh.metadata_bytes - fresh.used_metadata_bytes == fresh.total_bytes / 1024 * page_metadata);
  CHECK(heap_free(heap, block) == HEAP_STATUS_OK);
  CHECK(heap.stats().used_metadata_bytes == fresh.used_metadata_bytes + grown);
  void* all = heap_allocate(heap, heap.stats().largest_free_bytes, 8);
  CHECK(heap.stats().used_metadata_bytes > fresh.used_metadata_bytes + grown);
  CHECK(heap_free(heap, all) == HEAP_STATUS_OK);
}

TEST_CASE("no class can hoard: each can grow by a 128th of the heap at once") {
  TestHeap heap{mib};
  for (std::size_t size = 64; size <= 4096; size *= 2) {
    const std::size_t before = heap.stats().slab_total_bytes;
    REQUIRE(heap_allocate(heap, size, 8) != nullptr);
    CHECK(heap.stats().slab_total_bytes - before <= mib / 128);
  }
}

TEST_CASE("a double free hands nothing out twice") {
  TestHeap heap{mib};
  for (std::size_t size = 1; size <= 100000; size *= 3) {
    void* block = heap_allocate(heap, size, 1);
    REQUIRE(heap_deallocate(heap, block, size, 1) == HEAP_STATUS_OK);
    CHECK(heap_deallocate(heap, block, size, 1) == HEAP_STATUS_NOT_ALLOCATED);
    CHECK(heap_allocate(heap, size, 1) != heap_allocate(heap, size, 1));
  }
}

TEST_CASE("a wrong free is refused with its own status, and nothing has changed") {
  slabheap::test::Setup setup;
  setup.regions = {mib, 64 * kib};
  slabheap::test::Model model{setup};
  REQUIRE(model.add_region());
  const std::uintptr_t small = model.allocate(100, 8);
  const std::uintptr_t large = model.allocate(20000, 8);
  const std::uintptr_t freed = model.allocate(100, 8);
  model.deallocate(freed);
  const auto pointer = [](std::uintptr_t address) { return reinterpret_cast<void*>(address); };
  int local = 0;
  model.refuse(&local, HEAP_STATUS_NOT_OWNED);
  model.refuse(pointer(freed), HEAP_STATUS_NOT_ALLOCATED);
  model.refuse(pointer(freed), 100, 8, HEAP_STATUS_NOT_ALLOCATED);
  model.refuse(pointer(small + 1), HEAP_STATUS_MISALIGNED);
  model.refuse(pointer(small + 64), 100, 8, HEAP_STATUS_MISALIGNED);
  model.refuse(pointer(large + 64), HEAP_STATUS_MISALIGNED);
  model.refuse(pointer(large + 4096), 20000, 8, HEAP_STATUS_MISALIGNED);
  model.refuse(pointer(small), 64, 8, HEAP_STATUS_WRONG_LAYOUT);
  model.refuse(pointer(small), 129, 8, HEAP_STATUS_WRONG_LAYOUT);
  model.refuse(pointer(small), 100, 256, HEAP_STATUS_WRONG_LAYOUT);
  model.refuse(pointer(small), 5000, 8, HEAP_STATUS_WRONG_LAYOUT);
  model.refuse(pointer(large), 100, 8, HEAP_STATUS_WRONG_LAYOUT);
  model.refuse(pointer(large), 30000, 8, HEAP_STATUS_WRONG_LAYOUT);
  model.refuse(pointer(small), 100, 3, HEAP_STATUS_INVALID_ARGUMENT);
  model.refuse(pointer(small), 100, 0, HEAP_STATUS_INVALID_ARGUMENT);
  model.refuse(model.heap(), HEAP_STATUS_NOT_ALLOCATED);  // metadata
}

TEST_CASE("a reallocation of what is no block is refused, and counts") {
  TestHeap heap{mib};
  void* block = heap_allocate(heap, 100, 8);
  CHECK(heap_reallocate(heap, static_cast<char*>(block) + 8, 100, 8, 200) == nullptr);
  CHECK(heap_reallocate(heap, block, 300, 8, 200) == nullptr);
  CHECK(heap_reallocate(heap, block, 100, 5, 200) == nullptr);
  CHECK(heap.stats().rejected_frees == 3);
  CHECK(heap_reallocate(heap, block, 100, 8, ~std::size_t{0}) == nullptr);
  CHECK(heap_reallocate(heap, nullptr, 0, 8, 10) != nullptr);
  CHECK(heap.stats().rejected_frees == 3);
  CHECK(heap.stats().live_blocks == 2);
}

TEST_CASE("NULL is freed without effect") {
  TestHeap heap{mib};
  CHECK(heap_free(heap, nullptr) == HEAP_STATUS_OK);
  CHECK(heap_deallocate(heap, nullptr, 10, 3) == HEAP_STATUS_OK);
  CHECK(heap.stats().rejected_frees == 0);
  CHECK(heap.stats().deallocations == 0);
}

TEST_CASE("a block is reallocated in place within its class") {
  TestHeap heap{mib};
  void* block = heap_allocate(heap, 65, 8);
  for (const std::size_t size : {128U, 66U, 100U}) {
    CHECK(heap_reallocate(heap, block, 65, 8, size) == block);
  }
  CHECK(heap.stats().allocations == 1);
  CHECK(heap_deallocate(heap, block, 65, 8) == HEAP_STATUS_OK);
}

TEST_CASE("zeroed memory is zero, whatever it held before") {
  TestHeap heap{mib};
  for (const std::size_t size : {1U, 100U, 4096U, 50000U}) {
    void* block = heap_allocate(heap, size, 8);
    std::memset(block, 0xff, size);
    REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
    auto* zeroed = static_cast<unsigned char*>(heap_allocate_zeroed(heap, size, 8));
    CHECK(zeroed != nullptr);
    CHECK(std::count(zeroed, zeroed + size, 0) == static_cast<std::ptrdiff_t>(size));
  }
}

TEST_CASE("fill, free in forward, reverse and random order, and the heap is one piece again, a thousand rounds") {
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    TestHeap heap{256 * kib, preset, 100};
    const std::size_t page_bytes = preset == HEAP_PRESET_CLASSIC ? 4096 : 1024;
    const std::string start = picture(heap, page_bytes);
    const std::size_t largest = heap.stats().largest_free_bytes;
    std::mt19937 random{1};
    for (int round = 0; round < 1000; ++round) {
      fill_and_free(heap, random, static_cast<Order>(round % 3));
      REQUIRE(heap.stats().used_bytes == 0);
      REQUIRE(heap.stats().largest_free_bytes == largest);
      if (round % 10 == 0) {
        (void)heap_trim(heap);
        REQUIRE(picture(heap, page_bytes) == start);
      }
    }
  }
}

TEST_CASE("the largest free block can be allocated, and nothing larger") {
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    TestHeap heap{512 * kib, preset, 2000};
    std::mt19937 random{5};
    std::vector<void*> blocks;
    for (int step = 0; step < 2000; ++step) {
      if (random() % 3 != 0) {
        if (void* block = heap_allocate(heap, random() % 6000, 8)) blocks.push_back(block);
      } else if (!blocks.empty()) {
        std::swap(blocks[random() % blocks.size()], blocks.back());
        REQUIRE(heap_free(heap, blocks.back()) == HEAP_STATUS_OK);
        blocks.pop_back();
      }
      const std::size_t largest = heap.stats().largest_free_bytes;
      if (largest <= 4096) continue;  // a set may have a block
      REQUIRE(heap_allocate(heap, largest + 1, 1) == nullptr);
      void* block = heap_allocate(heap, largest, 1);
      REQUIRE(block != nullptr);
      REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
    }
  }
}

TEST_CASE("a request whose block would hold no more than the longest free run gets one, whatever the classes and pages") {
  const std::size_t odd[] = {9, 24, 100, 333, 1000, 3000, 5001, 20000};
  std::size_t refused = 0;
  for (const bool is_odd : {false, true}) {
    for (const HeapPageLayer pages : {HEAP_PAGE_LAYER_BUDDY, HEAP_PAGE_LAYER_BEST_FIT}) {
      const Memory memory{64 * kib};
      HeapOptions options = heap_options_default();
      options.memory = memory.start();
      options.bytes = memory.bytes();
      options.page_bytes = 512;
      options.pages = pages;
      if (is_odd) options.classes = odd;
      if (is_odd) options.class_count = std::size(odd);
      Heap* heap = nullptr;
      REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
      std::mt19937 random{2};
      for (int step = 0; step < 3000; ++step) {
        const std::size_t size = random() % 4000;
        const std::size_t longest = heap_stats(heap).largest_free_bytes;
        void* block = heap_allocate(heap, size, 1);
        if (block != nullptr && random() % 2 != 0) REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
        if (block != nullptr) continue;
        REQUIRE(heap_usable_size(heap, size, 1).max > longest);
        if (size <= longest) ++refused;  // its class has blocks longer than the run
        if (step % 64 == 0) REQUIRE(heap_reset(heap) == HEAP_STATUS_OK);
      }
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("a reset frees every block and keeps the heap") {
  TestHeap heap{mib};
  const std::string start = picture(heap);
  std::vector<void*> blocks;
  for (std::size_t size = 1; size < 30000; size = size * 5 / 4 + 1) blocks.push_back(heap_allocate(heap, size, 8));
  CHECK(heap_reset(heap) == HEAP_STATUS_OK);
  CHECK(picture(heap) == start);
  CHECK(heap.stats().live_blocks == 0);
  CHECK(heap.stats().used_bytes == 0);
  CHECK(heap.stats().deallocations == heap.stats().allocations);
  for (void* block : blocks) CHECK(heap_free(heap, block) == HEAP_STATUS_NOT_ALLOCATED);
  CHECK(heap_allocate(heap, 100, 8) != nullptr);
}

TEST_CASE("a visit sees every live block in order of address, until it is told to stop") {
  TestHeap heap{mib};
  std::vector<void*> blocks;
  for (const std::size_t size : {64U, 64U, 5000U, 2000U}) blocks.push_back(heap_allocate(heap, size, 8));
  std::sort(blocks.begin(), blocks.end());
  std::vector<void*> seen;
  const HeapVisitor collect = [](void* context, void* block, size_t) {
    static_cast<std::vector<void*>*>(context)->push_back(block);
    return static_cast<std::vector<void*>*>(context)->size() < 4;
  };
  CHECK(heap_visit(heap, collect, &seen) == HEAP_STATUS_OK);
  CHECK(seen == blocks);
  std::size_t count = 0;
  const HeapVisitor stop = [](void* context, void*, size_t) { return ++*static_cast<std::size_t*>(context) < 2; };
  CHECK(heap_visit(heap, stop, &count) == HEAP_STATUS_OK);
  CHECK(count == 2);
}

TEST_CASE("the statistics of a class are those of its sets") {
  TestHeap heap{mib};
  std::vector<void*> blocks;
  for (int i = 0; i < 130; ++i) blocks.push_back(heap_allocate(heap, 64, 8));
  REQUIRE(heap_free(heap, blocks[3]) == HEAP_STATUS_OK);
  HeapClassStats stats{};
  REQUIRE(heap_class_count(heap) == 7);
  REQUIRE(heap_class_stats(heap, 0, &stats) == HEAP_STATUS_OK);
  CHECK(stats.block_size == 64);
  CHECK(stats.total_blocks == 192);
  CHECK(stats.used_blocks == 129);
  CHECK(stats.sets == 3);
  CHECK(stats.partial_sets == 2);
  CHECK(stats.allocations == 130);
  CHECK(stats.deallocations == 1);
  CHECK(heap_class_stats(heap, 7, &stats) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(stats.block_size == 64);
}

TEST_CASE("no byte of free memory is ever read: overwriting it changes nothing") {
  TestHeap heap{mib};
  std::mt19937 random{3};
  fill_and_free(heap, random, Order::random);
  const HeapRunVisitor overwrite = [](void*, const HeapRun* run) {
    if (run->used == 0) std::memset(run->start, 0xee, run->bytes);
    return true;
  };
  REQUIRE(heap_visit_runs(heap, overwrite, nullptr) == HEAP_STATUS_OK);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  fill_and_free(heap, random, Order::random);
}
