#include <sys/mman.h>

#include <cstring>
#include <iterator>
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::Memory;
using slabheap::test::options;

TEST_CASE("a request goes to the first slab that its size and its alignment fit") {
  CoreHeap heap{16};
  for (std::size_t size = 0; size <= 4096; ++size) {
    for (std::size_t align = 1; align <= 4096; align *= 2) {
      std::size_t slab = 64;
      while (size > slab || align > slab) slab *= 2;
      REQUIRE(heap->usable_size(size, align) == slab);
    }
  }
}

TEST_CASE("a size above 4096 goes to whole pages") {
  CoreHeap heap{16};
  CHECK(heap->usable_size(4097, 1) == 8192);
  CHECK(heap->usable_size(8192, 64) == 8192);
  CHECK(heap->usable_size(8193, 64) == 12288);
}

TEST_CASE("a size above the largest class goes to whole pages, whatever stood in the memory before") {
  std::size_t classes[40];
  for (std::size_t i = 0; i < std::size(classes); ++i) classes[i] = 8 * (i + 1);
  const Memory memory{1 << 16};
  for (Options own = options(Preset::classic); own.class_count < std::size(classes);) {
    own.classes = classes;
    ++own.class_count;
    std::memset(memory.start(), 1, memory.bytes());
    const auto* heap = slabheap::Heap::create({reinterpret_cast<Address>(memory.start()), memory.bytes()}, own, false, 0).heap;
    REQUIRE(heap != nullptr);
    CHECK(heap->usable_size(8 * own.class_count, 1) == 8 * own.class_count);
    CHECK(heap->usable_size(8 * own.class_count + 1, 1) == 4096);
  }
}

TEST_CASE("an alignment above 4096 goes to whole pages, whatever the size") {
  CoreHeap heap{16};
  for (std::size_t align = 8192; align <= 1 << 20; align *= 2) {
    CHECK(heap->usable_size(0, align) == 4096);
    CHECK(heap->usable_size(100, align) == 4096);
    CHECK(heap->usable_size(4096, align) == 4096);
    CHECK(heap->usable_size(5000, align) == 8192);
  }
}

TEST_CASE("compact wastes at most a quarter of a block on any request above 17 bytes") {
  CoreHeap heap{64, options(Preset::compact)};
  for (std::size_t size = 18; size <= 1 << 20; size += size < 8192 ? 1 : 511) {
    const std::size_t held = heap->usable_size(size, 1);
    REQUIRE(held >= size);
    REQUIRE((held - size) * 4 <= held);
  }
  CHECK(heap->usable_size(0, 1) == 16);
  CHECK(heap->usable_size(16, 1) == 16);
}

TEST_CASE("compact wastes at most a quarter of a block on a size that is a multiple of its alignment") {
  CoreHeap heap{64, options(Preset::compact)};
  for (std::size_t align = 1; align <= 1024; align *= 2) {
    for (std::size_t size = align; size <= 8192; size += align) {
      if (size < 16 || size == 17) continue;
      const std::size_t held = heap->usable_size(size, align);
      REQUIRE((held - size) * 4 <= held);
    }
  }
}

TEST_CASE("an alignment that the nearest class does not honour goes to the next that does") {
  const std::size_t classes[] = {24, 32, 100, 104, 112, 128};
  Options chosen = options(Preset::classic);
  chosen.classes = classes;
  chosen.class_count = 6;
  CoreHeap heap{64, chosen};
  CHECK(heap->usable_size(20, 8) == 24);
  CHECK(heap->usable_size(20, 16) == 32);
  CHECK(heap->usable_size(99, 4) == 100);
  CHECK(heap->usable_size(99, 8) == 104);
  CHECK(heap->usable_size(99, 16) == 112);
  CHECK(heap->usable_size(99, 32) == 128);
  CHECK(heap->usable_size(99, 256) == 4096);
  CHECK(heap->usable_size(129, 1) == 4096);
}

TEST_CASE("a class list of any odd sizes routes every size to the least class that holds it") {
  const std::size_t classes[] = {9, 10, 77, 1001, 5003, 65535};
  Options chosen = options(Preset::classic);
  chosen.classes = classes;
  chosen.class_count = 6;
  CoreHeap heap{256, chosen};
  std::size_t at = 0;
  for (std::size_t size = 0; size <= 65535; ++size) {
    if (size > classes[at]) ++at;
    REQUIRE(heap->usable_size(size, 1) == classes[at]);
  }
  std::vector<void*> blocks;
  for (const std::size_t size : classes) {
    for (int i = 0; i < 3; ++i) {
      blocks.push_back(heap->allocate(size, 1));
      REQUIRE(blocks.back() != nullptr);
    }
  }
  CHECK(heap->validate());
  for (void* block : blocks) CHECK(heap->free(block) == Status::ok);
}

