// The heap: routes requests to the slabs and to large blocks, checks every free, and knows what it holds.
//
// Layout of the heap's own part of the metadata, at either end of the first region, in this order and without gaps that matter:
//
//   Heap | routing table, an entry each granule | SlabFront of no slab, and of each | Slab of each | page layer | Region |
//   descriptors
//
// Invariants, all but the last asserted by `validate`:
//   I1 every page of a region is exactly one of: free, part of a set, part of a large block; metadata lies outside of the pages
//   I2 slab total + buddy total = total; slab used + buddy used = used; total + metadata + unusable edges = bytes given
//   I3 no free run could be merged with another (see Buddy and BestFit)
//   I4 a set's word and its place fit each other (see Slab)
//   I5 regions and blocks overlap neither each other nor metadata, and blocks honour their alignment
//   I6 a refused call changes nothing but the counter of refusals
#pragma once

#include "slabheap/core/large_blocks.hpp"
#include "slabheap/core/options.hpp"
#include "slabheap/core/slab.hpp"
#include "slabheap/core/stats.hpp"

namespace slabheap {

class alignas(SlabFront) Heap {
 public:
  struct Created {
    Heap* heap;
    Status status;
  };

  /// Makes a heap in `memory`, which belongs to it until its owner stops using it; there is nothing to undo. `is_zero` promises
  /// that every byte is zero: then metadata is not cleared, and no cost depends on the size. `tag` stays with the region.
  [[nodiscard]] static Created create(Span memory, const Options& options, bool is_zero, std::uint32_t tag);
  /// Adds a region; like `create`.
  [[nodiscard]] Status add_memory(Span memory, bool is_zero, std::uint32_t tag);

  /// A block of at least `size` bytes at a multiple of `align`, a power of two; null if there is no memory or an argument is
  /// invalid.
  [[nodiscard]] void* allocate(std::size_t size, std::size_t align);
  /// Like `allocate`, with the first `size` bytes zero.
  [[nodiscard]] void* allocate_zeroed(std::size_t size, std::size_t align);
  /// A block of `new_size` bytes with what fits of the old one, which is gone; null, with the old one as it was, if there is no
  /// memory or the old one is refused. Null as old block: like `allocate`.
  [[nodiscard]] void* reallocate(void* block, std::size_t size, std::size_t align, std::size_t new_size);
  /// Frees a block that was allocated with this size and alignment, or refuses and says why.
  Status deallocate(void* block, std::size_t size, std::size_t align);
  /// Frees a block, whatever its layout, or refuses and says why.
  Status free(void* block);
  /// Frees every block.
  void reset();

  /// What a block for such a request would hold; 0 if the arguments are invalid.
  [[nodiscard]] std::size_t usable_size(std::size_t size, std::size_t align) const;
  /// What a live block holds; 0 if it is none.
  [[nodiscard]] std::size_t block_size(const void* block) const;

  [[nodiscard]] Stats stats() const;
  [[nodiscard]] std::uint64_t total_bytes() const { return bytes_of(regions().page_count()); }
  [[nodiscard]] std::uint64_t used_bytes() const { return slab_used_bytes() + large_bytes(); }

  [[nodiscard]] std::size_t class_count() const { return class_count_; }
  [[nodiscard]] const Slab& slab(std::size_t index) const { return slabs()[index]; }
  /// Blocks of a slab that were freed so far, and that are in use.
  [[nodiscard]] std::uint64_t deallocations(const Slab& slab) const;
  [[nodiscard]] std::uint64_t used_blocks(const Slab& slab) const { return slab.allocations() - deallocations(slab); }
  /// Sets of a slab that have both used and free blocks.
  [[nodiscard]] std::uint32_t partial_sets(const Slab& slab) const;
  [[nodiscard]] const PageAllocator& pages() const { return pages_; }
  [[nodiscard]] const Regions& regions() const { return pages_.regions(); }
  [[nodiscard]] const Owner& owner() const { return owner_; }

  // Defined in heap_walks.hpp:
  /// Calls `visitor(const RunView&)` for every run in order of address, until it returns false; returns whether it never did.
  template <typename Visitor>
  bool visit_runs(Visitor visitor) const;
  /// Calls `visitor(void* block, std::size_t bytes)` for every live block in order of address, until it returns false.
  template <typename Visitor>
  void visit_blocks(Visitor visitor) const;

  /// Walks all of the metadata. False: an invariant does not hold.
  [[nodiscard]] bool validate() const;

