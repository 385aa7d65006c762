// What walks over a heap: over its runs, its blocks, and what of it can go back to who gave it.
#pragma once

#include "slabheap/core/heap.hpp"

namespace slabheap {

template <typename Visitor>
bool Heap::visit_runs(Visitor visitor) const {
  for (std::uint32_t i = 0; i < regions().count(); ++i) {
    const Region& region = regions().by_address(i);
    for (PageNumber head = region.first; head < region.end(); head = run_at(region, head).end()) {
      if (!visitor(view_of(region, head))) return false;
    }
  }
  return true;
}

template <typename Visitor>
void Heap::visit_blocks(Visitor visitor) const {
  (void)visit_runs([&](const RunView& run) {
    for (std::uint64_t used = run.used; used != 0; used &= used - 1) {
      const Address block = run.start + static_cast<std::size_t>(std::countr_zero(used)) * run.block_bytes;
      if (!visitor(reinterpret_cast<void*>(block), run.block_bytes)) return false;
    }
    return true;
  });
}

template <typename GiveBack>
void Heap::trim(GiveBack give_back) {
  (void)release_kept();
  for (std::uint32_t i = 0; i < regions().count(); ++i) {
    Region& region = regions().by_address(i);
    const auto give_back_between = [&](PageNumber first, PageNumber end) {
      return !(first < end) || give_back(region, regions().address(region, first), regions().bytes(end - first));
    };
    for (PageNumber head = region.first; head < region.end();) {
      const Run run = run_at(region, head);
      Page& page = region.page(head);
      if (page.kind == PageKind::free_run && page.class_index != given_back) {
        const bool is_below_back =
            give_back_between(head, run.end() < region.untouched_first ? run.end() : region.untouched_first);
        const bool is_above_back = give_back_between(head > region.untouched_end ? head : region.untouched_end, run.end());
        if (is_below_back && is_above_back) page.class_index = given_back;
      }
      head = run.end();
    }
  }
}

}  // namespace slabheap
