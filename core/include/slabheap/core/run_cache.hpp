// Runs that were given back a moment ago, kept by their length, so that the next request for as many pages need not cut up what has
// just been merged. They are free: nothing but the page layer does not know them yet. All of them are given up before a request fails.
//
// Bound: constant, and so is the number of runs. Of a full cache, one run makes room, of each length in turn.
#pragma once

#include "slabheap/core/regions.hpp"

namespace slabheap {

class RunCache {
 public:
  static constexpr std::uint32_t max_run_pages = 64;  // longer runs are not kept
  static constexpr std::uint32_t max_runs = 96;

  /// Keeps at most so many pages; none unless told.
  void set_limit(std::uint32_t pages) { limit_ = pages; }
  /// Keeps only runs that are aligned to a power of two not below their length, as all are that a buddy allocator hands out.
  void keep_aligned_only() { aligned_only_ = true; }

  /// A run of exactly so many pages, or `no_page`. The descriptor of its head is as `keep` left it.
  [[nodiscard]] PageNumber take(const Regions& regions, Pages pages);
  /// Keeps a run of a region, or does not and returns false.
  [[nodiscard]] bool keep(Region& region, Run run);
  /// Whether it is full.
  [[nodiscard]] bool is_full() const { return runs_ == max_runs; }
  /// Any of the runs kept, which it gives up; none: a run of no pages.
  [[nodiscard]] Run give_up_one(Regions& regions);
  /// Forgets every run. The caller gives the pages back.
  void forget_all();

  [[nodiscard]] std::uint32_t runs() const { return runs_; }
  [[nodiscard]] std::uint32_t pages() const { return pages_; }
  /// Calls `visit(Run)` for each run.
  template <typename Visit>
  void for_each(const Regions& regions, Visit visit) const;
  /// Whether these are all the runs there are, each filed by its length.
  [[nodiscard]] bool holds(const Regions& regions, std::uint64_t runs, std::uint64_t pages) const;

 private:
  static constexpr std::uint32_t bins = max_run_pages;  // one for each length
  static_assert(bins <= 64, "a word has a bit for each bin");

  PageNumber first_[bins] = {};  // of a list threaded through `Page::next`; valid if the bin is filled
  std::uint64_t filled_ = 0;     // bit k: there are runs of k + 1 pages
  std::uint32_t runs_ = 0;
  std::uint32_t pages_ = 0;
  std::uint32_t limit_ = 0;
  std::uint32_t turn_ = 0;  // the bin that makes room next
  bool aligned_only_ = false;
};

inline PageNumber RunCache::take(const Regions& regions, Pages pages) {
  const std::uint32_t bin = pages.count - 1;
  if (bin >= bins || (filled_ >> bin & 1) == 0) return no_page;
  const PageNumber head = first_[bin];
  const PageNumber next = regions.page(head).next;
  first_[bin] = next;
  if (next == no_page) filled_ ^= std::uint64_t{1} << bin;
  --runs_;
  pages_ -= pages.count;
  return head;
}

inline bool RunCache::keep(Region& region, Run run) {
  const std::uint32_t bin = run.pages.count - 1;
  if (bin >= bins || pages_ + run.pages.count > limit_ || is_full()) return false;
  if (aligned_only_) {
    if (lowest_bit(run.first.value) < run.pages.count) return false;
  } else {
    Page& last = region.page(run.end() - Pages{1});
    last.kind = PageKind::kept_end;
    last.word = run.pages.count;
  }
  Page& page = region.page(run.first);  // of a run of one page, the last is the head
  page.kind = PageKind::kept_run;
  page.word = run.pages.count;
  page.next = (filled_ >> bin & 1) != 0 ? first_[bin] : no_page;
  first_[bin] = run.first;
  filled_ |= std::uint64_t{1} << bin;
  ++runs_;
  pages_ += run.pages.count;
  return true;
}

template <typename Visit>
void RunCache::for_each(const Regions& regions, Visit visit) const {
  for (std::uint64_t left = filled_; left != 0; left &= left - 1) {
    const auto bin = static_cast<std::uint32_t>(std::countr_zero(left));
    for (PageNumber head = first_[bin]; head != no_page; head = regions.page(head).next) visit(Run{head, {bin + 1}});
  }
}

}  // namespace slabheap
