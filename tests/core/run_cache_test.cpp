#include "slabheap/core/run_cache.hpp"

#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::keeping;
using slabheap::test::with_each_bit_flipped;

namespace {

constexpr std::size_t page = 4096;

/// Four blocks of five pages, of which all but the last are freed, and kept.
std::vector<void*> keep_three_of_four(CoreHeap& heap) {
  std::vector<void*> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(heap->allocate(5 * heap->regions().page_bytes(), 1));
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  return blocks;
}

}  // namespace

TEST_CASE("a freed run is handed out again to the next request of as many pages, the last one first") {
  CoreHeap heap{256, keeping()};
  void* blocks[3];
  for (void*& block : blocks) block = heap->allocate(5 * page, 1);
  for (void* block : blocks) REQUIRE(heap->deallocate(block, 5 * page, 1) == Status::ok);
  CHECK(heap.picture() == "[free 5] [free 1] [free 2] [free 5] [free 1] [free 2] [free 5] [free 235]");
  CHECK(heap->stats().used_bytes == 0);
  CHECK(heap->stats().largest_free_bytes == 256 * page);
  for (int i = 2; i >= 0; --i) CHECK(heap->allocate(4 * page + 1, 1) == blocks[i]);
  CHECK(heap.picture() == "[large 5] [free 1] [free 2] [large 5] [free 1] [free 2] [large 5] [free 235]");
}

TEST_CASE("a freed run is kept whatever multiple of its length it begins at") {
  for (const std::size_t count : {2U, 4U, 8U}) {
    CoreHeap heap{256, keeping()};
    std::vector<void*> blocks;
    for (int i = 0; i < 4; ++i) blocks.push_back(heap->allocate(count * page, 1));
    for (void* block : blocks) REQUIRE(heap->free(block) == Status::ok);
    for (std::size_t i = 4; i-- > 0;) CHECK(heap->allocate(count * page, 1) == blocks[i]);
  }
}

TEST_CASE("a run is kept that takes all of the room, a third of the heap, and none that takes more") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    for (const std::size_t count : {52U, 53U, 54U}) {
      CoreHeap heap{160, keeping(preset)};
      void* const block = heap->allocate(count * heap->regions().page_bytes(), 1);
      REQUIRE(heap->free(block) == Status::ok);
      CHECK(heap->pages().cache().has(count) == (count < 54));
    }
  }
}

TEST_CASE("a run that is kept serves no request of another length, and none without a valid alignment") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{256, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    for (const std::size_t count : {5U, 6U, 7U}) {
      void* const kept = heap->allocate(count * bytes, 1);
      REQUIRE(heap->free(kept) == Status::ok);
      for (const std::size_t align : {std::size_t{0}, std::size_t{3}, std::size_t{5}, std::size_t{24}, ~std::size_t{0}}) {
        CHECK(heap->allocate(count * bytes, align) == nullptr);
      }
      for (const std::size_t size : {(count - 1) * bytes, count * bytes + 1}) {
        void* const block = heap->allocate(size, 1);
        CHECK(block != kept);
        CHECK(heap->block_size(block) == round_up(size, bytes));
        CHECK(heap->deallocate(block, size, 1) == Status::ok);
      }
      void* const again = heap->allocate(count * bytes, 2);
      CHECK(again == kept);
      CHECK(heap->deallocate(again, count * bytes, 2) == Status::ok);
    }
    CHECK(heap->validate());
  }
}

TEST_CASE("a cache has runs of 1 to 64 pages, and of no other length, whatever else it has") {
  CoreHeap heap{4096, keeping()};
  void* const block = heap->allocate(3 * page, 1);
  void* const longest = heap->allocate(64 * page, 1);
  REQUIRE(heap->reallocate(block, 3 * page, 1, 2 * page) == block);
  REQUIRE(heap->free(longest) == Status::ok);
  const RunCache& cache = heap->pages().cache();
  for (std::size_t count = 0; count <= 256; ++count) CHECK(cache.has(count) == (count == 1 || count == 64));
  CHECK_FALSE(cache.has(~std::size_t{0}));
  CHECK(heap->allocate(65 * page, 1) != longest);
  CHECK(heap->allocate(64 * page, 1) == longest);
}

