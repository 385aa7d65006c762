#include "slabheap/core/page_allocator.hpp"

#include <new>

namespace slabheap {
namespace {

/// What the cache keeps at most of so many pages: a third. With what may be in use beside it that is five sixths, so the layer
/// seldom has to ask for it.
constexpr std::uint64_t cache_share(std::uint64_t pages) { return pages / 3; }

static_assert(RunCache::max_runs + max_classes + 1 < BestFit::most_looks,
              "after a heap has given up what it keeps back, the longest run of that is among those that are looked at");

}  // namespace

PageAllocator::PageAllocator(unsigned page_shift, PageLayerKind kind, bool has_cache, void* layer_memory)
    : kind_{static_cast<std::uint8_t>(kind)},
      has_cache_{static_cast<std::uint8_t>(has_cache ? 1 : 0)},
      regions_{page_shift},
      layer_{layer_memory} {
  if (kind == PageLayerKind::buddy) {
    new (layer_memory) Buddy;
    cache_.keep_aligned_only();
  } else {
    new (layer_memory) BestFit;
  }
}

std::size_t PageAllocator::layer_bytes(PageLayerKind kind) {
  return round_up(kind == PageLayerKind::buddy ? sizeof(Buddy) : sizeof(BestFit), alignof(std::max_align_t));
}

MetadataNeed PageAllocator::first_need(std::size_t extra, unsigned page_shift, PageLayerKind kind) {
  return {extra, page_shift, kind == PageLayerKind::buddy ? Buddy::region_bytes : BestFit::region_bytes};
}

Status PageAllocator::add(Span span, const RegionPlan& plan, const MetadataNeed& need, bool is_zero, std::uint32_t tag) {
  const Status status = regions_.add(span, plan, need, is_zero, tag);
  if (status != Status::ok) return status;
  Region& region = *regions_.find(plan.pages);
  with_layer(*this, [&](auto& layer) {
    layer.begin(region);
    layer.give(regions_, region.run());
  });
  empty_cache();
  cache_.set_limit(cache_limit());
  roomy_end_ = half_of_pages();
  return Status::ok;
}

std::uint32_t PageAllocator::cache_limit() const {
  const std::uint64_t share = has_cache_ == 1 ? cache_share(regions_.page_count()) : 0;
  return share < max_region_pages ? static_cast<std::uint32_t>(share) : max_region_pages;
}

bool PageAllocator::is_as_made(Address heap, std::size_t own_bytes, unsigned page_shift) const {
  if (kind() != PageLayerKind::buddy && kind() != PageLayerKind::best_fit) return false;
  if (reinterpret_cast<Address>(layer_) != heap + own_bytes - layer_bytes(kind()) || has_cache_ > 1) return false;
  if (search_ != Search::quick) return false;
  if (!regions_.are_sound(heap, first_need(own_bytes, page_shift, kind()))) return false;
  if (roomy_end_ != half_of_pages()) return false;
  return with_layer(*this, [&](const auto& layer) {
    for (std::uint32_t i = 0; i < regions_.count(); ++i) {
      if (!layer.has_begun(regions_.by_address(i))) return false;
    }
    return cache_.is_for(cache_limit(), kind() == PageLayerKind::buddy);
  });
}

/// A run of the page layer; before there is none, it gets what the cache keeps.
PageNumber PageAllocator::take_from_layer(Pages pages, Pages alignment) {
  if (!regions_.are_congruent_to(alignment)) return no_page;
  if (!is_roomy() && !cache_.empty()) empty_cache();
  const auto take = [&] {
    return with_layer(*this, [&](auto& layer) { return layer.take(regions_, pages, alignment, search_); });
  };
  PageNumber head = take();
  if (head == no_page && !cache_.empty()) {
    empty_cache();
    head = take();
  }
  if (head == no_page) return no_page;
  regions_.of(head).touch({head, pages});
  return head;
}

bool PageAllocator::take_at(Run run) {
  Region& region = regions_.of(run.first - Pages{1});
  if (region.end() - run.first < run.pages) return false;
  PageNumber end = run.first;
  while (end < run.end()) {
    const Page& page = region.page(end);
    if (page.kind == PageKind::kept_run) {
      empty_cache();
      return take_at(run);
    }
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
  count_used(run.pages);
  region.touch(run);
  return true;
}

/// A run that was not kept. In a full cache, another may make room for it.
void PageAllocator::give_otherwise(PageNumber first, Pages pages) {
  used_pages_ -= pages.count;
  if (is_roomy() && !cache_.empty() && cache_.is_too_full_for(pages)) {
    const Run other = cache_.make_room_for(regions_, pages);
    if (other.pages.count != 0) {
      (void)cache_.keep(first, pages, regions_.page(first));  // there is room now
      return give_to_layer(other);
    }
  }
  give_to_layer({first, pages});
}

void PageAllocator::give_to_layer(Run run) {
  with_layer(*this, [&](auto& layer) { layer.give(regions_, run); });
}

void PageAllocator::empty_cache() {
  with_layer(*this, [&](auto& layer) {
    for (Run run = cache_.give_up_any(regions_); run.pages.count != 0; run = cache_.give_up_any(regions_))
      layer.give(regions_, run);
  });
}

Pages PageAllocator::longest() const {
  return with_layer(*this, [&](const auto& layer) { return layer.longest(regions_, search_); });
}

bool PageAllocator::files(PageNumber head) const {
  return with_layer(*this, [&](const auto& layer) { return layer.files(regions_, head); });
}

bool PageAllocator::holds(std::uint64_t free_runs) const {
  return regions_.orders_are_noted() && with_layer(*this, [&](const auto& layer) { return layer.holds(regions_, free_runs); });
}

}  // namespace slabheap
