#include "slabheap/core/slab.hpp"

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;
using slabheap::test::options;

TEST_CASE("a set has 64 blocks where the heap can spare them") {
  CoreHeap heap{64 * 128};
  REQUIRE(heap->allocate(4096, 1) != nullptr);
  CHECK(heap.picture() == "[4096: 1/64] [free 8128]");
}

TEST_CASE("a set takes no more than a 128th of the heap, nor less than one block") {
  CoreHeap large{128 * 4};
  REQUIRE(large->allocate(512, 1) != nullptr);
  REQUIRE(large->allocate(2048, 1) != nullptr);
  CHECK(large.picture() == "[512: 1/32] [2048: 1/8] [free 504]");
  CoreHeap small{8};
  REQUIRE(small->allocate(4096, 1) != nullptr);
  REQUIRE(small->allocate(64, 1) != nullptr);
  CHECK(small.picture() == "[4096: 1/1] [64: 1/64] [free 6]");
}

TEST_CASE("a set takes no more than the longest free run") {
  CoreHeap heap{64 * 8};
  while (heap->stats().largest_free_bytes > 2 * 4096) {
    REQUIRE(heap->allocate(static_cast<std::size_t>(heap->stats().largest_free_bytes), 1) != nullptr);
  }
  const std::uint64_t used = heap->stats().slab_total_bytes;
  if (heap->stats().largest_free_bytes != 0) {
    REQUIRE(heap->allocate(4096, 1) != nullptr);
    CHECK(heap->stats().slab_total_bytes - used <= 2 * 4096);
  }
}

TEST_CASE("a set can aim at fewer blocks, and has as many as fit into the pages that those need") {
  CoreHeap heap{1024, options(Preset::classic, 0, 10)};
  REQUIRE(heap->allocate(1024, 1) != nullptr);
  CHECK(heap.picture() == "[1024: 1/12] [free 1021]");
}

