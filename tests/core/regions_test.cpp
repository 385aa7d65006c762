#include "slabheap/core/regions.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "support/memory.hpp"

using namespace slabheap;
using slabheap::test::Memory;

namespace {

Span span_of(const Memory& memory) { return {reinterpret_cast<Address>(memory.start()), memory.bytes()}; }

/// A region without a page layer.
MetadataNeed need_of(unsigned page_shift, std::size_t extra = 0) {
  return {extra, page_shift, [](std::uint32_t) { return std::size_t{0}; }};
}

/// A region with as many bytes a page as it takes to be found wrong: more, where the count crosses a power of two.
MetadataNeed stepped_need_of(unsigned page_shift, std::size_t extra) {
  return {extra, page_shift, [](std::uint32_t pages) { return std::size_t{64} * std::bit_ceil(pages); }};
}

/// The plan that is found by trying every number of pages at both ends.
std::uint32_t most_pages(Span span, const MetadataNeed& need) {
  const std::size_t page = std::size_t{1} << need.page_shift;
  std::uint32_t most = 0;
  for (std::uint32_t count = 1; count <= span.bytes >> need.page_shift; ++count) {
    const std::size_t metadata = need.extra + round_up(sizeof(Region), sizeof(Page)) +
                                 round_up(need.layer_bytes(count), sizeof(Page)) + count * metadata_per_page;
    const Address end = span.start + span.bytes;
    const Address behind = round_up(round_up(span.start, 64) + metadata, page);
    const Address front = round_up(span.start, page);
    const bool fits_behind = behind + count * page <= end;
    const bool fits_in_front = metadata < span.bytes && front + count * page <= round_down(end - metadata, 64);
    if (fits_behind || fits_in_front) most = count;
  }
  return most;
}

}  // namespace

TEST_CASE("a plan keeps pages and metadata apart, inside the span, and wastes no page, at every size and misalignment") {
  for (const unsigned page_shift : {9U, 12U}) {
    for (std::size_t misalignment = 0; misalignment < 4096; misalignment += 233) {
      for (std::size_t bytes = 0; bytes < 40000; bytes += 371) {
        const Span span{(Address{1} << 30) + misalignment, bytes};
        for (const MetadataNeed& need : {need_of(page_shift, 192), stepped_need_of(page_shift, 192)}) {
          const RegionPlan plan = RegionPlan::make(span, need);
          REQUIRE(plan.page_count == most_pages(span, need));
          if (plan.page_count == 0) continue;
          const Span pages{plan.pages, std::size_t{plan.page_count} << page_shift};
          const Span metadata{plan.metadata, plan.metadata_bytes};
          REQUIRE_FALSE(pages.overlaps(metadata));
          REQUIRE(pages.start % (std::size_t{1} << page_shift) == 0);
          REQUIRE(metadata.start % 64 == 0);
          for (const Span part : {pages, metadata}) {
            REQUIRE(part.start >= span.start);
            REQUIRE(part.start + part.bytes <= span.start + span.bytes);
          }
        }
      }
    }
  }
}

TEST_CASE(
    "with the metadata in front, the pages end where the last whole page of the span does, and otherwise begin with its first") {
  std::size_t spared = 0;  // how often a page is left over
  for (std::size_t misalignment = 0; misalignment < 4096; misalignment += 512) {
    for (std::size_t bytes = 16384; bytes < std::size_t{4} << 20; bytes += 3000) {
      const Span span{(Address{1} << 30) + misalignment, bytes};
      const MetadataNeed need = need_of(12, 192);
      const RegionPlan plan = RegionPlan::make(span, need);
      const Address end = plan.pages + (Address{plan.page_count} << 12);
      if (plan.metadata < plan.pages) {
        REQUIRE(end == round_down(span.start + span.bytes, 4096));
        if (round_up(plan.metadata + plan.metadata_bytes, 4096) != plan.pages) ++spared;
      } else {
        REQUIRE(plan.pages == round_up(span.start, 4096));
      }
    }
  }
  CHECK(spared > 0);
}

TEST_CASE("page numbers are congruent to addresses") {
  for (const std::size_t misalignment : {0U, 1U, 4096U, 12288U, 100000U}) {
    const Memory memory{1 << 20, misalignment};
    Regions regions{12};
    const RegionPlan plan = RegionPlan::make(span_of(memory), need_of(12));
    REQUIRE(regions.add(span_of(memory), plan, need_of(12), false, 0) == Status::ok);
    const Region& region = regions.by_address(0);
    CHECK(regions.address(region.first) == plan.pages);
    CHECK((region.first.value & 0xff) == ((plan.pages >> 12) & 0xff));
  }
}

TEST_CASE("regions are found by address and by number, in whatever order they came") {
  const std::size_t bytes = 64 << 10;
  const Memory memory{max_regions * bytes};
  Regions regions{12};
  for (std::uint32_t i = 0; i < max_regions; ++i) {
    const std::uint32_t place = i * 37 % max_regions;
    const Span span{reinterpret_cast<Address>(memory.start()) + place * bytes, bytes};
    const MetadataNeed need = need_of(12, regions.table_bytes());
    REQUIRE(regions.add(span, RegionPlan::make(span, need), need, false, place) == Status::ok);
  }
  CHECK(regions.count() == max_regions);
  CHECK(regions.given_bytes() == max_regions * bytes);
  for (std::uint32_t place = 0; place < max_regions; ++place) {
    const Address start = reinterpret_cast<Address>(memory.start()) + place * bytes;
    Region& region = regions.by_address(place);
    CHECK(region.tag == place);
    for (const std::size_t offset : {std::size_t{0}, bytes / 2, bytes - 1}) CHECK(regions.find(start + offset) == &region);
    CHECK(&regions.of(region.first) == &region);
    CHECK(&regions.of(region.run().end() - Pages{1}) == &region);
    CHECK(regions.has(region.first));
    CHECK_FALSE(regions.has(region.run().end()));
  }
  CHECK(regions.find(reinterpret_cast<Address>(memory.start()) - 1) == nullptr);
  CHECK(regions.find(reinterpret_cast<Address>(memory.start()) + memory.bytes()) == nullptr);
}

