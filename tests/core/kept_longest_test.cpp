// What a request would get while runs are kept.
#include <cstdint>
#include <utility>
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::keeping;

TEST_CASE("what a request would get is known although runs are kept, at every moment of a random run") {
  std::uint32_t random = 1;
  const auto next = [&] { return random = random * 1664525 + 1013904223; };
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{512, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    std::vector<void*> blocks;
    for (int step = 0; step < 3000; ++step) {
      if (next() % 16 < 8 && blocks.size() < 40) {
        if (void* block = heap->allocate((next() >> 8) % (12 * bytes) + 1, 1)) blocks.push_back(block);
      } else if (!blocks.empty()) {
        const std::size_t index = (next() >> 8) % blocks.size();
        REQUIRE(heap->free(blocks[index]) == Status::ok);
        blocks[index] = blocks.back();
        blocks.pop_back();
      }
      const auto largest = static_cast<std::size_t>(heap->stats().largest_free_bytes);
      if (step % 50 == 0) {
        (void)heap->release_kept();
        CHECK(heap->stats().largest_free_bytes == largest);
      }
      REQUIRE(heap->validate());
    }
  }
}

TEST_CASE("what a request would get is known where everything else is in use, whatever is next to what is kept") {
  std::uint32_t random = 1;
  const auto below = [&](std::size_t limit) { return ((random = random * 1664525 + 1013904223) >> 8) % limit; };
  for (int round = 0; round < 600; ++round) {
    CoreHeap heap{192, keeping(round % 2 == 0 ? Preset::compact : Preset::classic)};
    const std::size_t bytes = heap->regions().page_bytes();
    std::vector<std::pair<void*, std::size_t>> blocks;
    const auto take = [&](std::size_t size) {
      void* const block = heap->allocate(size, 1);
      if (block != nullptr) blocks.emplace_back(block, size);
      return block != nullptr;
    };
    while (take(below(4) == 0 ? below(3 * bytes) + 1 : (below(9) + 1) * bytes)) continue;
    while (take(1)) continue;
    for (std::size_t left = blocks.size(); left > blocks.size() / 6; --left) {
      std::swap(blocks[below(left)], blocks[left - 1]);
      auto& [block, size] = blocks[left - 1];
      const std::size_t less = size > 2 * bytes && below(3) == 0 ? size / 2 : size;
      block = heap->reallocate(block, size, 1, less);
      REQUIRE(heap->deallocate(block, less, 1) == Status::ok);
    }
    const auto largest = static_cast<std::size_t>(heap->stats().largest_free_bytes);
    (void)heap->release_kept();
    CHECK(heap->stats().largest_free_bytes == largest);
  }
}
