// The buddy allocator: free runs of 2^order pages, naturally aligned, a list for each order.
//
// Sources: K. C. Knowlton, "A fast storage allocator", CACM 8(10), 1965; D. E. Knuth, "The Art of Computer Programming" vol. 1,
// section 2.5. A request that is not a power of two takes a run of the next order and gives the surplus back at once.
//
// I3 (buddy): a free run is of one order and naturally aligned, and no two buddies are both free.
// Bound: every operation takes a number of steps proportional to the number of orders.
#pragma once

#include "slabheap/core/page_layer.hpp"

namespace slabheap {

class Buddy {
 public:
  static constexpr unsigned order_count = 32;  // orders 0 to 31: a region has at most 2^31 pages

  [[nodiscard]] PageNumber take(Regions& regions, Pages pages, Pages alignment);
  void give(Regions& regions, Run run);
  void withdraw(Regions& regions, PageNumber head);
  [[nodiscard]] Pages longest(const Regions& regions) const;
  template <typename Kept>
  [[nodiscard]] Pages reach(const Regions& regions, Run run, Kept kept) const;
  [[nodiscard]] static bool files(const Regions& regions, PageNumber head);
  [[nodiscard]] bool holds(const Regions& regions, std::uint64_t count) const;
  [[nodiscard]] static Pages natural_alignment(Pages pages) { return {std::bit_ceil(pages.count)}; }

 private:
  static Pages size_of(unsigned order) { return {std::uint32_t{1} << order}; }
  static PageNumber buddy_of(PageNumber head, unsigned order) { return {head.value ^ size_of(order).count}; }

  void file(Regions& regions, PageNumber head, unsigned order);
  void file_parts(Regions& regions, Run run);
  void merge_and_file(Regions& regions, const Region& region, PageNumber head, unsigned order);

  Regions::List free_[order_count];
  std::uint32_t filed_orders_ = 0;  // bit k set if and only if free_[k] is not empty
};

/// Looks at the blocks of each order around the head of `run`, which `take` has aligned: nothing longer can arise behind it. Such
/// a block would be free if a walk from head to head over it meets free and kept runs only. A walk is short: between two kept
/// runs there are at most two free runs of each order.
template <typename Kept>
Pages Buddy::reach(const Regions& regions, Run run, Kept kept) const {
  const Region& region = regions.of(run.first);
  Pages longest;
  for (unsigned order = 0; order < order_count; ++order) {
    const Run block{{round_down(run.first.value, size_of(order).count)}, size_of(order)};
    if (!region.run().holds(block.first) || region.run().end() - block.first < block.pages) break;
    PageNumber head = block.first;
    for (Pages clear{1}; head < block.end() && clear.count != 0; head = head + clear) {
      const Page& page = region.page(head);
      clear = page.kind == PageKind::free_run ? Pages{static_cast<std::uint32_t>(page.word)} : kept(head);
    }
    if (head >= block.end()) longest = block.pages;
  }
  return longest;
}

}  // namespace slabheap