TEST_CASE("arguments that are no layout get nothing") {
  CoreHeap heap{16};
  const std::size_t most = ~std::size_t{0};
  for (const std::size_t align : {std::size_t{0}, std::size_t{3}, std::size_t{24}, most, most / 2 + 1}) {
    CHECK(heap->usable_size(8, align) == 0);
    CHECK(heap->allocate(8, align) == nullptr);
  }
  for (const std::size_t size : {most, most - 4095, most / 2 + 1}) {
    CHECK(heap->usable_size(size, 8) == 0);
    CHECK(heap->allocate(size, 8) == nullptr);
  }
  CHECK(heap->stats().failed_allocations == 0);
  CHECK(heap->allocate(most / 2, 8) == nullptr);
  CHECK(heap->allocate(8, most / 2 / 2 + 1) == nullptr);
  CHECK(heap->stats().failed_allocations == 2);
  CHECK(heap.picture() == "[free 16]");
}

TEST_CASE("a large block with the layout of the set that its page once belonged to is refused") {
  const std::size_t classes[] = {64, 128};
  Options own = options(Preset::classic);
  own.classes = classes;
  own.class_count = 2;
  CoreHeap heap{256, own};
  void* const longer = heap->allocate(128, 1);  // in a set of two pages
  REQUIRE(heap->free(longer) == Status::ok);
  REQUIRE(heap->release_kept() == 8192);
  void* const shorter = heap->allocate(64, 1);  // in a set of the first of them
  REQUIRE(shorter == longer);
  auto* const large = static_cast<unsigned char*>(heap->allocate(4096, 1));  // the second
  REQUIRE(large == static_cast<unsigned char*>(longer) + 4096);
  CHECK(heap->deallocate(large, 64, 1) == Status::wrong_layout);
  CHECK(heap->deallocate(large + 64, 64, 1) == Status::misaligned);
  CHECK(heap->stats().rejected_frees == 2);
  CHECK(heap->deallocate(large, 4096, 1) == Status::ok);
  CHECK(heap->deallocate(shorter, 64, 1) == Status::ok);
}

TEST_CASE("a large block is freed at its start only, and with a size of as many pages as it has") {
  CoreHeap heap{64};
  auto* const block = static_cast<unsigned char*>(heap->allocate(5 * 4096, 8));
  std::uint64_t refused = 0;
  for (const std::size_t inside : {1U, 64U, 4095U, 4096U, 4 * 4096U}) {
    CHECK(heap->deallocate(block + inside, 5 * 4096, 1) == Status::misaligned);
    ++refused;
  }
  for (std::size_t size = 2 * 4096; size <= 9 * 4096; size += 2048) {
    if (size > 4 * 4096 && size <= 5 * 4096) continue;
    for (const std::size_t exactly : {size - 1, size, size + 1}) {
      if (exactly == 4 * 4096 + 1 || exactly == 5 * 4096) continue;
      CHECK(heap->deallocate(block, exactly, 8) == Status::wrong_layout);
      ++refused;
    }
  }
  CHECK(heap->stats().rejected_frees == refused);
  CHECK(heap.picture() == "[large 5] [free 59]");
  CHECK(heap->deallocate(block, 4 * 4096 + 1, 8) == Status::ok);
  CHECK(heap.picture() == "[free 64]");
}

