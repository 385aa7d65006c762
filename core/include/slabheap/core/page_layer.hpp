// The page layer hands out runs of pages and takes them back. It is one concept; Buddy and BestFit are its implementations, and a
// third needs no more than to satisfy it and a line in PageAllocator.
//
// A layer files the free runs and nothing else. It is given runs that are whole and nobody's, so it needs no check of
// its own; who holds a run, and how many there are, is PageAllocator's affair.
#pragma once

#include <concepts>

#include "slabheap/core/regions.hpp"

namespace slabheap {

/// How far a layer looks for a run. Thorough is for a request that fails otherwise.
enum class Search : std::uint8_t { quick, thorough };

template <typename Layer>
concept PageLayer = requires(Layer layer, const Layer constant, Regions& regions, Run run, PageNumber head, Pages pages,
                             Pages (*kept)(PageNumber), Region& region, const Region& constant_region, Search search) {
  /// What the layer keeps of a region of so many pages, at `Region::layer`.
  { Layer::region_bytes(std::uint32_t{}) } -> std::same_as<std::size_t>;
  /// Begins to keep it, in memory that is zero: no page of the region is free.
  { Layer::begin(region) } -> std::same_as<void>;
  /// Whether what `begin` has made for good is as it was: then nothing that is kept of the region leads out of it.
  { Layer::has_begun(constant_region) } -> std::same_as<bool>;
  /// The first of `pages` pages that start on a multiple of the second count, a power of two; `no_page` if no free run that is
  /// looked at holds such. What the run has beyond them stays free. Their descriptors are as after `withdraw`.
  { layer.take(regions, pages, pages, search) } -> std::same_as<PageNumber>;
  /// Files a run as free, merged with its free neighbours as far as the layer merges at all. Its head may still be of any kind.
  { layer.give(regions, run) } -> std::same_as<void>;
  /// Takes the free run with this head out of the files. Its descriptors are `inner` afterwards.
  { layer.withdraw(regions, head) } -> std::same_as<void>;
  /// The longest run that `take` would find, anywhere, looking as far.
  { constant.longest(regions, search) } -> std::same_as<Pages>;
  /// The longest run around `run` if it were given, and with it every neighbour for which `kept(head)` is not zero but a length.
  { constant.reach(regions, run, kept) } -> std::same_as<Pages>;
  /// Whether the free run with this head is filed where it belongs and could not be merged further (I3).
  { constant.files(regions, head) } -> std::same_as<bool>;
  /// Whether the files hold exactly `count` runs and every link is sound.
  { constant.holds(regions, std::uint64_t{}) } -> std::same_as<bool>;
};

/// Whether a page number may be followed as the head of a free run; for lists in damaged metadata.
[[nodiscard]] inline bool is_free_head(const Regions& regions, PageNumber number) {
  return regions.has(number) && regions.page(number).kind == PageKind::free_run;
}

}  // namespace slabheap
