// Free memory is nobody's: a heap whose free bytes are overwritten at any moment does what its undisturbed twin does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <random>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/environment.hpp"
#include "support/figures.hpp"
#include "support/free_memory.hpp"
#include "support/memory.hpp"
#include "support/picture.hpp"

using slabheap::test::environment_or;
using slabheap::test::Memory;

namespace {

constexpr std::size_t region_bytes = 256 << 10;

void write_noise(unsigned char* start, std::size_t bytes, std::mt19937_64& random) {
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t noise = random();
    std::memcpy(start + at, &noise, std::min(sizeof noise, bytes - at));
  }
}

/// Overwrites every byte of every page that no live block has; how many.
std::size_t overwrite_free_memory(const Heap* heap, std::mt19937_64& random) {
  std::size_t overwritten = 0;
  slabheap::test::visit_free_memory(heap, [&](unsigned char* start, std::size_t bytes) {
    write_noise(start, bytes, random);
    overwritten += bytes;
  });
  return overwritten;
}

struct Block {
  std::size_t offset;
  std::size_t size;
  std::size_t align;
};

/// A heap of up to four regions, which lie in every twin as far from each other and from an aligned address.
class Twin {
 public:
  explicit Twin(HeapOptions options) : memory_{bytes, 48} {
    options.memory = region(0);
    options.bytes = region_bytes;
    REQUIRE(heap_new_with(&options, &heap_) == HEAP_STATUS_OK);
    REQUIRE(heap_add_memory(heap_, region(1), region_bytes) == HEAP_STATUS_OK);
  }

  [[nodiscard]] Heap* heap() const { return heap_; }
  [[nodiscard]] std::size_t offset_of(const void* block) const {
    if (block == nullptr) return none;
    return static_cast<std::size_t>(static_cast<const char*>(block) - static_cast<const char*>(memory_.start()));
  }
  [[nodiscard]] unsigned char* at(std::size_t offset) const { return static_cast<unsigned char*>(memory_.start()) + offset; }
  [[nodiscard]] unsigned char* region(std::size_t index) const { return at(index * (region_bytes + gap_bytes)); }

  static constexpr std::size_t none = ~std::size_t{0};
  static constexpr std::size_t most_regions = 4;
  static constexpr std::size_t gap_bytes = 1000;
  static constexpr std::size_t bytes = most_regions * (region_bytes + gap_bytes);

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

  [[nodiscard]] bool allocates() const { return dice < 500; }
  [[nodiscard]] bool zeroes() const { return allocates() && dice >= 400; }
  [[nodiscard]] bool frees() const { return dice >= 500 && dice < 900; }
  [[nodiscard]] bool reallocates() const { return dice >= 900 && dice < 960; }
  [[nodiscard]] bool frees_anything() const { return dice >= 960 && dice < 980; }
  [[nodiscard]] std::size_t anything() const { return (block.offset + size) % Twin::bytes; }
  [[nodiscard]] bool resets() const { return dice == 999 && align == 256; }

  [[nodiscard]] std::size_t run(const Twin& twin) const {
    Heap* heap = twin.heap();
    if (zeroes()) return twin.offset_of(heap_allocate_zeroed(heap, size, align));
    if (allocates()) return twin.offset_of(heap_allocate(heap, size, align));
    void* own = twin.at(block.offset);
    if (reallocates()) return twin.offset_of(heap_reallocate(heap, own, block.size, block.align, size));
    if (frees()) return dice < 700 ? heap_deallocate(heap, own, block.size, block.align) : heap_free(heap, own);
    if (frees_anything()) return heap_free(heap, twin.at(anything()));
    if (resets()) return heap_reset(heap);
    if (dice == 998) return heap_add_memory(heap, twin.region(size % Twin::most_regions), region_bytes);  // it may be there
    return dice < 990 ? heap_trim(heap) : heap_block_size(heap, own);
  }
};

/// Two heaps that do the same, of which one has its free memory overwritten, and the blocks of both.
class Twins {
 public:
  Twins(const HeapOptions& options, std::size_t seed)
      : quiet_{options}, noisy_{options}, random_{static_cast<std::uint32_t>(seed)}, noise_{seed + 1} {}

