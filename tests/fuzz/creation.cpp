// Options of any kind and regions anywhere: each is refused for its reason and nothing is touched, or makes a heap that is sound.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "fuzz/ground.hpp"
#include "fuzz/stream.hpp"
#include "fuzz/target.hpp"
#include "slabheap/slabheap.h"
#include "support/model.hpp"

namespace slabheap::fuzz {
namespace {

using test::Range;
using test::Shortage;

constexpr std::size_t most_mapped_bytes = std::size_t{1} << (sizeof(std::size_t) > 4 ? 36 : 28);
constexpr std::size_t most_metadata_of_a_page = 1024;           // of a region that is not the first
constexpr std::size_t most_metadata_of_a_heap = 64 * 1024;      // of one that is, without a descriptor for each page
constexpr std::size_t most_added_bytes = std::size_t{1} << 20;  // beyond the least, when memory runs out
constexpr std::uint64_t most_pages = std::uint64_t{1} << 31;    // of a region
constexpr unsigned numbers_shift = 26;                          // log2 of the pages whose numbers a region of one page takes

/// Options as a caller of any version may have them: what follows the known ones is of a later one.
struct Given {
  HeapOptions options;
  std::array<unsigned char, 32> later;
};

/// Memory at any place of the ground, of any length that the ground has there.
Range read_place(Stream& stream) {
  const std::size_t start = stream.number(3) % ground_bytes;
  const std::size_t room = ground_bytes - start;
  const std::size_t bytes = stream.number(3) % (room + 1);
  return {ground().start + start, stream.byte() % 4 == 0 ? room : bytes};
}

/// A number that an option may have, a small one mostly.
std::size_t read_option(Stream& stream, std::size_t below) {
  return stream.byte() < 240 ? stream.number(1) % below : stream.number(4);
}

std::vector<std::size_t> read_classes(Stream& stream) {
  std::vector<std::size_t> classes(stream.byte() % 140);
  const bool is_ascending = stream.byte() % 8 != 0;
  std::size_t last = 7;
  for (std::size_t& bytes : classes) {
    bytes = is_ascending ? last + 1 + stream.number(1) % 100 : stream.size();
    last = bytes;
  }
  return classes;
}

void read_memory(Stream& stream, HeapOptions& options) {
  const std::uint8_t kind = stream.byte();
  const Range place = read_place(stream);
  options.memory = kind % 8 == 0 ? nullptr : place.start;
  options.bytes = place.bytes;
  if (kind % 8 == 0) options.bytes = stream.size() % most_mapped_bytes;
  if (kind % 8 == 1) {  // so far up that it wraps around
    options.memory = reinterpret_cast<void*>(~std::uintptr_t{0} - stream.number(2));
    options.bytes = ~std::size_t{0} - stream.number(2);
  }
}

/// The pages of all checks of an input but the last: a check looks at every page that was ever handed out.
constexpr std::uint64_t most_checked_pages = std::uint64_t{1} << 26;

/// What a heap is given when memory runs out, and what came of it in the request that is being made.
struct Helper {
  Shortage shortage = Shortage::unasked;
  std::size_t page_bytes = 0;
  std::size_t bytes = 0;
  std::size_t asked = 0;
  HeapStatus added = HEAP_STATUS_OUT_OF_MEMORY;
  std::uint64_t pages_to_check = most_checked_pages;

