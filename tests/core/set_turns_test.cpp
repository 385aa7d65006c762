// Which set allocations turn to when the current one has nothing left.
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::options;

TEST_CASE("sets that were full are turned to in the order in which they got blocks back") {
  CoreHeap heap{16};
  const std::vector<void*> blocks = heap.allocate(4 * 64, 64);
  for (const std::size_t set : {1U, 0U, 2U}) {
    for (std::size_t i = 0; i < 8; ++i) REQUIRE(heap->free(blocks[64 * set + i]) == Status::ok);
  }
  CHECK(heap.picture() == "[64: 56/64] [64: 56/64] [64: 56/64] [64: 64/64] [free 12]");
  for (const std::size_t set : {1U, 0U, 2U}) {
    for (std::size_t i = 0; i < 8; ++i) CHECK(heap->allocate(64, 1) == blocks[64 * set + i]);
  }
  CHECK(heap.picture() == "[64: 64/64] [64: 64/64] [64: 64/64] [64: 64/64] [free 12]");
}

TEST_CASE("a set with few free blocks is left alone while half of the heap is free, and used up after that") {
  CoreHeap heap{8};
  const std::vector<void*> blocks = heap.allocate(2 * 64, 64);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  REQUIRE(heap->allocate(64, 1) != nullptr);
  CHECK(heap.picture() == "[64: 61/64] [64: 64/64] [64: 1/64] [free 5]");
  REQUIRE(heap->allocate(4096, 1) != nullptr);
  (void)heap.allocate(63, 64);
  CHECK(heap->allocate(64, 1) == blocks[0]);
  CHECK(heap.picture() == "[64: 62/64] [64: 64/64] [64: 64/64] [4096: 1/1] [free 4]");
}

TEST_CASE("while half of the heap is free, a set of few blocks is used up once one of them is free") {
  CoreHeap heap{256, options(Preset::classic, 0, 8)};
  const std::vector<void*> blocks = heap.allocate(16, 1024);
  CHECK(heap.picture() == "[1024: 8/8] [1024: 8/8] [free 252]");
  REQUIRE(heap->free(blocks[3]) == Status::ok);
  CHECK(heap->allocate(1024, 1) == blocks[3]);
  CHECK(heap.picture() == "[1024: 8/8] [1024: 8/8] [free 252]");
}

TEST_CASE("while half of the heap is free, a set is used up once a 16th of it is free, and before that another is carved") {
  CoreHeap heap{16};
  const std::vector<void*> blocks = heap.allocate(64, 64);
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(heap->free(blocks[10 + i]) == Status::ok);
  for (std::size_t i = 0; i < 4; ++i) CHECK(heap->allocate(64, 1) == blocks[10 + i]);
  CHECK(heap.picture() == "[64: 64/64] [free 15]");
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(heap->free(blocks[10 + i]) == Status::ok);
  REQUIRE(heap->allocate(64, 1) != nullptr);
  CHECK(heap.picture() == "[64: 61/64] [64: 1/64] [free 14]");
}

TEST_CASE("a current set of which less is free goes to the end of the list when enough of the first there is") {
  for (std::size_t listed = 1; listed <= 3; ++listed) {
    CoreHeap heap{32};
    const std::vector<void*> blocks = heap.allocate((listed + 1) * 64, 64);
    for (std::size_t set = 0; set < listed; ++set) {
      for (std::size_t i = 0; i < 10; ++i) REQUIRE(heap->free(blocks[set * 64 + i]) == Status::ok);
    }
    const std::size_t current = listed * 64;
    for (std::size_t i = 0; i < 2; ++i) REQUIRE(heap->free(blocks[current + i]) == Status::ok);
    for (std::size_t set = 0; set < listed; ++set) {
      for (std::size_t i = 0; i < 10; ++i) {
        CHECK(heap->allocate(64, 1) == blocks[set * 64 + i]);
        CHECK(heap->validate());
      }
    }
    CHECK(heap->slab(0).set_count() == listed + 1);
    CHECK(heap->slab(0).listed() == 1);
    // Two blocks are not enough for it to come back, but four are.
    (void)heap.allocate(64, 64);
    CHECK(heap->slab(0).set_count() == listed + 2);
    for (std::size_t i = 2; i < 4; ++i) REQUIRE(heap->free(blocks[current + i]) == Status::ok);
    for (std::size_t i = 0; i < 4; ++i) CHECK(heap->allocate(64, 1) == blocks[current + i]);
    CHECK(heap->slab(0).listed() == 0);
    CHECK(heap->validate());
  }
}

TEST_CASE("when half of the heap is in use, a set is used up before another is carved") {
  CoreHeap heap{16};
  const std::vector<void*> blocks = heap.allocate(64, 64);
  REQUIRE(heap->allocate(8 * 4096, 1) != nullptr);
  REQUIRE(heap->free(blocks[10]) == Status::ok);
  CHECK(heap->allocate(64, 1) == blocks[10]);
  CHECK(heap.picture() == "[64: 64/64] [free 1] [free 2] [free 4] [large 8]");
  REQUIRE(heap->allocate(64, 1) != nullptr);
  CHECK(heap.picture() == "[64: 64/64] [64: 1/64] [free 2] [free 4] [large 8]");
}
