// Free memory is nobody's: a heap whose free bytes are overwritten at any moment does what its undisturbed twin does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <random>

#include "slabheap/slabheap.h"
#include "support/environment.hpp"
#include "support/figures.hpp"
#include "support/free_memory.hpp"
#include "support/memory.hpp"
#include "support/picture.hpp"

using slabheap::test::environment_or;
using slabheap::test::Memory;

namespace {

constexpr std::size_t region_bytes = 512 << 10;

/// Overwrites every byte of every page that no live block has; how many.
std::size_t overwrite_free_memory(const Heap* heap, std::mt19937_64& random) {
  std::size_t overwritten = 0;
  slabheap::test::visit_free_memory(heap, [&](unsigned char* start, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
      const std::uint64_t noise = random();
      std::memcpy(start + at, &noise, std::min(sizeof noise, bytes - at));
    }
    overwritten += bytes;
  });
  return overwritten;
}

struct Block {
  std::size_t offset;
  std::size_t size;
  std::size_t align;
};

/// A heap over two regions that lie in every twin as far from each other, and from an aligned address.
class Twin {
 public:
  explicit Twin(HeapOptions options) : memory_{bytes, 48} {
    options.memory = memory_.start();
    options.bytes = region_bytes;
    REQUIRE(heap_new_with(&options, &heap_) == HEAP_STATUS_OK);
    REQUIRE(heap_add_memory(heap_, at(region_bytes + gap_bytes), region_bytes) == HEAP_STATUS_OK);
  }

  [[nodiscard]] Heap* heap() const { return heap_; }
  [[nodiscard]] std::size_t offset_of(const void* block) const {
    if (block == nullptr) return none;
    return static_cast<std::size_t>(static_cast<const char*>(block) - static_cast<const char*>(memory_.start()));
  }
  [[nodiscard]] void* at(std::size_t offset) const { return static_cast<char*>(memory_.start()) + offset; }

  static constexpr std::size_t none = ~std::size_t{0};
  static constexpr std::size_t gap_bytes = 1000;
  static constexpr std::size_t bytes = 2 * region_bytes + gap_bytes;

 private:
  Memory memory_;
  Heap* heap_ = nullptr;
};

/// One operation on a heap; what it answers, in figures that are alike for twins.
struct Operation {
  std::size_t dice;
  std::size_t size;
  std::size_t align;
  Block block;

  [[nodiscard]] std::size_t run(const Twin& twin) const {
    Heap* heap = twin.heap();
    if (dice < 480) return twin.offset_of(heap_allocate(heap, size, align));
    if (dice < 500) return twin.offset_of(heap_allocate_zeroed(heap, size, align));
    void* own = twin.at(block.offset);
    if (dice < 700) return heap_deallocate(heap, own, block.size, block.align);
    if (dice < 900) return heap_free(heap, own);
    if (dice < 960) return twin.offset_of(heap_reallocate(heap, own, block.size, block.align, size));
    if (dice < 980) return heap_free(heap, twin.at((block.offset + size) % Twin::bytes));  // whatever that is
    if (dice < 990) return heap_trim(heap);
    return heap_block_size(heap, own);
  }
};

/// What is live after an operation that answered so.
void follow(const Operation& operation, std::size_t answer, const Twin& twin, std::vector<Block>& blocks, std::size_t chosen) {
  const auto forget = [&](std::size_t offset) {
    std::erase_if(blocks, [&](const Block& block) { return block.offset == offset; });
  };
  const std::size_t dice = operation.dice;
  if (dice < 500 && answer != Twin::none) blocks.push_back({answer, operation.size, operation.align});
  if (dice >= 500 && dice < 900) forget(blocks[chosen].offset);
  if (dice >= 900 && dice < 960 && answer != Twin::none) blocks[chosen] = {answer, operation.size, operation.block.align};
  if (dice >= 960 && dice < 980 && answer == HEAP_STATUS_OK) {
    forget(twin.offset_of(twin.at((operation.block.offset + operation.size) % Twin::bytes)));
  }
}

/// Bytes overwritten in a run.
std::size_t compare_twins(const HeapOptions& options, std::size_t seed, std::size_t steps) {
  std::mt19937 random{static_cast<std::uint32_t>(seed)};
  std::mt19937_64 noise{seed + 1};
  const Twin quiet{options};
  const Twin noisy{options};
  std::vector<Block> blocks;
  std::size_t overwritten = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    const std::size_t chosen = blocks.empty() ? 0 : random() % blocks.size();
    const std::size_t size = random() % (std::size_t{1} << random() % (random() % 8 == 0 ? 17 : 12));
    const Operation operation{blocks.empty() ? 0 : random() % 1000, size, std::size_t{1} << random() % 9,
                              blocks.empty() ? Block{} : blocks[chosen]};
    const std::size_t answer = operation.run(quiet);
    REQUIRE(operation.run(noisy) == answer);
    follow(operation, answer, quiet, blocks, chosen);
    if (random() % 16 == 0) overwritten += overwrite_free_memory(noisy.heap(), noise);
    if (i % 64 == 0) REQUIRE(slabheap::test::picture(quiet.heap()) == slabheap::test::picture(noisy.heap()));
  }
  const HeapStats of_quiet = heap_stats(quiet.heap());
  const HeapStats of_noisy = heap_stats(noisy.heap());
  CHECK(std::memcmp(&of_quiet, &of_noisy, sizeof(HeapStats)) == 0);
  CHECK(heap_check(noisy.heap()) == HEAP_STATUS_OK);
  return overwritten;
}

}  // namespace

TEST_CASE("free memory that is overwritten at any moment changes no answer") {
  const std::size_t seed = environment_or("SLABHEAP_SEED", 1);
  const std::size_t steps = environment_or("SLABHEAP_TWIN_STEPS", 4000);
  std::size_t overwritten = 0;
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    for (const HeapPageLayer pages : {HEAP_PAGE_LAYER_BUDDY, HEAP_PAGE_LAYER_BEST_FIT}) {
      INFO("SLABHEAP_SEED=" << seed);
      HeapOptions options = heap_options_default();
      options.preset = preset;
      options.pages = pages;
      overwritten += compare_twins(options, seed, steps);
    }
  }
  slabheap::test::add_figure("twin_operations", 4 * steps);
  slabheap::test::add_figure("overwritten_bytes", overwritten);
  std::cout << "free memory: " << overwritten << " bytes overwritten in " << 4 * steps << " operations\n";
}