TEST_CASE("of an address behind the last page no descriptor is looked at") {
  constexpr std::size_t half = std::size_t{1} << 20;
  void* const all = mmap(nullptr, 3 * half, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(all != MAP_FAILED);
  const Address start = reinterpret_cast<Address>(all) + half;
  REQUIRE(mprotect(all, half, PROT_NONE) == 0);
  slabheap::Heap* const heap = slabheap::Heap::create({start, half + 100}, options(Preset::classic), true, 0).heap;
  REQUIRE(heap != nullptr);
  const Region& region = heap->regions().by_address(0);
  REQUIRE(region.metadata_bytes + 2 <= region.pages_start - start);
  const Address end = region.pages_start + region.pages_bytes;
  REQUIRE(region.given.holds(end));
  region.head_distances[region.page_count] = 0xff;  // in what is left over in front of the pages; it leads out of the metadata
  void* const behind = reinterpret_cast<void*>(end);
  CHECK(heap->free(behind) == Status::not_allocated);
  CHECK(heap->deallocate(behind, 8192, 8) == Status::not_allocated);
  CHECK(heap->deallocate(behind, 64, 8) == Status::not_allocated);
  CHECK(heap->block_size(behind) == 0);
  CHECK(munmap(all, 3 * half) == 0);
}

TEST_CASE("who is told of a refused call is told why, and of which block") {
  static std::vector<std::pair<const void*, Status>> told;
  told.clear();
  Options own = options(Preset::classic);
  own.hooks.refused_free = [](const slabheap::Heap&, const void* block, Status status) { told.emplace_back(block, status); };
  CoreHeap heap{64, own};
  auto* const block = static_cast<unsigned char*>(heap->allocate(100, 8));
  auto* const large = static_cast<unsigned char*>(heap->allocate(8192, 8));
  const int outside = 0;
  void* const foreign = const_cast<int*>(&outside);

  std::vector<std::pair<const void*, Status>> expected;
  for (unsigned char* const live : {block, large}) {
    const std::size_t size = live == block ? 100 : 8192;
    CHECK(heap->reallocate(live, size, 3, 10) == nullptr);
    CHECK(heap->deallocate(live, size, 3) == Status::invalid_argument);
    CHECK(heap->deallocate(live, size, 0) == Status::invalid_argument);
    CHECK(heap->reallocate(live, 3 * size, 8, 10) == nullptr);
    CHECK(heap->deallocate(live, 3 * size, 8) == Status::wrong_layout);
    CHECK(heap->deallocate(live, size, 1 << 20) == Status::wrong_layout);
    CHECK(heap->reallocate(live + 1, size, 8, 10) == nullptr);
    CHECK(heap->free(live + 1) == Status::misaligned);
    for (const Status status : {Status::invalid_argument, Status::invalid_argument, Status::invalid_argument,
                                Status::wrong_layout, Status::wrong_layout, Status::wrong_layout}) {
      expected.emplace_back(live, status);
    }
    for (int i = 0; i < 2; ++i) expected.emplace_back(live + 1, Status::misaligned);
  }
  CHECK(heap->free(foreign) == Status::not_owned);
  CHECK(heap->reallocate(foreign, 8, 8, 10) == nullptr);
  for (int i = 0; i < 2; ++i) expected.emplace_back(foreign, Status::not_owned);
  CHECK(told == expected);
  CHECK(heap->stats().rejected_frees == expected.size());
  CHECK(heap->free(block) == Status::ok);
  CHECK(heap->free(large) == Status::ok);
  CHECK(told.size() == expected.size());
}

TEST_CASE("the presets have these size classes, pages and sets") {
  using Sizes = std::vector<std::size_t>;
  const auto sizes_of = [](const Configuration& of) { return Sizes(of.classes, of.classes + of.class_count); };
  constexpr std::size_t fine_from = std::size_t{8} << 20;

  const Configuration classic = configuration_of(options(Preset::classic), fine_from);
  CHECK(sizes_of(classic) == Sizes{64, 128, 256, 512, 1024, 2048, 4096});
  CHECK(classic.set_blocks == 64);
  CHECK(classic.page_shift == 12);
  CHECK(classic.pages == PageLayerKind::buddy);
  CHECK(classic.routed_bytes == 4096);
  CHECK(configuration_of(options(Preset::classic), 65536).routed_bytes == 4096);
  CHECK(configuration_of(options(Preset::classic), 65535).routed_bytes == 512);

  for (const std::size_t bytes : {std::size_t{0}, fine_from - 1, fine_from}) {
    const Configuration compact = configuration_of(options(Preset::compact), bytes);
    CHECK(compact.set_blocks == 0);
    CHECK(compact.page_shift == 10);
    CHECK(compact.pages == PageLayerKind::best_fit);
    CHECK(compact.routed_bytes == (bytes == 0 ? 512 : bytes < fine_from ? 2048 : 4096));
    CHECK(sizes_of(compact) ==
          (bytes < fine_from ? Sizes{16,  24,  32,  40,  48,   64,   80,   96,   128,  160,  192,  256,  320, 384,
                                     512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096}
                             : Sizes{16,   24,   32,   40,   48,   56,   64,   72,   80,   88,   96,   104,  112,  120,  128,
                                     144,  160,  176,  192,  208,  224,  240,  256,  288,  320,  352,  384,  416,  448,  480,
                                     512,  544,  576,  608,  640,  672,  704,  768,  832,  896,  960,  1024, 1088, 1152, 1280,
                                     1344, 1408, 1536, 1664, 1792, 2048, 2304, 2560, 2688, 3072, 3328, 3584, 4096}));
  }
}

TEST_CASE("no set has more than 256 pages, though one more block would fill 257 of them") {
  const std::size_t classes[] = {257 * 512 / 4};
  Options own = options(Preset::classic, 512, 4);
  own.classes = classes;
  own.class_count = 1;
  CoreHeap heap{256 * 257, own};
  void* blocks[4];
  for (void*& block : blocks) block = heap->allocate(classes[0], 1);
  CHECK(heap->slab(0).set_count() == 2);
  CHECK(heap->regions().page(heap->slab(0).current()).block_count == 3);
  for (void* block : blocks) CHECK(heap->free(block) == Status::ok);
}

TEST_CASE("options and memory that only a caller of the core can get wrong are refused") {
  Options none;
  none.has_pages = true;
  none.pages = static_cast<PageLayerKind>(7);
  REQUIRE(problem_of(none) != nullptr);
  CHECK(std::string{problem_of(none)} == "there is no such page layer");
  const Address most = ~Address{0};
  CHECK(slabheap::Heap::create({most - 99, 101}, {}, false, 0).status == Status::invalid_argument);
  CHECK(slabheap::Heap::create({most - 99, 99}, {}, false, 0).status == Status::too_small);
  CHECK(slabheap::Heap::create({most - 99, 100}, none, false, 0).status == Status::invalid_argument);
  CoreHeap heap{16};
  CHECK(heap->add_memory({0, 4096}, false, 0) == Status::invalid_argument);
  CHECK(heap->add_memory({most - 99, 101}, false, 0) == Status::invalid_argument);
  CHECK(heap.picture() == "[free 16]");
}
