// How heaps are made, grown and refused.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/memory.hpp"
#include "support/picture.hpp"

using slabheap::test::Memory;

namespace {

HeapOptions options_over(const Memory& memory) {
  HeapOptions options = heap_options_default();
  options.memory = memory.start();
  options.bytes = memory.bytes();
  return options;
}

}  // namespace

TEST_CASE("options out of range are refused, with a sentence, and the result stays untouched") {
  const Memory memory{1 << 20};
  const std::size_t descending[] = {64, 32};
  const std::size_t twice[] = {64, 64};
  const std::size_t tiny[] = {7, 64};
  const std::size_t huge[] = {64, 65537};
  const std::vector<std::size_t> many(129, 64);
  struct Case {
    void (*spoil)(HeapOptions&, const std::size_t*);
    const std::size_t* classes;
    std::size_t count;
    const char* problem;
  };
  const auto nothing = [](HeapOptions&, const std::size_t*) {};
  const Case cases[] = {
      {nothing, descending, 2, "size classes must ascend"},
      {nothing, twice, 2, "size classes must ascend"},
      {nothing, tiny, 2, "a size class must have at least 8 bytes"},
      {nothing, huge, 2, "a size class must have at most 65536 bytes"},
      {nothing, many.data(), 129, "there can be at most 128 size classes"},
      {nothing, descending, 0, "there must be at least one size class"},
      {nothing, nullptr, 1, "size classes are counted but not given"},
      {[](HeapOptions& o, const std::size_t*) { o.set_blocks = 65; }, nullptr, 0, "a set has at most 64 blocks"},
      {[](HeapOptions& o, const std::size_t*) { o.page_bytes = 256; }, nullptr, 0,
       "a page must have a power of two of bytes, 512 to 65536"},
      {[](HeapOptions& o, const std::size_t*) { o.page_bytes = 131072; }, nullptr, 0,
       "a page must have a power of two of bytes, 512 to 65536"},
      {[](HeapOptions& o, const std::size_t*) { o.page_bytes = 5000; }, nullptr, 0,
       "a page must have a power of two of bytes, 512 to 65536"},
      {[](HeapOptions& o, const std::size_t*) { o.preset = static_cast<HeapPreset>(2); }, nullptr, 0, "there is no such preset"},
      {[](HeapOptions& o, const std::size_t*) { o.pages = static_cast<HeapPageLayer>(3); }, nullptr, 0,
       "there is no such page layer"},
      {[](HeapOptions& o, const std::size_t*) { o.invalid_free = static_cast<HeapInvalidFree>(2); }, nullptr, 0,
       "there is no such way to treat an invalid free"},
      {[](HeapOptions& o, const std::size_t*) { o.freed_runs = static_cast<HeapFreedRuns>(2); }, nullptr, 0,
       "there is no such way to treat a freed run"},
      {[](HeapOptions& o, const std::size_t*) { o.huge_pages = static_cast<HeapHugePages>(3); }, nullptr, 0,
       "there is no such choice of huge pages"},
      {[](HeapOptions& o, const std::size_t*) { o.options_bytes = 8; }, nullptr, 0,
       "options_bytes is not the size of the options"},
  };
  for (const Case& wrong : cases) {
    HeapOptions options = options_over(memory);
    options.classes = wrong.classes;
    options.class_count = wrong.count;
    wrong.spoil(options, wrong.classes);
    REQUIRE(heap_options_problem(&options) != nullptr);
    CHECK(std::string{heap_options_problem(&options)} == wrong.problem);
    Heap* const untouched = reinterpret_cast<Heap*>(0x1234);
    Heap* heap = untouched;
    CHECK(heap_new_with(&options, &heap) == HEAP_STATUS_INVALID_ARGUMENT);
    CHECK(heap == untouched);
  }
}

TEST_CASE("default options have no problem and make what heap_new makes") {
  const Memory memory{1 << 20};
  const HeapOptions options = options_over(memory);
  CHECK(options.options_bytes == sizeof(HeapOptions));
  CHECK(heap_options_problem(&options) == nullptr);
  Heap* heap = nullptr;
  REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
  const std::string picture = slabheap::test::picture(heap);
  heap_destroy(heap);
  heap = heap_new(memory.start(), memory.bytes());
  CHECK(slabheap::test::picture(heap) == picture);
  heap_destroy(heap);
}

TEST_CASE("options of a later version are understood as long as what they add is zero") {
  struct LaterOptions {
    HeapOptions known;
    std::size_t added;
  };
  const Memory memory{1 << 20};
  LaterOptions later{options_over(memory), 0};
  later.known.options_bytes = sizeof(LaterOptions);
  Heap* heap = nullptr;
  REQUIRE(heap_new_with(&later.known, &heap) == HEAP_STATUS_OK);
  heap_destroy(heap);
  later.added = 1;
  CHECK(heap_new_with(&later.known, &heap) == HEAP_STATUS_UNSUPPORTED);
  CHECK(heap_options_problem(&later.known) != nullptr);
}

