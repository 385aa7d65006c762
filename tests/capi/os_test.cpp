// Memory mapped from the OS, and the end of a process that frees wrongly.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/child.hpp"
#include "support/memory.hpp"

using slabheap::test::Outcome;
using slabheap::test::outcome_of;

namespace {

/// Resident pages of this process, in bytes.
std::size_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// A compact heap of 16 MiB. Long blocks come from above in it, short ones from below.
Heap* mapped_compact_heap() {
  HeapOptions options = heap_options_default();
  options.preset = HEAP_PRESET_COMPACT;
  options.bytes = 16 << 20;
  Heap* heap = nullptr;
  REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
  return heap;
}

/// A heap that ends the process on an invalid free; for a child, which exits with 1 if there is none.
Heap* aborting_heap() {
  HeapOptions options = heap_options_default();
  options.bytes = 1 << 20;
  options.invalid_free = HEAP_INVALID_FREE_ABORT;
  Heap* heap = nullptr;
  if (heap_new_with(&options, &heap) != HEAP_STATUS_OK) _exit(1);
  return heap;
}

}  // namespace

#if SIZE_MAX > 0xffffffff
TEST_CASE("a heap of a terabyte of address space costs only what is touched") {
  const std::size_t before = resident_bytes();
  Heap* heap = heap_new(nullptr, std::size_t{1} << 40);
  REQUIRE(heap != nullptr);
  CHECK(heap_total_bytes(heap) > std::size_t{1} << 39);
  CHECK(heap_stats(heap).largest_free_bytes >= std::size_t{1} << 38);
  std::vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) {
    blocks.push_back(heap_allocate(heap, 1000, 8));
    std::memset(blocks.back(), 1, 1000);
  }
  void* large = heap_allocate(heap, std::size_t{1} << 38, 8);
  REQUIRE(large != nullptr);
  CHECK(heap_free(heap, static_cast<char*>(large) + (std::size_t{1} << 37) + 4096) == HEAP_STATUS_MISALIGNED);
  CHECK(heap_free(heap, large) == HEAP_STATUS_OK);
  for (void* block : blocks) CHECK(heap_free(heap, block) == HEAP_STATUS_OK);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  CHECK(resident_bytes() - before < 8 << 20);
  heap_destroy(heap);
}

TEST_CASE("a region has 2^31 pages with its metadata, a terabyte, and not one more") {
  constexpr std::size_t most = std::size_t{1} << 40;
  HeapOptions options = heap_options_default();
  options.page_bytes = 512;
  for (const std::size_t first : {std::size_t{1} << 16, most}) {
    options.bytes = first;
    Heap* heap = nullptr;
    REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
    CHECK(heap_add_memory(heap, nullptr, most + 512) == HEAP_STATUS_INVALID_ARGUMENT);
    CHECK(heap_stats(heap).region_count == 1);
    if (first < most) CHECK(heap_add_memory(heap, nullptr, most) == HEAP_STATUS_OK);
    CHECK(heap_total_bytes(heap) > most - most / 20);
    heap_destroy(heap);
  }
  Heap* none = nullptr;
  options.bytes = most + 512;
  CHECK(heap_new_with(&options, &none) == HEAP_STATUS_INVALID_ARGUMENT);
}
#endif

TEST_CASE("a heap maps what it is asked for, counted to the byte") {
  for (const std::size_t bytes : {std::size_t{100000}, std::size_t{1} << 20, (std::size_t{1} << 24) + 1}) {
    Heap* heap = heap_new(nullptr, bytes);
    REQUIRE(heap != nullptr);
    const HeapStats stats = heap_stats(heap);
    CHECK(stats.total_bytes + stats.metadata_bytes <= bytes);
    CHECK(stats.total_bytes + stats.metadata_bytes + 2 * 4096 >= bytes);
    CHECK(heap_add_memory(heap, nullptr, bytes) == HEAP_STATUS_OK);
    CHECK(heap_stats(heap).region_count == 2);
    CHECK(heap_check(heap) == HEAP_STATUS_OK);
    heap_destroy(heap);
  }
}

