// Which run makes room where as many are kept as may be.
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::keeping;

namespace {

void free_all(CoreHeap& heap, const std::vector<void*>& blocks) {
  for (void* block : blocks) REQUIRE(heap->free(block) == Status::ok);
}

}  // namespace

TEST_CASE("where 512 runs are kept, each that comes takes the place of one of the next eight lengths, if there is one") {
  CoreHeap heap{16384, keeping(Preset::compact)};
  const std::size_t bytes = heap->regions().page_bytes();
  std::vector<void*> blocks;
  for (std::size_t i = 1; i < RunCache::max_runs; ++i) blocks.push_back(heap->allocate((5 + i % 4) * bytes, 1));
  blocks.push_back(heap->allocate(16 * bytes, 1));
  const std::vector<void*> others = heap.allocate(13, 20 * bytes);
  free_all(heap, blocks);
  const auto kept = [&](std::uint32_t length) {
    std::size_t runs = 0;
    heap->pages().cache().for_each(heap->regions(), [&](Run run) { runs += run.pages.count == length ? 1 : 0; });
    return runs;
  };
  std::size_t come = 0;
  while (come < 4) {
    REQUIRE(heap->free(others[come++]) == Status::ok);
    CHECK(kept(20) == come);
    for (std::uint32_t i = 0; i < 4; ++i) CHECK(kept(5 + i) == (i == 0 ? 127 : 128) - (i < come ? 1 : 0));
  }
  // Of 9 to 16 pages, the last; of 17 to 24, one of its own length; none of 21 to 64, nor of 1 to 4; one of 5.
  while (come < 12) {
    REQUIRE(heap->free(others[come++]) == Status::ok);
    CHECK(kept(16) == 0);
    CHECK(kept(20) == 5);
    CHECK(heap->validate());
  }
  CHECK(kept(5) == 126);
  REQUIRE(heap->free(others[come]) == Status::ok);
  CHECK(kept(20) == 6);
  CHECK(kept(5) == 125);
  CHECK(kept(6) == 127);
  CHECK(heap->validate());
}

TEST_CASE("a kept run makes room if it is just as long as is wanted") {
  CoreHeap heap{4096, keeping(Preset::compact)};
  const std::size_t bytes = heap->regions().page_bytes();
  std::vector<void*> blocks = heap.allocate(20, 64 * bytes);
  for (const std::size_t pages : {42, 43}) blocks.push_back(heap->allocate(pages * bytes, 1));
  const std::vector<void*> others = heap.allocate(6, 42 * bytes);
  free_all(heap, blocks);
  const RunCache& cache = heap->pages().cache();
  REQUIRE(cache.is_too_full_for({1}));
  std::size_t turns = 0;  // 1 to 8 pages, 9 to 16, and so on
  for (void* block : others) {
    const PageNumber kept = cache.last_of({42});
    REQUIRE(heap->free(block) == Status::ok);
    CHECK((cache.last_of({42}) != kept) == (++turns == 6));
    CHECK(cache.has(43));
    CHECK(cache.is_too_full_for({1}));
  }
  CHECK(heap->validate());
}

TEST_CASE("for a run of 64 pages another makes room, too") {
  CoreHeap heap{4096, keeping(Preset::compact)};
  const std::size_t bytes = heap->regions().page_bytes();
  std::vector<void*> blocks = heap.allocate(21, 63 * bytes);
  blocks.push_back(heap->allocate(41 * bytes, 1));
  const std::vector<void*> others = heap.allocate(8, 64 * bytes);
  free_all(heap, blocks);
  const RunCache& cache = heap->pages().cache();
  REQUIRE(cache.is_too_full_for({2}));
  for (void* block : others) {
    REQUIRE_FALSE(cache.has(64));
    REQUIRE(heap->free(block) == Status::ok);
  }
  CHECK(cache.has(64));
  CHECK(cache.is_too_full_for({1}));
  CHECK(heap->validate());
}

TEST_CASE("no more than a third of the heap is kept, and no run of more than 64 pages") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{8192, keeping(preset)};
    const std::size_t bytes = heap->regions().page_bytes();
    const auto kept_pages = [&] {
      std::size_t pages = 0;
      heap->pages().cache().for_each(heap->regions(), [&](Run run) { pages += run.pages.count; });
      return pages;
    };
    const std::vector<void*> longer = heap.allocate(8, 65 * bytes);
    const std::vector<void*> shorter = heap.allocate(8, 63 * bytes);
    free_all(heap, heap.allocate(45, 64 * bytes));
    CHECK(kept_pages() <= 2730);
    CHECK(kept_pages() >= 2730 - 64);
    const std::size_t before = kept_pages();
    for (void* block : longer) {
      REQUIRE(heap->free(block) == Status::ok);
      CHECK(kept_pages() == before);  // nothing makes room for it, whose turn it may be
    }
    for (std::size_t i = 0; i < shorter.size() && !heap->pages().cache().has(63); ++i) {
      CHECK(kept_pages() == before);
      REQUIRE(heap->free(shorter[i]) == Status::ok);
    }
    CHECK(heap->pages().cache().has(63));  // when it was the turn of another to make room
    CHECK(kept_pages() == before - 1);
    CHECK(heap->validate());
  }
}
