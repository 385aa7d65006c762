// Which class serves a request, by the routing table and where it ends; and classes that do not serve all that routes to them.
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::Memory;
using slabheap::test::options;

namespace {

using Sizes = std::vector<std::size_t>;

Options classes_of(const Sizes& classes, std::size_t page_bytes = 0) {
  Options chosen = options(Preset::classic, page_bytes);
  chosen.classes = classes.data();
  chosen.class_count = classes.size();
  return chosen;
}

/// What a block holds of the least class that holds the size and honours the alignment, or else of whole pages.
std::size_t held(const slabheap::Heap& heap, std::size_t size, std::size_t align) {
  const std::size_t wanted = round_up(size == 0 ? 1 : size, align);
  const std::size_t page = heap.regions().page_bytes();
  for (std::size_t i = 0; i < heap.class_count(); ++i) {
    const std::size_t bytes = heap.slab(i).block_bytes();
    const std::size_t even = lowest_bit(bytes);
    if (bytes >= wanted && (even < page ? even : page) >= align) return bytes;
  }
  return round_up(size == 0 ? 1 : size, page);
}

/// Asks a heap of so many bytes for blocks of sizes around every class, and of small ones, with every alignment, and frees each
/// with its layout, and not with one of another block.
void route_all(std::size_t bytes_given, const Options& chosen) {
  const Memory memory{bytes_given};
  slabheap::Heap& heap =
      *slabheap::Heap::create({reinterpret_cast<Address>(memory.start()), memory.bytes()}, chosen, false, 0).heap;
  Sizes sizes{0, 4095, 4096, 4097, 70'000};
  for (std::size_t size = 1; size < 50; ++size) sizes.push_back(size);
  for (std::size_t i = 0; i < heap.class_count(); ++i) {
    for (std::size_t around = 0; around < 12; ++around) sizes.push_back(heap.slab(i).block_bytes() + around - 7);
  }
  std::size_t routed = 0;
  for (const std::size_t size : sizes) {
    for (std::size_t align = 1; align <= 8192; align *= 2) {
      const std::size_t bytes = held(heap, size, align);
      REQUIRE(heap.usable_size(size, align) == bytes);
      REQUIRE(heap.allocate(size, 3 * align) == nullptr);
      void* const block = heap.allocate(size, align);
      if (block == nullptr) continue;  // a small heap may have no room for it
      REQUIRE(heap.block_size(block) == bytes);
      REQUIRE(reinterpret_cast<Address>(block) % align == 0);
      REQUIRE(held(heap, bytes + 1, align) > bytes);
      REQUIRE(heap.deallocate(block, bytes + 1, align) == Status::wrong_layout);
      REQUIRE(heap.deallocate(block, size, 3 * align) == Status::invalid_argument);
      for (const std::size_t other : {std::size_t{1}, std::size_t{16}, align / 2, align * 2}) {
        if (other == 0) continue;
        if (held(heap, size, other) != bytes) REQUIRE(heap.deallocate(block, size, other) == Status::wrong_layout);
      }
      REQUIRE(heap.deallocate(block, size, align) == Status::ok);
      ++routed;
    }
  }
  CHECK(routed > sizes.size());
  std::size_t below = 0;
  for (std::size_t i = 0; i < heap.class_count(); ++i) {
    const Slab& slab = heap.slab(i);
    bool serves_all = true;
    for (std::size_t end = below + 1; end <= slab.block_bytes(); ++end)
      serves_all = serves_all && slab.alignment() >= lowest_bit(end);
    CHECK(slab.front().serves_all() == serves_all);
    below = slab.block_bytes();
  }
  CHECK(heap.validate());
}

}  // namespace

TEST_CASE("a request goes to the least class that serves it, whichever share a granule, and wherever the table ends") {
  for (const Sizes& classes :
       {Sizes{8}, Sizes{20}, Sizes{24}, Sizes{9, 10, 11, 12, 13, 14, 15, 16, 17}, Sizes{12, 4096}, Sizes{64, 4097, 4100, 65536},
        Sizes{511, 512, 513}, Sizes{2047, 2048, 2049, 2056, 4088}, Sizes{48, 80, 560, 720}}) {
    for (const std::size_t bytes : {30'000U, 65'535U, 65'536U, 1'000'000U}) {
      for (const std::size_t page_bytes : {512U, 4096U}) route_all(bytes, classes_of(classes, page_bytes));
    }
  }
}

TEST_CASE("a request goes to the least class of a preset that serves it, in a heap of any size") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    for (const std::size_t bytes : {30'000U, 65'535U, 65'536U, 8'388'607U, 8'388'608U}) route_all(bytes, options(preset));
  }
}

TEST_CASE("a class that does not serve all that routes to it serves what it honours, and refuses the layouts of the rest") {
  CoreHeap heap{64, classes_of({24})};
  const Slab& slab = heap->slab(0);
  REQUIRE_FALSE(slab.front().serves_all());
  CHECK(heap->usable_size(16, 16) == 4096);
  const std::vector<void*> blocks = heap.allocate(65, 24);
  CHECK(slab.set_count() == 2);
  CHECK(heap->used_blocks(slab) == 65);
  for (const std::size_t i : {5U, 7U, 9U, 11U}) CHECK(heap->deallocate(blocks[i], 24, 8) == Status::ok);
  CHECK(heap->deallocate(blocks[5], 24, 8) == Status::not_allocated);
  CHECK(heap->deallocate(blocks[6], 16, 16) == Status::wrong_layout);
  CHECK(heap->deallocate(blocks[6], 9, 8) == Status::ok);
  CHECK(heap->used_blocks(slab) == 60);
  CHECK(heap->validate());
}

TEST_CASE(
    "a free of a class that shares a granule finds its block in a set that is not full, and makes no other set the recent one") {
  CoreHeap heap{64, classes_of({60, 64})};
  const std::vector<void*> blocks = heap.allocate(2 * 64 + 1, 64);
  REQUIRE(heap->deallocate(blocks[0], 64, 4) == Status::ok);  // it was full, so now it is the recent one
  REQUIRE(heap->deallocate(blocks[64], 64, 4) == Status::ok);
  const Page* const recent = heap->pages().recent().set;
  for (std::size_t i = 1; i < 63; ++i) {
    REQUIRE(heap->deallocate(blocks[i], 61, 4) == Status::ok);
    CHECK(heap->deallocate(blocks[i], 61, 4) == Status::not_allocated);
  }
  CHECK(heap->deallocate(blocks[63], 60, 4) == Status::wrong_layout);
  CHECK(heap->pages().recent().set == recent);
  CHECK(heap->deallocate(blocks[63], 64, 64) == Status::ok);
  CHECK(heap->validate());
}

TEST_CASE("validate notices a front that says wrongly what it serves") {
  for (const std::size_t bytes : {std::size_t{24}, std::size_t{64}}) {
    CoreHeap heap{64, classes_of({bytes})};
    auto& count = const_cast<SlabFront&>(heap->slab(0).front()).layouts.last_count;
    const std::size_t before = count;
    CHECK(before == (bytes == 24 ? 0 : 64));
    for (unsigned bit = 0; bit < 8 * sizeof count; ++bit) {
      count = before ^ std::size_t{1} << bit;
      CHECK_FALSE(heap->validate());
    }
    count = before;
    CHECK(heap->validate());
  }
}

TEST_CASE("validate notices a large block or a kept run that is marked for the short ways and must not be") {
  for (const std::size_t pages : {2U, 64U, 65U}) {
    for (const bool is_whole : {true, false}) {
      const Sizes classes = is_whole ? Sizes{64} : Sizes{64, 4104};
      Options chosen = classes_of(classes);
      chosen.has_cache = true;
      CoreHeap heap{256, chosen};
      void* const block = heap->allocate(pages * 4096, 1);
      REQUIRE(block != nullptr);
      const Region& region = heap->regions().by_address(0);
      Page& head = region.page(region.first +
                               Pages{static_cast<std::uint32_t>((reinterpret_cast<Address>(block) - region.pages_start) / 4096)});
      const bool may_be_marked = is_whole && pages <= 64;
      for (int i = 0; i < 2; ++i) {
        CHECK(head.class_index == (may_be_marked ? short_way : 0));
        for (const std::uint8_t mark : {std::uint8_t{0}, short_way, std::uint8_t{2}}) {
          const std::uint8_t before = head.class_index;
          head.class_index = mark;
          CHECK(heap->validate() == (mark == 0 || (mark == short_way && may_be_marked)));
          head.class_index = before;
        }
        if (pages == 65 || i == 1) break;
        REQUIRE(heap->free(block) == Status::ok);
        REQUIRE(head.kind == PageKind::kept_run);
      }
    }
  }
}
