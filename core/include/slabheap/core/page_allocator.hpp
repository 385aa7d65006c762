// The pages of a heap: its regions, the page layer that was chosen, and how many pages are in use.
#pragma once

#include "slabheap/core/best_fit.hpp"
#include "slabheap/core/buddy.hpp"
#include "slabheap/core/exact_divisor.hpp"
#include "slabheap/core/layouts.hpp"
#include "slabheap/core/regions.hpp"
#include "slabheap/core/run_cache.hpp"

namespace slabheap {

enum class PageLayerKind : std::uint32_t { buddy, best_fit };

/// The set in which frees look for their block first, of the region that they look at; none while it has no bytes. It has a
/// front, and counts what is freed in it until another set is the recent one; nor is it settled until then if it is empty.
struct RecentSet {
  Address start = 0;      // of its first block
  Page* set = nullptr;    // if there is none, the descriptor of any page of the region, since frees look at its word
  std::size_t bytes = 0;  // that its blocks take
  // Of the front, which a free would have to wait for if they were read there:
  ExactDivisor divisor;
  Layouts layouts;
  std::uint64_t freed = 0;  // blocks freed here that the front does not count yet

  bool operator==(const RecentSet&) const = default;
  [[nodiscard]] bool is(const Page& page) const { return set == &page && bytes != 0; }
  /// Counts what was freed here for the front, whose count this is, and is none.
  void end(std::uint64_t& deallocations) {
    deallocations += freed;
    freed = 0;
    bytes = 0;
  }
  /// The same, if it is this set.
  void end_if(const Page& page, std::uint64_t& deallocations) {
    if (set == &page) end(deallocations);
  }
};

class PageAllocator {
 public:
  /// `layer_memory` holds `layer_bytes(kind)` bytes, aligned for any type.
  PageAllocator(unsigned page_shift, PageLayerKind kind, bool has_cache, void* layer_memory);

  /// What the state of a layer takes, rounded up to the alignment of any type.
  [[nodiscard]] static std::size_t layer_bytes(PageLayerKind kind);

  /// What decides how much metadata the first region takes, with so many bytes in front of it.
  [[nodiscard]] static MetadataNeed first_need(std::size_t extra, unsigned page_shift, PageLayerKind kind);
  /// The same of the next region.
  [[nodiscard]] MetadataNeed next_need() const { return first_need(regions_.table_bytes(), regions_.page_shift(), kind()); }
  /// Adds a region (see Regions::add) and files its pages as one free run.
  [[nodiscard]] Status add(Span span, const RegionPlan& plan, const MetadataNeed& need, bool is_zero, std::uint32_t tag);

  /// The first of so many pages, its number and address a multiple of `alignment` pages; `no_page` if no free run holds them. The
  /// caller owns them and says so in the head's descriptor.
  [[nodiscard]] PageNumber take(Pages pages, Pages alignment);
  /// Takes the last run of so many pages that the cache has. `head` is the descriptor of its head, which says how many they are.
  void take_kept(Pages pages, const Page& head) {
    count_used(pages);
    cache_.take(pages, head);
  }
  /// Takes exactly these pages, which follow a run in use, if all of them are free.
  [[nodiscard]] bool take_at(Run run);
  /// Takes back pages that were handed out; any part of what `take` gave will do, and so will a run that grew.
  void give(Run run);
  /// Takes back a run as `take` gave it, or the front of it. `head` is the descriptor of its head, whose word is its length. (A
  /// run that is handed on as one word is packed for nothing.)
  void give(PageNumber first, Pages pages, Page& head);
  /// The same, of no more pages than runs have that are kept, if the cache keeps it. False: it does not, and nothing has changed.
  [[nodiscard]] bool give_kept(PageNumber first, Pages pages, Page& head);
  /// Takes back everything. `run_at(region, head)` gives the run of any head.
  template <typename RunAt>
  void give_all(RunAt run_at);
  /// Gives the runs kept in the cache to the layer.
  void empty_cache();
  /// What a function returns during which the layer searches thoroughly.
  template <typename Function>
  auto thoroughly(Function function) {
    search_ = Search::thorough;
    const auto result = function();
    search_ = Search::quick;
    return result;
  }

