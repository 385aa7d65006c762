// Best fit: free runs of any length, filed by length in two-level bins and merged with both neighbours at once.
//
// Source: M. Masmano, I. Ripoll, A. Crespo, J. Real, "TLSF: a new dynamic memory allocator for real-time systems", ECRTS 2004;
// here the unit is a page and the bookkeeping lies in descriptors. Merging finds the left neighbour by the descriptor of its last
// page (boundary tags: Knuth, TAOCP vol. 1, section 2.5).
//
// I3 (best fit): no two free runs touch; a free run of two pages or more has `free_end` on its last page, and nothing else has.
// Bound: every operation takes a constant number of steps. The bin that a request falls into may hold shorter runs too; the
// first few are looked at, then the next bin serves, whose runs are all long enough. Before a request fails, more of them are
// looked at than a heap files at a time when it gives up what it keeps back: so the longest run that it could count on is one of
// them.
#pragma once

#include "slabheap/core/page_layer.hpp"

namespace slabheap {

class BestFit {
 public:
  /// Runs that are looked at, at the most.
  static constexpr unsigned most_looks = 1024;

  [[nodiscard]] static std::size_t region_bytes(std::uint32_t /*page_count*/) { return 0; }
  static void begin(Region& /*region*/) {}
  /// What buddies keep of a region stays as it began.
  [[nodiscard]] static bool has_begun(const Region& region) {
    return region.fresh == region.end() && region.longest_order == no_order;
  }

  [[nodiscard]] PageNumber take(Regions& regions, Pages pages, Pages alignment, Search search);
  void give(Regions& regions, Run run);
  void withdraw(Regions& regions, PageNumber head);
  [[nodiscard]] Pages longest(const Regions& regions, Search search) const;
  template <typename Kept>
  [[nodiscard]] Pages reach(const Regions& regions, Run run, Kept kept) const;
  [[nodiscard]] static bool files(const Regions& regions, PageNumber head);
  [[nodiscard]] bool holds(const Regions& regions, std::uint64_t count) const;

 private:
  // Lengths below 8 have a bin each; above, each doubling is cut into 4 bins.
  static constexpr unsigned split_shift = 2;
  static constexpr unsigned splits = 1U << split_shift;
  static constexpr unsigned row_count = 32 - split_shift + 1;
  // How many runs of a bin of mixed lengths are compared.
  static constexpr unsigned looks_of(Search search) { return search == Search::quick ? 8 : most_looks; }

  struct Bin {
    unsigned row;
    unsigned column;
  };

  static Bin bin_of(Pages pages);
  static PageNumber aligned_start(Run free_run, Pages pages, Pages alignment);
  static Run run_at(const Regions& regions, PageNumber head);

  void file(Regions& regions, Run run);
  [[nodiscard]] Regions::List& list_of(Bin bin) { return free_[bin.row][bin.column]; }
  [[nodiscard]] PageNumber find(const Regions& regions, Pages pages, Pages alignment, Search search) const;
  [[nodiscard]] PageNumber find_in(const Regions& regions, Bin bin, Pages pages, Pages alignment, Search search) const;
  [[nodiscard]] PageNumber first_above(Bin bin) const;

  Regions::List free_[row_count][splits];
  std::uint32_t filled_rows_ = 0;                // bit set if and only if a column of the row is filled
  std::uint8_t filled_columns_[row_count] = {};  // bit set if and only if the list is not empty
};

/// Looks upwards from run to run, and at the free run below. A run below that is kept is itself one that is asked about, and
/// finds the rest.
template <typename Kept>
Pages BestFit::reach(const Regions& regions, Run run, Kept kept) const {
  const Region& region = regions.of(run.first);
  PageNumber end = run.end();
  for (Pages step{1}; end < region.end() && step.count != 0; end = end + step) {
    const Page& page = region.page(end);
    step = page.kind == PageKind::free_run ? Pages{static_cast<std::uint32_t>(page.word)} : kept(end);
  }
  Pages pages = end - run.first;
  if (run.first > region.first) {
    const Page& before = region.page(run.first - Pages{1});
    if (before.kind == PageKind::free_end || before.kind == PageKind::free_run)
      pages += Pages{static_cast<std::uint32_t>(before.word)};
  }
  return pages;
}

}  // namespace slabheap
