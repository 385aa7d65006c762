// Damage that validate has to notice, place by place; validate_test.cpp alters descriptors one by one.
#include <algorithm>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "core_heap.hpp"
#include "support/snapshot.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::Memory;
using slabheap::test::options;
using slabheap::test::Range;
using slabheap::test::with_each_bit_flipped;

namespace {

/// The metadata of a heap that lies in front of its only region's pages.
Range metadata_of(CoreHeap& heap) {
  auto* start = reinterpret_cast<unsigned char*>(heap.operator->());
  return {start, heap->regions().by_address(0).pages_start - reinterpret_cast<Address>(start)};
}

using Words = std::vector<std::uint64_t>;

Words words_of(const Range& memory) {
  Words words(memory.bytes / sizeof(std::uint64_t));
  std::memcpy(words.data(), memory.start, words.size() * sizeof(std::uint64_t));
  return words;
}

struct Losses {
  std::size_t tried = 0;
  std::size_t noticed = 0;
};

/// Loses each write of what was done since `before`, one at a time.
Losses lose_each_write(CoreHeap& heap, const Words& before) {
  const Range memory = metadata_of(heap);
  const Words after = words_of(memory);
  Losses losses;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (after[i] == before[i]) continue;
    std::memcpy(memory.start + i * sizeof before[i], &before[i], sizeof before[i]);
    ++losses.tried;
    if (!heap->validate()) ++losses.noticed;
    std::memcpy(memory.start + i * sizeof after[i], &after[i], sizeof after[i]);
  }
  REQUIRE(heap->validate());
  return losses;
}

}  // namespace

TEST_CASE("validate notices when a write of an operation is lost") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{512, options(preset)};
    std::mt19937 random{3};
    std::vector<void*> blocks;
    Losses all;
    for (int step = 0; step < 600; ++step) {
      const Words before = words_of(metadata_of(heap));
      if (random() % 5 < 3 || blocks.empty()) {
        if (void* block = heap->allocate(random() % (std::size_t{1} << random() % 15), 1)) blocks.push_back(block);
      } else {
        std::swap(blocks[random() % blocks.size()], blocks.back());
        REQUIRE(heap->free(blocks.back()) == Status::ok);
        blocks.pop_back();
      }
      const Losses losses = lose_each_write(heap, before);
      all.tried += losses.tried;
      all.noticed += losses.noticed;
    }
    // What is not noticed is no promise: how far pages were ever used, peaks, and where to look first.
    CHECK(all.tried > 2 * 600);
    CHECK(5 * all.noticed > 4 * all.tried);
  }
}

TEST_CASE("validate notices regions that are not where they say, or lie over each other") {
  const Memory more{std::size_t{1} << 20, 64};
  CoreHeap heap{64};
  REQUIRE(heap->add_memory({reinterpret_cast<Address>(more.start()), more.bytes()}, false, 0) == Status::ok);
  Region& low = heap->regions().by_address(0);
  Region& high = heap->regions().by_address(1);
  const Region low_before = low;
  const Region high_before = high;
  const std::function<void()> alterations[] = {
      [&] { low.given.bytes = high.given.start - low.given.start + 1; },
      [&] {
        high.given = {low.given.start, high.given.start + high.given.bytes - low.given.start};
      },
      [&] { low.pages_start -= heap->regions().page_bytes(); },  // over the descriptors
      [&] { low.page_count = 0, low.pages_bytes = 0; },
      [&] { high.first = low.first; },
      [&] { high.first = no_page; },
      [&] { high.first = {high.first.value ^ std::uint32_t{1} << 31}; },
  };
  for (const auto& alter : alterations) {
    alter();
    CHECK_FALSE(heap->validate());
    low = low_before;
    high = high_before;
    CHECK(heap->validate());
  }
}

