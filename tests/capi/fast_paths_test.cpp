// What the fast paths may not take for their own. They are inlined where the C interface is: tests of the core do not reach
// these.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/memory.hpp"
#include "test_heap.hpp"

using slabheap::test::Memory;
using slabheap::test::TestHeap;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

/// Both calls that free a block.
enum class Call { free, deallocate };

HeapStatus free_by(Call call, Heap* heap, void* block, std::size_t size, std::size_t align = 1) {
  return call == Call::free ? heap_free(heap, block) : heap_deallocate(heap, block, size, align);
}

std::vector<void*> allocate(Heap* heap, std::size_t count, std::size_t size) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < count; ++i) {
    blocks.push_back(heap_allocate(heap, size, 1));
    REQUIRE(blocks.back() != nullptr);
  }
  return blocks;
}

/// Every live block, in order of address.
std::vector<void*> live_blocks(const Heap* heap) {
  std::vector<void*> blocks;
  const HeapVisitor collect = [](void* context, void* block, size_t) {
    static_cast<std::vector<void*>*>(context)->push_back(block);
    return true;
  };
  REQUIRE(heap_visit(heap, collect, &blocks) == HEAP_STATUS_OK);
  return blocks;
}

}  // namespace

TEST_CASE("a block of a full set is freed with its size, whatever that is") {
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    TestHeap heap{4 * mib, preset};
    for (std::size_t size = 0; size <= 4096; ++size) {
      const std::vector<void*> blocks = allocate(heap, 64 + 1, size);  // the first set is full
      REQUIRE(heap_deallocate(heap, blocks[0], size, 1) == HEAP_STATUS_OK);
      REQUIRE(heap_deallocate(heap, blocks[0], size, 1) == HEAP_STATUS_NOT_ALLOCATED);
      for (std::size_t i = 1; i < blocks.size(); ++i) REQUIRE(heap_deallocate(heap, blocks[i], size, 1) == HEAP_STATUS_OK);
      REQUIRE(heap.stats().used_bytes == 0);
      REQUIRE(heap_reset(heap) == HEAP_STATUS_OK);  // or the next would begin with the set that is kept back, and not fill it
    }
  }
}

TEST_CASE("a set that is emptied while another has a free block goes back, by either call") {
  for (const Call call : {Call::free, Call::deallocate}) {
    TestHeap heap{mib};
    const std::vector<void*> blocks = allocate(heap, 64 + 1, 64);
    const auto sets = [&] {
      HeapClassStats stats{};
      REQUIRE(heap_class_stats(heap, 0, &stats) == HEAP_STATUS_OK);
      return stats.sets;
    };
    REQUIRE(free_by(call, heap, blocks[64], 64) == HEAP_STATUS_OK);
    CHECK(sets() == 2);  // the other is full
    REQUIRE(free_by(call, heap, blocks[0], 64) == HEAP_STATUS_OK);
    void* const last = heap_allocate(heap, 64, 1);
    CHECK(sets() == 2);
    REQUIRE(free_by(call, heap, last, 64) == HEAP_STATUS_OK);
    CHECK(sets() == 1);
    CHECK(heap.stats().slab_total_bytes == 4096);
    CHECK(live_blocks(heap) == std::vector<void*>(blocks.begin() + 1, blocks.begin() + 64));
  }
}

TEST_CASE("where the recent set was, only what is a block now is freed") {
  struct Request {
    std::size_t size;
    std::size_t align;
  };
  for (const Call call : {Call::free, Call::deallocate}) {
    // Runs of pages; and sets that are carved on the way of a request whose alignment sends it to a larger class.
    for (const Request request : {Request{32 * kib, 1}, {12 * kib, 1}, {1, 128}, {1, 512}, {1, 4096}}) {
      CAPTURE(request.size);
      CAPTURE(request.align);
      TestHeap heap{8 * mib};
      const std::vector<void*> blocks = allocate(heap, 64 + 1, 512);
      for (std::size_t i = 0; i < 64; ++i) REQUIRE(free_by(call, heap, blocks[i], 512) == HEAP_STATUS_OK);
      CHECK(heap.stats().slab_total_bytes == 64 * kib);  // the set waits, empty, until the memory is wanted
      while (heap_allocate(heap, request.size, request.align) != nullptr) {
      }
      const std::vector<void*> live = live_blocks(heap);
      std::vector<void*> found;
      for (std::size_t at = 0; at < 32 * kib; at += 16) {
        void* const pointer = static_cast<char*>(blocks[0]) + at;
        if (std::find(live.begin(), live.end(), pointer) != live.end()) {
          found.push_back(pointer);
        } else {
          REQUIRE(free_by(call, heap, pointer, request.size, request.align) != HEAP_STATUS_OK);
        }
      }
      CHECK(live_blocks(heap) == live);
      CHECK(!found.empty());
      for (void* block : found) REQUIRE(free_by(call, heap, block, request.size, request.align) == HEAP_STATUS_OK);
      CHECK(live_blocks(heap).size() == live.size() - found.size());
      CHECK(heap_check(heap) == HEAP_STATUS_OK);
    }
  }
}

