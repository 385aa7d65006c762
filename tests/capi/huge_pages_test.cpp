// What a heap asks of the OS about huge pages. What the OS makes of it is its own affair; what it was asked, it tells.
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/memory.hpp"

using slabheap::test::Memory;

namespace {

constexpr std::size_t bytes = 4 << 20;
constexpr const char* no_mapping = "no mapping";

/// What was asked for the mapping that holds an address: "hg", huge pages; "nh", none; "", nothing; `no_mapping`, there is none.
std::string asked_at(const void* address) {
  std::ifstream mappings{"/proc/self/smaps"};
  bool is_held = false;
  for (std::string line; std::getline(mappings, line);) {
    std::istringstream words{line};
    std::uintptr_t start = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    if (words >> std::hex >> start >> dash >> end && dash == '-') {
      is_held = start <= reinterpret_cast<std::uintptr_t>(address) && reinterpret_cast<std::uintptr_t>(address) < end;
    } else if (is_held && line.starts_with("VmFlags:")) {
      return line.find(" hg") != std::string::npos ? "hg" : line.find(" nh") != std::string::npos ? "nh" : "";
    }
  }
  return no_mapping;
}

/// Whether the OS tells what it was asked: not if it has no huge pages, nor through some emulators.
bool is_told() {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool is_told = madvise(memory, bytes, MADV_HUGEPAGE) == 0 && asked_at(memory) == "hg";
  munmap(memory, bytes);
  if (!is_told) MESSAGE("nothing is told of huge pages here");
  return is_told;
}

struct Choice {
  HeapHugePages huge_pages;
  const char* asked;
};
constexpr Choice choices[] = {{HEAP_HUGE_PAGES_SYSTEM, ""}, {HEAP_HUGE_PAGES_WANTED, "hg"}, {HEAP_HUGE_PAGES_UNWANTED, "nh"}};

HeapOptions options_of(const Choice& choice) {
  HeapOptions options = heap_options_default();
  options.bytes = bytes;
  options.huge_pages = choice.huge_pages;
  return options;
}

}  // namespace

TEST_CASE("a heap asks for huge pages as it is told, for each region that it maps") {
  if (!is_told()) return;
  for (const Choice& choice : choices) {
    const HeapOptions options = options_of(choice);
    Heap* heap = nullptr;
    REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
    std::vector<void*> places{heap};
    for (std::size_t region = 1; region < 4; ++region) {
      REQUIRE(heap_add_memory(heap, nullptr, bytes << region) == HEAP_STATUS_OK);
      places.push_back(heap_allocate(heap, bytes << (region - 1), 8));  // the regions before are shorter
    }
    for (const void* place : places) CHECK(asked_at(place) == choice.asked);
    heap_destroy(heap);
    for (const void* place : places) CHECK(asked_at(place) == no_mapping);
  }
}

TEST_CASE("a heap over the caller's memory leaves that alone, and asks for what it maps later") {
  if (!is_told()) return;
  for (const Choice& choice : choices) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HeapOptions options = options_of(choice);
    options.memory = memory;
    options.out_of_memory = [](void*, Heap* heap, size_t size, size_t) {
      return heap_add_memory(heap, nullptr, 2 * size) == HEAP_STATUS_OK;
    };
    Heap* heap = nullptr;
    REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
    CHECK(asked_at(heap_allocate(heap, bytes, 8)) == choice.asked);
    CHECK(heap_stats(heap).region_count == 2);
    CHECK(asked_at(memory).empty());
    heap_destroy(heap);
    CHECK(asked_at(memory).empty());
    munmap(memory, bytes);
  }
}

TEST_CASE("whatever was asked, trim gives back what was mapped and no more") {
  for (const Choice& choice : choices) {
    const Memory own{bytes};
    const HeapOptions options = options_of(choice);
    Heap* heap = nullptr;
    REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
    REQUIRE(heap_add_memory(heap, own.start(), own.bytes()) == HEAP_STATUS_OK);
    void* blocks[] = {heap_allocate(heap, bytes / 2, 8), heap_allocate(heap, bytes / 2, 8)};
    for (void* block : blocks) REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
    CHECK(heap_trim(heap) == bytes / 2);
    heap_destroy(heap);
  }
}