TEST_CASE("what the OS cannot map is refused") {
  HeapOptions options = heap_options_default();
  Heap* heap = nullptr;
  options.bytes = 0;
  CHECK(heap_new_with(&options, &heap) == HEAP_STATUS_TOO_SMALL);
  options.bytes = 1000;
  CHECK(heap_new_with(&options, &heap) == HEAP_STATUS_TOO_SMALL);
  options.bytes = ~std::size_t{0};
  CHECK(heap_new_with(&options, &heap) == HEAP_STATUS_OUT_OF_MEMORY);
  options.bytes = ~std::size_t{0} / 16 * 15;
  CHECK(heap_new_with(&options, &heap) == HEAP_STATUS_OUT_OF_MEMORY);
  CHECK(heap_new(nullptr, 0) == nullptr);
}

TEST_CASE("trim gives free pages back to the OS, and live blocks keep their contents") {
  const std::size_t size = 32 << 20;
  Heap* heap = heap_new(nullptr, 256 << 20);
  void* large = heap_allocate(heap, size, 8);
  std::memset(large, 1, size);
  std::vector<unsigned char*> kept;
  std::vector<unsigned char*> freed;
  for (int i = 0; i < 20000; ++i) {
    auto* block = static_cast<unsigned char*>(heap_allocate(heap, 1000, 8));
    std::memset(block, 7, 1000);
    (i % 500 == 0 ? kept : freed).push_back(block);
  }
  REQUIRE(heap_free(heap, large) == HEAP_STATUS_OK);
  for (void* block : freed) REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);

  const std::size_t before = resident_bytes();
  const std::size_t given_back = heap_trim(heap);
  const std::size_t fallen = before - resident_bytes();
  CHECK(given_back >= size);
  CHECK(fallen >= size);
  CHECK(fallen <= given_back + (1 << 20));
  CHECK(heap_trim(heap) == 0);
  for (const unsigned char* block : kept) {
    CHECK(block[0] == 7);
    CHECK(block[999] == 7);
  }
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  auto* again = static_cast<unsigned char*>(heap_allocate(heap, size, 8));
  CHECK(again[size / 2] == 0);
  heap_destroy(heap);
}

TEST_CASE("trim gives back what was in use on both sides of pages that were never used, in every region, and no more") {
  Heap* heap = mapped_compact_heap();
  REQUIRE(heap_add_memory(heap, nullptr, 16 << 20) == HEAP_STATUS_OK);
  // More than a region holds; long blocks come from above, short ones from below.
  std::vector<void*> blocks;
  for (const std::size_t size : {1 << 16, 3 << 20, 3 << 20, 3 << 20, 3 << 20, 3 << 20, 3 << 20}) {
    blocks.push_back(heap_allocate(heap, size, 1));
    REQUIRE(blocks.back() != nullptr);
  }
  for (void* block : blocks) REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
  CHECK(heap_trim(heap) == 6 * (3 << 20) + (1 << 16));
  CHECK(heap_trim(heap) == 0);
  heap_destroy(heap);
}

TEST_CASE("trim gives back a free run that lies above everything that was never used, whole and once") {
  Heap* heap = mapped_compact_heap();
  // Long blocks come from above: the second one lies between the first and what was never used.
  void* above = heap_allocate(heap, 3 << 20, 1);
  void* below = heap_allocate(heap, 1 << 20, 1);
  REQUIRE(below < above);
  REQUIRE(heap_free(heap, above) == HEAP_STATUS_OK);
  CHECK(heap_trim(heap) == 3 << 20);
  CHECK(heap_trim(heap) == 0);
  REQUIRE(heap_free(heap, below) == HEAP_STATUS_OK);
  CHECK(heap_trim(heap) >= 1 << 20);
  heap_destroy(heap);
}

TEST_CASE("trim of the caller's memory gives sets to the page layer and leaves the memory alone") {
  void* memory = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Heap* heap = heap_new(memory, 1 << 20);
  auto* block = static_cast<unsigned char*>(heap_allocate(heap, 100, 8));
  block[99] = 5;
  REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
  CHECK(heap_trim(heap) == 4096);
  CHECK(heap_stats(heap).slab_total_bytes == 0);
  CHECK(block[99] == 5);
  heap_destroy(heap);
  munmap(memory, 1 << 20);
}

