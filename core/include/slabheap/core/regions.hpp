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

  bool operator==(const Span&) const = default;
  /// The bytes of a span never wrap around: creation refuses those that would.
  [[nodiscard]] constexpr bool holds(Address address) const { return address - start < bytes; }
  [[nodiscard]] constexpr bool holds(Span other) const {
    return other.start - start <= bytes && other.bytes <= bytes - (other.start - start);
  }
  [[nodiscard]] constexpr bool overlaps(Span other) const { return holds(other.start) || other.holds(start); }
};

/// What decides how much metadata a region takes.
struct MetadataNeed {
  std::size_t extra;                                ///< in front of the region's own
  unsigned page_shift;                              ///< log2 of the bytes of a page
  std::size_t (*layer_bytes)(std::uint32_t pages);  ///< of the page layer: no more for fewer pages

  [[nodiscard]] std::size_t bytes(std::size_t page_count) const;
};

/// How a span is divided. Metadata goes to whichever end of the span leaves more pages, the beginning if both leave as many.
struct RegionPlan {
  Address pages = 0;  ///< address of the first page, a multiple of a page
  std::uint32_t page_count = 0;
  Address metadata = 0;
  std::size_t metadata_bytes = 0;

  /// A plan of no pages means that the span is too small.
  [[nodiscard]] static RegionPlan make(Span span, const MetadataNeed& need);
};

/// A region. It stands in its own metadata, in front of its descriptors.
struct Region {
  // What the fast paths read (see Heap).
  Address pages_start;  ///< address of the first page
  std::size_t pages_bytes;
  Page* pages;                   ///< a descriptor for each page
  HeadDistance* head_distances;  ///< pages back to the head of the set that holds the page; a hint where no set does

  // Where page 0 and its descriptor would be, so that a number is all it takes to find a page. They may lie outside of all
  // memory.
  Address zeroth_address;
  Address zeroth_descriptor;

  PageNumber* previous;  ///< backward links of the list that a page is on
  PageNumber first;
  std::uint32_t page_count;
  PageNumber untouched_first;  ///< from here
  PageNumber untouched_end;    ///< to here, pages have never been handed out
  std::uint32_t tag;           ///< the owner's; the heap carries it and does not read it
  void* layer;                 ///< what the page layer keeps of this region
  PageNumber fresh;            ///< the page layer's: see Buddy
  /// log2 of the longest aligned run that is free, `no_order` if there is none; kept by the buddy only
  std::uint8_t longest_order;
  Span given;
  std::size_t metadata_bytes;

  bool operator==(const Region&) const = default;
  [[nodiscard]] Run run() const { return {first, {page_count}}; }
  [[nodiscard]] PageNumber end() const { return first + Pages{page_count}; }
  [[nodiscard]] Page& page(PageNumber number) const {
    return *reinterpret_cast<Page*>(zeroth_descriptor + Address{number.value} * sizeof(Page));
  }
  [[nodiscard]] bool holds_page(Address address) const { return address - pages_start < pages_bytes; }
  /// Says where everything is: it follows from where the region stands, where its pages are, which and how many, and what the
  /// layer keeps.
  void lay_out(const Region* place, const MetadataNeed& need);
  /// Remembers that a run was handed out.
  void touch(Run run);
  /// Makes every page of a new set lead to its head.
  void mark_distances(Run set) {
    HeadDistance* distances = head_distances + (set.first - first).count;
    *distances = 0;
    if (set.pages.count > 1) mark_distances(distances, set.pages);
  }

 private:
  static void mark_distances(HeadDistance* distances, Pages pages);
};

inline constexpr std::uint8_t no_order = 0xff;

/// All regions of a heap, and the lists that are threaded through their descriptors.
class Regions {
 public:
  /// A doubly linked ring of pages: the last is the one before the first. A page is on one list at the most.
  struct List {
    PageNumber first = no_page;

    bool operator==(const List&) const = default;
    [[nodiscard]] bool empty() const { return first == no_page; }
  };

  explicit Regions(unsigned page_shift) : page_shift_{static_cast<std::uint8_t>(page_shift)} {}