  /// Gives the sets that are kept back empty to the page layer; returns their bytes.
  std::size_t release_kept();
  /// Calls `give_back(const Region&, Address start, std::size_t bytes)`, which says whether it gave it back, for free runs that
  /// are not as the last trim left them, but for what was never handed out.
  template <typename GiveBack>
  void trim(GiveBack give_back);

 private:
  friend class Validator;

  /// Where a pointer leads.
  struct Place {
    Status status = Status::not_owned;  // ok if and only if it leads to the start of a live block
    Region* region = nullptr;
    PageNumber head = no_page;
    Slab* slab = nullptr;   // of a set; null for a large block
    std::size_t block = 0;  // index in the set
  };

  static constexpr std::size_t no_class = max_classes;
  static constexpr std::size_t no_index = ~std::size_t{0};

  Heap(const Configuration& configuration, const Options& options);
  [[nodiscard]] static std::size_t own_bytes(const Configuration& configuration);
  [[nodiscard]] std::uint16_t distance_of(std::size_t front) const;
  void make_slabs(const Configuration& configuration);
  [[nodiscard]] bool is_as_made() const;
  [[nodiscard]] bool has_slabs_as_made(const Configuration& configuration) const;
  void reshape();

  // The table comes first, so that allocation finds it at a distance that is known when it is compiled; and its entries say how
  // far behind the heap a front begins, so that it is found by an addition.
  [[nodiscard]] std::uint16_t* table() { return reinterpret_cast<std::uint16_t*>(this + 1); }
  [[nodiscard]] const std::uint16_t* table() const { return reinterpret_cast<const std::uint16_t*>(this + 1); }
  [[nodiscard]] static constexpr std::size_t table_bytes(std::size_t routed_bytes) {
    return round_up((routed_bytes >> granule_shift) * sizeof(std::uint16_t), alignof(SlabFront));
  }
  [[nodiscard]] SlabFront* fronts() { return fronts_; }
  [[nodiscard]] const SlabFront* fronts() const { return fronts_; }
  [[nodiscard]] Slab* slabs() { return reinterpret_cast<Slab*>(fronts() + class_count_ + 1); }
  [[nodiscard]] const Slab* slabs() const { return reinterpret_cast<const Slab*>(fronts() + class_count_ + 1); }
  [[nodiscard]] std::size_t class_for(std::size_t size, std::size_t align) const;
  [[nodiscard]] std::uint64_t bytes_of(std::uint64_t page_count) const { return page_count << regions().page_shift(); }

  /// Whether a block can be asked for with this layout. None is larger than half of the address space, so that sums of sizes
  /// cannot wrap around.
  [[nodiscard]] static bool is_valid(std::size_t size, std::size_t align) {
    constexpr std::size_t most = ~std::size_t{0} >> 1;
    return is_power_of_two(align) && size <= most && align <= most;
  }
  /// What the table says of a request with this last byte, below its end: the front of the class that serves it, or that of none.
  [[nodiscard]] SlabFront& front_for(std::size_t last) { return front_at(front_distance(last)); }
  [[nodiscard]] std::size_t front_distance(std::size_t last) const { return table()[last >> granule_shift]; }
  [[nodiscard]] SlabFront& front_at(std::size_t distance) {
    return *reinterpret_cast<SlabFront*>(reinterpret_cast<std::byte*>(this) + distance);
  }
  // A set names its front by how many lines, of as many bytes as a front has, this is behind the heap.
  [[nodiscard]] std::uint8_t front_line(const SlabFront& front) const {
    const std::size_t distance = reinterpret_cast<Address>(&front) - reinterpret_cast<Address>(this);
    return static_cast<std::uint8_t>(distance / sizeof(SlabFront));
  }
  [[nodiscard]] SlabFront& front_of(const Page& set) { return front_at(std::size_t{set.front} * sizeof(SlabFront)); }
  [[nodiscard]] const SlabFront& front_of(const Page& set) const { return const_cast<Heap*>(this)->front_of(set); }
  [[nodiscard]] std::size_t largest_class() const { return fronts()[class_count_].block_bytes; }
  /// Whether no class lies beyond the table: then no class serves what the table does not route.
  [[nodiscard]] bool is_routed_whole() const { return routed_bytes_ == largest_class(); }
  [[nodiscard]] std::size_t routed_front(std::size_t granule) const;
  [[nodiscard]] std::size_t route(std::size_t last) const;
  [[nodiscard]] void* allocate_kept(std::size_t size, std::size_t align);
  [[nodiscard]] [[gnu::noinline]] void* allocate_pages(std::size_t size, std::size_t align, std::size_t count);
  [[nodiscard]] [[gnu::noinline]] void* allocate_slowly(std::size_t size, std::size_t align);
  /// Whether a class, which may be `no_class`, is that of the slab.
  [[nodiscard]] bool is_of(std::size_t index, const Slab& slab) const { return index != no_class && &slabs()[index] == &slab; }
  [[nodiscard]] Slab& slab_of(const SlabFront& front) { return slabs()[&front - fronts() - 1]; }
  [[nodiscard]] void* hand_out_first(SlabFront& front);
  [[nodiscard]] [[gnu::noinline]] void* allocate_refilled(std::size_t size, std::size_t align, SlabFront& front);
  [[nodiscard]] [[gnu::noinline]] void* allocate_closely(std::size_t size, std::size_t align);
  [[nodiscard]] [[gnu::noinline]] void* allocate_turned(std::size_t size, std::size_t align, SlabFront& front);
  [[nodiscard]] [[gnu::noinline]] void* allocate_carved(std::size_t size, std::size_t align, SlabFront& front);
  [[nodiscard]] [[gnu::noinline]] void* allocate_otherwise(std::size_t size, std::size_t align, SlabFront& front);
  [[nodiscard]] void* allocate_again(std::size_t size, std::size_t align);
  template <typename Attempt>
  [[nodiscard]] void* attempt_again(std::size_t size, std::size_t align, Attempt attempt);
  [[nodiscard]] void* allocate_in(std::size_t index, std::size_t size, std::size_t align);
  [[nodiscard]] void* allocate_large(std::size_t size, std::size_t align);
  [[nodiscard]] void* move_to(void* moved, void* block, std::size_t size, std::size_t align, std::size_t new_size);
  [[nodiscard]] void* reallocate_slowly(void* block, std::size_t size, std::size_t align, std::size_t new_size);
  [[nodiscard]] bool resize_in_place(const Place& place, std::size_t new_size, std::size_t align);
  [[nodiscard]] void* resize_or_allocate(const Place& place, void* block, std::size_t new_size, std::size_t align);

