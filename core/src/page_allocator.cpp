#include "slabheap/core/page_allocator.hpp"

#include <new>

namespace slabheap {

PageAllocator::PageAllocator(unsigned page_shift, PageLayerKind kind, void* layer_memory)
    : regions_{page_shift}, kind_{kind}, layer_{layer_memory} {
  if (kind == PageLayerKind::buddy) {
    new (layer_memory) Buddy;
  } else {
    new (layer_memory) BestFit;
  }
}

std::size_t PageAllocator::layer_bytes(PageLayerKind kind) {
  return round_up(kind == PageLayerKind::buddy ? sizeof(Buddy) : sizeof(BestFit), alignof(std::max_align_t));
}

Status PageAllocator::add(Span span, const RegionPlan& plan, std::size_t extra, bool is_zero, std::uint32_t tag) {
  const Status status = regions_.add(span, plan, extra, is_zero, tag);
  if (status != Status::ok) return status;
  const Run run = regions_.find(plan.pages)->run();
  with_layer(*this, [&](auto& layer) { layer.give(regions_, run); });
  return Status::ok;
}

void PageAllocator::count_taken(Run run) {
  used_pages_ += run.pages.count;
  if (used_pages_ > peak_pages_) peak_pages_ = used_pages_;
  Region& region = regions_.of(run.first);
  const Pages end = run.end() - region.first;
  if (end.count > region.touched) region.touched = end.count;
}

PageNumber PageAllocator::take(Pages pages, Pages alignment) {
  const PageNumber head = with_layer(*this, [&](auto& layer) { return layer.take(regions_, pages, alignment); });
  if (head == no_page) return no_page;
  // Numbers are congruent to addresses up to a limit; beyond it, an aligned number may be none.
  if ((regions_.address(head) & (regions_.bytes(alignment) - 1)) != 0) {
    with_layer(*this, [&](auto& layer) { layer.give(regions_, {head, pages}); });
    return no_page;
  }
  count_taken({head, pages});
  return head;
}

bool PageAllocator::take_at(Run run) {
  const Region& region = regions_.of(run.first - Pages{1});
  if (region.run().end() - run.first < run.pages) return false;
  PageNumber end = run.first;
  while (end < run.end()) {
    const Page& page = region.page(end);
    if (page.kind != PageKind::free_run) return false;
    end = end + Pages{static_cast<std::uint32_t>(page.word)};
  }
  with_layer(*this, [&](auto& layer) {
    for (PageNumber head = run.first; head < end;) {
      const Pages pages{static_cast<std::uint32_t>(region.page(head).word)};
      layer.withdraw(regions_, head);
      head = head + pages;
    }
    if (end > run.end()) layer.give(regions_, {run.end(), end - run.end()});
  });
  count_taken(run);
  return true;
}

void PageAllocator::give(Run run) {
  used_pages_ -= run.pages.count;
  with_layer(*this, [&](auto& layer) { layer.give(regions_, run); });
}

Pages PageAllocator::longest() const {
  return with_layer(*this, [&](const auto& layer) { return layer.longest(regions_); });
}

Pages PageAllocator::natural_alignment(Pages pages) const {
  return with_layer(*this, [&](const auto& layer) { return layer.natural_alignment(pages); });
}

bool PageAllocator::files(PageNumber head) const {
  return with_layer(*this, [&](const auto& layer) { return layer.files(regions_, head); });
}

bool PageAllocator::holds(std::uint64_t free_runs) const {
  return with_layer(*this, [&](const auto& layer) { return layer.holds(regions_, free_runs); });
}

}  // namespace slabheap
