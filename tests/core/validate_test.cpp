#include <sys/mman.h>

#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::keeping;
using slabheap::test::options;
using slabheap::test::with_each_bit_flipped;

namespace {

/// A heap with sets in every place, large blocks and free runs.
void furnish(CoreHeap& heap) {
  std::vector<void*> blocks;
  for (std::size_t size = 16; size <= 20000; size += size / 2) {
    for (int i = 0; i < 80; ++i) {
      if (void* block = heap->allocate(size, 1)) blocks.push_back(block);
    }
  }
  for (std::size_t i = 0; i < blocks.size(); i += 3) REQUIRE(heap->free(blocks[i]) == Status::ok);
  REQUIRE(heap->validate());
}

Region& region_of(CoreHeap& heap) { return heap->regions().by_address(0); }

/// Whether the heap notices every change of `alter` on the descriptors of this kind, and is whole again once each is undone.
void check_noticed(CoreHeap& heap, PageKind kind, const std::function<void(Page&)>& alter) {
  Region& region = region_of(heap);
  std::size_t tried = 0;
  for (std::uint32_t i = 0; i < region.page_count; ++i) {
    Page& page = region.pages[i];
    if (page.kind != kind) continue;
    const Page before = page;
    alter(page);
    CHECK_FALSE(heap->validate());
    page = before;
    ++tried;
  }
  CHECK(tried > 0);
  CHECK(heap->validate());
}

}  // namespace

TEST_CASE("validate notices damage to any descriptor of a head") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{1024, options(preset)};
    furnish(heap);
    for (const PageKind kind : {PageKind::set, PageKind::large, PageKind::free_run}) {
      check_noticed(heap, kind, [](Page& page) { page.kind = PageKind::inner; });
      check_noticed(heap, kind, [](Page& page) { page.block_count ^= 0x41; });
      check_noticed(heap, kind, [](Page& page) { page.word ^= page.word == 0 ? 1 : page.word & (~page.word + 1); });
      check_noticed(heap, kind, [](Page& page) { page.word = ~std::uint64_t{0} >> 3; });
    }
    check_noticed(heap, PageKind::set, [](Page& page) { page.class_index ^= 1; });
    check_noticed(heap, PageKind::set, [](Page& page) { page.class_index = 0xff; });
    check_noticed(heap, PageKind::set, [](Page& page) { page.front ^= 0x20; });
    check_noticed(heap, PageKind::set, [](Page& page) { page.kind = PageKind::free_run; });
    check_noticed(heap, PageKind::free_run, [](Page& page) { page.kind = PageKind::large; });
    if (preset == Preset::compact) {  // best fit has its runs on lists
      check_noticed(heap, PageKind::free_run, [](Page& page) { page.next = {page.next.value + 1}; });
      check_noticed(heap, PageKind::free_run, [](Page& page) { page.next = no_page; });
    }
    check_noticed(heap, PageKind::large, [](Page& page) { page.kind = PageKind::free_run; });
    for (const PageKind kind : {PageKind::large, PageKind::free_run})
      check_noticed(heap, kind, [](Page& page) { page.front = 1; });
  }
}

TEST_CASE("validate notices a run in use that ends like a free one, and a large block whose end does not lead to its head") {
  Options own = options(Preset::classic);
  own.pages = PageLayerKind::best_fit;
  own.has_pages = true;
  CoreHeap heap{64, own};
  Region& region = region_of(heap);
  REQUIRE(heap->allocate(4096, 1) == reinterpret_cast<void*>(region.pages_start));
  REQUIRE(heap->allocate(6 * 4096, 1) == reinterpret_cast<void*>(region.pages_start + 4096));
  REQUIRE(region.pages[4].kind == PageKind::hint);  // on the way from the last page, which is 6
  for (const auto& [inside, kind] : {std::pair{6, PageKind::free_end}, std::pair{4, PageKind::inner}}) {
    const Page before = region.pages[inside];
    region.pages[inside].kind = kind;
    CHECK_FALSE(heap->validate());
    region.pages[inside] = before;
    CHECK(heap->validate());
  }
}

TEST_CASE("validate is content with as many classes as there can be, and a run that is kept") {
  std::size_t classes[max_classes];
  for (std::size_t i = 0; i < max_classes; ++i) classes[i] = 512 * (i + 1);
  Options own;
  own.classes = classes;
  own.class_count = max_classes;
  CoreHeap heap{256, own};
  REQUIRE(heap->free(heap->allocate(20 * 4096, 1)) == Status::ok);
  REQUIRE_FALSE(heap->pages().cache().empty());
  CHECK(heap->validate());
}

TEST_CASE("validate notices any bit of a front that is flipped") {
  CoreHeap heap{256};
  REQUIRE(heap->allocate(64, 1) != nullptr);
  REQUIRE(heap->free(heap->allocate(64, 1)) == Status::ok);
  auto& front = const_cast<SlabFront&>(heap->slab(0).front());
  const SlabFront before = front;
  with_each_bit_flipped(&front, sizeof front, [&] {
    const bool is_padding = front == before;
    CHECK(heap->validate() == is_padding);
  });
  CHECK(heap->validate());
}

