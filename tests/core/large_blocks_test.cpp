#include "slabheap/core/large_blocks.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::options;

namespace {

constexpr std::size_t page = 4096;

void* behind(void* block, std::size_t bytes) { return static_cast<char*>(block) + bytes; }

/// Runs of any length begin at any page, and freed ones are kept.
Options best_fit_with_cache() {
  Options own = options(Preset::classic);
  own.pages = PageLayerKind::best_fit;
  own.has_pages = true;
  own.has_cache = true;
  return own;
}

}  // namespace

TEST_CASE("a large block is trimmed to whole pages") {
  CoreHeap heap{16};
  void* block = heap->allocate(4 * page + 1, 1);
  CHECK(heap.picture() == "[large 5] [free 11]");
  CHECK(heap->block_size(block) == 5 * page);
  CHECK(heap->stats().buddy_used_bytes == 5 * page);
}

TEST_CASE("a large block grows into free pages behind it") {
  CoreHeap heap{16};
  void* block = heap->allocate(5 * page, 1);
  std::memset(block, 7, 5 * page);
  CHECK(heap->reallocate(block, 5 * page, 1, 11 * page) == block);
  CHECK(heap.picture() == "[large 11] [free 5]");
  CHECK(static_cast<char*>(block)[5 * page - 1] == 7);
  CHECK(heap->deallocate(block, 11 * page, 1) == Status::ok);
  CHECK(heap.picture() == "[free 16]");
}

TEST_CASE("a large block that shrinks stays and gives its tail back") {
  CoreHeap heap{16};
  void* block = heap->allocate(16 * page, 1);
  CHECK(heap->reallocate(block, 16 * page, 1, 4097) == block);
  CHECK(heap.picture() == "[large 2] [free 14]");
}

TEST_CASE("a large block whose neighbour is in use moves, with its contents") {
  CoreHeap heap{16};
  void* block = heap->allocate(2 * page, 1);
  void* neighbour = heap->allocate(2 * page, 1);
  REQUIRE(neighbour == behind(block, 2 * page));
  std::memset(block, 9, 2 * page);
  void* moved = heap->reallocate(block, 2 * page, 1, 3 * page);
  REQUIRE(moved != nullptr);
  CHECK(moved != block);
  CHECK(static_cast<char*>(moved)[0] == 9);
  CHECK(static_cast<char*>(moved)[2 * page - 1] == 9);
  CHECK(heap->free(block) == Status::not_allocated);
}

TEST_CASE("a block that becomes small, or large, moves between slabs and pages") {
  CoreHeap heap{64};
  void* block = heap->allocate(100, 1);
  std::memset(block, 3, 100);
  void* large = heap->reallocate(block, 100, 1, 3 * page);
  CHECK(static_cast<char*>(large)[99] == 3);
  void* small = heap->reallocate(large, 3 * page, 1, 50);
  CHECK(static_cast<char*>(small)[49] == 3);
  CHECK(heap->stats().live_blocks == 1);
  CHECK(heap->block_size(small) == 64);
}

TEST_CASE("a reallocation without memory leaves the block as it was") {
  CoreHeap heap{8};
  void* block = heap->allocate(5000, 1);
  std::memset(block, 4, 5000);
  const std::string before = heap.picture();
  CHECK(heap->reallocate(block, 5000, 1, 100 * page) == nullptr);
  CHECK(heap.picture() == before);
  CHECK(heap->stats().failed_allocations == 1);
  CHECK(static_cast<char*>(block)[4999] == 4);
  CHECK(heap->deallocate(block, 5000, 1) == Status::ok);
}

TEST_CASE("every page of every large block leads to its head, however the block came about") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{2048, options(preset)};
    const std::size_t page_bytes = heap->regions().page_bytes();
    std::mt19937 random{7};
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (int round = 0; round < 600; ++round) {
      const std::size_t size = (4 + random() % 40) * page_bytes;
      if (random() % 3 != 0 || blocks.empty()) {
        if (void* block = heap->allocate(size + 1, 1)) blocks.emplace_back(block, size + 1);
      } else {
        const std::size_t at = random() % blocks.size();
        auto& [block, old_size] = blocks[at];
        void* resized = heap->reallocate(block, old_size, 1, size + 1);
        if (resized != nullptr) {
          blocks[at] = {resized, size + 1};
        } else {
          REQUIRE(heap->free(block) == Status::ok);
          blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
        }
      }
      for (const auto& [block, bytes] : blocks) {
        const std::size_t held = heap->block_size(block);
        REQUIRE(held >= bytes);
        for (std::size_t offset = page_bytes; offset < held; offset += page_bytes) {
          REQUIRE(heap->free(behind(block, offset)) == Status::misaligned);
        }
      }
    }
    CHECK(heap->validate());
  }
}