TEST_CASE("a kept run is free: it is refused like any other, and counts as none of the blocks") {
  CoreHeap heap{256, keeping()};
  auto* block = static_cast<char*>(heap->allocate(5 * page, 1));
  REQUIRE(heap->free(block) == Status::ok);
  CHECK(heap->free(block) == Status::not_allocated);
  CHECK(heap->deallocate(block, 5 * page, 1) == Status::not_allocated);
  CHECK(heap->free(block + page) == Status::not_allocated);
  CHECK(heap->block_size(block) == 0);
  CHECK(heap->reallocate(block, 5 * page, 1, 6 * page) == nullptr);
  CHECK(heap->stats().rejected_frees == 4);
  CHECK(heap->stats().live_blocks == 0);
}

TEST_CASE("runs that are kept are given up before a request fails, and when a block grows into them") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{64, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    std::vector<void*> blocks;
    for (int i = 0; i < 8; ++i) blocks.push_back(heap->allocate(6 * bytes, 1));
    for (void* block : blocks) REQUIRE(heap->free(block) == Status::ok);
    void* all = heap->allocate(64 * bytes, 1);
    CHECK(all != nullptr);
    REQUIRE(heap->free(all) == Status::ok);
    auto* first = static_cast<char*>(heap->allocate(8 * bytes, 1));
    void* second = heap->allocate(8 * bytes, 1);
    REQUIRE(heap->free(second) == Status::ok);
    if (second == first + 8 * bytes) CHECK(heap->reallocate(first, 8 * bytes, 1, 12 * bytes) == first);
    CHECK(heap->validate());
  }
}

TEST_CASE("either layer: pages for which only kept runs together have room are there at once") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{64, keeping(preset)};
    std::vector<void*> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(heap->allocate(8 * heap->regions().page_bytes(), 1));
    for (void* block : blocks) REQUIRE(heap->free(block) == Status::ok);
    REQUIRE(heap->pages().cache().has(8));
    auto& pages = const_cast<PageAllocator&>(heap->pages());
    const PageNumber head = pages.take({64}, {1});
    CHECK(head == heap->regions().by_address(0).first);
    if (head != no_page) pages.give({head, {64}});
    CHECK(heap->validate());
  }
}

TEST_CASE("a heap of which half is in use keeps no runs") {
  CoreHeap heap{64, keeping()};
  REQUIRE(heap->allocate(32 * page, 1) != nullptr);
  void* block = heap->allocate(4 * page, 1);
  REQUIRE(heap->free(block) == Status::ok);
  CHECK(heap.picture() == "[large 32] [free 32]");
}

TEST_CASE("kept runs are left alone while half of the heap is free, and merged when more is asked for after that") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{256, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    void* const block = heap->allocate(5 * bytes, 1);
    void* const guard = heap->allocate(5 * bytes, 1);
    REQUIRE(heap->free(block) == Status::ok);
    REQUIRE(heap->allocate(7 * bytes, 1) != nullptr);
    CHECK(heap->pages().cache().has(5));
    REQUIRE(heap->allocate(116 * bytes, 1) != nullptr);  // half, now
    CHECK(heap->pages().cache().has(5));
    REQUIRE(heap->allocate(7 * bytes, 1) != nullptr);
    CHECK(heap->pages().cache().empty());
    CHECK(heap->free(guard) == Status::ok);
    CHECK(heap->pages().cache().empty());
    CHECK(heap->validate());
  }
}

