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

bool Heap::has_recent(const Slab& slab) const {
  const RecentSet& recent = pages_.recent();
  return recent.bytes != 0 && recent.set->front == front_line(slab.front());
}

std::uint64_t Heap::deallocations(const Slab& slab) const {
  return slab.front().deallocations + (has_recent(slab) ? pages_.recent().freed : 0);
}

std::uint32_t Heap::partial_sets(const Slab& slab) const {
  const Page* const current = slab.current() != no_page ? slab.front().current : nullptr;
  const bool is_partial = current != nullptr && current->word != 0 && free_blocks(*current) != 0;
  const Page* const recent = pages_.recent().set;
  const bool is_empty_listed = has_recent(slab) && recent != current && recent->word == 0;
  return slab.listed() + (is_partial ? 1 : 0) - (is_empty_listed ? 1 : 0);
}

std::uint64_t Heap::slab_used_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < class_count_; ++i) bytes += used_blocks(slabs()[i]) * slabs()[i].block_bytes();
  return bytes;
}

std::uint64_t Heap::slab_total_bytes() const {
  std::uint64_t pages = 0;
  for (std::size_t i = 0; i < class_count_; ++i) pages += slabs()[i].pages().count;
  return bytes_of(pages);
}

/// The longest run that a request could get: runs in the cache and empty sets, current or recent, count as free, because they are
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
  const auto look_around_set = [&](PageNumber set) {
    if (set != no_page && kept(set).count != 0) look_around({set, kept(set)});
  };
  for (std::size_t i = 0; i < class_count_; ++i) look_around_set(slabs()[i].current());
  if (pages_.recent().bytes != 0) look_around_set(view_number(*pages_.recent().set));
  return longest;
}

Stats Heap::stats() const {
  Stats stats{};
  for (std::size_t i = 0; i < class_count_; ++i) {
    const Slab& slab = slabs()[i];
    stats.live_blocks += used_blocks(slab);
    stats.allocations += slab.allocations();
    stats.deallocations += deallocations(slab);
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
