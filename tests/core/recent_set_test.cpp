// The set that frees look in first: what it counts, when it goes back, and what validation says of it.
#include <cstring>
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::options;
using slabheap::test::with_each_bit_flipped;

TEST_CASE("blocks freed in the recent set are counted at once, and an empty one is no partial one") {
  CoreHeap heap{64};
  const Slab& slab = heap->slab(0);
  const std::vector<void*> blocks = heap.allocate(3 * 64, 64);
  REQUIRE(heap->free(blocks[191]) == Status::ok);  // so that the current one is not full
  for (std::size_t i = 0; i < 128; ++i) {
    REQUIRE(heap->free(blocks[i]) == Status::ok);
    CHECK(heap->deallocations(slab) == i + 2);
    CHECK(heap->used_blocks(slab) == 190 - i);
    CHECK(heap->used_blocks(heap->slab(1)) == 0);
    CHECK(heap->used_bytes() == 64 * (190 - i));
    CHECK(heap->partial_sets(slab) == (i % 64 == 63 ? 1 : 2));
    CHECK(slab.set_count() == (i < 64 ? 3 : 2));  // the first one went back when a block of the second was freed
    CHECK(heap->validate());
  }
  CHECK(heap->stats().deallocations == 129);
}

TEST_CASE("the recent set that is empty goes back when another is looked in, of whatever class, and before a request fails") {
  for (int how = 0; how < 5; ++how) {
    CoreHeap heap{8, options(Preset::classic, 0, 0)};
    std::vector<void*> blocks = heap.allocate(64 + 1, 64);
    std::vector<void*> others = heap.allocate(65, 128);
    for (std::size_t i = 0; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
    CHECK(heap.picture() == "[64: 0/64] [64: 1/64] [128: 32/32] [128: 32/32] [128: 1/32] [free 3]");
    CHECK(heap->validate());
    switch (how) {
      case 0:  // of a set that was full
        REQUIRE(heap->free(others[0]) == Status::ok);
        CHECK(heap.picture() == "[free 1] [64: 1/64] [128: 31/32] [128: 32/32] [128: 1/32] [free 3]");
        break;
      case 1:  // of a partial one, by a free with its layout and without
        REQUIRE(heap->deallocate(others[64], 128, 1) == Status::ok);
        CHECK(heap.picture() == "[64: 0/64] [64: 1/64] [128: 32/32] [128: 32/32] [128: 0/32] [free 3]");
        REQUIRE(heap->free(others[1]) == Status::ok);
        CHECK(heap.picture() == "[free 1] [64: 1/64] [128: 31/32] [128: 32/32] [128: 0/32] [free 3]");
        break;
      case 2:  // it is allocated from again
        for (std::size_t i = 0; i < 63; ++i) CHECK(heap->allocate(64, 1) != nullptr);
        CHECK(heap->allocate(64, 1) == blocks[0]);
        CHECK(heap.picture() == "[64: 1/64] [64: 64/64] [128: 32/32] [128: 32/32] [128: 1/32] [free 3]");
        break;
      case 3:  // its page is wanted
        CHECK(heap->stats().largest_free_bytes == 2 * 4096);
        CHECK(heap->allocate(2 * 4096, 1) != nullptr);
        CHECK(heap->allocate(4096, 1) != nullptr);
        CHECK(heap->allocate(4096, 4096) == blocks[0]);
        break;
      default:
        CHECK(heap->release_kept() == 4096);
        CHECK(heap.picture() == "[free 1] [64: 1/64] [128: 32/32] [128: 32/32] [128: 1/32] [free 3]");
        break;
    }
    CHECK(heap->validate());
  }
}

TEST_CASE("the recent set that is empty goes back when frees look at another region") {
  CoreHeap heap{16};
  test::Memory more{16 * 4096 + 8192};
  REQUIRE(heap->add_memory({reinterpret_cast<Address>(more.start()), 16 * 4096 + 8192}, false, 0) == Status::ok);
  const std::vector<void*> blocks = heap.allocate(65, 64);
  std::vector<void*> pages;
  while (void* page = heap->allocate(4096, 4096)) pages.push_back(page);
  const auto is_in_other = [&](void* block) {
    return &heap->regions().by_address(0) != heap->regions().find(reinterpret_cast<Address>(block));
  };
  REQUIRE(is_in_other(pages.back()) != is_in_other(blocks[0]));
  for (std::size_t i = 0; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  CHECK(heap->slab(0).set_count() == 2);
  CHECK(heap->stats().largest_free_bytes == 4096);
  REQUIRE(heap->free(pages.back()) == Status::ok);
  CHECK(heap->slab(0).set_count() == 1);
  CHECK(heap->deallocations(heap->slab(0)) == 64);
  CHECK(heap->validate());
}

TEST_CASE("a large block grows in place over the recent set that is empty") {
  CoreHeap heap{16, options(Preset::classic, 0, 0)};
  void* const large = heap->allocate(2 * 4096, 1);
  const std::vector<void*> blocks = heap.allocate(64 + 1, 64);
  REQUIRE(heap.picture() == "[large 2] [64: 64/64] [64: 1/64] [free 12]");
  for (std::size_t i = 0; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  REQUIRE(heap.picture() == "[large 2] [64: 0/64] [64: 1/64] [free 12]");
  CHECK(heap->reallocate(large, 2 * 4096, 1, 3 * 4096) == large);
  CHECK(heap.picture() == "[large 3] [64: 1/64] [free 12]");
  CHECK(heap->validate());
}

TEST_CASE("the recent set that is empty counts as free") {
  CoreHeap heap{4};
  const std::vector<void*> blocks = heap.allocate(65, 64);
  REQUIRE(heap->allocate(2 * 4096, 1) != nullptr);
  CHECK(heap->stats().largest_free_bytes == 0);
  for (std::size_t i = 0; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  CHECK(heap->slab(0).set_count() == 2);
  CHECK(heap->stats().largest_free_bytes == 4096);
  CHECK(heap->allocate(4096, 4096) != nullptr);
  CHECK(heap->validate());
}

/// What the heap keeps of a set that frees look in first.
static RecentSet recent_set_of(Address start, Page& set, const SlabFront& front) {
  return {start, &set, std::size_t{set.block_count} * front.block_bytes, front.divisor, front.layouts};
}

TEST_CASE("validate notices any bit that is flipped of where the recent set is") {
  CoreHeap heap{256};
  REQUIRE(heap->allocate(4096, 1) != nullptr);
  REQUIRE(heap->allocate(512, 1) != nullptr);
  const Regions& regions = heap->regions();
  const PageNumber set = heap->slab(3).current();
  const Address start = regions.address(set);
  RecentSet& recent = const_cast<PageAllocator&>(heap->pages()).recent();
  CHECK(recent == recent_set_of(start, heap->regions().by_address(0).page(set), heap->slab(3).front()));
  const RecentSet before = recent;
  with_each_bit_flipped(&recent, sizeof recent, [&] {
    const bool is_padding = recent == before;
    CHECK(heap->validate() == (is_padding || recent.bytes == 0));  // then there is none
  });
  CHECK(heap->validate());
}

TEST_CASE("validate notices a recent set that is none, or has no front") {
  CoreHeap heap{256};
  REQUIRE(heap->allocate(4096, 1) != nullptr);
  REQUIRE(heap->allocate(512, 1) != nullptr);
  const RecentSet before = heap->pages().recent();
  RecentSet& recent = const_cast<PageAllocator&>(heap->pages()).recent();
  const PageNumber full = heap->slab(6).current();
  const Region& region = heap->regions().by_address(0);
  recent = recent_set_of(heap->regions().address(full), region.page(full), heap->slab(6).front());
  CHECK(heap->validate());  // any set will do
  for (int i = 1; i < region.page(full).block_count; ++i) REQUIRE(heap->allocate(4096, 1) != nullptr);
  REQUIRE(heap->allocate(4096, 1) != nullptr);  // of another set: this one is full and has no front
  recent = recent_set_of(heap->regions().address(full), region.page(full), heap->slab(6).front());
  CHECK_FALSE(heap->validate());
  recent.bytes = 0;
  CHECK(heap->validate());
  recent = before;
  CHECK(heap->validate());
}

TEST_CASE("validate notices an empty set that is neither current nor the recent one") {
  CoreHeap heap{256};
  const std::vector<void*> blocks = heap.allocate(64 + 2, 64);
  for (std::size_t i = 0; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  RecentSet& recent = const_cast<PageAllocator&>(heap->pages()).recent();
  const SlabFront& front = heap->slab(0).front();
  REQUIRE(recent.set != front.current);
  CHECK(heap->validate());
  const RecentSet before = recent;
  const_cast<SlabFront&>(front).deallocations += before.freed;
  recent = recent_set_of(front.current_start, *front.current, front);
  CHECK_FALSE(heap->validate());
  recent = before;
  const_cast<SlabFront&>(front).deallocations -= before.freed;
  CHECK(heap->validate());
}

TEST_CASE(
    "where there is no recent set, validate notices if frees would look at what is no descriptor, or something is counted") {
  CoreHeap heap{256};
  RecentSet& recent = const_cast<PageAllocator&>(heap->pages()).recent();
  REQUIRE(recent.bytes == 0);
  const Region& region = heap->regions().by_address(0);
  Page* const before = recent.set;
  std::size_t sound = 0;
  for (unsigned bit = 0; bit < 8 * sizeof(Address); ++bit) {
    const Address other = reinterpret_cast<Address>(before) ^ Address { 1 } << bit;
    recent.set = reinterpret_cast<Page*>(other);
    const bool is_descriptor = recent.set >= region.pages && recent.set < region.pages + region.page_count &&
                               (other & 15) == (reinterpret_cast<Address>(region.pages) & 15);
    if (is_descriptor) ++sound;
    CHECK(heap->validate() == is_descriptor);
  }
  CHECK(sound > 0);
  recent.set = before;
  recent.freed = 1;
  CHECK_FALSE(heap->validate());
  recent.freed = 0;
  CHECK(heap->validate());
}

TEST_CASE("validate notices any bit that is flipped of the region that frees look at, and of where the routing table ends") {
  for (const std::size_t pages : {8U, 64U}) {
    CoreHeap heap{pages};
    test::Memory more{16 * 4096};
    const Span span{reinterpret_cast<Address>(more.start()), 16 * 4096};
    if (pages == 64) REQUIRE(heap->add_memory(span, false, 0) == Status::ok);
    // Where the heap begins: the region's start, bytes, descriptors and distances, then the end of the table, and the first page.
    auto* const bytes = reinterpret_cast<unsigned char*>(heap.operator->());
    std::size_t end = 0;
    std::memcpy(&end, bytes + 4 * sizeof(void*), sizeof end);
    REQUIRE(end == (pages == 8 ? 512 : 4096));
    with_each_bit_flipped(bytes, 4 * sizeof(void*) + sizeof end + sizeof(PageNumber), [&] { CHECK_FALSE(heap->validate()); });
    CHECK(heap->validate());
  }
}