  /// Checks the heap, unless that would be of too many pages in all.
  void check(const Heap* heap) {
    const std::uint64_t pages = heap_total_bytes(heap) / page_bytes;
    if (pages > pages_to_check) return;
    pages_to_check -= pages;
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
  }
};

bool help(void* context, Heap* heap, std::size_t size, std::size_t align) {
  auto& helper = *static_cast<Helper*>(context);
  ++helper.asked;
  CHECK(size == helper.bytes);
  CHECK(align == 1);
  helper.check(heap);
  if (helper.shortage == Shortage::trims) (void)heap_trim(heap);
  if (helper.shortage != Shortage::adds_region) return helper.shortage == Shortage::trims;
  const std::size_t least = 2 * helper.page_bytes + most_metadata_of_a_page;
  helper.added = heap_add_memory(heap, nullptr, least + std::min(size, most_added_bytes));
  return helper.added == HEAP_STATUS_OK;
}

/// The options that came to be read later than the others.
void read_later_options(Stream& stream, HeapOptions& options, Helper& helper) {
  const std::uint8_t last = stream.last();
  if (last < 192) return;
  const unsigned choice = last >> 3 & 7;
  options.freed_runs = static_cast<HeapFreedRuns>(choice == 7 ? last : last & 1);
  options.huge_pages = static_cast<HeapHugePages>(choice == 7 ? 0 : choice == 6 ? last : choice % 3);
  helper.shortage = static_cast<Shortage>(last >> 1 & 3);
  if (helper.shortage == Shortage::unasked) return;
  options.out_of_memory = help;
  options.context = &helper;
}

Given read_options(Stream& stream, const std::vector<std::size_t>& classes, Helper& helper) {
  Given given{};
  HeapOptions& options = given.options;
  const std::uint8_t version = stream.byte();
  options.options_bytes = version < 200 ? sizeof(HeapOptions) : stream.number(1) % (sizeof given + 1);
  if (version >= 240) given.later[version % given.later.size()] = stream.byte();
  options.preset = static_cast<HeapPreset>(read_option(stream, 2));
  options.pages = static_cast<HeapPageLayer>(read_option(stream, 3));
  options.invalid_free = static_cast<HeapInvalidFree>(read_option(stream, 2));
  options.set_blocks = read_option(stream, 65);
  const std::uint8_t page = stream.byte();
  options.page_bytes = page < 64 ? 0 : page < 224 ? std::size_t{512} << page % 8 : stream.size();
  options.class_count = classes.size();
  if (stream.byte() % 16 == 0) options.class_count = stream.size();
  if (!classes.empty()) options.classes = classes.data();
  // A list that is shorter than it is said to be is nothing that a heap could notice.
  if (options.classes != nullptr) options.class_count %= classes.size() + 1;
  read_memory(stream, options);
  read_later_options(stream, options, helper);
  return given;
}

bool is_class_list(const HeapOptions& options) {
  if (options.classes == nullptr) return options.class_count == 0;
  if (options.class_count == 0 || options.class_count > 128) return false;
  for (std::size_t i = 0; i < options.class_count; ++i) {
    if (options.classes[i] < 8 || options.classes[i] > 65536) return false;
    if (i > 0 && options.classes[i - 1] >= options.classes[i]) return false;
  }
  return true;
}

std::size_t page_bytes_of(const HeapOptions& options) {
  if (options.page_bytes != 0) return options.page_bytes;
  return options.preset == HEAP_PRESET_COMPACT ? 1024 : 4096;
}

/// What is to be said of options, but for their memory.
HeapStatus expected_status(const Given& given) {
  const HeapOptions& options = given.options;
  if (options.options_bytes < sizeof options) return HEAP_STATUS_INVALID_ARGUMENT;
  const auto* later = given.later.data();
  if (std::any_of(later, later + (options.options_bytes - sizeof options), [](unsigned char byte) { return byte != 0; })) {
    return HEAP_STATUS_UNSUPPORTED;
  }
  const std::size_t page = options.page_bytes;
  const bool is_right = options.preset <= HEAP_PRESET_COMPACT && options.pages <= HEAP_PAGE_LAYER_BEST_FIT &&
                        options.invalid_free <= HEAP_INVALID_FREE_ABORT && options.freed_runs <= HEAP_FREED_RUNS_MERGED &&
                        options.huge_pages <= HEAP_HUGE_PAGES_UNWANTED && options.set_blocks <= 64 &&
                        (page == 0 || (std::has_single_bit(page) && page >= 512 && page <= 65536)) && is_class_list(options);
  return is_right ? HEAP_STATUS_OK : HEAP_STATUS_INVALID_ARGUMENT;
}

bool wraps_around(const void* start, std::size_t bytes) { return bytes > ~reinterpret_cast<std::uintptr_t>(start); }

void check_creation(const HeapOptions& options, HeapStatus status) {
  const std::size_t page = page_bytes_of(options);
  if ((options.memory != nullptr && wraps_around(options.memory, options.bytes)) || options.bytes / page > most_pages) {
    CHECK(status == HEAP_STATUS_INVALID_ARGUMENT);
  } else if (options.bytes < page) {
    CHECK(status == HEAP_STATUS_TOO_SMALL);
  } else if (options.bytes >= 2 * page + most_metadata_of_a_heap) {
    const bool has_no_memory = options.memory == nullptr && status == HEAP_STATUS_OUT_OF_MEMORY;
    CHECK((status == HEAP_STATUS_OK || has_no_memory));
  } else {
    CHECK((status == HEAP_STATUS_OK || status == HEAP_STATUS_TOO_SMALL));
  }
}

bool overlap(const Range& one, const Range& other) {
  return one.start < other.start + other.bytes && other.start < one.start + one.bytes;
}

/// The regions of a heap: those on the ground, and how many others there are.
struct Regions {
  std::vector<Range> on_ground;
  std::size_t mapped;
  std::uint64_t first_pages;

