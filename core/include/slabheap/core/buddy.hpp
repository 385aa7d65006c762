// The buddy allocator: free runs of 2^order pages, naturally aligned, the lowest first.
//
// Sources: K. C. Knowlton, "A fast storage allocator", CACM 8(10), 1965; D. E. Knuth, "The Art of Computer Programming" vol. 1,
// section 2.5. A request that is not a power of two takes a run of the next order and gives the surplus back at once.
//
// Which runs are free stands in a tree of bits for each region (see FreeTree). Pages at the end of a region that were never
// handed out, or came back, are not cut into runs of an order: they are one run of any length, the fresh one, which is cut from
// below when nothing else is long enough. So a request in a new heap costs the same in a small one and in a large one.
//
// I3 (buddy): a free run that is not fresh is of one order and naturally aligned, no two buddies are both free, and none ends
// where the fresh run begins. A region has a fresh run, or its `fresh` is its end.
//
// Bound: every operation takes a number of steps proportional to the number of orders.
#pragma once

#include "slabheap/core/free_tree.hpp"
#include "slabheap/core/page_layer.hpp"

namespace slabheap {

class Buddy {
 public:
  static constexpr unsigned order_count = FreeTree::order_count;

  [[nodiscard]] static std::size_t region_bytes(std::uint32_t page_count) { return FreeTree::bytes_for(page_count); }
  static void begin(Region& region);
  [[nodiscard]] static bool has_begun(const Region& region);

  [[nodiscard]] static PageNumber take(Regions& regions, Pages pages, Pages alignment, Search search);
  static void give(Regions& regions, Run run);
  static void withdraw(Regions& regions, PageNumber head);
  [[nodiscard]] static Pages longest(const Regions& regions, Search search);
  template <typename Kept>
  [[nodiscard]] static Pages reach(const Regions& regions, Run run, Kept kept);
  [[nodiscard]] static bool files(const Regions& regions, PageNumber head);
  [[nodiscard]] static bool holds(const Regions& regions, std::uint64_t count);
};

/// Looks at the blocks of each order around the head of `run`, which `take` has aligned: nothing longer can arise behind it. Such
/// a block would be free if a walk from head to head over it meets free and kept runs only. A walk is short: between two kept
/// runs there are at most two free runs of each order.
template <typename Kept>
Pages Buddy::reach(const Regions& regions, Run run, Kept kept) {
  const Region& region = regions.of(run.first);
  Pages longest;
  for (unsigned order = 0; order < order_count; ++order) {
    const Pages size{std::uint32_t{1} << order};
    const Run block{{round_down(run.first.value, size.count)}, size};
    if (!region.run().holds(block.first) || region.end() - block.first < block.pages) break;
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