  /// Where frees look first. It is kept here because slabs, which end sets, know no more of the heap than its pages.
  [[nodiscard]] RecentSet& recent() { return recent_; }
  [[nodiscard]] const RecentSet& recent() const { return recent_; }
  [[nodiscard]] Regions& regions() { return regions_; }
  [[nodiscard]] const Regions& regions() const { return regions_; }
  [[nodiscard]] PageLayerKind kind() const { return static_cast<PageLayerKind>(kind_); }
  [[nodiscard]] std::uint64_t used_pages() const { return used_pages_; }
  [[nodiscard]] std::uint64_t peak_pages() const { return peak_pages_; }
  /// Whether less than half of the pages are in use. While they are, speed comes first; after that, space.
  [[nodiscard]] bool is_roomy() const { return used_pages_ < roomy_end_; }
  [[nodiscard]] Pages longest() const;
  /// As `longest`, if `run` were given, and every run next to it whose head `kept` gives a length for.
  template <typename Kept>
  [[nodiscard]] Pages reach(Run run, Kept kept) const {
    return with_layer(*this, [&](const auto& layer) { return layer.reach(regions_, run, kept); });
  }
  [[nodiscard]] const RunCache& cache() const { return cache_; }
  /// Whether all that was made for good is as it was, for a heap that precedes the first region with so many bytes: then nothing
  /// that is kept here leads out of it. This much is not taken for granted by the two below.
  [[nodiscard]] bool is_as_made(Address heap, std::size_t own_bytes, unsigned page_shift) const;
  /// I3 for one free run, and for the files as a whole.
  [[nodiscard]] bool files(PageNumber head) const;
  [[nodiscard]] bool holds(std::uint64_t free_runs) const;

 private:
  template <typename Self, typename Function>
  static decltype(auto) with_layer(Self& self, Function function);
  void count_used(Pages pages);
  [[nodiscard]] std::uint32_t half_of_pages() const { return static_cast<std::uint32_t>((regions_.page_count() + 1) / 2); }
  [[nodiscard]] std::uint32_t cache_limit() const;
  [[nodiscard]] PageNumber take_from_layer(Pages pages, Pages alignment);
  [[gnu::noinline]] void give_otherwise(PageNumber first, Pages pages);
  void give_to_layer(Run run);

  RecentSet recent_;
  std::uint32_t used_pages_ = 0;
  std::uint32_t peak_pages_ = 0;
  std::uint32_t roomy_end_ = 0;  // half of the pages, rounded up
  RunCache cache_;
  std::uint8_t kind_;       // a PageLayerKind
  std::uint8_t has_cache_;  // 1: true; a byte, because a bool that is damaged has no value
  Search search_ = Search::quick;
  Regions regions_;
  void* layer_;  // a Buddy or a BestFit, as kind_ says
};

inline void PageAllocator::count_used(Pages pages) {
  used_pages_ += pages.count;
  if (used_pages_ > peak_pages_) peak_pages_ = used_pages_;
}

inline PageNumber PageAllocator::take(Pages pages, Pages alignment) {
  // What a run that is kept is aligned to, is not known.
  if (alignment.count == 1 && cache_.has(pages.count)) {
    const PageNumber kept = cache_.last_of(pages);
    take_kept(pages, regions_.page(kept));
    return kept;
  }
  const PageNumber head = take_from_layer(pages, alignment);
  if (head != no_page) count_used(pages);
  return head;
}

inline bool PageAllocator::give_kept(PageNumber first, Pages pages, Page& head) {
  const std::uint32_t left = used_pages_ - pages.count;
  if (left >= roomy_end_ || !cache_.keep(first, pages, head)) [[unlikely]]
    return false;
  used_pages_ = left;
  return true;
}

inline void PageAllocator::give(PageNumber first, Pages pages, Page& head) {
  if (pages.count > RunCache::max_run_pages || !give_kept(first, pages, head)) [[unlikely]]
    give_otherwise(first, pages);
}

inline void PageAllocator::give(Run run) {
  Page& head = regions_.page(run.first);
  head.word = run.pages.count;
  head.class_index = 0;  // what it was before says nothing of this run
  if (cache_.suits(run)) {
    give(run.first, run.pages, head);
  } else {
    used_pages_ -= run.pages.count;
    give_to_layer(run);
  }
}

template <typename RunAt>
void PageAllocator::give_all(RunAt run_at) {
  cache_.forget_all();
  with_layer(*this, [&](auto& layer) {
    for (std::uint32_t i = 0; i < regions_.count(); ++i) {
      Region& region = regions_.by_address(i);
      // Runs are dissolved first and given as one: merging them one by one would move heads under the walk.
      for (PageNumber head = region.first; head < region.end();) {
        const PageNumber end = run_at(region, head).end();
        Page& page = region.page(head);
        if (page.kind == PageKind::free_run) layer.withdraw(regions_, head);
        page.kind = PageKind::inner;
        page.block_count = 0;
        page.front = no_front;
        head = end;
      }
      layer.give(regions_, region.run());
    }
  });
  used_pages_ = 0;
  std::uint64_t forgotten = 0;
  recent_.end(forgotten);
}

/// Calls `function` with the layer as what it is.
template <typename Self, typename Function>
decltype(auto) PageAllocator::with_layer(Self& self, Function function) {
  if (self.kind() == PageLayerKind::buddy) return function(*static_cast<Buddy*>(self.layer_));
  return function(*static_cast<BestFit*>(self.layer_));
}

}  // namespace slabheap
