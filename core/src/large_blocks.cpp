#include "slabheap/core/large_blocks.hpp"

namespace slabheap {

void LargeBlocks::leave_hints(Region& region, Run run) {
  if (run.first.value == 0) return;  // every way ends at page zero
  PageNumber page = run.first + Pages{lowest_bit(run.first.value)};
  while (run.holds(page)) {
    region.page(page).kind = PageKind::hint;
    region.page(page).word = run.first.value;
    page = page + Pages{lowest_bit(page.value)};
  }
}

PageNumber LargeBlocks::head_of(const Region& region, PageNumber page) {
  for (PageNumber at = page; at >= region.first; at = {at.value & (at.value - 1)}) {
    const Page& descriptor = region.page(at);
    PageNumber head = at;
    if (descriptor.kind == PageKind::hint) head = {static_cast<std::uint32_t>(descriptor.word)};
    // Validation comes here too: in damaged metadata a hint may name any page.
    const bool is_large = region.run().holds(head) && region.page(head).kind == PageKind::large;
    if (is_large && run_of(region, head).holds(page)) return head;
    if (at.value == 0) break;
  }
  return no_page;
}

PageNumber LargeBlocks::take(PageAllocator& pages, Pages count, Pages alignment, bool has_short_way) {
  const PageNumber head = pages.take(count, alignment);
  if (head == no_page) return no_page;
  Region& region = pages.regions().of(head);
  region.page(head).kind = PageKind::large;
  region.page(head).word = count.count;
  region.page(head).class_index = has_short_way && count.count <= RunCache::max_run_pages ? short_way : 0;
  leave_hints(region, {head, count});
  ++allocations_;
  return head;
}

void LargeBlocks::give(PageAllocator& pages, PageNumber head, Page& page) {
  ++deallocations_;
  const Pages count{static_cast<std::uint32_t>(page.word)};
  if (page.class_index == short_way) {
    pages.give(head, count, page);
  } else {
    pages.give({head, count});
  }
}

bool LargeBlocks::resize(PageAllocator& pages, PageNumber head, Pages count) {
  Region& region = pages.regions().of(head);
  const Run run = run_of(region, head);
  if (count > run.pages) {
    if (!pages.take_at({run.end(), count - run.pages})) return false;
    leave_hints(region, {head, count});
    region.page(head).class_index = 0;  // it is no run that the page layer would hand out
  } else if (count < run.pages) {
    pages.give({head + count, run.pages - count});
  }
  region.page(head).word = count.count;
  return true;
}

void LargeBlocks::forget_all() { deallocations_ = allocations_; }

}  // namespace slabheap
