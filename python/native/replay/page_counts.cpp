#include "replay/page_counts.hpp"

#include <sys/mman.h>

#include <algorithm>

namespace slabheap::replay {
namespace {

constexpr unsigned leaf_bits = 10, middle_bits = 13, top_bits = 13;
constexpr std::uint64_t unit_bytes = sizeof(std::uint32_t) << leaf_bits;  // the arena is handed out in leaves
constexpr std::uint32_t middle_units = 1 << (middle_bits - leaf_bits), top_units = 1 << (top_bits - leaf_bits);
constexpr std::uint64_t most_arena_bytes = std::uint64_t{1} << 34, least_arena_bytes = std::uint64_t{1} << 24;

// A counter's top bit says that the page was touched at some time; the rest counts live blocks, at most one a byte.
constexpr std::uint32_t touched_bit = std::uint32_t{1} << 31;

std::uint64_t first_page(const void* block) { return reinterpret_cast<std::uintptr_t>(block) >> PageCounts::page_shift; }

/// The page behind the last one of a block.
std::uint64_t end_page(const void* block, std::size_t size) {
  return ((reinterpret_cast<std::uintptr_t>(block) + size - 1) >> PageCounts::page_shift) + 1;
}

constexpr std::uint64_t low(std::uint64_t number, unsigned bits) { return number & ((std::uint64_t{1} << bits) - 1); }

}  // namespace

PageCounts::PageCounts() {
  // Room for a leaf of each 4 MiB that blocks lie in; less where the process may not map so much.
  for (std::uint64_t bytes = most_arena_bytes; bytes >= least_arena_bytes; bytes /= 2) {
    void* arena = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) continue;
    arena_ = static_cast<std::uint32_t*>(arena);
    arena_units_ = bytes / unit_bytes;
    used_units_ = top_units;
    return;
  }
  is_whole_ = false;
}

PageCounts::~PageCounts() {
  if (arena_ != nullptr) munmap(arena_, arena_units_ * unit_bytes);
}

std::uint32_t* PageCounts::node(std::uint32_t unit) const { return arena_ + (std::uint64_t{unit} << leaf_bits); }

/// The node that an entry names, made if there is none; null if there is no memory. The top node is unit 0, so 0 is none.
std::uint32_t* PageCounts::below(std::uint32_t& unit, std::uint32_t units) {
  if (unit == 0) {
    if (used_units_ + units > arena_units_) return nullptr;
    unit = static_cast<std::uint32_t>(used_units_);
    used_units_ += units;
  }
  return node(unit);
}

std::uint32_t* PageCounts::counter_of(std::uint64_t page) {
  if (arena_ == nullptr || page >> (top_bits + middle_bits + leaf_bits) != 0) return nullptr;
  std::uint32_t* middle = below(arena_[page >> (middle_bits + leaf_bits)], middle_units);
  if (middle == nullptr) return nullptr;
  std::uint32_t* leaf = below(middle[low(page >> leaf_bits, middle_bits)], 1);
  return leaf != nullptr ? leaf + low(page, leaf_bits) : nullptr;
}

/// Counts a block in each of its pages but the first `skipped`.
void PageCounts::count(const void* block, std::size_t size, std::uint64_t skipped, int change) {
  if (size == 0) return;
  const std::uint64_t end = end_page(block, size);
  for (std::uint64_t page = first_page(block) + skipped; page < end; ++page) {
    std::uint32_t* counter = counter_of(page);
    if (counter == nullptr) {
      is_whole_ = false;
      return;
    }
    if ((*counter & touched_bit) == 0) ++touched_;
    const std::uint32_t before = *counter & ~touched_bit;
    const std::uint32_t after = before + static_cast<std::uint32_t>(change);
    live_ += (after != 0 ? 1 : 0) - std::uint64_t{before != 0};
    *counter = after | touched_bit;
  }
}

void PageCounts::replace(const void* old_block, std::size_t old_size, const void* block, std::size_t size) {
  const std::size_t common = old_block == block ? std::min(old_size, size) : 0;
  const std::uint64_t skipped = common != 0 ? end_page(block, common) - first_page(block) : 0;
  count(old_block, old_size, skipped, -1);
  count(block, size, skipped, 1);
  peak_live_ = std::max(peak_live_, live_);
}

}  // namespace slabheap::replay
