// The invariants I1 to I5, checked by a walk over all metadata that believes nothing it has not checked: damaged metadata makes
// it return false, not run away.
#include "slabheap/core/heap.hpp"

namespace slabheap {
namespace {

/// What a walk counts of one slab.
struct Tally {
  std::uint64_t blocks = 0;
  std::uint64_t used = 0;
  Pages pages;
  std::uint32_t sets = 0;
  std::uint32_t to_list = 0;
};

}  // namespace

class Validator {
 public:
  explicit Validator(const Heap& heap) : heap_{heap} {}

  [[nodiscard]] bool holds() {
    return heap_.is_as_made() && runs_cover_the_pages() && heap_.pages_.holds(free_runs_) &&
           heap_.pages_.cache().holds(heap_.regions(), kept_runs_, kept_pages_) && slabs_agree() && sums_agree();
  }

 private:
  [[nodiscard]] bool runs_cover_the_pages();
  [[nodiscard]] bool run_is_sound(const Region& region, PageNumber head, Run& run);
  [[nodiscard]] bool may_be_marked(const Page& page, Run run) const;
  [[nodiscard]] bool pages_lead_to_sets(const Region& region);
  [[nodiscard]] bool set_is_sound(const Region& region, Run run);
  [[nodiscard]] bool set_is_placed(const Slab& slab, Run run, const Page& page, Address start) const;
  [[nodiscard]] bool slabs_agree() const;
  [[nodiscard]] bool sums_agree() const;