TEST_CASE("a region too many, or one that overlaps, is refused and its memory is not touched") {
  const Memory memory{1 << 20};
  Regions regions{12};
  const Span first{reinterpret_cast<Address>(memory.start()) + 65536, 65536};
  REQUIRE(regions.add(first, RegionPlan::make(first, need_of(12)), need_of(12), false, 0) == Status::ok);
  const std::vector<char> before(static_cast<char*>(memory.start()), static_cast<char*>(memory.start()) + memory.bytes());
  for (const std::size_t offset : {0U, 32768U, 65536U, 100000U, 131071U}) {
    const Span span{reinterpret_cast<Address>(memory.start()) + offset, 65537};
    CHECK(regions.add(span, RegionPlan::make(span, need_of(12)), need_of(12), false, 0) == Status::overlap);
  }
  CHECK(regions.count() == 1);
  CHECK(std::memcmp(before.data(), memory.start(), memory.bytes()) == 0);
}

#if SIZE_MAX > 0xffffffff
TEST_CASE("a region without numbers left is refused") {
  // Of pages of 512 bytes, 2^31 make a terabyte; two such regions use up the numbers. Nothing of them is touched.
  Regions regions{9};
  const Memory metadata{1 << 16};
  const auto at = reinterpret_cast<Address>(metadata.start());
  const RegionPlan huge{Address{1} << 46, max_region_pages - 1, at, 0};
  const RegionPlan also_huge{Address{1} << 47, max_region_pages - 1, at + 1024, 0};
  const RegionPlan small{Address{3} << 46, 1, at + 4096, 0};
  CHECK(regions.add({Address{1} << 46, 1}, huge, need_of(9), true, 0) == Status::ok);
  CHECK(regions.add({Address{1} << 47, 1}, also_huge, need_of(9, regions.table_bytes()), true, 0) == Status::ok);
  CHECK(regions.add({Address{3} << 46, 1}, small, need_of(9), true, 0) == Status::too_many_regions);
}

TEST_CASE("every page of a region is found by number, where its numbers begin or end with a chunk of them") {
  // Numbers are dealt in chunks of 2^26. Nothing but the metadata is touched.
  constexpr std::uint32_t chunk = 1U << 26;
  const std::uint32_t counts[] = {1, chunk, 1, chunk + 1, chunk};
  const std::uint32_t chunks[] = {0, 1, 2, 4, 3};  // more than a chunk begins on a multiple of two
  const Memory metadata{1 << 16};
  Regions regions{9};
  auto at = reinterpret_cast<Address>(metadata.start());
  for (const std::uint32_t count : counts) {
    const MetadataNeed need = need_of(9, regions.table_bytes());
    const Address pages = Address{regions.count() + 1} << 40;
    REQUIRE(regions.add({pages, 1}, {pages, count, at, 0}, need, true, 0) == Status::ok);
    at += 4096;
  }
  for (std::uint32_t i = 0; i < regions.count(); ++i) {
    const Region& region = regions.by_address(i);
    CHECK(region.run() == Run{{chunks[i] * chunk}, {counts[i]}});
    for (const PageNumber page : {region.first, region.end() - Pages{1}}) {
      CHECK(regions.has(page));
      CHECK(&regions.of(page) == &region);
    }
  }
}

TEST_CASE("page numbers of more than a chunk are congruent to addresses as far as the region is long") {
  constexpr Address alignment = Address{512} << 27;
  const Memory metadata{1 << 16};
  Regions regions{9};
  const Address pages = (Address{1} << 46) + alignment / 2;
  const RegionPlan plan{pages, 1U << 27, reinterpret_cast<Address>(metadata.start()), 0};
  REQUIRE(regions.add({pages, 1}, plan, need_of(9), true, 0) == Status::ok);
  CHECK(regions.by_address(0).first == PageNumber{1U << 26});
}
#endif

TEST_CASE("a list keeps its order, and lets go of any page") {
  const Memory memory{1 << 18};
  Regions regions{12};
  REQUIRE(regions.add(span_of(memory), RegionPlan::make(span_of(memory), need_of(12)), need_of(12), false, 0) == Status::ok);
  const PageNumber first = regions.by_address(0).first;
  const auto page = [&](std::uint32_t i) { return first + Pages{i}; };
  Regions::List list;
  const auto order = [&] {
    std::vector<std::uint32_t> seen;
    const bool sound = regions.is_sound(list, 9, [&](PageNumber number) {
      seen.push_back((number - first).count);
      return true;
    });
    CHECK(sound);
    return seen;
  };
  CHECK(list.empty());
  for (const std::uint32_t i : {1U, 2U, 3U}) regions.push_back(list, page(i));
  regions.push_front(list, page(0));
  CHECK(order() == std::vector<std::uint32_t>{0, 1, 2, 3});
  regions.unlink(list, page(2));
  CHECK(order() == std::vector<std::uint32_t>{0, 1, 3});
  regions.unlink(list, page(0));
  CHECK(order() == std::vector<std::uint32_t>{1, 3});
  regions.unlink(list, page(3));
  regions.unlink(list, page(1));
  CHECK(list.empty());
}
