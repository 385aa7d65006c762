// Arguments at the edges of their ranges, in all pairs, through every function that takes sizes and alignments.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <iostream>
#include <limits>

#include "support/environment.hpp"
#include "support/figures.hpp"
#include "support/model.hpp"

using slabheap::test::every_or;
using slabheap::test::Memory;
using slabheap::test::Model;
using slabheap::test::Setup;

namespace {

constexpr std::size_t most = std::numeric_limits<std::size_t>::max();

/// 0, every power of two and its neighbours, and the largest numbers; or every so many of them.
std::vector<std::size_t> edges(std::size_t every = 1) {
  std::vector<std::size_t> values = {0};
  for (std::size_t power = 1; power != 0; power <<= 1) {
    for (const std::size_t value : {power - 1, power, power + 1}) values.push_back(value);
  }
  for (std::size_t below = 0; below <= 8; ++below) values.push_back(most - below);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<std::size_t> fewer;
  for (std::size_t i = 0; i < values.size(); i += every) fewer.push_back(values[i]);
  return fewer;
}

std::vector<Setup> setups() {
  std::vector<Setup> all;
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    for (const HeapPageLayer pages : {HEAP_PAGE_LAYER_BUDDY, HEAP_PAGE_LAYER_BEST_FIT}) {
      all.push_back({preset, {}, 0, 0, pages, {std::size_t{1} << 20}, 24});
    }
  }
  return all;
}

/// Whether a block that would hold so much has to be given.
bool has_room(const Model& model, const HeapStats& stats, std::size_t held, std::size_t align) {
  return held != 0 && held <= stats.largest_free_bytes && align <= model.setup().page_size();
}

/// A block for such a request, or the reason that there is none; everything as it was afterwards, but for counters.
void check_allocation(const Model& model, std::size_t size, std::size_t align) {
  ::Heap* heap = model.heap();
  const HeapStats before = heap_stats(heap);
  const std::size_t held = Model::is_request(size, align) ? model.expected_block(size, align).held : 0;
  const HeapUsableSize usable = heap_usable_size(heap, size, align);
  CHECK(usable.max == held);
  CHECK(usable.min == (held != 0 ? size : 0));
  std::uint64_t given = 0;
  const auto check = [&](void* block) {
    if (block == nullptr) {
      CHECK_FALSE(has_room(model, before, held, align));
      return;
    }
    ++given;
    CHECK(held != 0);
    CHECK(held <= before.total_bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % align == 0);
    CHECK(heap_block_size(heap, block) == held);
    CHECK(heap_deallocate(heap, block, size, align) == HEAP_STATUS_OK);
  };
  check(heap_allocate(heap, size, align));
  check(heap_allocate_zeroed(heap, size, align));
  check(heap_reallocate(heap, nullptr, 7, align, size));
  const HeapStats after = heap_stats(heap);
  CHECK(after.used_bytes == before.used_bytes);
  CHECK(after.largest_free_bytes == before.largest_free_bytes);
  CHECK(after.failed_allocations == before.failed_allocations + (held != 0 ? 3 - given : 0));
  CHECK(after.rejected_frees == before.rejected_frees);
}

/// A live block that wrong arguments are tried on.
struct Victim {
  std::size_t size;
  std::size_t align;
  void* block;
};

/// Whether such a layout has its block there.
HeapStatus expected_status(const Model& model, const Victim& victim, std::size_t size, std::size_t align) {
  const auto address = reinterpret_cast<std::uintptr_t>(victim.block);
  return model.expected_status(address, model.expected_block(victim.size, victim.align), size, align);
}

void check_deallocation(const Model& model, Victim& victim, std::size_t size, std::size_t align) {
  const HeapStatus expected = expected_status(model, victim, size, align);
  CHECK(heap_deallocate(model.heap(), victim.block, size, align) == expected);
  if (expected == HEAP_STATUS_OK) victim.block = heap_allocate(model.heap(), victim.size, victim.align);
  REQUIRE(victim.block != nullptr);
}

void check_reallocation(const Model& model, Victim& victim, std::size_t size, std::size_t align, std::size_t new_size) {
  ::Heap* heap = model.heap();
  const HeapStats before = heap_stats(heap);
  const bool is_right = expected_status(model, victim, size, align) == HEAP_STATUS_OK;
  const std::size_t held = Model::is_request(new_size, align) ? model.expected_block(new_size, align).held : 0;
  void* block = heap_reallocate(heap, victim.block, size, align, new_size);
  CHECK(heap_stats(heap).rejected_frees == before.rejected_frees + (is_right ? 0 : 1));
  if (block == nullptr) {
    CHECK_FALSE((is_right && has_room(model, before, held, align)));
    CHECK(heap_block_size(heap, victim.block) == model.expected_block(victim.size, victim.align).held);
    CHECK(heap_stats(heap).used_bytes == before.used_bytes);
    return;
  }
  CHECK(is_right);
  CHECK(heap_block_size(heap, block) == held);
  REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
  victim.block = heap_allocate(heap, victim.size, victim.align);
  REQUIRE(victim.block != nullptr);
}

}  // namespace

