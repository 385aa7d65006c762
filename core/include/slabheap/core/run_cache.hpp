// Runs that were given back a moment ago, kept by their length, so that the next request for as many pages need not cut up what
// has just been merged. They are free: nothing but the page layer does not know them yet. All of them are given up before a
// request fails.
//
// Bound: constant, and so is the number of runs. In a full cache one run may make room for one that comes, of each length in
// turn.
#pragma once

#include "slabheap/core/regions.hpp"

namespace slabheap {

class RunCache {
 public:
  RunCache() { forget_all(); }

  static constexpr std::uint32_t max_run_pages = 64;  // longer runs are not kept
  static constexpr std::uint32_t max_runs = 512;

  /// Keeps no more than so many pages; none unless told.
  void set_limit(std::uint32_t pages);
  /// From now on `suits` only what is aligned to a power of two not below its length, as all runs are that a buddy allocator
  /// hands out.
  void keep_aligned_only() { aligned_only_ = 1; }

  /// Whether a run of exactly so many pages, at least one, is kept.
  [[nodiscard]] bool has(std::size_t pages) const { return pages - 1 < bins && first_[pages - 1] != no_page; }
  /// The run of so many pages that was kept last; there has to be one.
  [[nodiscard]] PageNumber last_of(Pages pages) const { return first_[pages.count - 1]; }
  /// Takes that run, the descriptor of whose head this is; it stays as `keep` left it.
  void take(Pages pages, const Page& head);
  /// Whether it is a run that could be kept; all are that the page layer handed out. Page zero is aligned to everything.
  [[nodiscard]] bool suits(Run run) const { return aligned_only_ == 0 || lowest_bit(run.first.value) - 1 >= run.pages.count - 1; }
  /// Keeps such a run, of no more than `max_run_pages`, or does not and returns false. `head` is the descriptor of its first
  /// page, whose word is its length.
  [[nodiscard]] bool keep(PageNumber first, Pages pages, Page& head);
  /// Whether there is no room for a run that could be kept otherwise.
  [[nodiscard]] bool is_too_full_for(Pages pages) const { return pages.count <= bins && !has_room_for(pages.count); }
  /// A run that it gives up to make room for one of so many pages, of each length in turn; a run of no pages if of the next few
  /// lengths none would make enough.
  [[nodiscard]] Run make_room_for(const Regions& regions, Pages pages);
  /// Gives up any run; if there is none, it is a run of no pages.
  [[nodiscard]] Run give_up_any(const Regions& regions);
  /// Forgets every run. The caller gives the pages back.
  void forget_all();

  [[nodiscard]] bool empty() const { return runs_left_ == max_runs; }
  /// Calls `visit(Run)` for each run.
  template <typename Visit>
  void for_each(const Regions& regions, Visit visit) const;
  /// Whether this is a cache of such a limit, and such runs.
  [[nodiscard]] bool is_for(std::uint32_t limit, bool aligned_only) const;
  /// Whether these are all the runs there are, each filed by its length.
  [[nodiscard]] bool holds(const Regions& regions, std::uint64_t runs, std::uint64_t pages) const;

 private:
  static constexpr std::uint32_t bins = max_run_pages;  // one for each length
  static constexpr unsigned most_looks = 8;             // lengths that are asked to make room at a time

  /// Whether one more run of so many pages stays within both limits.
  [[nodiscard]] bool has_room_for(std::uint32_t pages) const { return room_ >= pages && runs_left_ != 0; }

  [[nodiscard]] Run give_up(const Regions& regions, std::uint32_t bin);

  std::uint32_t room_ = 0;         // limit_ less the pages that are kept
  std::uint32_t limit_ = 0;        // in pages
  std::uint32_t runs_left_ = 0;    // max_runs less the runs
  std::uint8_t turn_ = 0;          // the bin that is asked to make room next
  std::uint8_t aligned_only_ = 0;  // 1: true; a byte, because a bool that is damaged has no value
  PageNumber first_[bins];         // of a list threaded through `Page::next`, which ends in `no_page`
};

inline void RunCache::take(Pages pages, const Page& head) {
  first_[pages.count - 1] = head.next;
  room_ += pages.count;
  ++runs_left_;
}

inline bool RunCache::keep(PageNumber first, Pages pages, Page& head) {
  const std::uint32_t bin = pages.count - 1;
  if (!has_room_for(pages.count)) return false;
  head.kind = PageKind::kept_run;
  head.next = first_[bin];
  first_[bin] = first;
  room_ -= pages.count;
  --runs_left_;
  return true;
}

template <typename Visit>
void RunCache::for_each(const Regions& regions, Visit visit) const {
  for (std::uint32_t bin = 0; bin < bins; ++bin) {
    for (PageNumber head = first_[bin]; head != no_page; head = regions.page(head).next) visit(Run{head, {bin + 1}});
  }
}

}  // namespace slabheap