TEST_CASE("validate notices regions that lie over each other by a byte, and two in one chunk of numbers") {
  const std::size_t bytes = (std::size_t{1} << 18) + 100;  // of which less than a page is left over
  const Memory memory{2 * bytes};
  const auto start = reinterpret_cast<Address>(memory.start());
  slabheap::Heap* heap = slabheap::Heap::create({start, bytes}, options(Preset::classic), false, 0).heap;
  REQUIRE(heap != nullptr);
  REQUIRE(heap->add_memory({start + bytes, bytes}, false, 0) == Status::ok);
  Region& low = heap->regions().by_address(0);
  Region& high = heap->regions().by_address(1);
  const Region before = high;
  REQUIRE(heap->validate());
  --high.given.start;
  CHECK_FALSE(heap->validate());
  high = before;
  REQUIRE(heap->validate());

  const MetadataNeed need = PageAllocator::first_need(0, 12, PageLayerKind::buddy);
  high.first = low.first + Pages{static_cast<std::uint32_t>((high.pages_start - low.pages_start) >> 12)};
  high.fresh = high.untouched_first = high.first;
  high.untouched_end = high.end();
  high.lay_out(&high, need);
  CHECK_FALSE(heap->validate());
  high = before;
  CHECK(heap->validate());
}

TEST_CASE("validate notices pages that were used although the region says that nobody used them") {
  CoreHeap heap{64};
  REQUIRE(heap->allocate(100, 1) != nullptr);
  REQUIRE(heap->allocate(20000, 1) != nullptr);
  Region& region = heap->regions().by_address(0);
  const Region before = region;
  REQUIRE(before.untouched_first > before.first);
  for (const PageNumber first :
       {before.untouched_first - Pages{1}, before.first, before.first - Pages{1}, before.end() + Pages{1}}) {
    region.untouched_first = first;
    CHECK_FALSE(heap->validate());
    region = before;
  }
  region.untouched_end = before.end() + Pages{1};
  CHECK_FALSE(heap->validate());
  region.untouched_end = before.untouched_first - Pages{1};
  CHECK_FALSE(heap->validate());
  region.untouched_end = region.untouched_first = before.first;  // as if all were used
  CHECK(heap->validate());
}

TEST_CASE("validate notices what a slab offers although it is in use, beyond the set, or of no set") {
  CoreHeap heap{8, options(Preset::classic, 0, 16)};
  REQUIRE(heap->allocate(1024, 1) != nullptr);
  auto& front = const_cast<SlabFront&>(heap->slab(4).front());
  const SlabFront before = front;
  REQUIRE(before.offered == 0b1110);
  for (const std::uint64_t offered : {0b1111U, 0b11110U, 0b111U, 0b10110U}) {
    front.offered = offered;
    CHECK_FALSE(heap->validate());
  }
  front = before;
  front.current_start += 1024;
  CHECK_FALSE(heap->validate());
  front = before;
  front.current += 1;
  CHECK_FALSE(heap->validate());
  front = before;
  CHECK(heap->validate());
  auto& other = const_cast<SlabFront&>(heap->slab(3).front());
  REQUIRE(heap->slab(3).current() == no_page);
  other.offered = 1;
  CHECK_FALSE(heap->validate());
  other.offered = 0;
  CHECK(heap->validate());
}

TEST_CASE("validate notices a block in use beyond the set, although as many are in use") {
  CoreHeap heap{8, options(Preset::classic, 0, 16)};
  REQUIRE(heap->allocate(1024, 1) != nullptr);
  Page& set = heap->regions().by_address(0).pages[0];
  REQUIRE(set.word == 1);
  for (unsigned block = 4; block < 64; ++block) {
    set.word = std::uint64_t{1} << block;
    CHECK_FALSE(heap->validate());
  }
  set.word = 1;
  CHECK(heap->validate());
}

TEST_CASE("validate notices any bit of a slab that is flipped, but of how many pages it ever carved") {
  CoreHeap heap{256};
  std::vector<void*> blocks;
  for (int i = 0; i < 6 * 64; ++i) blocks.push_back(heap->allocate(64, 1));
  REQUIRE(heap->free(blocks[0]) == Status::ok);
  REQUIRE(heap->slab(0).listed() == 1);
  REQUIRE(heap->slab(0).current() != no_page);
  auto* const slab = reinterpret_cast<unsigned char*>(const_cast<Slab*>(&heap->slab(0)));
  std::size_t unnoticed = 0;
  with_each_bit_flipped(slab + sizeof(void*), sizeof(Slab) - sizeof(void*), [&] {
    if (heap->validate()) ++unnoticed;
  });
  const std::size_t fields = sizeof(void*) + 2 * 8 + 8 * 4 + 2;
  CHECK(unnoticed == 8 * (sizeof(Slab) - fields + 4));
  CHECK(heap->validate());
}