TEST_CASE("an empty set goes back to the buddy, but for the current one and the recent one") {
  CoreHeap heap{16};
  const std::vector<void*> blocks = heap.allocate(3 * 64, 64);
  CHECK(heap.picture() == "[64: 64/64] [64: 64/64] [64: 64/64] [free 13]");
  for (std::size_t i = 0; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  CHECK(heap.picture() == "[64: 0/64] [64: 64/64] [64: 64/64] [free 13]");
  REQUIRE(heap->free(blocks[64]) == Status::ok);
  CHECK(heap.picture() == "[64: 0/64] [64: 63/64] [64: 64/64] [free 13]");  // the current one was full: this one is now
  for (std::size_t i = 65; i < 128; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  CHECK(heap.picture() == "[64: 0/64] [64: 0/64] [64: 64/64] [free 13]");
  REQUIRE(heap->free(blocks[128]) == Status::ok);
  CHECK(heap.picture() == "[64: 0/64] [free 1] [64: 63/64] [free 13]");
  for (std::size_t i = 129; i < blocks.size(); ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  CHECK(heap.picture() == "[64: 0/64] [free 1] [64: 0/64] [free 13]");
  CHECK(heap->used_blocks(heap->slab(0)) == 0);
  CHECK(heap->validate());
  CHECK(heap->release_kept() == 2 * 4096);
  CHECK(heap.picture() == "[free 16]");
}

TEST_CASE("a current set that is empty goes back if another is listed, which takes its place, and stays if none is") {
  CoreHeap heap{16};
  const std::vector<void*> blocks = heap.allocate(64 + 1, 64);
  REQUIRE(heap->free(blocks[64]) == Status::ok);
  CHECK(heap.picture() == "[64: 64/64] [64: 0/64] [free 14]");
  REQUIRE(heap->free(blocks[0]) == Status::ok);
  CHECK(heap.picture() == "[64: 63/64] [64: 0/64] [free 14]");
  void* last = heap->allocate(64, 1);
  CHECK(heap.picture() == "[64: 63/64] [64: 1/64] [free 14]");
  REQUIRE(heap->free(last) == Status::ok);
  CHECK(heap.picture() == "[64: 63/64] [free 15]");
  CHECK(heap->allocate(64, 1) == blocks[0]);
  CHECK(heap.picture() == "[64: 64/64] [free 15]");
}

TEST_CASE("a block of a class above its size's, for the sake of its alignment, is freed with its layout, whatever its set is") {
  CoreHeap heap{64, options(Preset::compact)};
  const std::size_t index = 2;  // 32 bytes
  REQUIRE(heap->slab(index).block_bytes() == 32);
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 200; ++i) {
    blocks.push_back(heap->allocate(20, 32));
    REQUIRE(reinterpret_cast<Address>(blocks.back()) % 32 == 0);
  }
  CHECK(heap->used_blocks(heap->slab(index)) == 200);
  // The first is of a full set, the last of the current one; then there are partial sets, too.
  for (const std::size_t i : {std::size_t{0}, std::size_t{199}, std::size_t{1}}) {
    CHECK(heap->deallocate(blocks[i], 20, 4) == Status::wrong_layout);
    CHECK(heap->deallocate(blocks[i], 20, 24) == Status::invalid_argument);
    REQUIRE(heap->deallocate(blocks[i], 20, 32) == Status::ok);
    CHECK(heap->deallocate(blocks[i], 20, 32) == Status::not_allocated);
    CHECK(heap->validate());
  }
  CHECK(heap->used_blocks(heap->slab(index)) == 197);
}

TEST_CASE("allocating and freeing one block over and over carves one set") {
  CoreHeap heap{16};
  for (int i = 0; i < 1000; ++i) REQUIRE(heap->free(heap->allocate(64, 1)) == Status::ok);
  CHECK(heap->stats().peak_page_bytes == 4096);
  CHECK(heap.picture() == "[64: 0/64] [free 15]");
}

TEST_CASE("a set kept back is given up before a request fails") {
  CoreHeap heap{8};
  void* large = heap->allocate(7 * 4096, 1);
  REQUIRE(large != nullptr);
  REQUIRE(heap->free(heap->allocate(64, 1)) == Status::ok);
  CHECK(heap.picture() == "[large 7] [64: 0/64]");
  REQUIRE(heap->free(large) == Status::ok);
  CHECK(heap->stats().largest_free_bytes == 8 * 4096);
  CHECK(heap->allocate(8 * 4096, 1) != nullptr);
  CHECK(heap.picture() == "[large 8]");
}

TEST_CASE("a set of one block goes from full to empty and back") {
  CoreHeap heap{8};
  const std::vector<void*> blocks = heap.allocate(3, 4096);
  CHECK(heap.picture() == "[4096: 1/1] [4096: 1/1] [4096: 1/1] [free 5]");
  REQUIRE(heap->free(blocks[0]) == Status::ok);
  CHECK(heap.picture() == "[4096: 0/1] [4096: 1/1] [4096: 1/1] [free 5]");
  REQUIRE(heap->free(blocks[1]) == Status::ok);
  REQUIRE(heap->free(blocks[2]) == Status::ok);
  CHECK(heap->slab(6).set_count() == 1);
  CHECK(heap->stats().largest_free_bytes == 8 * 4096);
}

TEST_CASE("a set leaves at most a 16th of its run, or the least part that any length would") {
  for (const unsigned page_shift : {9U, 10U, 12U}) {
    const std::size_t page = std::size_t{1} << page_shift;
    for (std::size_t block = 8; block <= 8192; block += block < 64 ? 1 : 12) {
      const SetShape shape = SetShape::full(block, max_set_blocks, 1 << 20, page_shift);
      const auto held = [&](std::size_t pages) { return std::min(max_set_blocks, pages * page / block); };
      const auto part_left = [&](std::size_t pages) {
        return static_cast<double>(pages * page - held(pages) * block) / static_cast<double>(pages * page);
      };
      REQUIRE(shape.blocks == held(shape.page_count));
      const std::size_t shortest = (block + page - 1) / page;
      const std::size_t longest = std::min<std::size_t>(max_set_pages, (max_set_blocks * block + page - 1) / page);
      if (part_left(shape.page_count) <= 1.0 / 16) {
        for (std::size_t pages = shape.page_count + 1U; pages <= longest; ++pages) {
          REQUIRE((held(pages) == shape.blocks || part_left(pages) > 1.0 / 16));
        }
      } else {
        for (std::size_t pages = shortest; pages <= longest; ++pages) REQUIRE(part_left(shape.page_count) <= part_left(pages));
      }
    }
  }
}

TEST_CASE("a set of blocks that fill pages has as many as it aims at") {
  for (std::size_t block = 64; block <= 4096; block *= 2) {
    const SetShape shape = SetShape::full(block, 64, 8192, 12);
    CHECK(shape.blocks == 64);
    CHECK(shape.page_count == block / 64);
    CHECK(SetShape::full(block, 64, 64, 12).page_count == 1);
  }
}

TEST_CASE("a snug set is as short as a small tail lets it be, and longer in a heap that has room") {
  CHECK(SetShape::snug(1024, 1000, 10).page_count == 1);
  CHECK(SetShape::snug(640, 1000, 10).page_count == 2);  // 1.6 blocks a page: two leave 128 bytes
  CHECK(SetShape::snug(1024, 65536, 10).page_count == 32);
  CHECK(SetShape::snug(1024, 1 << 20, 10).page_count == 64);
  CHECK(SetShape::snug(16, 1 << 20, 10).page_count == 1);  // 64 blocks fill a page
  CHECK(SetShape::snug(4096, 64, 10).page_count == 4);     // a block needs more than a 128th
}

TEST_CASE("a snug set is a quarter of all that its slab has carved, from its least up to its most, which a full heap halves") {
  CoreHeap heap{1 << 16, options(Preset::compact)};
  std::size_t index = 0;
  while (heap->slab(index).block_bytes() < 512) ++index;
  const Slab& slab = heap->slab(index);
  constexpr std::uint32_t most = 32;  // pages of 1 KiB, of two blocks each
  for (int round = 0; round < 2; ++round) {
    std::vector<std::uint32_t> sets;
    std::vector<std::uint32_t> expected;
    std::uint32_t carved = 0;
    for (bool is_roomy = true; carved < 40000; is_roomy = heap->pages().is_roomy()) {
      REQUIRE(heap->allocate(512, 1) != nullptr);
      if (slab.pages().count == carved) continue;
      sets.push_back(slab.pages().count - carved);
      expected.push_back(std::clamp(carved / 4, 1U, is_roomy ? most : most / 2));
      carved = slab.pages().count;
    }
    CHECK(sets == expected);
    CHECK(std::count(sets.begin(), sets.end(), most) > 900);
    CHECK(std::count(sets.begin(), sets.end(), most / 2) > 400);
    heap->reset();
  }
}

TEST_CASE("the sets of the presets have these pages and blocks") {
  const auto shapes_of = [](const std::size_t* classes, std::size_t count, std::uint64_t heap_pages) {
    std::ostringstream text;
    for (std::size_t i = 0; i < count; ++i) {
      const SetShape least = SetShape::least(classes[i], heap_pages, 10);
      const SetShape snug = SetShape::snug(classes[i], heap_pages, 10);
      text << classes[i] << ":" << least.page_count << "x" << least.blocks;
      if (snug != least) text << "-" << snug.page_count << "x" << snug.blocks;
      text << " ";
    }
    return text.str();
  };
  const std::pair<std::uint64_t, std::string> expected[] = {
      {200,
       "16:1x64 24:1x42 32:1x32 40:1x25 48:1x21 64:1x16 80:1x12 96:1x10 128:1x8 160:1x6 192:1x5 "
       "256:1x4 320:1x3 384:1x2 512:1x2 640:1x1 768:1x1 896:1x1 1024:1x1 1280:2x1 1536:2x1 1792:2x1 "
       "2048:2x1 2560:3x1 3072:3x1 3584:4x1 4096:4x1 "},
      {1 << 10,
       "16:1x64 24:1x42 32:1x32 40:1x25 48:1x21 64:1x16 80:1x12 96:1x10 128:1x8 160:1x6 192:1x5 "
       "256:1x4 320:1x3 384:2x5 512:1x2 640:2x3 768:3x4 896:7x8 1024:1x1 1280:4x3 1536:3x2 1792:7x4 "
       "2048:2x1 2560:5x2 3072:3x1 3584:7x2 4096:4x1 "},
      {1 << 16,
       "16:1x64 24:1x42 32:1x32-2x64 40:1x25-2x51 48:1x21-3x64 "
       "56:1x18-3x54 64:1x16-4x64 72:1x14-4x56 80:1x12-5x64 88:1x11-5x58 "
       "96:1x10-6x64 104:2x19-6x59 112:1x9-7x64 120:1x8-8x64 128:1x8-8x64 144:1x7-9x64 160:1x6-10x64 "
       "176:2x11-11x64 192:1x5-12x64 208:3x14-13x64 224:2x9-14x64 240:1x4-15x64 256:1x4-16x64 "
       "288:2x7-18x64 320:1x3-20x64 352:4x11-22x64 384:2x5-24x64 416:3x7-26x64 448:4x9-28x64 "
       "480:1x2-30x64 512:1x2-32x64 544:5x9-32x60 576:3x5-32x56 608:3x5-32x53 640:2x3-32x51 672:2x3-32x48 "
       "704:5x7-32x46 768:3x4-32x42 832:5x6-32x39 896:7x8-32x36 960:1x1-32x34 1024:1x1-32x32 "
       "1088:8x7-32x30 1152:6x5-32x28 1280:4x3-32x25 1344:4x3-32x24 1408:7x5-32x23 1536:3x2-32x21 "
       "1664:5x3-31x19 1792:7x4-32x18 2048:2x1-32x16 2304:7x3-32x14 2560:5x2-30x12 2688:8x3-32x12 "
       "3072:3x1-30x10 3328:7x2-30x9 3584:7x2-32x9 4096:4x1-32x8 "},
  };
  for (const auto& [heap_pages, shapes] : expected) {
    const Configuration compact = configuration_of(options(Preset::compact), static_cast<std::size_t>(heap_pages) << 10);
    CHECK(shapes_of(compact.classes, compact.class_count, heap_pages) == shapes);
  }
}

TEST_CASE("of lengths that all leave much, the one that leaves least of itself is taken, and the longest of several such") {
  const SetShape shape = SetShape::full(1400, 64, 384, 10);  // up to three pages: 648 of 2048 bytes, or 272 of 3072
  CHECK(shape.page_count == 3);
  CHECK(shape.blocks == 2);
  const SetShape longer = SetShape::full(1100, 64, 384, 10);  // 948 of 2048 bytes, or 872 of 3072
  CHECK(longer.page_count == 3);
  const SetShape shorter = SetShape::full(1900, 64, 384, 10);  // 148 of 2048 bytes, or 1172 of 3072
  CHECK(shorter.page_count == 2);
  const SetShape tied = SetShape::full(1400, 64, 768, 10);  // 544 of 6144 bytes are as much of them as 272 of 3072
  CHECK(tied.page_count == 6);
  CHECK(tied.blocks == 4);
}

TEST_CASE("sets that are partial are counted, current or not") {
  CoreHeap heap{64};
  const Slab& slab = heap->slab(0);
  CHECK(heap->partial_sets(slab) == 0);
  std::vector<void*> blocks = heap.allocate(63, 64);
  CHECK(heap->partial_sets(slab) == 1);
  blocks.push_back(heap->allocate(64, 1));
  CHECK(heap->partial_sets(slab) == 0);  // full
  blocks.push_back(heap->allocate(64, 1));
  CHECK(heap->partial_sets(slab) == 1);
  REQUIRE(heap->free(blocks[0]) == Status::ok);
  CHECK(heap->partial_sets(slab) == 2);
  REQUIRE(heap->free(blocks[0] = blocks.back()) == Status::ok);
  CHECK(heap->partial_sets(slab) == 1);
  for (std::size_t i = 1; i < 64; ++i) REQUIRE(heap->free(blocks[i]) == Status::ok);
  CHECK(heap->partial_sets(slab) == 0);  // kept back empty
  CHECK(slab.set_count() == 1);
}

TEST_CASE("every size and alignment routes by its front alone to the class that holds it, where that serves all such") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{preset == Preset::classic ? 64U : 8192U, options(preset)};
    std::size_t below = 0;
    for (std::size_t i = 0; i < heap->class_count(); ++i) {
      const SlabFront& front = heap->slab(i).front();
      bool serves_all = true;
      for (std::size_t size = 0; size <= 4097; size += size < 512 ? 1 : 5) {
        for (std::size_t align = 1; align <= 8192; align *= 2) {
          const std::size_t rounded = round_up(size, align);
          const bool is_held = size != 0 && rounded > below && rounded <= front.block_bytes;
          REQUIRE(front.layouts.has_last(last_byte(size, align)) == (front.serves_all() && is_held));
          REQUIRE(front.layouts.has(size, align) == (front.serves_all() && is_held));
          REQUIRE(front.has_slowly(size, align) == (is_held && front.serves(align)));
          if (is_held && !front.serves(align)) serves_all = false;
        }
      }
      REQUIRE(front.serves_all() == serves_all);
      for (std::size_t align = 0; align <= 8192; ++align) {
        REQUIRE(front.serves(align) == (is_power_of_two(align) && align <= heap->slab(i).alignment()));
      }
      below = front.block_bytes;
    }
    const SlabFront none;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, ~std::size_t{0}}) {
      for (std::size_t align = 1; align <= 8192; align *= 2) CHECK_FALSE(none.layouts.has_last(last_byte(size, align)));
    }
  }
}

