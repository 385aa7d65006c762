// How many live blocks have a byte in each page of the address space, for the figures of page touches.
//
// Pages have 4096 bytes here, whatever the system's, so that figures are the same everywhere. A tree of three levels, as page
// tables are: 13, 13 and 10 bits of the page's number. Its nodes lie in a mapping of their own that is made beforehand and
// shared, so that they are neither counted as the allocator's memory nor come between its mappings.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabheap::replay {

class PageCounts {
 public:
  static constexpr unsigned page_shift = 12;

  PageCounts();
  ~PageCounts();
  PageCounts(const PageCounts&) = delete;
  PageCounts& operator=(const PageCounts&) = delete;

  /// A block of `old_size` bytes has become one of `size` bytes. Blocks of no bytes have no page, so this is how blocks come
  /// and go, too. Cost: a step for each page that only one of them has.
  void replace(const void* old_block, std::size_t old_size, const void* block, std::size_t size);

  [[nodiscard]] std::uint64_t live() const { return live_; }  // pages with a byte of a live block
  [[nodiscard]] std::uint64_t peak_live() const { return peak_live_; }
  [[nodiscard]] std::uint64_t touched() const { return touched_; }  // pages that ever had one
  /// Whether everything was counted: there was memory for the tree, and no address had more than 48 bits.
  [[nodiscard]] bool is_whole() const { return is_whole_; }

 private:
  void count(const void* block, std::size_t size, std::uint64_t skipped, int change);
  [[nodiscard]] std::uint32_t* counter_of(std::uint64_t page);
  [[nodiscard]] std::uint32_t* below(std::uint32_t& unit, std::uint32_t units);
  [[nodiscard]] std::uint32_t* node(std::uint32_t unit) const;

  std::uint32_t* arena_ = nullptr;
  std::uint64_t arena_units_ = 0;
  std::uint64_t used_units_ = 0;
  std::uint64_t live_ = 0;
  std::uint64_t peak_live_ = 0;
  std::uint64_t touched_ = 0;
  bool is_whole_ = true;
};

}  // namespace slabheap::replay