TEST_CASE("validate notices a slab without a set that says it has one") {
  CoreHeap heap{64};
  REQUIRE(heap->allocate(64, 1) != nullptr);
  REQUIRE(heap->allocate(8192, 1) != nullptr);
  const Region& region = heap->regions().by_address(0);
  auto* const slab = reinterpret_cast<unsigned char*>(const_cast<Slab*>(&heap->slab(3)));
  std::size_t tried = 0;
  for (std::size_t at = 0; at < sizeof(Slab); at += sizeof(PageNumber)) {
    PageNumber before;
    std::memcpy(&before, slab + at, sizeof before);
    if (before != no_page) continue;
    for (std::uint32_t i = 0; i < region.page_count; ++i) {
      const PageNumber page = region.first + Pages{i};
      std::memcpy(slab + at, &page, sizeof page);
      CHECK_FALSE(heap->validate());
    }
    std::memcpy(slab + at, &before, sizeof before);
    ++tried;
  }
  CHECK(tried == 2);  // the current set and the first of the list
  CHECK(heap->validate());
}

TEST_CASE("validate notices any bit of the counts of used pages that is flipped, and a peak below them") {
  CoreHeap heap{64};
  void* const once = heap->allocate(30 * 4096, 1);
  REQUIRE(heap->allocate(3 * 4096, 1) != nullptr);
  REQUIRE(heap->allocate(64, 1) != nullptr);
  REQUIRE(heap->free(once) == Status::ok);
  std::uint32_t counts[2];  // used, the peak
  auto* const bytes = reinterpret_cast<unsigned char*>(const_cast<PageAllocator*>(&heap->pages())) + sizeof(RecentSet);
  std::memcpy(counts, bytes, sizeof counts);
  REQUIRE(counts[0] == 4);
  REQUIRE(counts[1] == 34);
  for (std::size_t i = 0; i < 2; ++i) {
    for (unsigned bit = 0; bit < 32; ++bit) {
      const std::uint32_t other = counts[i] ^ std::uint32_t{1} << bit;
      std::memcpy(bytes + i * sizeof other, &other, sizeof other);
      CHECK(heap->validate() == (i == 1 && other >= counts[0]));
    }
    std::memcpy(bytes + i * sizeof counts[i], &counts[i], sizeof counts[i]);
    CHECK(heap->validate());
  }
}

TEST_CASE("validate notices metadata behind the pages that reaches out of the region") {
  const std::size_t page = 4096;
  const Memory memory{16 * page + 8192};
  std::size_t bytes = memory.bytes();
  slabheap::Heap* heap = nullptr;
  // Of some size the metadata fits into what follows the last page, and in front of the first it would cost a page.
  for (; heap == nullptr || heap->regions().by_address(0).pages_start != reinterpret_cast<Address>(memory.start()); bytes -= 64) {
    REQUIRE(bytes > 8192);
    heap = slabheap::Heap::create({reinterpret_cast<Address>(memory.start()), bytes}, {}, false, 0).heap;
  }
  // Another region is given what this one is not, so that the sums are the same.
  const Memory more{16 * page};
  REQUIRE(heap->add_memory({reinterpret_cast<Address>(more.start()), more.bytes()}, false, 0) == Status::ok);
  Region& region = *heap->regions().find(reinterpret_cast<Address>(memory.start()));
  Region& other = *heap->regions().find(reinterpret_cast<Address>(more.start()));
  const Region before = region;
  const std::size_t others_bytes = other.given.bytes;
  REQUIRE(heap->validate());
  const std::function<void()> alterations[] = {
      [&] { region.given.bytes -= 64; },
      [&] {
        region.given = {region.given.start + page, region.given.bytes - page};
      },
  };
  for (const auto& alter : alterations) {
    alter();
    other.given.bytes = others_bytes + before.given.bytes - region.given.bytes;
    CHECK_FALSE(heap->validate());
    region = before;
    other.given.bytes = others_bytes;
    CHECK(heap->validate());
  }
}