  /// Bytes in front of the metadata of the next region that the table of several regions takes: of the second's.
  [[nodiscard]] std::size_t table_bytes() const { return count_ == 1 ? sizeof(Table) : 0; }
  /// Makes a region of `span` as planned for `need` and numbers its pages. Writes every byte of the metadata but the extra unless
  /// it `is_zero` already. Refuses overlap and exhaustion of numbers without touching the span.
  [[nodiscard]] Status add(Span span, const RegionPlan& plan, const MetadataNeed& need, bool is_zero, std::uint32_t tag);

  [[nodiscard]] std::uint32_t count() const { return count_; }
  /// The region that was added first.
  [[nodiscard]] const Region* first() const { return first_; }
  /// The region at `index` in order of address.
  [[nodiscard]] Region& by_address(std::uint32_t index) const { return table_ == nullptr ? *first_ : *table_->regions[index]; }
  /// The region whose given memory holds the address, or null. A binary search.
  [[nodiscard]] Region* find(Address address) const;
  /// The region of a page that exists. Constant time.
  [[nodiscard]] Region& of(PageNumber number) const {
    if (table_ == nullptr) [[likely]]
      return *first_;
    return *table_->regions[table_->chunk_owner[number.value >> chunk_shift]];
  }
  /// Whether there is such a page; for numbers that may come from damaged metadata.
  [[nodiscard]] bool has(PageNumber number) const;

  [[nodiscard]] Page& page(PageNumber number) const { return of(number).page(number); }
  [[nodiscard]] unsigned page_shift() const { return page_shift_; }
  [[nodiscard]] std::size_t page_bytes() const { return std::size_t{1} << page_shift_; }
  [[nodiscard]] std::size_t bytes(Pages pages) const { return std::size_t{pages.count} << page_shift_; }
  /// Pages that hold `bytes`, rounded up; at least one. The result may exceed what a run can be: compare before narrowing.
  [[nodiscard]] std::size_t pages_for(std::size_t bytes) const { return bytes == 0 ? 1 : ((bytes - 1) >> page_shift_) + 1; }
  [[nodiscard]] Address address(PageNumber number) const { return address(of(number), number); }
  /// The same, of a page of this region.
  [[nodiscard]] Address address(const Region& region, PageNumber number) const {
    return region.zeroth_address + (Address{number.value} << page_shift_);
  }
  [[nodiscard]] std::size_t given_bytes() const { return given_bytes_; }
  [[nodiscard]] std::size_t metadata_bytes() const { return metadata_bytes_; }
  [[nodiscard]] std::uint64_t page_count() const { return page_count_; }
  /// Whether the number of every page is a multiple of the alignment, a power of two, if and only if its address is one of as
  /// many pages. That is so up to 2^26 pages, and beyond in regions that are as long or happen to lie right.
  [[nodiscard]] bool are_congruent_to(Pages alignment) const;
  /// The pages of all regions that were never handed out, as far as one stretch in each knows them.
  [[nodiscard]] std::uint64_t untouched_pages() const;

  /// Remembers the longest order of a region.
  void set_longest_order(Region& region, std::uint8_t order);
  /// The first of the regions, by address, whose longest order is the least that is not below this one; null if there is none.
  [[nodiscard]] Region* with_order(unsigned order) const;
  /// The longest order of all regions, `no_order` if none has one.
  [[nodiscard]] std::uint8_t longest_order() const;
  /// Whether the table says of each region what the region says.
  [[nodiscard]] bool orders_are_noted() const;
  /// Whether regions lie apart, pages and metadata in each (I5), and all else is what follows from that. `heap` precedes the
  /// first region, as much as `need` says.
  [[nodiscard]] bool are_sound(Address heap, const MetadataNeed& need) const;

  void push_back(List& list, PageNumber number);
  void push_front(List& list, PageNumber number);
  void unlink(List& list, PageNumber number);
  /// Unlinks the first page and puts another at the end.
  void replace_first(List& list, PageNumber number);
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
  static constexpr unsigned chunk_shift = 26;
  static constexpr std::uint32_t chunk_count = 64;
  static constexpr std::uint8_t no_region = 0xff;
  static constexpr unsigned order_count = 32;
  static_assert(std::uint64_t{chunk_count} << chunk_shift == std::uint64_t{1} << 32, "chunks cover every page number");
  static_assert(chunk_count >= max_regions, "there is a chunk for each region");

