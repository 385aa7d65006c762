// What the heap holds.
#include "slabheap/core/heap.hpp"

namespace slabheap {

RunView Heap::view_of(const Region& region, PageNumber head) const {
  const Page& page = region.page(head);
  const PageKind kind = page.kind == PageKind::kept_run ? PageKind::free_run : page.kind;
  RunView view{kind, regions().address(head), regions().bytes(run_at(region, head).pages), 0, 0, 0};
  if (page.kind == PageKind::set) {
    view.block_bytes = slabs()[page.class_index].block_bytes();
    view.total_blocks = page.block_count;
    view.used = page.word;
  } else if (page.kind == PageKind::large) {
    view.block_bytes = view.bytes;
    view.total_blocks = 1;
    view.used = 1;
  }
  return view;
}

std::uint64_t Heap::slab_used_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < class_count_; ++i) bytes += slabs()[i].used_blocks() * slabs()[i].block_bytes();
  return bytes;
}

std::uint64_t Heap::slab_total_bytes() const {
  std::uint64_t pages = 0;
  for (std::size_t i = 0; i < class_count_; ++i) pages += slabs()[i].pages().count;
  return bytes_of(pages);
}

/// The longest run that a request could get: runs in the cache and sets that are kept back empty count as free, because they are
/// given up before one fails.
Pages Heap::longest_free() const {
  const auto kept = [this](PageNumber head) -> Pages {
    const Region& region = regions().of(head);
    if (!region.run().holds(head)) return {};
    const Page& page = region.page(head);
    const bool is_empty_set = page.kind == PageKind::set && page.word == 0;
    return is_empty_set || page.kind == PageKind::kept_run ? run_at(region, head).pages : Pages{};
  };
  Pages longest = pages_.longest();
  const auto look_around = [&](Run run) {
    const Pages reach = pages_.reach(run, kept);
    longest = reach > longest ? reach : longest;
  };
  pages_.cache().for_each(regions(), look_around);
  for (std::size_t i = 0; i < class_count_; ++i) {
    const PageNumber current = slabs()[i].current();
    if (current != no_page && kept(current).count != 0) look_around({current, kept(current)});
  }
  return longest;
}

Stats Heap::stats() const {
  Stats stats{};
  for (std::size_t i = 0; i < class_count_; ++i) {
    const Slab& slab = slabs()[i];
    stats.live_blocks += slab.used_blocks();
    stats.allocations += slab.allocations();
    stats.deallocations += slab.deallocations();
  }
  stats.live_blocks += large_.live();
  stats.allocations += large_.allocations();
  stats.deallocations += large_.deallocations();

  // I2: slab total + buddy total = total; slab used + buddy used = used
  stats.total_bytes = total_bytes();
  stats.slab_total_bytes = slab_total_bytes();
  stats.slab_used_bytes = slab_used_bytes();
  stats.buddy_total_bytes = stats.total_bytes - stats.slab_total_bytes;
  stats.buddy_used_bytes = large_bytes();
  stats.used_bytes = stats.slab_used_bytes + stats.buddy_used_bytes;
  stats.available_bytes = stats.total_bytes - stats.used_bytes;

  stats.metadata_bytes = regions().metadata_bytes();
  stats.used_metadata_bytes = stats.metadata_bytes - regions().untouched_pages() * metadata_per_page;
  stats.peak_page_bytes = bytes_of(pages_.peak_pages());
  stats.largest_free_bytes = bytes_of(longest_free().count);
  stats.region_count = regions().count();
  stats.failed_allocations = failed_allocations_;
  stats.rejected_frees = rejected_frees_;
  return stats;
}

}  // namespace slabheap