TEST_CASE("trim of a heap on both kinds of memory gives the OS what came from it, and leaves the rest alone") {
  const slabheap::test::Memory own{1 << 20};
  Heap* heap = heap_new(own.start(), own.bytes());
  REQUIRE(heap_add_memory(heap, nullptr, 1 << 20) == HEAP_STATUS_OK);
  std::vector<unsigned char*> blocks;
  while (auto* block = static_cast<unsigned char*>(heap_allocate(heap, 40000, 8))) {
    std::memset(block, 5, 40000);
    blocks.push_back(block);
  }
  for (unsigned char* block : blocks) REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
  const std::size_t given_back = heap_trim(heap);
  CHECK(given_back > 500'000);
  CHECK(given_back <= 1 << 20);
  const auto* start = static_cast<unsigned char*>(own.start());
  std::size_t left_alone = 0;
  for (const unsigned char* block : blocks) {
    if (block < start || block >= start + own.bytes()) continue;
    ++left_alone;
    CHECK(block[100] == 5);
    CHECK(block[39999] == 5);
  }
  CHECK(left_alone > 10);
  heap_destroy(heap);
}

TEST_CASE("trim gives back nothing of what is shorter than a page of the OS") {
  HeapOptions options = heap_options_default();
  options.bytes = 1 << 16;
  options.page_bytes = 512;
  options.pages = HEAP_PAGE_LAYER_BEST_FIT;
  Heap* heap = nullptr;
  REQUIRE(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
  std::vector<void*> blocks;
  while (void* block = heap_allocate(heap, 3000, 1)) blocks.push_back(block);
  for (std::size_t i = 0; i < blocks.size(); i += 2) REQUIRE(heap_free(heap, blocks[i]) == HEAP_STATUS_OK);
  CHECK(heap_trim(heap) == 0);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  heap_destroy(heap);
}

TEST_CASE("trim gives back nothing that the OS does not take, and tries again the next time") {
  Heap* heap = heap_new(nullptr, 1 << 18);
  void* block = heap_allocate(heap, 1 << 16, 4096);
  REQUIRE(block != nullptr);
  REQUIRE(heap_free(heap, block) == HEAP_STATUS_OK);
  // The heap begins where the mapping does. AddressSanitizer makes nothing of mlock, but lets the call itself through.
  if (syscall(SYS_mlock, heap, std::size_t{1} << 18) != 0) {
    MESSAGE("no memory may be locked here");
  } else {
    CHECK(heap_trim(heap) == 0);
    syscall(SYS_munlock, heap, std::size_t{1} << 18);
    CHECK(heap_trim(heap) >= 1 << 16);
    CHECK(heap_trim(heap) == 0);
  }
  heap_destroy(heap);
}

TEST_CASE("a destroyed heap's mappings are gone") {
  Heap* heap = heap_new(nullptr, 1 << 20);
  REQUIRE(heap_add_memory(heap, nullptr, 1 << 20) == HEAP_STATUS_OK);
  void* block = heap_allocate(heap, 200000, 4096);
  unsigned char residency[1];
  REQUIRE(mincore(block, 1, residency) == 0);
  REQUIRE(mincore(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(heap) & ~std::uintptr_t{4095}), 1, residency) == 0);
  heap_destroy(heap);
  CHECK(mincore(block, 1, residency) != 0);
  CHECK(mincore(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(heap) & ~std::uintptr_t{4095}), 1, residency) != 0);
}

TEST_CASE("a heap that is to abort on an invalid free says why and does") {
  const Outcome outcome = outcome_of([] {
    Heap* heap = aborting_heap();
    void* block = heap_allocate(heap, 100, 8);
    if (heap_free(heap, block) != HEAP_STATUS_OK || heap_free(heap, nullptr) != HEAP_STATUS_OK) _exit(2);
    (void)heap_free(heap, block);
  });
  CHECK(WIFSIGNALED(outcome.status));
  CHECK(WTERMSIG(outcome.status) == SIGABRT);
  CHECK(outcome.text.starts_with("slabheap: invalid free of 0x"));
  CHECK(outcome.text.ends_with(": the pointer is in no live block: freed before, or never handed out\n"));
}

TEST_CASE("a heap that is to abort does so even if nobody can be told") {
  const Outcome outcome = outcome_of([] {
    Heap* heap = aborting_heap();
    close(STDERR_FILENO);
    (void)heap_free(heap, &heap);
  });
  CHECK(WIFSIGNALED(outcome.status));
  CHECK(WTERMSIG(outcome.status) == SIGABRT);
  CHECK(outcome.text.empty());
}