TEST_CASE("freeing every large block, in any order, restores the heap") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{512, options(preset)};
    const std::string start = heap.picture();
    std::mt19937 random{11};
    for (int round = 0; round < 100; ++round) {
      std::vector<void*> blocks;
      while (void* block = heap->allocate((5 + random() % 20) * heap->regions().page_bytes(), 1)) blocks.push_back(block);
      std::shuffle(blocks.begin(), blocks.end(), random);
      for (void* block : blocks) REQUIRE(heap->free(block) == Status::ok);
      REQUIRE(heap.picture() == start);
    }
  }
}

TEST_CASE("the tail of a block that shrinks is kept without the hints of a block that once began where it does") {
  // Which pages have hints depends on their numbers.
  for (std::size_t before = 2; before <= 16; ++before) {
    for (std::size_t behind = 3; behind <= 8; ++behind) {
      CoreHeap heap{256, best_fit_with_cache()};
      REQUIRE(heap->allocate(before * page, 1) != nullptr);
      void* const first = heap->allocate(3 * page, 1);
      void* const second = heap->allocate(2 * page, 1);
      void* const third = heap->allocate(behind * page, 1);
      REQUIRE(heap->free(third) == Status::ok);
      REQUIRE(heap->free(second) == Status::ok);
      REQUIRE(heap->reallocate(first, 3 * page, 1, (5 + behind) * page) == first);
      REQUIRE(heap->reallocate(first, (5 + behind) * page, 1, 5 * page) == first);
      REQUIRE(heap->allocate(behind * page, 1) == third);
      CHECK(heap->free(::behind(third, (behind - 1) * page)) == Status::misaligned);
      CHECK(heap->validate());
    }
  }
}

TEST_CASE("a block that grew is kept only if the buddy allocator could have handed it out as long as it is") {
  for (const bool has_layout : {false, true}) {
    Options own = options(Preset::classic);
    own.has_cache = true;
    CoreHeap heap{256, own};
    const auto free = [&](void* block, std::size_t bytes) {
      CHECK((has_layout ? heap->deallocate(block, bytes, 1) : heap->free(block)) == Status::ok);
      CHECK(heap->validate());
    };
    void* const first = heap->allocate(8 * page, 1);
    void* const block = heap->allocate(5 * page, 1);
    REQUIRE(block == behind(first, 8 * page));
    REQUIRE(heap->reallocate(block, 5 * page, 1, 12 * page) == block);
    free(block, 12 * page);
    CHECK_FALSE(heap->pages().cache().has(12));
    REQUIRE(heap->allocate(5 * page, 1) == block);
    REQUIRE(heap->reallocate(block, 5 * page, 1, 7 * page) == block);
    free(block, 7 * page);
    CHECK(heap->pages().cache().has(7));
    CHECK(heap->allocate(7 * page, 1) == block);
    CHECK(heap->free(behind(block, 6 * page)) == Status::misaligned);
  }
}

TEST_CASE("a block in the place of a set that was kept has hints of its own, whatever class the set was of") {
  for (std::size_t before = 2; before <= 8; ++before) {
    for (std::size_t size = 128; size <= 512; size *= 2) {
      CoreHeap heap{1024, best_fit_with_cache()};
      REQUIRE(heap->allocate(before * page, 1) != nullptr);
      std::vector<void*> blocks;
      for (int i = 0; i < 64 + 2; ++i) blocks.push_back(heap->allocate(size, 1));
      for (std::size_t i = 0; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
      REQUIRE(heap->free(blocks[64]) == Status::ok);  // of another set: now the first one goes back
      void* const large = heap->allocate(64 * size, 1);
      REQUIRE(large == blocks[0]);
      for (std::size_t offset = page; offset < 64 * size; offset += page) {
        CHECK(heap->free(behind(large, offset)) == Status::misaligned);
      }
      CHECK(heap->free(large) == Status::ok);
      CHECK(heap->validate());
    }
  }
}
