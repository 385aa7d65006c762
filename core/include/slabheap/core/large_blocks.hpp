// Large blocks: one block is one run of pages. A request is trimmed to whole pages; the page layer keeps the surplus.
//
// A pointer into the middle of a large block has to be told from one into free memory without a walk. So the head leaves hints in
// the descriptors of a few pages inside, placed as a Fenwick tree places its partial sums (P. M. Fenwick, "A new data structure
// for cumulative frequency tables", Software: Practice and Experience 24(3), 1994): of the pages on the way from any page inside
// to zero, each got by clearing the lowest bit of the one before, one is the head or has a hint. A hint is believed only if the
// head that it names is live and reaches the page, so hints are never cleaned up. There are at most as many as orders, and none
// where the run is naturally aligned.
#pragma once

#include "slabheap/core/page_allocator.hpp"

namespace slabheap {

class LargeBlocks {
 public:
  /// The head of a new block, or `no_page`. The block is marked as a `short_way` if its run may be kept and `has_short_way`.
  [[nodiscard]] PageNumber take(PageAllocator& pages, Pages count, Pages alignment, bool has_short_way);
  /// A new block of so many pages, of a run that the cache of the pages keeps and that was a block last; if there is none, or for
  /// no pages, what `otherwise()` returns.
  template <typename Otherwise>
  [[nodiscard]] void* take_kept(PageAllocator& pages, std::size_t count, Otherwise otherwise);
  /// Frees a block; `page` is the descriptor of its head.
  void give(PageAllocator& pages, PageNumber head, Page& page);
  /// The same, if the cache of the pages keeps its run. False: it does not, and nothing has changed.
  [[nodiscard]] bool give_kept(PageAllocator& pages, PageNumber head, Page& page);
  /// Grows a block into free pages behind it, or gives back its tail. False: they are not free, and nothing has changed.
  [[nodiscard]] static bool resize(PageAllocator& pages, PageNumber head, Pages count);
  /// All blocks are counted as freed. The caller gives the runs back.
  void forget_all();

  /// The head of the large block that holds the page, or `no_page`. Steps: the number of orders.
  [[nodiscard]] static PageNumber head_of(const Region& region, PageNumber page);
  [[nodiscard]] static Run run_of(const Region& region, PageNumber head) {
    return {head, {static_cast<std::uint32_t>(region.page(head).word)}};
  }

  [[nodiscard]] std::uint64_t allocations() const { return allocations_; }
  [[nodiscard]] std::uint64_t deallocations() const { return deallocations_; }
  [[nodiscard]] std::uint64_t live() const { return allocations_ - deallocations_; }

 private:
  static void leave_hints(Region& region, Run run);

  std::uint64_t allocations_ = 0;
  std::uint64_t deallocations_ = 0;
};

template <typename Otherwise>
[[gnu::always_inline]] inline void* LargeBlocks::take_kept(PageAllocator& pages, std::size_t count, Otherwise otherwise) {
  if (!pages.cache().has(count)) [[unlikely]]
    return otherwise();
  const Pages run_pages{static_cast<std::uint32_t>(count)};
  const PageNumber head = pages.cache().last_of(run_pages);
  Region& region = pages.regions().of(head);
  Page& page = region.page(head);
  if (page.class_index != short_way) [[unlikely]]
    return otherwise();
  pages.take_kept(run_pages, page);
  page.kind = PageKind::large;
  ++allocations_;
  return reinterpret_cast<void*>(pages.regions().address(region, head));
}

[[gnu::always_inline]] inline bool LargeBlocks::give_kept(PageAllocator& pages, PageNumber head, Page& page) {
  if (page.class_index != short_way || !pages.give_kept(head, {static_cast<std::uint32_t>(page.word)}, page)) [[unlikely]]
    return false;
  ++deallocations_;
  return true;
}

}  // namespace slabheap