TEST_CASE("blocks of every class lie inside their set, apart, and as aligned as their size is even") {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    CoreHeap heap{4096, options(preset)};
    for (std::size_t index = 0; index < heap->class_count(); ++index) {
      const std::size_t bytes = heap->slab(index).block_bytes();
      const std::vector<void*> blocks = heap.allocate(70, bytes);
      for (std::size_t i = 1; i < blocks.size(); ++i) {
        const auto distance = reinterpret_cast<Address>(blocks[i]) - reinterpret_cast<Address>(blocks[i - 1]);
        if (i % heap->slab(index).total_blocks() != 0 && i < 2) CHECK(distance == bytes);
        CHECK(reinterpret_cast<Address>(blocks[i]) % heap->slab(index).alignment() == 0);
      }
      CHECK(heap->used_blocks(heap->slab(index)) == 70);
    }
    CHECK(heap->validate());
  }
}

TEST_CASE("what follows the last block of a set is no block, even where it would be the 65th") {
  const std::size_t classes[] = {500};
  Options own = options(Preset::classic, 0, 64);
  own.classes = classes;
  own.class_count = 1;
  CoreHeap heap{1024, own};
  const std::vector<void*> blocks = heap.allocate(64, 500);
  CHECK(heap.picture() == "[500: 64/64] [free 1016]");
  auto* const behind = static_cast<unsigned char*>(blocks[0]) + 32000;
  REQUIRE(behind == static_cast<unsigned char*>(blocks[63]) + 500);
  for (std::size_t at = 0; at < 32768 - 32000; ++at) {
    CHECK(heap->free(behind + at) == Status::not_allocated);
    CHECK(heap->deallocate(behind + at, 500, 1) == Status::not_allocated);
    CHECK(heap->block_size(behind + at) == 0);
  }
}

TEST_CASE("a set has no more than 256 pages") {
  CHECK(SetShape::full(4096, 64, 1 << 20, 9) == SetShape{256, 32});
  CHECK(SetShape::fit(4096, {512}, 9) == SetShape{256, 32});
  CoreHeap heap{128 * 512, options(Preset::classic, 512)};
  const std::vector<void*> blocks = heap.allocate(64, 4096);
  CHECK(heap->slab(6).set_count() == 2);
  CHECK(heap->slab(6).pages() == Pages{512});
  for (void* block : blocks) CHECK(heap->deallocate(block, 4096, 512) == Status::ok);
  CHECK(heap->validate());
}