  struct Spot;
  [[nodiscard]] static Spot spot_in(Page& set, std::size_t within, SlabFront& front);
  [[nodiscard]] static Spot spot_in(RecentSet& recent, std::size_t within);
  template <typename Quickly, typename Elsewhere>
  auto in_recent_set(void* block, Quickly quickly, Elsewhere elsewhere);
  template <typename Quickly, typename Slowly>
  auto in_view(void* block, Quickly quickly, Slowly slowly);
  template <typename Quickly, typename Slowly>
  auto at_block(const Spot& spot, Quickly quickly, Slowly slowly);
  template <typename Slowly>
  Status put_back(const Spot& spot, Slowly slowly);
  [[nodiscard]] std::size_t large_block_at(Address address) const;
  Status free_large(std::size_t page);
  [[gnu::noinline]] Status free_large_otherwise(PageNumber head, Page& page);
  template <typename Otherwise>
  Status free_in_set(Page& set, Address address, Otherwise otherwise);
  // What ends a fast path: called last, and never a part of it, so that no register has to be saved.
  [[gnu::noinline]] Status deallocate_elsewhere(void* block, std::size_t size, std::size_t align, std::size_t distance);
  [[gnu::noinline]] Status deallocate_unrouted(void* block, std::size_t size, std::size_t align);
  [[gnu::noinline]] Status deallocate_otherwise(void* block, std::size_t size, std::size_t align, Page& set);
  [[gnu::noinline]] Status deallocate_passed_by(void* block, std::size_t size, std::size_t align, Page& set);
  [[gnu::noinline]] Status deallocate_from(void* block, const SlabFront& front);
  [[gnu::noinline]] Status deallocate_large(void* block, std::size_t size, std::size_t align);
  [[gnu::noinline]] Status deallocate_slowly(void* block, std::size_t size, std::size_t align);
  [[gnu::noinline]] Status free_elsewhere(void* block);
  [[gnu::noinline]] Status free_otherwise(void* block, Page& set);
  [[gnu::noinline]] Status free_slowly(void* block);
  [[gnu::noinline]] Status settle_empty(Page& set);
  [[gnu::noinline]] Status look_next_in(Page& set);
  Status free_at(const Place& place);
  Status refuse(const void* block, Status status);
  void look_at(Region& region);
  // Of a page of the region looked at, whose descriptor this is: its number, and its address.
  [[nodiscard]] std::uint32_t view_index(const Page& page) const { return static_cast<std::uint32_t>(&page - view_pages_); }
  [[nodiscard]] PageNumber view_number(const Page& page) const { return view_first_ + Pages{view_index(page)}; }
  [[nodiscard]] Address view_start_of(const Page& page) const {
    return view_start_ + (std::size_t{view_index(page)} << page_shift_);
  }
  void look_first_in(Page& set, Address start, SlabFront& front);
  void look_first_in_none();
  void settle_recent();
  [[nodiscard]] static bool stays_empty(const Page& set);
  void look_first_in_current(SlabFront& front);
  [[nodiscard]] bool looks_at_a_region() const;
  [[nodiscard]] bool has_recent(const Slab& slab) const;
  [[nodiscard]] bool is_recent_in(const Region& region) const;

