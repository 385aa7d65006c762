// The regions of a heap: where their memory lies, how their pages are numbered, and where the descriptors are.
#pragma once

#include "slabheap/core/limits.hpp"
#include "slabheap/core/page.hpp"
#include "slabheap/core/status.hpp"
#include "slabheap/core/units.hpp"

namespace slabheap {

/// Memory as the caller gives it.
struct Span {
  Address start = 0;
  std::size_t bytes = 0;

  /// The bytes of a span never wrap around: creation refuses those that would.
  [[nodiscard]] constexpr bool holds(Address address) const { return address - start < bytes; }
  [[nodiscard]] constexpr bool overlaps(Span other) const { return holds(other.start) || other.holds(start); }
};

/// How a span is divided. Metadata goes to whichever end of the span leaves more pages, the beginning if both leave as many.
struct RegionPlan {
  Address pages = 0;  ///< address of the first page, a multiple of a page
  std::uint32_t page_count = 0;
  Address metadata = 0;
  std::size_t metadata_bytes = 0;

  /// Plans for `extra` bytes in front of the region's own metadata. A plan of no pages means that the span is too small.
  [[nodiscard]] static RegionPlan make(Span span, std::size_t extra, unsigned page_shift);
};

/// A region. It stands in its own metadata, in front of its descriptors.
struct Region {
  // What the fast paths read (see PageView).
  Address pages_start;  ///< address of the first page
  std::size_t pages_bytes;
  Page* pages;                    ///< a descriptor for each page
  std::uint16_t* head_distances;  ///< pages back to the head of the set that holds the page; a hint where no set does

  PageNumber* previous;  ///< backward links of the list that a page is on
  PageNumber first;
  std::uint32_t page_count;
  std::uint32_t touched;  ///< pages from here to the end have never been handed out
  std::uint32_t tag;      ///< the owner's; the heap carries it and does not read it
  Span given;
  std::size_t metadata_bytes;

  [[nodiscard]] Run run() const { return {first, {page_count}}; }
  [[nodiscard]] Page& page(PageNumber number) { return pages[(number - first).count]; }
  [[nodiscard]] const Page& page(PageNumber number) const { return pages[(number - first).count]; }
  [[nodiscard]] bool holds_page(Address address) const { return address - pages_start < pages_bytes; }
};

/// All regions of a heap, and the lists that are threaded through their descriptors.
class Regions {
 public:
  /// A doubly linked ring of pages: the last is the one before the first. A page is on one list at the most.
  struct List {
    PageNumber first = no_page;

    [[nodiscard]] bool empty() const { return first == no_page; }
  };

  explicit Regions(unsigned page_shift);

  /// Makes a region of `span` as planned and numbers its pages. `extra` is as it was for the plan. Writes every byte of the
  /// metadata unless it `is_zero` already. Refuses overlap and exhaustion of numbers without touching the span.
  [[nodiscard]] Status add(Span span, const RegionPlan& plan, std::size_t extra, bool is_zero, std::uint32_t tag);

  [[nodiscard]] std::uint32_t count() const { return count_; }
  /// The region at `index` in order of address.
  [[nodiscard]] Region& by_address(std::uint32_t index) const { return *regions_[index]; }
  /// The region whose given memory holds the address, or null. A binary search.
  [[nodiscard]] Region* find(Address address) const;
  /// The region of a page that exists. Constant time.
  [[nodiscard]] Region& of(PageNumber number) const { return *regions_[chunk_owner_[number.value >> chunk_shift]]; }
  /// Whether there is such a page; for numbers that may come from damaged metadata.
  [[nodiscard]] bool has(PageNumber number) const;

  [[nodiscard]] Page& page(PageNumber number) const { return of(number).page(number); }
  [[nodiscard]] unsigned page_shift() const { return page_shift_; }
  [[nodiscard]] std::size_t page_bytes() const { return std::size_t{1} << page_shift_; }
  [[nodiscard]] std::size_t bytes(Pages pages) const { return std::size_t{pages.count} << page_shift_; }
  /// Pages that hold `bytes`, rounded up; at least one. The result may exceed what a run can be: compare before narrowing.
  [[nodiscard]] std::size_t pages_for(std::size_t bytes) const;
  [[nodiscard]] Address address(PageNumber number) const;
  [[nodiscard]] std::size_t given_bytes() const { return given_bytes_; }
  [[nodiscard]] std::size_t metadata_bytes() const { return metadata_bytes_; }
  [[nodiscard]] std::uint64_t page_count() const { return page_count_; }
  /// The pages behind the last of each region that was ever handed out.
  [[nodiscard]] std::uint64_t untouched_pages() const;

  void push_back(List& list, PageNumber number);
  void push_front(List& list, PageNumber number);
  void unlink(List& list, PageNumber number);
  [[nodiscard]] PageNumber& previous_link(PageNumber number) const;

  /// Whether the ring closes after at most `most` pages that all exist, link back rightly and satisfy `is_member`.
  template <typename IsMember>
  [[nodiscard]] bool is_sound(const List& list, std::uint64_t most, IsMember is_member) const {
    if (list.empty()) return true;
    PageNumber number = list.first;
    for (std::uint64_t seen = 0; seen < most; ++seen) {
      if (!has(number) || !is_member(number)) return false;
      const PageNumber next = page(number).next;
      if (!has(next) || previous_link(next) != number) return false;
      if (next == list.first) return true;
      number = next;
    }
    return false;
  }

 private:
  // Numbers are dealt in chunks, so that one look finds the region of a number. A region starts on a chunk of its own.
  static constexpr unsigned chunk_shift = 25;
  static constexpr std::uint32_t chunk_count = 128;
  static constexpr std::uint8_t no_region = 0xff;
  static_assert(std::uint64_t{chunk_count} << chunk_shift == std::uint64_t{1} << 32, "chunks cover every page number");

  [[nodiscard]] PageNumber number_for(Address pages, std::uint32_t page_count) const;
  void insert(Region* region, std::uint32_t place);

  Region* regions_[max_regions];           // ascending by address
  std::uint8_t chunk_owner_[chunk_count];  // indices into regions_, or no_region
  std::uint32_t count_ = 0;
  unsigned page_shift_;
  std::uint64_t page_count_ = 0;
  std::size_t given_bytes_ = 0;
  std::size_t metadata_bytes_ = 0;
};

}  // namespace slabheap
