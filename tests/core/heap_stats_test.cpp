#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::Memory;
using slabheap::test::options;

TEST_CASE("what regions have of pages that nobody used counts in all of them") {
  const Memory more{std::size_t{1} << 18};
  CoreHeap heap{64};
  const Stats before = heap->stats();
  REQUIRE(heap->add_memory({reinterpret_cast<Address>(more.start()), more.bytes()}, false, 0) == Status::ok);
  const Stats after = heap->stats();
  const std::uint64_t added_pages = (after.total_bytes - before.total_bytes) / 4096;
  CHECK(before.metadata_bytes - before.used_metadata_bytes == 64 * metadata_per_page);
  CHECK(after.metadata_bytes - after.used_metadata_bytes == (64 + added_pages) * metadata_per_page);
}

TEST_CASE("a walk over the runs says of each what it is") {
  CoreHeap heap{64};
  REQUIRE(heap->allocate(100, 1) != nullptr);
  REQUIRE(heap->allocate(8192, 1) != nullptr);
  std::vector<std::vector<std::uint64_t>> seen;
  (void)heap->visit_runs([&](const RunView& run) {
    seen.push_back({static_cast<std::uint64_t>(run.kind), run.bytes, run.block_bytes, run.total_blocks, run.used});
    return true;
  });
  const auto kind = [](PageKind of) { return static_cast<std::uint64_t>(of); };
  CHECK(seen == std::vector<std::vector<std::uint64_t>>{{kind(PageKind::set), 4096, 128, 32, 1},
                                                        {kind(PageKind::free_run), 4096, 0, 0, 0},
                                                        {kind(PageKind::large), 8192, 8192, 1, 1},
                                                        {kind(PageKind::free_run), 60 * 4096, 0, 0, 0}});
}

TEST_CASE("the peak is the most pages that were in use at once, whatever is taken after that") {
  for (const bool has_cache : {false, true}) {
    Options own = options(Preset::classic);
    own.has_cache = has_cache;
    CoreHeap heap{64, own};
    CHECK(heap->stats().peak_page_bytes == 0);
    void* const five = heap->allocate(5 * 4096, 1);
    REQUIRE(heap->allocate(6 * 4096, 1) != nullptr);
    CHECK(heap->stats().peak_page_bytes == 11 * 4096);
    REQUIRE(heap->free(five) == Status::ok);
    for (const std::size_t count : {2U, 3U}) {
      REQUIRE(heap->allocate(count * 4096, 1) != nullptr);
      CHECK(heap->stats().peak_page_bytes == 11 * 4096);
    }
    REQUIRE(heap->allocate(5 * 4096, 1) != nullptr);
    CHECK(heap->stats().peak_page_bytes == 16 * 4096);
  }
}

TEST_CASE("what is free at the end of a region ends there, whatever lies behind the descriptors of its pages") {
  const std::size_t classes[] = {4096};
  Options own = options(Preset::classic, 0, 1);
  own.classes = classes;
  own.class_count = 1;
  own.pages = PageLayerKind::best_fit;
  own.has_pages = true;
  CoreHeap heap{16, own};
  std::vector<void*> blocks;
  for (int i = 0; i < 16; ++i) blocks.push_back(heap->allocate(4096, 1));
  for (const std::size_t i : {15U, 1U, 3U}) REQUIRE(heap->free(blocks[i]) == Status::ok);
  // The last page is a set that is kept back. Backward links lie behind the descriptors: if the first four were one of those,
  // they would say that a free run begins there.
  const Region& region = heap->regions().by_address(0);
  REQUIRE((region.previous[3].value & 0xff) == static_cast<std::uint32_t>(PageKind::free_run));
  CHECK(heap->stats().largest_free_bytes == 4096);
}