TEST_CASE("memory too small for metadata and a page is refused, one byte more is enough") {
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    const Memory memory{65536, 40};
    HeapOptions options = options_over(memory);
    options.preset = preset;
    Heap* heap = nullptr;
    std::size_t least = 0;
    for (std::size_t bytes = 0; bytes <= memory.bytes() && least == 0; ++bytes) {
      options.bytes = bytes;
      const HeapStatus status = heap_new_with(&options, &heap);
      if (status == HEAP_STATUS_OK) least = bytes;
      if (status != HEAP_STATUS_OK) REQUIRE(status == HEAP_STATUS_TOO_SMALL);
    }
    REQUIRE(least != 0);
    CHECK(least < 12 * 1024);
    CHECK(heap_stats(heap).total_bytes == (preset == HEAP_PRESET_CLASSIC ? 4096 : 1024));
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    heap_destroy(heap);
    CHECK(memory.rim_is_whole());
  }
}

TEST_CASE("memory that wraps around, or has too many pages, is refused untouched") {
  const Memory memory{1 << 20};
  HeapOptions options = options_over(memory);
  Heap* heap = nullptr;
  options.bytes = ~std::size_t{0};
  CHECK(heap_new_with(&options, &heap) == HEAP_STATUS_INVALID_ARGUMENT);
#if SIZE_MAX > 0xffffffff
  options.bytes = (std::size_t{1} << 43) + 4096;
  CHECK(heap_new_with(&options, &heap) == HEAP_STATUS_INVALID_ARGUMENT);
#endif
  heap = heap_new(memory.start(), 1 << 20);
  void* end = reinterpret_cast<void*>(~std::uintptr_t{0} - 4095);
  CHECK(heap_add_memory(heap, end, 1 << 20) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_add_memory(heap, memory.start(), ~std::size_t{0}) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_add_memory(heap, memory.start(), options.bytes) == HEAP_STATUS_INVALID_ARGUMENT);
}

TEST_CASE("added memory serves once the first region is full") {
  const Memory first{64 << 10};
  const Memory second{128 << 10, 99};
  Heap* heap = heap_new(first.start(), first.bytes());
  while (heap_allocate(heap, 5000, 8) != nullptr) continue;
  CHECK(heap_add_memory(heap, second.start(), second.bytes()) == HEAP_STATUS_OK);
  CHECK(heap_stats(heap).region_count == 2);
  auto* block = static_cast<char*>(heap_allocate(heap, 60000, 8));
  REQUIRE(block != nullptr);
  CHECK(block >= second.start());
  CHECK(block + 60000 <= static_cast<char*>(second.start()) + second.bytes());
  CHECK(heap_free(heap, block) == HEAP_STATUS_OK);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
}

TEST_CASE("regions that touch stay two: no block spans both") {
  const Memory memory{128 << 10};
  Heap* heap = heap_new(memory.start(), 64 << 10);
  REQUIRE(heap_add_memory(heap, static_cast<char*>(memory.start()) + (64 << 10), 64 << 10) == HEAP_STATUS_OK);
  CHECK(heap_stats(heap).largest_free_bytes < 64 << 10);
  CHECK(slabheap::test::picture(heap).find(" | ") != std::string::npos);
}

TEST_CASE("memory that overlaps a region is refused") {
  const Memory memory{256 << 10};
  auto* start = static_cast<char*>(memory.start());
  Heap* heap = heap_new(start + (64 << 10), 64 << 10);
  const HeapStats before = heap_stats(heap);
  for (const int offset : {0, 1, 32 << 10, 64 << 10, 100 << 10, (128 << 10) - 1}) {
    CHECK(heap_add_memory(heap, start + offset, (64 << 10) + 1) == HEAP_STATUS_OVERLAP);
  }
  const HeapStats after = heap_stats(heap);
  CHECK(std::memcmp(&before, &after, sizeof(HeapStats)) == 0);
  CHECK(heap_add_memory(heap, start, 64 << 10) == HEAP_STATUS_OK);
  CHECK(heap_add_memory(heap, start + (128 << 10), 64 << 10) == HEAP_STATUS_OK);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
}

TEST_CASE("64 regions are served, a 65th is refused") {
  const std::size_t bytes = 32 << 10;
  const Memory memory{65 * bytes, 16};
  auto* start = static_cast<char*>(memory.start());
  Heap* heap = heap_new(start + 20 * bytes, bytes);
  for (std::size_t i = 0; i < 64; ++i) {
    if (i != 20) REQUIRE(heap_add_memory(heap, start + i * bytes, bytes) == HEAP_STATUS_OK);
  }
  CHECK(heap_add_memory(heap, start + 64 * bytes, bytes) == HEAP_STATUS_TOO_MANY_REGIONS);
  std::vector<void*> blocks;
  while (void* block = heap_allocate(heap, 3000, 8)) blocks.push_back(block);
  CHECK(blocks.size() > 64 * 5);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    REQUIRE(heap_deallocate(heap, blocks[i * 37 % blocks.size()], 3000, 8) == HEAP_STATUS_OK);
  }
  CHECK(heap_stats(heap).used_bytes == 0);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
}