TEST_CASE("validate notices a list of sets that leads to what it should not hold") {
  CoreHeap heap{256};
  std::vector<void*> blocks;
  for (int i = 0; i < 9 * 64; ++i) blocks.push_back(heap->allocate(64, 1));
  for (int i = 0; i < 5 * 64; i += 32) REQUIRE(heap->free(blocks[static_cast<std::size_t>(i)]) == Status::ok);
  void* const other = heap->allocate(128, 1);
  void* const large = heap->allocate(8192, 1);
  REQUIRE(heap->validate());

  Region& region = heap->regions().by_address(0);
  const auto page_of = [&](const void* block) {
    return region.first + Pages{static_cast<std::uint32_t>((reinterpret_cast<Address>(block) - region.pages_start) / 4096)};
  };
  const PageNumber first = heap->slab(0).list().first;
  const PageNumber last = region.previous[(first - region.first).count];
  REQUIRE(first != last);
  const PageNumber strangers[] = {page_of(other),          page_of(large), page_of(blocks[6 * 64]),
                                  heap->slab(0).current(), no_page,        region.run().end()};
  for (const PageNumber stranger : strangers) {
    CAPTURE(stranger.value);
    const PageNumber next = region.page(first).next;
    region.page(first).next = stranger;
    CHECK_FALSE(heap->validate());
    if (heap->regions().has(stranger)) {  // and back, as a good link would
      PageNumber& back = heap->regions().previous_link(stranger);
      const PageNumber before = back;
      back = first;
      CHECK_FALSE(heap->validate());
      back = before;
    }
    region.page(first).next = next;
    region.previous[(first - region.first).count] = stranger;
    CHECK_FALSE(heap->validate());
    region.previous[(first - region.first).count] = last;
    REQUIRE(heap->validate());
  }
}

TEST_CASE("validate notices a set that stands in the place of another on a list") {
  CoreHeap heap{256};
  std::vector<void*> blocks;
  for (int i = 0; i < 9 * 64; ++i) blocks.push_back(heap->allocate(64, 1));
  for (std::size_t i = 0; i < 5 * 64; i += 32) REQUIRE(heap->free(blocks[i]) == Status::ok);
  void* const other = heap->allocate(128, 1);
  const Region& region = heap->regions().by_address(0);
  const auto page_of = [&](const void* block) {
    return region.first + Pages{static_cast<std::uint32_t>((reinterpret_cast<Address>(block) - region.pages_start) / 4096)};
  };
  const Regions& regions = heap->regions();
  const PageNumber first = heap->slab(0).list().first;
  const PageNumber member = region.page(first).next;
  const PageNumber last = region.page(member).next;
  REQUIRE(last != first);
  const auto put_between = [&](PageNumber set) {
    region.page(first).next = set;
    region.page(set).next = last;
    regions.previous_link(set) = first;
    regions.previous_link(last) = set;
  };
  for (const PageNumber stranger : {page_of(other), page_of(blocks[6 * 64]), heap->slab(0).current()}) {
    const PageNumber links[] = {region.page(stranger).next, regions.previous_link(stranger)};
    put_between(stranger);
    CHECK_FALSE(heap->validate());
    region.page(stranger).next = links[0];
    regions.previous_link(stranger) = links[1];
    put_between(member);
    REQUIRE(heap->validate());
  }
}

TEST_CASE("validate notices a set that is longer than what follows it, off its alignment, or with a head inside") {
  Options own = options(Preset::classic);
  const std::size_t classes[] = {8192};
  own.classes = classes;
  own.class_count = 1;
  own.set_blocks = 1;
  CoreHeap heap{64, own};
  Region& region = heap->regions().by_address(0);
  void* block = nullptr;
  while (void* next = heap->allocate(8192, 1)) block = next;
  const auto last = static_cast<std::uint32_t>((reinterpret_cast<Address>(block) - region.pages_start) / 4096);
  REQUIRE(last == 62);
  region.pages[last].block_count = 64;
  CHECK_FALSE(heap->validate());
  region.pages[last].block_count = 1;

  region.pages[last + 1].block_count = 1;
  CHECK_FALSE(heap->validate());
  region.pages[last + 1].block_count = 0;
  REQUIRE(heap->validate());

  // The same set a page further on, behind a large block that is not there.
  REQUIRE(heap->free(reinterpret_cast<void*>(region.pages_start + 8192)) == Status::ok);
  const Page pages[] = {region.pages[0], region.pages[1], region.pages[2]};
  const std::uint16_t distances[] = {region.head_distances[0], region.head_distances[1], region.head_distances[2]};
  region.pages[0] = {1, no_page, PageKind::large, 0, 0, 0};
  region.pages[1] = pages[0];
  region.pages[2] = {};
  region.head_distances[1] = 0;
  region.head_distances[2] = 1;
  CHECK_FALSE(heap->validate());
  std::copy(std::begin(pages), std::end(pages), region.pages);
  std::copy(std::begin(distances), std::end(distances), region.head_distances);
  CHECK(heap->validate());
}