  [[nodiscard]] std::size_t count() const { return on_ground.size() + mapped; }
  /// What adding a region that may be added came to. The first region may have taken the numbers of several.
  void check_added(HeapStatus status) const {
    if (count() == HEAP_MAX_REGIONS) {
      CHECK(status == HEAP_STATUS_TOO_MANY_REGIONS);
    } else if (count() < HEAP_MAX_REGIONS - 1 - (first_pages >> numbers_shift)) {
      CHECK(status == HEAP_STATUS_OK);
    } else {
      CHECK((status == HEAP_STATUS_OK || status == HEAP_STATUS_TOO_MANY_REGIONS));
    }
  }
};

/// Adds a region anywhere.
void add_region(Stream& stream, Heap* heap, std::size_t page_bytes, Regions& regions) {
  if (stream.byte() % 16 == 0) {
    const HeapStatus status = heap_add_memory(heap, nullptr, 2 * page_bytes + most_metadata_of_a_page);
    regions.check_added(status);
    if (status == HEAP_STATUS_OK) ++regions.mapped;
    return;
  }
  const Range place = read_place(stream);
  const HeapStatus status = heap_add_memory(heap, place.start, place.bytes);
  if (status == HEAP_STATUS_TOO_SMALL) {
    CHECK(place.bytes < 2 * page_bytes + most_metadata_of_a_page);
    return;
  }
  const std::vector<Range>& others = regions.on_ground;
  if (std::any_of(others.begin(), others.end(), [&](const Range& region) { return overlap(region, place); })) {
    CHECK(status == HEAP_STATUS_OVERLAP);
    return;
  }
  regions.check_added(status);
  if (status == HEAP_STATUS_OK) regions.on_ground.push_back(place);
}

/// A block of so many bytes; null if there is none.
void* allocate(Heap* heap, std::size_t bytes, Helper& helper, Regions& regions) {
  helper.bytes = bytes;
  helper.asked = 0;
  helper.added = HEAP_STATUS_OUT_OF_MEMORY;
  const std::size_t longest = heap_stats(heap).largest_free_bytes;
  const std::size_t held = heap_usable_size(heap, bytes, 1).max;
  void* block = heap_allocate(heap, bytes, 1);
  const std::size_t most_asked = held != 0 && helper.shortage != Shortage::unasked ? 1 : 0;
  CHECK(helper.asked <= most_asked);
  if (helper.asked != 0 && helper.shortage == Shortage::adds_region) regions.check_added(helper.added);
  if (helper.added == HEAP_STATUS_OK) ++regions.mapped;
  if (block != nullptr) return block;
  CHECK(helper.asked == most_asked);
  CHECK((held == 0 || (held > longest && held > heap_stats(heap).largest_free_bytes)));
  return nullptr;
}

/// Uses a heap, the whole of its memory too, and adds to it.
void use(Stream& stream, Heap* heap, const HeapOptions& options, Helper& helper) {
  Regions regions{{}, options.memory == nullptr ? 1U : 0U, options.bytes / page_bytes_of(options)};
  if (regions.mapped == 0) regions.on_ground.push_back({static_cast<unsigned char*>(options.memory), options.bytes});
  helper.page_bytes = page_bytes_of(options);
  std::vector<void*> blocks;
  while (!stream.empty()) {
    const std::uint8_t choice = stream.byte();
    if (choice % 4 == 0) {
      add_region(stream, heap, page_bytes_of(options), regions);
    } else if (choice % 4 == 1 && !blocks.empty()) {
      CHECK(heap_free(heap, blocks.back()) == HEAP_STATUS_OK);
      blocks.pop_back();
    } else {
      const std::size_t bytes = choice == 2 ? heap_stats(heap).largest_free_bytes : stream.size();
      if (void* block = allocate(heap, bytes, helper, regions)) blocks.push_back(block);
    }
    helper.check(heap);
    CHECK(heap_stats(heap).region_count == regions.count());
  }
  for (void* block : blocks) CHECK(heap_free(heap, block) == HEAP_STATUS_OK);
  CHECK(heap_stats(heap).used_bytes == 0);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  heap_destroy(heap);
  std::vector<Range>& given = regions.on_ground;
  std::sort(given.begin(), given.end(), [](const Range& one, const Range& other) { return one.start < other.start; });
  CHECK(is_untouched_outside(given));
}

void create(Stream stream) {
  clear_ground();
  const std::vector<std::size_t> classes = read_classes(stream);
  Helper helper;
  const Given given = read_options(stream, classes, helper);
  const HeapStatus expected = expected_status(given);
  CHECK((heap_options_problem(&given.options) == nullptr) == (expected == HEAP_STATUS_OK));
  Heap* heap = nullptr;
  const HeapStatus status = heap_new_with(&given.options, &heap);
  CHECK((heap != nullptr) == (status == HEAP_STATUS_OK));
  if (expected != HEAP_STATUS_OK) {
    CHECK(status == expected);
  } else {
    check_creation(given.options, status);
  }
  if (heap != nullptr) return use(stream, heap, given.options, helper);
  CHECK(is_untouched_outside({}));
}

}  // namespace
}  // namespace slabheap::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  slabheap::fuzz::create({data, bytes});
  return 0;
}
