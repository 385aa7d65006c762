// A page allocator by itself, with its picture.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "slabheap/core/page_allocator.hpp"
#include "support/memory.hpp"

namespace slabheap::test {

/// A page allocator over one region of `count` pages that starts on a multiple of 512 pages, and a picture of it.
class Bench {
 public:
  Bench(PageLayerKind kind, std::uint32_t count)
      : memory_{(std::size_t{count} << 12) + room_for(count)}, pages_{12, kind, false, layer_} {
    const auto start = reinterpret_cast<Address>(memory_.start());
    // Metadata behind the pages, so that the first page is as aligned as the memory.
    const RegionPlan plan{start, count, start + (std::size_t{count} << 12), room_for(count)};
    const MetadataNeed need = PageAllocator::first_need(0, 12, kind);
    REQUIRE(pages_.add({start, memory_.bytes()}, plan, need, false, 0) == Status::ok);
    first_ = pages_.regions().by_address(0).first;
  }

  PageAllocator& pages() { return pages_; }
  [[nodiscard]] Run run(std::uint32_t start, std::uint32_t count) const { return {first_ + Pages{start}, {count}}; }
  /// The index of the run's first page, or -1.
  int take(std::uint32_t count, std::uint32_t alignment = 1) {
    const PageNumber head = pages_.take({count}, {alignment});
    return head == no_page ? -1 : static_cast<int>((head - first_).count);
  }
  /// Where the layer files runs: the words of the buddy's tree, or all that best fit has.
  std::byte* files() { return kind() == PageLayerKind::buddy ? reinterpret_cast<std::byte*>(&tree() + 1) : layer_; }
  [[nodiscard]] std::size_t files_bytes() const {
    const std::uint32_t pages = pages_.regions().by_address(0).page_count;
    return kind() == PageLayerKind::buddy ? FreeTree::bytes_for(pages) - sizeof(FreeTree) : sizeof(BestFit);
  }
  [[nodiscard]] PageLayerKind kind() const { return pages_.kind(); }
  FreeTree& tree() { return *static_cast<FreeTree*>(pages_.regions().by_address(0).layer); }
  Page& page(std::uint32_t index) { return pages_.regions().by_address(0).pages[index]; }
  void give(int start, std::uint32_t count) { pages_.give(run(static_cast<std::uint32_t>(start), count)); }

  /// The free runs: "[0+4] [6+2]". Checks each, and that there are no others.
  std::string picture() {
    std::string text;
    std::uint64_t count = 0;
    const Region& region = pages_.regions().by_address(0);
    for (PageNumber page = region.first; page < region.run().end();) {
      if (region.page(page).kind != PageKind::free_run) {
        page = page + Pages{1};
        continue;
      }
      CHECK(pages_.files(page));
      ++count;
      const auto length = static_cast<std::uint32_t>(region.page(page).word);
      text += (text.empty() ? "[" : " [") + std::to_string((page - first_).count) + "+" + std::to_string(length) + "]";
      page = page + Pages{length};
    }
    CHECK(pages_.holds(count));
    CHECK_FALSE(pages_.holds(count + 1));
    return text;
  }

 private:
  /// Bytes that are more than enough for the metadata of so many pages.
  [[nodiscard]] static std::size_t room_for(std::uint32_t count) { return 65536 + count * 2 * metadata_per_page; }

  Memory memory_;
  alignas(std::max_align_t) std::byte layer_[sizeof(BestFit)];
  PageAllocator pages_;
  PageNumber first_;
};

/// A page allocator over regions of four pages of 512 bytes, at any address: only their metadata is memory.
class FarBench {
 public:
  explicit FarBench(PageLayerKind kind) : pages_{9, kind, false, layer_} {}

  PageAllocator& pages() { return pages_; }
  [[nodiscard]] const Memory& metadata() const { return metadata_; }
  /// Adds one of at most two regions; the number of its first page.
  PageNumber add(Address start) {
    const std::uint32_t count = pages_.regions().count();
    const MetadataNeed need = count == 0 ? PageAllocator::first_need(0, 9, pages_.kind()) : pages_.next_need();
    const RegionPlan plan{start, 4, reinterpret_cast<Address>(metadata_.start()) + Address{count} * room, room};
    REQUIRE(pages_.add({start, 4 * 512}, plan, need, false, 0) == Status::ok);
    return pages_.regions().find(start)->first;
  }

 private:
  static constexpr std::size_t room = 32768;

  Memory metadata_{2 * room};
  alignas(std::max_align_t) std::byte layer_[std::max(sizeof(Buddy), sizeof(BestFit))];
  PageAllocator pages_;
};

}  // namespace slabheap::test