  const Heap& heap_;
  Tally tallies_[max_classes];
  std::uint64_t set_heads_ = 0;
  std::uint64_t free_runs_ = 0;
  std::uint64_t free_pages_ = 0;
  std::uint64_t kept_runs_ = 0;
  std::uint64_t kept_pages_ = 0;
  std::uint64_t large_pages_ = 0;
  std::uint64_t large_blocks_ = 0;
};

/// I1: from head to head, runs cover each region.
bool Validator::runs_cover_the_pages() {
  for (std::uint32_t i = 0; i < heap_.regions().count(); ++i) {
    const Region& region = heap_.regions().by_address(i);
    for (PageNumber head = region.first; head < region.end();) {
      Run run;
      if (!run_is_sound(region, head, run)) return false;
      head = run.end();
    }
    if (!pages_lead_to_sets(region)) return false;
  }
  std::uint64_t sets = 0;
  for (const Tally& tally : tallies_) sets += tally.sets;
  return sets == set_heads_;
}

/// Where a free looks first: a page leads no further back than its region reaches, and to a front only if it is the head of a
/// set. Of pages that were never handed out, the descriptors may not even be there.
bool Validator::pages_lead_to_sets(const Region& region) {
  for (PageNumber at = region.first; at < region.end(); at = at + Pages{1}) {
    if (at == region.untouched_first && at < region.untouched_end) at = region.untouched_end;
    if (at == region.end()) break;
    const Page& page = region.page(at);
    const std::uint32_t index = (at - region.first).count;
    if (region.head_distances[index] > index || (page.block_count == 0 && page.front != no_front)) return false;
    set_heads_ += page.block_count != 0 ? 1U : 0U;
  }
  return true;
}

bool Validator::run_is_sound(const Region& region, PageNumber head, Run& run) {
  const Page& page = region.page(head);
  const bool is_set = page.kind == PageKind::set;
  if (is_set != (page.block_count != 0)) return false;
  if (!is_set && page.front != no_front) return false;
  if (is_set && (page.class_index >= heap_.class_count_ || page.block_count > max_set_blocks)) return false;
  if (!is_set && (page.word == 0 || page.word > region.page_count)) return false;
  run = heap_.run_at(region, head);
  if (region.end() - head < run.pages) return false;

  const PageNumber last = run.end() - Pages{1};
  if (page.kind == PageKind::free_run) {
    ++free_runs_;
    free_pages_ += run.pages.count;
    return heap_.pages_.files(head);  // (I3)
  }
  if (region.page(last).kind == PageKind::free_end) return false;
  const PageNumber untouched = run.first > region.untouched_first ? run.first : region.untouched_first;
  if (untouched < region.untouched_end && untouched < run.end()) return false;
  if (!is_set && page.class_index != 0 && !may_be_marked(page, run)) return false;
  if (page.kind == PageKind::kept_run) {
    ++kept_runs_;
    kept_pages_ += run.pages.count;
    return true;
  }
  if (is_set) return set_is_sound(region, run);
  large_pages_ += run.pages.count;
  ++large_blocks_;
  return page.kind == PageKind::large && LargeBlocks::head_of(region, last) == head;
}

/// Whether a mark says no more of a large block or a kept run than the short ways may trust.
bool Validator::may_be_marked(const Page& page, Run run) const {
  return page.class_index == short_way && heap_.is_routed_whole() && run.pages.count <= RunCache::max_run_pages &&
         heap_.pages_.cache().suits(run);
}

/// I4 for the word, and the distances that lead from every page of the set to its head.
bool Validator::set_is_sound(const Region& region, Run run) {
  const Page& page = region.page(run.first);
  const Slab& slab = heap_.slabs()[page.class_index];
  const std::uint64_t used = page.word;
  if ((used & ~all_blocks(page.block_count)) != 0) return false;
  const Address start = heap_.regions().address(region, run.first);
  const HeadDistance* distances = region.head_distances + (run.first - region.first).count;
  for (std::uint32_t i = 0; i < run.pages.count; ++i) {
    if (distances[i] != i) return false;
  }

  Tally& tally = tallies_[page.class_index];
  ++tally.sets;
  tally.pages += run.pages;
  tally.blocks += page.block_count;
  tally.used += bit_count(used);
  const bool is_listed = used != all_blocks(page.block_count) && slab.current() != run.first;
  if (is_listed) ++tally.to_list;
  return set_is_placed(slab, run, page, start);
}

/// I4 for the place. Whether a set that should be listed is, the length of the list tells.
bool Validator::set_is_placed(const Slab& slab, Run run, const Page& page, Address start) const {
  const bool is_current = slab.current() == run.first;
  const SlabFront& front = slab.front();
  if (is_current && (front.current != &page || front.current_start != start || page.next != slab.list().first)) return false;
  if (is_current && (front.offered & ~(all_blocks(page.block_count) & ~page.word)) != 0) return false;
  if (!is_current && page.word == 0 && !heap_.pages_.recent().is(page)) return false;
  const bool has_front = is_current || page.word != all_blocks(page.block_count);
  return page.front == (has_front ? heap_.front_line(slab.front()) : no_front);
}

bool Validator::slabs_agree() const {
  const Regions& regions = heap_.regions();
  for (std::size_t i = 0; i < heap_.class_count_; ++i) {
    const Slab& slab = heap_.slabs()[i];
    const Tally& tally = tallies_[i];
    if (tally.sets != slab.set_count() || tally.pages != slab.pages()) return false;
    if (tally.blocks != slab.total_blocks() || tally.used != heap_.used_blocks(slab)) return false;
    if (tally.to_list != slab.listed()) return false;
    std::uint32_t listed = 0;
    const bool is_sound = regions.is_sound(slab.list(), tally.to_list, [&](PageNumber set) {
      const Page& page = regions.page(set);
      ++listed;
      return page.kind == PageKind::set && page.class_index == i && page.word != all_blocks(page.block_count) &&
             set != slab.current();
    });
    if (!is_sound || listed != tally.to_list) return false;
    if (slab.current() == no_page) {
      if (slab.front().offered != 0) return false;
      continue;
    }
    if (!regions.has(slab.current())) return false;
    const Page& current = regions.page(slab.current());
    if (current.kind != PageKind::set || current.class_index != i) return false;
  }
  return true;
}

/// I2.
bool Validator::sums_agree() const {
  std::uint64_t lent_pages = 0;
  for (std::size_t i = 0; i < heap_.class_count_; ++i) lent_pages += tallies_[i].pages.count;
  return free_pages_ + kept_pages_ + lent_pages + large_pages_ == heap_.regions().page_count() &&
         lent_pages + large_pages_ == heap_.pages_.used_pages() && heap_.pages_.used_pages() <= heap_.pages_.peak_pages() &&
         large_blocks_ == heap_.large_.live();
}

bool Heap::validate() const { return Validator{*this}.holds(); }

}  // namespace slabheap