TEST_CASE("when memory runs out the callback may add some and have one more try") {
  struct Context {
    const Memory* spare;
    int calls = 0;
    std::size_t size = 0;
  };
  const Memory memory{64 << 10};
  const Memory spare{256 << 10};
  Context context{&spare};
  HeapOptions options = options_over(memory);
  options.context = &context;
  options.out_of_memory = [](void* pointer, Heap* heap, size_t size, size_t) {
    auto& seen = *static_cast<Context*>(pointer);
    seen.size = size;
    return ++seen.calls == 1 && heap_add_memory(heap, seen.spare->start(), seen.spare->bytes()) == HEAP_STATUS_OK;
  };
  Heap* heap = nullptr;
  REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
  CHECK(heap_allocate(heap, 100000, 8) != nullptr);
  CHECK(context.calls == 1);
  CHECK(context.size == 100000);
  CHECK(heap_allocate(heap, 200000, 8) == nullptr);
  CHECK(context.calls == 2);
  CHECK(heap_stats(heap).failed_allocations == 1);
}

TEST_CASE("NULL where there should be a heap is answered, not followed") {
  HeapClassStats stats{};
  Heap* heap = nullptr;
  CHECK(heap_new_with(nullptr, &heap) == HEAP_STATUS_INVALID_ARGUMENT);
  const HeapOptions options = heap_options_default();
  CHECK(heap_new_with(&options, nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_options_problem(nullptr) != nullptr);
  heap_destroy(nullptr);
  CHECK(heap_add_memory(nullptr, &stats, 100) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_allocate(nullptr, 8, 8) == nullptr);
  CHECK(heap_allocate_zeroed(nullptr, 8, 8) == nullptr);
  CHECK(heap_reallocate(nullptr, nullptr, 8, 8, 8) == nullptr);
  CHECK(heap_deallocate(nullptr, nullptr, 8, 8) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_free(nullptr, nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_usable_size(nullptr, 8, 8).max == 0);
  CHECK(heap_block_size(nullptr, &stats) == 0);
  CHECK(heap_total_bytes(nullptr) + heap_used_bytes(nullptr) + heap_available_bytes(nullptr) == 0);
  CHECK(heap_stats(nullptr).total_bytes == 0);
  CHECK(heap_class_count(nullptr) == 0);
  CHECK(heap_class_stats(nullptr, 0, &stats) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_visit(nullptr, nullptr, nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_visit_runs(nullptr, nullptr, nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_check(nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_trim(nullptr) == 0);
  CHECK(heap_reset(nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
}

TEST_CASE("NULL for what is to be called, or where an answer goes, is answered too") {
  const Memory memory{1 << 16};
  Heap* heap = heap_new(memory.start(), memory.bytes());
  CHECK(heap_class_stats(heap, 0, nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_visit(heap, nullptr, nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
  CHECK(heap_visit_runs(heap, nullptr, nullptr) == HEAP_STATUS_INVALID_ARGUMENT);
}

TEST_CASE("a check finds metadata that was written over") {
  const Memory memory{1 << 16};
  Heap* heap = heap_new(memory.start(), memory.bytes());
  auto* bytes = static_cast<unsigned char*>(memory.start());
  const std::vector<unsigned char> before(bytes, bytes + memory.bytes());
  REQUIRE(heap_allocate(heap, 100, 8) != nullptr);
  std::size_t changed = 0;
  std::size_t noticed = 0;
  for (std::size_t at = 0; at < memory.bytes(); ++at) {
    const unsigned char now = bytes[at];
    if (now == before[at]) continue;
    ++changed;
    bytes[at] = before[at];
    if (heap_check(heap) == HEAP_STATUS_CORRUPT) ++noticed;
    bytes[at] = now;
  }
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  CHECK(changed > 0);
  CHECK(2 * noticed > changed);
}

TEST_CASE("every status has words of its own, and so has what is none") {
  std::vector<std::string> seen;
  for (std::uint32_t status = 0; status <= HEAP_STATUS_UNSUPPORTED + 1; ++status) {
    const std::string text = heap_status_message(static_cast<HeapStatus>(status));
    CHECK_FALSE(text.empty());
    for (const std::string& other : seen) CHECK(text != other);
    seen.push_back(text);
  }
  CHECK(std::string{heap_version()}.find('.') != std::string::npos);
}