TEST_CASE("every pair of sizes and alignments at the edges gets a block that fits, or nothing, by every function") {
  const std::vector<std::size_t> values = edges(every_or(1));
  std::size_t pairs = 0;
  for (const Setup& setup : setups()) {
    const Model model{setup};
    for (const std::size_t size : values) {
      for (const std::size_t align : values) {
        CAPTURE(size);
        CAPTURE(align);
        check_allocation(model, size, align);
        ++pairs;
      }
      CHECK(heap_check(model.heap()) == HEAP_STATUS_OK);
    }
  }
  slabheap::test::add_figure("argument_pairs", pairs);
  std::cout << "bad arguments: " << pairs << " pairs of size and alignment\n";
}

TEST_CASE("a live block withstands every pair of sizes and alignments at the edges that is not its own") {
  const std::vector<std::size_t> values = edges(every_or(1));
  for (const Setup& setup : setups()) {
    const Model model{setup};
    for (Victim victim : {Victim{100, 8, nullptr}, Victim{20000, 64, nullptr}}) {
      victim.block = heap_allocate(model.heap(), victim.size, victim.align);
      for (const std::size_t first : values) {
        for (const std::size_t second : values) {
          CAPTURE(first);
          CAPTURE(second);
          check_deallocation(model, victim, first, second);
          check_reallocation(model, victim, first, second, 500);
          check_reallocation(model, victim, victim.size, first, second);
          check_reallocation(model, victim, first, victim.align, second);
        }
        CHECK(heap_check(model.heap()) == HEAP_STATUS_OK);
      }
      REQUIRE(heap_free(model.heap(), victim.block) == HEAP_STATUS_OK);
    }
  }
}

TEST_CASE("options at the edges are refused, or make a heap that is sound") {
  const Memory memory{std::size_t{1} << 20, 8};
  const std::vector<std::size_t> classes(HEAP_MAX_CLASSES, 64);
  std::size_t made = 0;
  for (const std::size_t first : edges()) {
    for (const std::size_t second : edges()) {
      HeapOptions options = heap_options_default();
      options.memory = memory.start();
      options.bytes = memory.bytes();
      options.set_blocks = first;
      options.page_bytes = second;
      Heap* heap = nullptr;
      const bool is_right = first <= 64 && (second == 0 || (std::has_single_bit(second) && second >= 512 && second <= 65536));
      CHECK((heap_options_problem(&options) == nullptr) == is_right);
      CHECK(heap_new_with(&options, &heap) == (is_right ? HEAP_STATUS_OK : HEAP_STATUS_INVALID_ARGUMENT));
      if (heap == nullptr) continue;
      ++made;
      CHECK(heap_free(heap, heap_allocate(heap, 1000, 8)) == HEAP_STATUS_OK);
      CHECK(heap_check(heap) == HEAP_STATUS_OK);
    }
    HeapOptions options = heap_options_default();
    options.classes = classes.data();
    options.class_count = first;  // equal sizes: more than one of them do not ascend
    CHECK((heap_options_problem(&options) == nullptr) == (first == 1));
    HeapClassStats stats{};
    CHECK(heap_class_stats(nullptr, first, &stats) == HEAP_STATUS_INVALID_ARGUMENT);
  }
  CHECK(made == 17 * 9);  // set sizes of 64 and below among the edges, and page sizes
  CHECK(memory.rim_is_whole());
}

TEST_CASE("a class is known by its index alone, whatever is asked for") {
  const Model model{setups()[0]};
  for (const std::size_t index : edges()) {
    HeapClassStats stats{};
    CHECK(heap_class_stats(model.heap(), index, &stats) == (index < 7 ? HEAP_STATUS_OK : HEAP_STATUS_INVALID_ARGUMENT));
    CHECK(stats.block_size == (index < 7 ? std::size_t{64} << index : 0));
  }
}

TEST_CASE("class lists of any kind are refused, or route every size to the least class that holds it") {
  const Memory memory{std::size_t{1} << 20, 8};
  std::mt19937 random{1};
  std::size_t made = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::size_t> classes(random() % (round % 2 == 0 ? 140 : 6));
    const std::size_t bound = std::size_t{16} << random() % 13;
    for (std::size_t& bytes : classes) bytes = 1 + random() % bound;
    if (round % 4 != 0) {
      std::sort(classes.begin(), classes.end());
      classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    }
    HeapOptions options = heap_options_default();
    options.memory = memory.start();
    options.bytes = memory.bytes();
    options.preset = round % 3 == 0 ? HEAP_PRESET_COMPACT : HEAP_PRESET_CLASSIC;
    options.classes = classes.data();
    options.class_count = classes.size();
    if (classes.empty()) options.classes = &bound;
    const bool ascends = std::adjacent_find(classes.begin(), classes.end(), std::greater_equal<>{}) == classes.end();
    const bool is_right = !classes.empty() && classes.size() <= 128 && ascends && classes.front() >= 8 && classes.back() <= 65536;
    Heap* heap = nullptr;
    CHECK((heap_options_problem(&options) == nullptr) == is_right);
    CHECK(heap_new_with(&options, &heap) == (is_right ? HEAP_STATUS_OK : HEAP_STATUS_INVALID_ARGUMENT));
    if (heap == nullptr) continue;
    ++made;
    for (const std::size_t bytes : classes) {
      CHECK(heap_usable_size(heap, bytes, 1).max == bytes);
      CHECK(heap_usable_size(heap, bytes - 1, 1).max <= bytes);
      CHECK(heap_deallocate(heap, heap_allocate(heap, bytes, 1), bytes, 1) == HEAP_STATUS_OK);
    }
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
  }
  CHECK(made > 1000);
}
