#include "slabheap/core/run_cache.hpp"

namespace slabheap {

void RunCache::set_limit(std::uint32_t pages) {
  // There must be none: what is left of the limit changes with it.
  limit_ = pages;
  room_ = pages;
}

Run RunCache::make_room_for(const Regions& regions, Pages pages) {
  for (unsigned look = 0; look < most_looks; ++look) {
    const std::uint32_t bin = turn_;
    turn_ = static_cast<std::uint8_t>((bin + 1) % bins);
    if (first_[bin] != no_page && room_ + bin + 1 >= pages.count) return give_up(regions, bin);
  }
  return {};
}

Run RunCache::give_up_any(const Regions& regions) {
  if (empty()) return {};
  while (first_[turn_] == no_page) turn_ = static_cast<std::uint8_t>((turn_ + 1) % bins);
  return give_up(regions, turn_);
}

/// Of this length, there is one.
Run RunCache::give_up(const Regions& regions, std::uint32_t bin) {
  const Run run{last_of({bin + 1}), {bin + 1}};
  Page& head = regions.page(run.first);
  take(run.pages, head);
  head.kind = PageKind::inner;
  return run;
}

void RunCache::forget_all() {
  for (PageNumber& first : first_) first = no_page;
  room_ = limit_;
  runs_left_ = max_runs;
}

bool RunCache::is_for(std::uint32_t limit, bool aligned_only) const {
  return limit_ == limit && turn_ < bins && aligned_only_ == (aligned_only ? 1 : 0);
}

bool RunCache::holds(const Regions& regions, std::uint64_t runs, std::uint64_t pages) const {
  if (runs + runs_left_ != max_runs || pages + room_ != limit_) return false;
  std::uint64_t seen = 0;
  for (std::uint32_t bin = 0; bin < bins; ++bin) {
    for (PageNumber head = first_[bin]; head != no_page; head = regions.page(head).next) {
      if (++seen > runs || !regions.has(head)) return false;
      const Page& page = regions.page(head);
      if (page.kind != PageKind::kept_run || page.word != bin + 1) return false;
      if (!suits({head, {bin + 1}})) return false;
    }
  }
  return seen == runs;
}

}  // namespace slabheap
