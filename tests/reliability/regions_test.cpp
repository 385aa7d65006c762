// Regions of every size and misalignment, at every place of the address space, and in every position to each other.
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/environment.hpp"
#include "support/figures.hpp"

using slabheap::test::every_or;

namespace {

constexpr std::size_t os_page = std::size_t{1} << 16;  // a multiple of what any of the systems has

/// Memory between two guards: whoever touches one is ended.
class Guarded {
 public:
  explicit Guarded(std::size_t bytes) : bytes_{bytes} {
    void* all = mmap(nullptr, bytes + 2 * os_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(all != MAP_FAILED);
    start_ = static_cast<unsigned char*>(all) + os_page;
    REQUIRE(mprotect(start_, bytes, PROT_READ | PROT_WRITE) == 0);
    fill_with_rubbish();
  }
  ~Guarded() { munmap(start_ - os_page, bytes_ + 2 * os_page); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  [[nodiscard]] unsigned char* start() const { return start_; }
  [[nodiscard]] unsigned char* end() const { return start_ + bytes_; }
  void fill_with_rubbish() const { std::memset(start_, rubbish, bytes_); }
  /// By comparison of each byte with the next, which is quicker than a look at each.
  [[nodiscard]] static bool is_rubbish(const unsigned char* from, const unsigned char* to) {
    return from == to || (*from == rubbish && std::memcmp(from, from + 1, static_cast<std::size_t>(to - from) - 1) == 0);
  }

 private:
  static constexpr unsigned char rubbish = 0xa5;

  std::size_t bytes_;
  unsigned char* start_;
};

/// The address behind the last page of a heap of one region.
void* end_of_pages(const Heap* heap) {
  void* end = nullptr;
  const HeapRunVisitor note = [](void* context, const HeapRun* run) {
    *static_cast<void**>(context) = static_cast<char*>(run->start) + run->bytes;
    return true;
  };
  REQUIRE(heap_visit_runs(heap, note, &end) == HEAP_STATUS_OK);
  return end;
}

/// Makes a heap of exactly these bytes and uses all of its memory; whether there was one.
bool use(const HeapOptions& options) {
  Heap* heap = nullptr;
  const HeapStatus status = heap_new_with(&options, &heap);
  if (status != HEAP_STATUS_OK) {
    REQUIRE(status == HEAP_STATUS_TOO_SMALL);
    return false;
  }
  const HeapStats stats = heap_stats(heap);
  REQUIRE(stats.total_bytes + stats.metadata_bytes <= options.bytes);
  auto* block = static_cast<unsigned char*>(heap_allocate(heap, stats.largest_free_bytes, 1));
  REQUIRE(block != nullptr);
  block[0] = block[stats.largest_free_bytes - 1] = 1;
  // What lies behind the pages is no metadata of a page.
  REQUIRE(heap_free(heap, end_of_pages(heap)) != HEAP_STATUS_OK);
  REQUIRE(heap_deallocate(heap, end_of_pages(heap), 1, 1) != HEAP_STATUS_OK);
  REQUIRE(heap_check(heap) == HEAP_STATUS_OK);
  heap_destroy(heap);
  return true;
}

constexpr std::size_t metadata_alignment = 64;
constexpr std::size_t rim_bytes = 512;          // looked at on both sides of a region, as far as there are so many before a guard
constexpr std::size_t most_more_bytes = 65536;  // of a region than the least has

/// Where to put a region: its start or its end so far from a guard.
struct Misalignment {
  std::size_t bytes;
  bool from_end;
};

/// Of the heaps that were made: their sizes and starts modulo 64, and how many had a guard as the next byte.
struct Coverage {
  std::bitset<metadata_alignment * metadata_alignment> sizes_and_starts;
  std::size_t next_to_guard = 0;

  void note(const Guarded& memory, const unsigned char* start, std::size_t bytes) {
    const std::size_t misalignment = reinterpret_cast<std::uintptr_t>(start) % metadata_alignment;
    sizes_and_starts.set(bytes % metadata_alignment * metadata_alignment + misalignment);
    if (start == memory.start() || start + bytes == memory.end()) ++next_to_guard;
  }
};

/// The least size that makes a heap there; every size up to 64 KiB above it is tried. Regions grow, so what lies outside of one
/// was outside of those before it too.
std::size_t try_every_size(const Guarded& memory, HeapOptions options, Misalignment misalignment, std::size_t stride,
                           std::size_t& tried, Coverage& coverage) {
  const auto room = static_cast<std::size_t>(memory.end() - memory.start()) - misalignment.bytes;
  std::size_t least = 0;
  memory.fill_with_rubbish();
  for (std::size_t bytes = 0; bytes <= room && (least == 0 || bytes <= least + most_more_bytes);
       bytes += least == 0 ? 1 + stride / 16 : stride) {
    unsigned char* start = memory.start() + misalignment.bytes;
    if (misalignment.from_end) start = memory.end() - misalignment.bytes - bytes;
    options.memory = start;
    options.bytes = bytes;
    const bool is_made = use(options);
    if (is_made && least == 0) least = bytes;
    REQUIRE(is_made == (least != 0));
    REQUIRE(Guarded::is_rubbish(std::max(memory.start(), start - rim_bytes), start));
    REQUIRE(Guarded::is_rubbish(start + bytes, std::min(memory.end(), start + bytes + rim_bytes)));
    if (is_made) coverage.note(memory, start, bytes);
    ++tried;
  }
  REQUIRE(least != 0);
  return least;
}

}  // namespace

TEST_CASE("a region of every size, at 64 misalignments, between guards, is refused or used, and nothing else is touched") {
  const std::size_t stride = every_or(29);
  const Guarded memory{3 * os_page};
  std::size_t tried = 0;
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    std::size_t least = memory.end() - memory.start();
    HeapOptions options = heap_options_default();
    options.preset = preset;
    for (const bool from_end : {false, true}) {
      Coverage coverage;
      for (std::size_t i = 0; i < metadata_alignment; ++i) {
        least = std::min(least, try_every_size(memory, options, {i, from_end}, stride, tried, coverage));
        // Some in the middle of pages, of which all others have an end at an edge.
        if (i % 16 == 5) (void)try_every_size(memory, options, {i * 65, from_end}, stride, tried, coverage);
      }
      CHECK(coverage.next_to_guard == most_more_bytes / stride + 1);
      // Sizes that are an odd number apart have every residue.
      if (stride % 2 == 1) CHECK(coverage.sizes_and_starts.all());
    }
    std::cout << "smallest " << (preset == HEAP_PRESET_CLASSIC ? "classic" : "compact") << " heap: " << least << " bytes\n";
  }
  slabheap::test::add_figure("regions", tried);
  std::cout << "regions: " << tried << '\n';
}

TEST_CASE("a region added in any position to another is refused if and only if they overlap") {
  constexpr std::size_t step = 16 << 10;
  const Guarded memory{16 * step};
  constexpr std::size_t own_start = 6 * step;
  constexpr std::size_t own_end = 10 * step;
  const auto near = [](std::size_t at) { return std::vector<std::size_t>{at - 1, at, at + 1}; };
  for (std::size_t first = 1; first < 15; ++first) {
    for (std::size_t last = first + 1; last < 16; ++last) {
      for (const std::size_t start : near(first * step)) {
        for (const std::size_t end : near(last * step)) {
          Heap* heap = heap_new(memory.start() + own_start, own_end - own_start);
          const bool overlaps = start < own_end && own_start < end;
          CHECK(heap_add_memory(heap, memory.start() + start, end - start) == (overlaps ? HEAP_STATUS_OVERLAP : HEAP_STATUS_OK));
          CHECK(heap_check(heap) == HEAP_STATUS_OK);
        }
      }
    }
  }
}

TEST_CASE("a region that wraps around, or ends with the address space, is refused untouched") {
  const Guarded memory{os_page};
  Heap* heap = heap_new(memory.start(), os_page);
  const std::size_t most = std::numeric_limits<std::size_t>::max();
  for (std::size_t from_top = 0; from_top < 9000; from_top += 7) {
    void* high = reinterpret_cast<void*>(most - from_top);
    for (const std::size_t bytes : {from_top + 1, from_top + 2, most / 2, most}) {
      CHECK(heap_new(high, bytes) == nullptr);
      CHECK(heap_add_memory(heap, high, bytes) == HEAP_STATUS_INVALID_ARGUMENT);
    }
    // What does not wrap around has no room for a page and its metadata here.
    if (from_top < 4096) CHECK(heap_add_memory(heap, high, from_top) == HEAP_STATUS_TOO_SMALL);
  }
}

TEST_CASE("the highest memory that the system gives is served") {
  const std::size_t bytes = 4 * os_page;
  std::size_t at = static_cast<std::size_t>(sizeof(void*) > 4 ? 0x7fff'ffff'0000 : 0xffff'0000);
  void* memory = MAP_FAILED;
  while (memory == MAP_FAILED) {
    at -= os_page;
    memory = mmap(reinterpret_cast<void*>(at), bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                  -1, 0);
  }
  Heap* heap = heap_new(memory, bytes);
  REQUIRE(heap != nullptr);
  auto* block = static_cast<unsigned char*>(heap_allocate(heap, heap_stats(heap).largest_free_bytes, 8));
  REQUIRE(block != nullptr);
  CHECK(heap_free(heap, block + 8) == HEAP_STATUS_MISALIGNED);
  CHECK(heap_free(heap, block) == HEAP_STATUS_OK);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  munmap(memory, bytes);
}

#if SIZE_MAX > 0xffffffff
TEST_CASE("a region on an odd multiple of 32 GiB, which gives its first page the number zero, serves all of its pages") {
  constexpr std::size_t page = 512;
  constexpr std::size_t chunk = std::size_t{1} << 35;  // 2^26 pages: as far as numbers are congruent to addresses
  void* memory = MAP_FAILED;
  // Above what sanitizers keep for themselves.
  for (std::size_t multiple = 513; memory == MAP_FAILED; multiple += 2) {
    memory = mmap(reinterpret_cast<void*>(multiple * chunk), os_page, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  }
  for (const HeapPageLayer layer : {HEAP_PAGE_LAYER_BUDDY, HEAP_PAGE_LAYER_BEST_FIT}) {
    // Larger than every class; but best fit begins such a block elsewhere, and the set of the largest class there.
    const std::size_t size = (layer == HEAP_PAGE_LAYER_BUDDY ? 9 : 8) * page;
    HeapOptions options = heap_options_default();
    options.page_bytes = page;
    options.pages = layer;
    options.memory = memory;
    // Of some size the metadata fits behind the last page, and in front of the first it would cost a page.
    Heap* heap = nullptr;
    for (options.bytes = os_page; heap == nullptr || heap_block_size(heap, memory) == 0; options.bytes -= 64) {
      REQUIRE(options.bytes > os_page / 2);
      REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
      (void)heap_allocate(heap, size, 1);
    }
    auto* block = static_cast<unsigned char*>(memory);
    REQUIRE(heap_block_size(heap, block) == size);
    for (std::size_t at = 1; at < size; at += page / 2) CHECK(heap_free(heap, block + at) == HEAP_STATUS_MISALIGNED);
    for (std::size_t at = size; at < 16 * page; at += page) CHECK(heap_free(heap, block + at) == HEAP_STATUS_NOT_ALLOCATED);
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    void* const behind = heap_allocate(heap, 9 * page, 1);
    CHECK(heap_free(heap, block) == HEAP_STATUS_OK);  // not merged with what is behind it
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    (void)heap_trim(heap);
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    CHECK(heap_free(heap, behind) == HEAP_STATUS_OK);
    CHECK(heap_allocate(heap, page, 2 * chunk) == nullptr);  // its number is a multiple, its address is not
    CHECK(heap_allocate(heap, page, chunk) == (layer == HEAP_PAGE_LAYER_BEST_FIT ? memory : nullptr));
    CHECK(heap_reset(heap) == HEAP_STATUS_OK);
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    CHECK(heap_stats(heap).used_bytes == 0);
  }
  munmap(memory, os_page);
}

constexpr std::size_t gib = std::size_t{1} << 30;

/// A mapped heap of 64 GiB and its blocks: one of 5 GiB, and others until there is no room for one of 1 GiB.
class WideHeap {
 public:
  static constexpr std::size_t bytes = 64 * gib;

  explicit WideHeap(HeapPreset preset) {
    HeapOptions options = heap_options_default();
    options.preset = preset;
    options.bytes = bytes;
    REQUIRE(heap_new_with(&options, &heap_) == HEAP_STATUS_OK);
    // Mapped memory is as aligned as it is long, and the heap lies in it.
    start_ = reinterpret_cast<std::uintptr_t>(heap_) & ~(bytes - 1);
    large_ = allocate(5 * gib);
    REQUIRE(large_ != nullptr);
    while (allocate(3 * gib) != nullptr) *allocate(100) = 1;
    while (allocate(gib) != nullptr) continue;
  }
  ~WideHeap() { heap_destroy(heap_); }
  WideHeap(const WideHeap&) = delete;
  WideHeap& operator=(const WideHeap&) = delete;

  [[nodiscard]] Heap* heap() const { return heap_; }
  [[nodiscard]] std::uintptr_t start() const { return start_; }
  [[nodiscard]] unsigned char* large() const { return large_; }
  /// What each block holds, by where it starts.
  [[nodiscard]] const std::map<std::uintptr_t, std::size_t>& blocks() const { return blocks_; }
  /// What a free of this address has to answer.
  [[nodiscard]] HeapStatus expected_status(std::uintptr_t address) const {
    if (address - start_ >= bytes) return HEAP_STATUS_NOT_OWNED;
    const auto behind = blocks_.upper_bound(address);
    if (behind == blocks_.begin()) return HEAP_STATUS_NOT_ALLOCATED;
    const auto& [block, held] = *std::prev(behind);
    if (address - block >= held) return HEAP_STATUS_NOT_ALLOCATED;
    return address == block ? HEAP_STATUS_OK : HEAP_STATUS_MISALIGNED;
  }
  /// Frees what is no block.
  void check(std::uintptr_t address) const {
    void* block = reinterpret_cast<void*>(address);
    const HeapStatus status = expected_status(address);
    CHECK(heap_block_size(heap_, block) == (status == HEAP_STATUS_OK ? blocks_.at(address) : 0));
    if (status != HEAP_STATUS_OK) CHECK(heap_free(heap_, block) == status);
  }

 private:
  unsigned char* allocate(std::size_t size) {
    void* block = heap_allocate(heap_, size, 8);
    if (block != nullptr) blocks_.emplace(reinterpret_cast<std::uintptr_t>(block), heap_usable_size(heap_, size, 8).max);
    return static_cast<unsigned char*>(block);
  }

  Heap* heap_ = nullptr;
  std::uintptr_t start_ = 0;
  unsigned char* large_ = nullptr;
  std::map<std::uintptr_t, std::size_t> blocks_;
};

TEST_CASE("a heap of more than 4 GiB tells its blocks apart, on both sides of every multiple of 4 GiB") {
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    const WideHeap wide{preset};
    Heap* heap = wide.heap();
    for (std::size_t multiple = 4 * gib; multiple < WideHeap::bytes; multiple += 4 * gib) {
      CAPTURE(multiple);
      const std::uintptr_t middle = wide.start() + multiple;
      CHECK(wide.expected_status(middle - 1) == HEAP_STATUS_MISALIGNED);
      CHECK(wide.expected_status(middle + 1) == HEAP_STATUS_MISALIGNED);
      for (const std::uintptr_t at : {middle - 4096, middle - 1, middle, middle + 1, middle + 4096}) wide.check(at);
      // Addresses that are the same in 32 bits, and those outside of the heap.
      for (const auto& [block, held] : wide.blocks()) {
        for (const std::uintptr_t at : {block, block + 1, block + held - 1}) {
          wide.check(at + multiple);
          wide.check(at - multiple);
        }
      }
    }
    CHECK(heap_deallocate(heap, wide.large(), gib, 8) == HEAP_STATUS_WRONG_LAYOUT);  // 5 GiB less 4
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    CHECK(heap_reallocate(heap, wide.large(), 5 * gib, 8, 4 * gib + 1) == wide.large());
    CHECK(heap_deallocate(heap, wide.large(), 4 * gib + 1, 8) == HEAP_STATUS_OK);
    CHECK(heap_free(heap, wide.large()) == HEAP_STATUS_NOT_ALLOCATED);
    for (const auto& [block, held] : wide.blocks()) {
      void* own = reinterpret_cast<void*>(block);
      if (own != wide.large()) CHECK(heap_free(heap, own) == HEAP_STATUS_OK);
    }
    CHECK(heap_stats(heap).used_bytes == 0);
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
  }
}
#endif