TEST_CASE("validate notices a page of any run that leads a free to a front, or out of its region") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{1024, options(preset)};
    void* gone = heap->allocate(100000, 1);
    furnish(heap);
    REQUIRE(heap->free(gone) == Status::ok);
    Region& region = region_of(heap);
    std::size_t tried = 0;
    for (PageNumber at = region.first; at < region.end(); at = at + Pages{1}) {
      if (region.untouched_first <= at && at < region.untouched_end) continue;
      Page& page = region.page(at);
      const Page before = page;
      if (page.block_count == 0) {
        page.front = 1;
        CHECK_FALSE(heap->validate());
        page = before;
        page.block_count = 1;
        CHECK_FALSE(heap->validate());
        page = before;
      }
      HeadDistance& distance = region.head_distances[(at - region.first).count];
      const HeadDistance led = distance;
      if ((at - region.first).count < 255) {
        distance = static_cast<HeadDistance>((at - region.first).count + 1);
        CHECK_FALSE(heap->validate());
        distance = led;
      }
      ++tried;
    }
    CHECK(tried > 100);
    CHECK(heap->validate());
  }
}

TEST_CASE("validate notices damage to the distances of a set's pages") {
  CoreHeap heap{8192};
  REQUIRE(heap->allocate(4096, 1) != nullptr);
  REQUIRE(heap->allocate(2048, 1) != nullptr);
  const Region& region = region_of(heap);
  for (const std::size_t index : {6U, 5U}) {  // the one at the first page of the region, and one behind it
    const PageNumber set = heap->slab(index).current();
    HeadDistance* distances = region.head_distances + (set - region.first).count;
    const std::size_t pages = region.page(set).block_count * heap->slab(index).block_bytes() / 4096;
    REQUIRE(pages > 8);
    for (std::size_t i = 0; i < pages; ++i) {
      ++distances[i];
      CHECK_FALSE(heap->validate());
      distances[i] = static_cast<HeadDistance>(i == 0 ? 0 : i - 1);
      CHECK(heap->validate() == (i == 0));
      distances[i] = static_cast<HeadDistance>(i);
    }
  }
  CHECK(heap->validate());
}

TEST_CASE("validate notices damage to what a region says of itself") {
  CoreHeap heap{64};
  Region& region = region_of(heap);
  const Region before = region;
  const std::function<void()> alterations[] = {
      [&] { region.pages_start += 4096; },
      [&] { region.pages_start += 1; },
      [&] { region.pages_bytes -= 4096; },
      [&] { region.page_count -= 1; },
      [&] { region.given.start += 4096; },
      [&] { region.given.bytes -= 1; },
      [&] { region.first = region.first + Pages{1}; },
  };
  for (const auto& alter : alterations) {
    alter();
    CHECK_FALSE(heap->validate());
    region = before;
    CHECK(heap->validate());
  }
}

#if SIZE_MAX > 0xffffffff
TEST_CASE("validate is content with a region whose last page begins a chunk of numbers, which one does in 64 GiB") {
  // A chunk is 2^26 pages, here of 512 bytes. Little of what is reserved is touched.
  constexpr std::size_t chunk_bytes = std::size_t{512} << 26;
  void* const reserved = mmap(nullptr, 2 * chunk_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(reserved != MAP_FAILED);
  const Address boundary = round_up(reinterpret_cast<Address>(reserved) + 65536, chunk_bytes);
  REQUIRE(mprotect(reinterpret_cast<void*>(boundary - 65536), 131072, PROT_READ | PROT_WRITE) == 0);
  const auto heap_before = [&](std::size_t bytes) {
    return slabheap::Heap::create({boundary - bytes, bytes + 512}, options(Preset::classic, 512), true, 0).heap;
  };
  std::size_t bytes = 1024;
  slabheap::Heap* heap = nullptr;
  do {
    std::memset(reinterpret_cast<void*>(boundary - 65536), 0, 131072);
    heap = heap_before(bytes += 64);
  } while (heap == nullptr || heap->regions().address(heap->regions().by_address(0).end() - Pages{1}) != boundary);
  CHECK(heap->validate());
  CHECK(munmap(reserved, 2 * chunk_bytes) == 0);
}
#endif

TEST_CASE("validate notices any bit that is flipped of which page layer there is, whether it keeps runs, and its search") {
  for (const bool has_cache : {false, true}) {
    Options chosen = keeping();
    chosen.has_cache = has_cache;
    CoreHeap heap{256, chosen};
    auto* const behind = reinterpret_cast<unsigned char*>(const_cast<RunCache*>(&heap->pages().cache())) + sizeof(RunCache);
    with_each_bit_flipped(behind, 2 + sizeof(Search), [&] { CHECK_FALSE(heap->validate()); });
    CHECK(heap->validate());
  }
}

TEST_CASE("validate notices a search that was left thorough") {
  CoreHeap heap{64};
  CHECK_FALSE(const_cast<PageAllocator&>(heap->pages()).thoroughly([&] { return heap->validate(); }));
  CHECK(heap->validate());
}

TEST_CASE("validate does not look at the descriptors of pages that were never handed out") {
  constexpr std::size_t bytes = std::size_t{64} << 20;
  void* const zeros = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(zeros != MAP_FAILED);
  slabheap::Heap* const heap = slabheap::Heap::create({reinterpret_cast<Address>(zeros), bytes}, {}, true, 0).heap;
  REQUIRE(heap->allocate(5000, 1) != nullptr);
  const Region& region = heap->regions().by_address(0);
  const Address closed = round_down(reinterpret_cast<Address>(region.pages + region.page_count / 2), 65536);
  REQUIRE(mprotect(reinterpret_cast<void*>(closed), 65536, PROT_NONE) == 0);
  CHECK(heap->validate());
  CHECK(munmap(zeros, bytes) == 0);
}