TEST_CASE("a request that the current set serves, as blocks of it were freed, makes the heap give up nothing") {
  CoreHeap heap{256, keeping()};
  keep_three_of_four(heap);
  std::vector<void*> blocks{heap->allocate(64, 1)};
  const std::size_t count = heap->regions().page(heap->slab(0).current()).block_count;
  while (blocks.size() < count) blocks.push_back(heap->allocate(64, 1));
  for (std::size_t i = 1; i < count; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  for (std::size_t i = 1; i < count; ++i) blocks[i] = heap->allocate(64, 1);
  CHECK(heap->pages().cache().has(5));
  REQUIRE(heap->allocate(128 * page, 1) != nullptr);  // half, now: no set is carved while the current one has a block
  REQUIRE(heap->free(blocks[1]) == Status::ok);
  CHECK(heap->allocate(64, 1) == blocks[1]);
  CHECK(heap->pages().cache().has(5));
}

TEST_CASE("a kept run that is not what it says, or is not kept where it should be, is noticed") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{256, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    const std::vector<void*> blocks = keep_three_of_four(heap);
    REQUIRE(heap->validate());
    const Region& region = heap->regions().by_address(0);
    const auto number_of = [&](const void* block) {
      return region.first + Pages{static_cast<std::uint32_t>((reinterpret_cast<Address>(block) - region.pages_start) / bytes)};
    };
    Page& page = region.page(number_of(blocks[1]));
    REQUIRE(page.kind == PageKind::kept_run);
    const Page before = page;
    std::vector<Page> others(6, before);
    others[0].kind = PageKind::large;
    others[1].kind = PageKind::free_run;
    others[2].word = 4;
    others[3].next = number_of(blocks[1]);
    others[4].next = number_of(blocks[3]);
    others[5].next = {region.end().value + 12345};
    for (const Page& other : others) {
      page = other;
      CHECK_FALSE(heap->validate());
    }
    page = before;
    page.next = no_page;  // one is lost
    CHECK_FALSE(heap->validate());
    page = before;
    CHECK(heap->validate());
  }
}

TEST_CASE("no more than 512 runs are kept, whatever the room") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{8192, keeping(preset)};
    const std::size_t bytes = 5 * heap->regions().page_bytes();
    std::vector<void*> blocks;
    for (int i = 0; i < 520; ++i) blocks.push_back(heap->allocate(bytes, 1));
    std::size_t freed = 0;
    for (void* block : blocks) {
      REQUIRE(heap->free(block) == Status::ok);
      std::size_t runs = 0;
      heap->pages().cache().for_each(heap->regions(), [&](Run) { ++runs; });
      REQUIRE(runs == (++freed < RunCache::max_runs ? freed : RunCache::max_runs));
    }
    CHECK(heap->validate());
  }
}

TEST_CASE("a cache does not hold other runs than those it has, nor in other places") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{256, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    const std::vector<void*> blocks = keep_three_of_four(heap);
    const Regions& regions = heap->regions();
    const RunCache& cache = heap->pages().cache();
    for (std::uint64_t runs = 0; runs < 6; ++runs) {
      for (const std::uint64_t pages : {0U, 5U, 10U, 15U, 20U})
        CHECK(cache.holds(regions, runs, pages) == (runs == 3 && pages == 15));
    }
    const Region& region = regions.by_address(0);
    const auto offset = (reinterpret_cast<Address>(blocks[0]) - region.pages_start) / bytes;
    Page& first = region.page(region.first + Pages{static_cast<std::uint32_t>(offset)});
    REQUIRE(first.next == no_page);  // the one kept first is the last of the list
    const Page before = first;
    first.kind = PageKind::large;
    CHECK_FALSE(cache.holds(regions, 3, 15));
    first = before;
    first.word = 6;
    CHECK_FALSE(cache.holds(regions, 3, 15));
    first = before;
    CHECK(cache.holds(regions, 3, 15));
    // A run that no buddy allocator hands out, in the place of the last.
    const auto second = (reinterpret_cast<Address>(blocks[1]) - region.pages_start) / bytes;
    Page& before_last = region.page(region.first + Pages{static_cast<std::uint32_t>(second)});
    for (const std::uint32_t misplaced : {1U, 2U, 4U}) {
      const PageNumber other = region.first + Pages{static_cast<std::uint32_t>(offset) + misplaced};
      region.page(other) = before;
      before_last.next = other;
      CHECK(cache.holds(regions, 3, 15) == (preset == Preset::compact));
    }
    before_last.next = region.first + Pages{static_cast<std::uint32_t>(offset)};
    CHECK(cache.holds(regions, 3, 15));
  }
}