  [[nodiscard]] Place place_of(Address address) const;
  [[nodiscard]] Place place_in_set(Region& region, PageNumber head, Address address) const;
  [[nodiscard]] bool has_layout(const Place& place, const void* block, std::size_t size, std::size_t align) const;
  [[nodiscard]] std::size_t bytes_at(const Place& place) const;

  [[nodiscard]] std::uint64_t slab_used_bytes() const;
  [[nodiscard]] std::uint64_t slab_total_bytes() const;
  [[nodiscard]] std::uint64_t large_bytes() const { return bytes_of(pages_.used_pages()) - slab_total_bytes(); }
  [[nodiscard]] Pages longest_free() const;
  [[nodiscard]] Run run_at(const Region& region, PageNumber head) const;
  [[nodiscard]] RunView view_of(const Region& region, PageNumber head) const;

  // What the fast paths read: of the region that the last slow free led to, and for routing.
  Address view_start_ = 0;
  std::size_t view_bytes_ = 0;
  Page* view_pages_ = nullptr;
  HeadDistance* view_head_distances_ = nullptr;
  std::size_t routed_bytes_;  // requests of up to so many bytes route by the table
  PageNumber view_first_;
  std::uint8_t page_shift_;
  std::uint8_t class_count_;
  std::uint8_t set_blocks_;  // that a set aims at; 0: snug
  SlabFront* fronts_;