  void step() {
    const std::size_t chosen = blocks_.empty() ? 0 : random_() % blocks_.size();
    const std::size_t size = random_() % (std::size_t{1} << random_() % (random_() % 8 == 0 ? 17 : 12));
    const Operation operation{blocks_.empty() ? 0 : random_() % 1000, size, std::size_t{1} << random_() % 9,
                              blocks_.empty() ? Block{} : blocks_[chosen]};
    REQUIRE(are_alike(operation.block.offset, operation.block.size));
    const std::size_t answer = operation.run(quiet_);
    REQUIRE(operation.run(noisy_) == answer);
    follow(operation, answer, chosen);
    if (random_() % 16 == 0) overwritten_ += overwrite_free_memory(noisy_.heap(), noise_);
  }

  /// Compares all that there is.
  void compare() const {
    REQUIRE(slabheap::test::picture(quiet_.heap()) == slabheap::test::picture(noisy_.heap()));
    for (const Block& block : blocks_) REQUIRE(are_alike(block.offset, block.size));
    const HeapStats of_quiet = heap_stats(quiet_.heap());
    const HeapStats of_noisy = heap_stats(noisy_.heap());
    REQUIRE(std::memcmp(&of_quiet, &of_noisy, sizeof(HeapStats)) == 0);
    REQUIRE(of_noisy.live_blocks == blocks_.size());
    REQUIRE(heap_check(noisy_.heap()) == HEAP_STATUS_OK);
  }

  [[nodiscard]] std::size_t overwritten() const { return overwritten_; }

 private:
  /// What is live after an operation that answered so, and what stands there.
  void follow(const Operation& operation, std::size_t answer, std::size_t chosen) {
    if (operation.allocates() && answer != Twin::none) {
      if (operation.zeroes()) REQUIRE((is_zero(quiet_, answer, operation.size) && is_zero(noisy_, answer, operation.size)));
      blocks_.push_back({answer, operation.size, operation.align});
      write(blocks_.back());
    } else if (operation.reallocates() && answer != Twin::none) {
      REQUIRE(are_alike(answer, std::min(operation.size, operation.block.size)));
      blocks_[chosen] = {answer, operation.size, operation.block.align};
      write(blocks_[chosen]);
    } else if (operation.frees()) {
      forget(operation.block.offset);
    } else if (operation.frees_anything() && answer == HEAP_STATUS_OK) {
      forget(operation.anything());
    } else if (operation.resets()) {
      blocks_.clear();
    }
  }

  [[nodiscard]] static bool is_zero(const Twin& twin, std::size_t offset, std::size_t bytes) {
    const unsigned char* start = twin.at(offset);
    return std::all_of(start, start + bytes, [](unsigned char byte) { return byte == 0; });
  }
  [[nodiscard]] bool are_alike(std::size_t offset, std::size_t bytes) const {
    return std::memcmp(quiet_.at(offset), noisy_.at(offset), bytes) == 0;
  }
  void write(const Block& block) {
    write_noise(quiet_.at(block.offset), block.size, noise_);
    std::memcpy(noisy_.at(block.offset), quiet_.at(block.offset), block.size);
  }
  void forget(std::size_t offset) {
    std::erase_if(blocks_, [=](const Block& block) { return block.offset == offset; });
  }

  Twin quiet_;
  Twin noisy_;
  std::mt19937 random_;
  std::mt19937_64 noise_;
  std::vector<Block> blocks_;
  std::size_t overwritten_ = 0;
};

/// Bytes overwritten in a run.
std::size_t compare_twins(const HeapOptions& options, std::size_t seed, std::size_t steps) {
  Twins twins{options, seed};
  for (std::size_t i = 0; i < steps; ++i) {
    twins.step();
    if (i % 64 == 0) twins.compare();
  }
  twins.compare();
  return twins.overwritten();
}

}  // namespace

TEST_CASE("free memory that is overwritten at any moment changes no answer") {
  const std::size_t seed = environment_or("SLABHEAP_SEED", 1);
  const std::size_t steps = environment_or("SLABHEAP_TWIN_STEPS", 4000);
  std::cout << "free memory: 4 pairs of twins, " << steps << " operations each, SLABHEAP_SEED=" << seed << '\n';
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
  slabheap::test::set_figure("twin_seed", seed);
  slabheap::test::add_figure("twin_operations", 4 * steps);
  slabheap::test::add_figure("overwritten_bytes", overwritten);
  std::cout << "free memory: " << overwritten << " bytes overwritten in " << 4 * steps << " operations\n";
}