  /// What only a heap of several regions wants.
  struct Table {
    Region* regions[max_regions];             // ascending by address
    std::uint64_t with_longest[order_count];  // of each order, a bit for each region whose longest it is
    std::uint32_t orders;                     // bit k: with_longest[k] is not zero
    std::uint8_t chunk_owner[chunk_count];    // indices by address, or no_region
  };

  /// The chunks that the numbers of a region lie in: from the first to the last.
  struct Chunks {
    std::uint32_t first;
    std::uint32_t last;
  };

  // The lists, where `region_of(number)` finds regions.
  template <typename RegionOf>
  static PageNumber& previous_link(PageNumber number, RegionOf region_of);
  template <typename RegionOf>
  static void push_back(List& list, PageNumber number, RegionOf region_of);
  template <typename RegionOf>
  static void unlink(List& list, PageNumber number, RegionOf region_of);
  void push_back_among(List& list, PageNumber number);
  void unlink_among(List& list, PageNumber number);

  [[nodiscard]] static std::uint64_t congruence_of(std::uint32_t page_count);
  [[nodiscard]] PageNumber number_for(Address pages, std::uint32_t page_count) const;
  [[nodiscard]] bool is_sound(const Region& region, const MetadataNeed& need) const;
  [[nodiscard]] bool numbers_are_owned() const;
  [[nodiscard]] static Chunks chunks_of(const Region& region);
  void insert(Region* region, std::uint32_t place);
  void note_orders();
  void note_owners();

  Region* first_ = nullptr;  // the only region, as long as there is one
  Table* table_ = nullptr;   // null as long as there is one region
  std::uint32_t page_count_ = 0;
  std::uint8_t count_ = 0;
  std::uint8_t page_shift_;
  std::size_t given_bytes_ = 0;
  std::size_t metadata_bytes_ = 0;
};

inline PageNumber& Regions::previous_link(PageNumber number) const {
  return previous_link(number, [this](PageNumber any) -> Region& { return of(any); });
}

template <typename RegionOf>
[[gnu::always_inline]] inline PageNumber& Regions::previous_link(PageNumber number, RegionOf region_of) {
  const Region& region = region_of(number);
  return region.previous[(number - region.first).count];
}

template <typename RegionOf>
[[gnu::always_inline]] inline void Regions::push_back(List& list, PageNumber number, RegionOf region_of) {
  if (list.empty()) {
    region_of(number).page(number).next = number;
    previous_link(number, region_of) = number;
    list.first = number;
    return;
  }
  const PageNumber last = previous_link(list.first, region_of);
  region_of(number).page(number).next = list.first;
  previous_link(number, region_of) = last;
  region_of(last).page(last).next = number;
  previous_link(list.first, region_of) = number;
}

template <typename RegionOf>
[[gnu::always_inline]] inline void Regions::unlink(List& list, PageNumber number, RegionOf region_of) {
  const PageNumber next = region_of(number).page(number).next;
  if (next == number) {
    list.first = no_page;
    return;
  }
  const PageNumber previous = previous_link(number, region_of);
  region_of(previous).page(previous).next = next;
  previous_link(next, region_of) = previous;
  if (list.first == number) list.first = next;
}

// Of several regions in functions of their own: what has one saves no register for what has many.
inline void Regions::push_back(List& list, PageNumber number) {
  if (table_ != nullptr) [[unlikely]]
    return push_back_among(list, number);
  push_back(list, number, [this](PageNumber) -> Region& { return *first_; });
}

inline void Regions::unlink(List& list, PageNumber number) {
  if (table_ != nullptr) [[unlikely]]
    return unlink_among(list, number);
  unlink(list, number, [this](PageNumber) -> Region& { return *first_; });
}

inline void Regions::push_front(List& list, PageNumber number) {
  push_back(list, number);
  list.first = number;
}

inline void Regions::replace_first(List& list, PageNumber number) {
  const PageNumber next = page(list.first).next;
  if (next == list.first) {
    list.first = no_page;
    push_back(list, number);
    return;
  }
  const PageNumber last = previous_link(list.first);
  page(number).next = next;
  previous_link(number) = last;
  page(last).next = number;
  previous_link(next) = number;
  list.first = next;
}

}  // namespace slabheap