  PageAllocator pages_;
  LargeBlocks large_;
  std::uint64_t failed_allocations_ = 0;
  std::uint64_t rejected_frees_ = 0;
  Hooks hooks_;
  Owner owner_;
};

[[gnu::always_inline]] inline void* Heap::allocate(std::size_t size, std::size_t align) {
  const std::size_t last = last_byte(size, align);
  if (last >= routed_bytes_) [[unlikely]]
    return allocate_kept(size, align);
  if (((align - 1) & align) != 0) [[unlikely]]
    return allocate_slowly(size, align);
  std::size_t distance = front_distance(last);
  const auto front = [&, this ]() __attribute__((always_inline))->SlabFront& {
    distance = for_one_access(distance);
    return front_at(distance);
  };
  const std::uint64_t blocks = front().offered;
  if (blocks == 0) [[unlikely]]
    return allocate_refilled(size, align, front());
  return hand_out_of(blocks, front);
}

/// What is tried for a request that found no memory, before it fails: the same again, once everything that is kept back is given
/// up, and once more if the owner has done something about it.
template <typename Attempt>
void* Heap::attempt_again(std::size_t size, std::size_t align, Attempt attempt) {
  const auto once = [&, this] {
    (void)release_kept();
    return pages_.thoroughly(attempt);
  };
  void* block = once();
  if (block == nullptr && hooks_.out_of_memory != nullptr && hooks_.out_of_memory(*this, size, align)) block = once();
  if (block == nullptr) ++failed_allocations_;
  return block;
}

/// Where a block is, for the fast path of both frees.
struct Heap::Spot {
  Page* set;
  Quotient index;        // of the block in the set, if it is exact
  std::uint64_t* freed;  // where a free is counted
  bool is_recent;        // whether the set is the recent one
};

/// `quickly(left)` if the spot is the start of a block in use, for the set's word without it; otherwise nothing has changed, and
/// `slowly()` finds out why. What is called from here is called last, so that no register has to be saved.
template <typename Quickly, typename Slowly>
[[gnu::always_inline]] inline auto Heap::at_block(const Spot& spot, Quickly quickly, Slowly slowly) {
  if (!spot.index.exact) [[unlikely]]
    return slowly();
  const Cleared left = clear_bit(spot.set->word, spot.index.value);  // which has no bit beyond the blocks of the set
  if (!left.had_bit) [[unlikely]]
    return slowly();
  return quickly(left.word);
}

/// The end of the fast path of both frees.
template <typename Slowly>
[[gnu::always_inline]] inline Status Heap::put_back(const Spot& spot, Slowly slowly) {
  const auto quickly = [ =, this ](std::uint64_t left) __attribute__((always_inline)) {
    ++*spot.freed;
    spot.set->word = left;
    if (spot.is_recent) return Status::ok;  // if it is empty now, it is settled when another is looked in first
    if (left == 0) [[unlikely]]
      return stays_empty(*spot.set) ? Status::ok : settle_empty(*spot.set);
    // If the recent one is empty, this one is likely to be next. If there is none, it may be, too.
    if (pages_.recent().set->word == 0) [[unlikely]]
      return look_next_in(*spot.set);
    return Status::ok;
  };
  return at_block(spot, quickly, slowly);
}

/// So many bytes from the start of a set with a front that is not the recent one.
[[gnu::always_inline]] inline Heap::Spot Heap::spot_in(Page& set, std::size_t within, SlabFront& front) {
  return {&set, front.divisor.divide(within), &front.deallocations, false};
}

/// So many bytes from the start of the recent set.
[[gnu::always_inline]] inline Heap::Spot Heap::spot_in(RecentSet& recent, std::size_t within) {
  return {recent.set, recent.divisor.divide(within), &recent.freed, true};
}

/// Whether a set may stay when it is empty: if it is current and no other is listed. On a list, which is a ring, each set is
/// followed by one.
inline bool Heap::stays_empty(const Page& set) { return set.next == no_page; }

/// Makes no set the recent one: settles the one that was if it is empty, which no free looked at.
inline void Heap::look_first_in_none() {
  RecentSet& recent = pages_.recent();
  if (recent.bytes == 0) return;
  Page& set = *recent.set;
  recent.end(front_of(set).deallocations);
  if (set.word == 0 && !stays_empty(set)) (void)settle_empty(set);
}

/// Makes this set, of the region looked at, the recent one; this is its front, or will be, and `start` the address of its first
/// block.
inline void Heap::look_first_in(Page& set, Address start, SlabFront& front) {
  if (pages_.recent().is(set)) return;
  look_first_in_none();
  pages_.recent() = {start, &set, std::size_t{set.block_count} * front.block_bytes, front.divisor, front.layouts};
}

/// The same of the current set of a front, if it is in the region looked at.
inline void Heap::look_first_in_current(SlabFront& front) {
  if (front.current_start - view_start_ < view_bytes_) look_first_in(*front.current, front.current_start, front);
}

/// `quickly(recent, within)` for the recent set, and how many bytes from its start a block is, if it may be there; otherwise
/// `elsewhere()`.
template <typename Quickly, typename Elsewhere>
[[gnu::always_inline]] inline auto Heap::in_recent_set(void* block, Quickly quickly, Elsewhere elsewhere) {
  RecentSet& recent = pages_.recent();
  const std::size_t within = reinterpret_cast<Address>(block) - recent.start;
  if (within < recent.bytes) return quickly(recent, within);
  return elsewhere();
}

/// `quickly(set, within)` for the set that a block is in, and how many bytes from its start, if it is in one of the region looked
/// at; if it is elsewhere in the region, `set` is of no set, or of one that ends before it; otherwise `slowly()`.
template <typename Quickly, typename Slowly>
[[gnu::always_inline]] inline auto Heap::in_view(void* block, Quickly quickly, Slowly slowly) {
  const std::size_t offset = reinterpret_cast<Address>(block) - view_start_;
  if (offset >= view_bytes_) [[unlikely]]
    return slowly();
  std::size_t page = offset >> page_shift_;
  page -= view_head_distances_[page];
  return quickly(view_pages_[page], at_hand(offset - (page << page_shift_)));
}

[[gnu::always_inline]] inline Status Heap::deallocate(void* block, std::size_t size, std::size_t align) {
  const auto quickly = [ =, this ](RecentSet & recent, std::size_t within) __attribute__((always_inline)) {
    if (!recent.layouts.has(size, align)) [[unlikely]]
      return deallocate_otherwise(block, size, align, *recent.set);
    return put_back(spot_in(recent, within), [=, this, &recent] { return deallocate_from(block, front_of(*recent.set)); });
  };
  return in_recent_set(block, quickly, [=, this] {
    if (((align - 1) & align) != 0) [[unlikely]]
      return deallocate_slowly(block, size, align);
    const std::size_t last = last_byte(size, align);
    if (last >= routed_bytes_) return deallocate_large(block, size, align);
    return deallocate_elsewhere(block, size, align, front_distance(last));
  });
}

[[gnu::always_inline]] inline Status Heap::free(void* block) {
  const auto quickly = [ =, this ](RecentSet & recent, std::size_t within) __attribute__((always_inline)) {
    return put_back(spot_in(recent, within), [=, this] { return free_slowly(block); });
  };
  return in_recent_set(block, quickly, [=, this] { return free_elsewhere(block); });
}

}  // namespace slabheap
