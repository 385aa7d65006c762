#include "slabheap/core/run_cache.hpp"

namespace slabheap {

Run RunCache::give_up_one(Regions& regions) {
  if (filled_ == 0) return {};
  const std::uint64_t behind = filled_ >> turn_ << turn_;
  const auto bin = static_cast<std::uint32_t>(std::countr_zero(behind != 0 ? behind : filled_));
  turn_ = (bin + 1) % bins;
  const Run run{take(regions, {bin + 1}), {bin + 1}};
  regions.page(run.first).kind = PageKind::inner;
  return run;
}

void RunCache::forget_all() {
  filled_ = 0;
  runs_ = 0;
  pages_ = 0;
}

bool RunCache::holds(const Regions& regions, std::uint64_t runs, std::uint64_t pages) const {
  if (runs != runs_ || pages != pages_ || runs > max_runs || pages > limit_) return false;
  std::uint64_t seen = 0;
  for (std::uint32_t bin = 0; bin < bins; ++bin) {
    if ((filled_ >> bin & 1) == 0) continue;
    for (PageNumber head = first_[bin]; head != no_page; head = regions.page(head).next) {
      if (++seen > runs || !regions.has(head)) return false;
      const Page& page = regions.page(head);
      if (page.kind != PageKind::kept_run || page.word != bin + 1) return false;
    }
  }
  return seen == runs;
}

}  // namespace slabheap