TEST_CASE("validate notices any bit of a cache without runs that is flipped, but what has no meaning") {
  CoreHeap heap{256, keeping()};
  std::size_t noticed = 0;
  with_each_bit_flipped(const_cast<RunCache*>(&heap->pages().cache()), sizeof(RunCache), [&] {
    if (!heap->validate()) ++noticed;
  });
  // Room, runs left and limit; the turn, which has 64 values; which runs are kept; and the lists, which are empty.
  CHECK(noticed == 3 * 32 + (8 - 6) + 8 + 64 * 32);
}

TEST_CASE("a full cache gives up another run for each that it keeps") {
  CoreHeap heap{4096, keeping()};
  std::vector<void*> blocks;
  for (int i = 0; i < 300; ++i) blocks.push_back(heap->allocate(static_cast<std::size_t>(2 + i % 7) * page, 1));
  for (void* block : blocks) REQUIRE(heap->free(block) == Status::ok);
  CHECK(heap->validate());
  std::size_t runs = 0;
  heap->pages().cache().for_each(heap->regions(), [&](Run) { ++runs; });
  CHECK(runs > 50);
  CHECK(runs <= RunCache::max_runs);
  CHECK(heap->stats().largest_free_bytes == 4096 * page);
  (void)heap->release_kept();
  CHECK(heap.picture() == "[free 4096]");
}

TEST_CASE("a trim gives back what is free, and what was given back again once it was in use") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{64, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    const auto trimmed = [&] {
      std::size_t sum = 0;
      heap->trim([&](const Region&, Address, std::size_t count) {
        sum += count;
        return true;
      });
      CHECK(heap->validate());
      return sum / bytes;
    };
    CHECK(trimmed() == 0);
    void* const first = heap->allocate(10 * bytes, 1);
    void* const second = heap->allocate(10 * bytes, 1);
    REQUIRE(heap->free(first) == Status::ok);
    CHECK(trimmed() >= 10);
    CHECK(trimmed() == 0);
    REQUIRE(heap->free(second) == Status::ok);
    CHECK(trimmed() >= 10);
    CHECK(trimmed() == 0);
    void* const again = heap->allocate(10 * bytes, 1);
    REQUIRE(heap->free(again) == Status::ok);
    CHECK(trimmed() >= 10);
    CHECK(trimmed() == 0);
  }
}

TEST_CASE("resetting, trimming and adding memory leave no run kept") {
  CoreHeap heap{256, keeping()};
  REQUIRE(heap->free(heap->allocate(5 * page, 1)) == Status::ok);
  heap->reset();
  CHECK(heap.picture() == "[free 256]");
  REQUIRE(heap->free(heap->allocate(5 * page, 1)) == Status::ok);
  heap->trim([](const Region&, Address, std::size_t) { return true; });
  CHECK(heap.picture() == "[free 256]");
  REQUIRE(heap->free(heap->allocate(5 * page, 1)) == Status::ok);
  const slabheap::test::Memory memory{64 * page};
  REQUIRE(heap->add_memory({reinterpret_cast<Address>(memory.start()), memory.bytes()}, false, 0) == Status::ok);
  CHECK(heap->pages().cache().empty());
  CHECK(heap->validate());
}