TEST_CASE("where the pages of a region begin at the end of another's, the first set there is emptied as any other") {
  constexpr std::size_t first_bytes = 256 * kib;
  const Memory memory{4 * mib};
  char* const second = static_cast<char*>(memory.start()) + first_bytes;
  std::size_t touching = 0;
  for (std::size_t less = 0; less < 4096; less += 256) {
    HeapOptions options = heap_options_default();
    options.memory = memory.start();
    options.bytes = first_bytes;
    options.pages = HEAP_PAGE_LAYER_BEST_FIT;
    options.freed_runs = HEAP_FREED_RUNS_MERGED;
    Heap* heap = nullptr;
    REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
    const std::vector<void*> blocks = allocate(heap, 64, 64);
    while (heap_allocate(heap, 4096, 1) != nullptr) {
    }
    REQUIRE(heap_add_memory(heap, second, memory.bytes() - first_bytes - less) == HEAP_STATUS_OK);
    REQUIRE(heap_free(heap, blocks.back()) == HEAP_STATUS_OK);
    // Roomy as the heap is now, the one free block is kept back, and a set is carved.
    void* const block = heap_allocate(heap, 64, 1);
    touching += block == second ? 1 : 0;
    REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    CHECK(heap_allocate(heap, 64, 1) == blocks.back());
    heap_destroy(heap);
  }
  CHECK(touching != 0);
}

TEST_CASE("of regions by turns, the block that is freed is the one that was meant") {
  const Memory second{mib};
  for (const Call call : {Call::free, Call::deallocate}) {
    TestHeap heap{mib};
    std::vector<void*> blocks = allocate(heap, 64 * 8, 512);
    REQUIRE(heap_add_memory(heap, second.start(), second.bytes()) == HEAP_STATUS_OK);
    while (void* const block = heap_allocate(heap, 512, 1)) blocks.push_back(block);
    std::vector<void*> live = live_blocks(heap);
    REQUIRE(heap.stats().region_count == 2);
    for (std::size_t i = 0; i < blocks.size() / 2; ++i) {
      for (void* const block : {blocks[i], blocks[blocks.size() - 1 - i]}) {
        REQUIRE(free_by(call, heap, block, 512) == HEAP_STATUS_OK);
        REQUIRE(heap_block_size(heap, block) == 0);
        REQUIRE(heap.stats().live_blocks == blocks.size() - 2 * i - (block == blocks[i] ? 1 : 2));
      }
      if (i % 64 == 0) REQUIRE(heap_check(heap) == HEAP_STATUS_OK);
    }
  }
}

TEST_CASE("of a set that begins at any page, the block that is freed is the one that was meant") {
  for (const Call call : {Call::free, Call::deallocate}) {
    for (std::size_t pages_before = 1; pages_before <= 5; ++pages_before) {
      // All of the set, which is the recent one from the first free on; or all but a block, and another set is the recent one.
      for (const std::size_t count : {std::size_t{64}, std::size_t{63}}) {
        HeapOptions options = heap_options_default();
        options.pages = HEAP_PAGE_LAYER_BEST_FIT;
        TestHeap heap{8 * mib, options};
        // A set of one page, or a large block: cut from the lower end of the heap, like the set of eight pages behind it.
        REQUIRE(heap_allocate(heap, pages_before == 1 ? 1 : pages_before * 4096, 1) != nullptr);
        const std::vector<void*> blocks = allocate(heap, count, 512);
        REQUIRE(heap_allocate(heap, 1024, 1) != nullptr);
        std::vector<void*> live = live_blocks(heap);
        REQUIRE(live.size() == count + 2);
        for (void* block : blocks) {
          REQUIRE(free_by(call, heap, block, 512) == HEAP_STATUS_OK);
          live.erase(std::find(live.begin(), live.end(), block));
          REQUIRE(live_blocks(heap) == live);
        }
      }
    }
  }
}

TEST_CASE("a page that is a block for the sake of its alignment is not freed with the layout of a class") {
  TestHeap heap{mib};
  void* const block = heap_allocate(heap, 4096, 8192);
  CHECK(heap_deallocate(heap, block, 4096, 1) == HEAP_STATUS_WRONG_LAYOUT);
  CHECK(heap_deallocate(heap, block, 4096, 4096) == HEAP_STATUS_WRONG_LAYOUT);
  CHECK(live_blocks(heap) == std::vector<void*>{block});
  CHECK(heap_deallocate(heap, block, 4096, 8192) == HEAP_STATUS_OK);
}

TEST_CASE("whatever was in a heap's memory before, a request gets a block that holds it") {
  const Memory memory{64 * kib};
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    for (int byte = 0; byte < 256; ++byte) {
      std::memset(memory.start(), byte, memory.bytes());
      HeapOptions options = heap_options_default();
      options.preset = preset;
      options.memory = memory.start();
      options.bytes = memory.bytes();
      Heap* heap = nullptr;
      REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
      for (const std::size_t size : {0U, 1U, 20U, 64U, 65U, 1000U, 4096U, 4097U}) {
        CAPTURE(size);
        CHECK(heap_block_size(heap, heap_allocate(heap, size, 1)) == heap_usable_size(heap, size, 1).max);
      }
      heap_destroy(heap);
    }
  }
}

TEST_CASE("blocks of a class are told apart, whatever its size") {
  for (std::size_t first = 8; first < 1000; first += 128) {
    std::vector<std::size_t> classes(128);
    std::iota(classes.begin(), classes.end(), first);
    HeapOptions options = heap_options_default();
    options.classes = classes.data();
    options.class_count = classes.size();
    for (const Call call : {Call::free, Call::deallocate}) {
      TestHeap heap{2 * mib, options};
      for (const std::size_t size : classes) {
        for (void* block : allocate(heap, 7, size)) REQUIRE(free_by(call, heap, block, size) == HEAP_STATUS_OK);
      }
      CHECK(live_blocks(heap).empty());
    }
  }
}
