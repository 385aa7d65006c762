// A slab: all sets of one size class. A set is a run of pages cut into at most 64 blocks; its blocks in use are the bits of one
// word.
//
// Where a set stands:
//   current     the one that allocations come from; it may be partial, full or empty
//   listed      partial, and not current; or empty, and the heap's recent one
//   unlisted    full, and not current
// An empty set that is not current goes back to the page layer, but for the heap's recent one, which waits until frees look in
// another first; an empty current one is kept back, one a slab, until something else has a free block to offer. Either goes back
// if the heap wants its pages.
//
// The free blocks of the current set are offered all at once, and handed out from a word beside the slab: so a block that is
// freed is not the next one allocated, and neither has to wait for the other. What is freed meanwhile is offered when nothing is
// left.
//
// Freeing goes by the front that the set names. A set that is left full names no front; so its next free takes the slow path,
// which lists it.
//
// I4: a set's word has no bit beyond its blocks; only free blocks of the current set are offered; a set is listed if and only if
// it has a free block and is not current; an empty set is current, or the heap's recent one; a set names its slab's front if and
// only if it is current or listed; the `next` of the current set is the first listed one.
#pragma once

#include "slabheap/core/exact_divisor.hpp"
#include "slabheap/core/page_allocator.hpp"

namespace slabheap {

/// Pages that hold so many bytes, of which there is one.
[[nodiscard]] constexpr std::uint32_t pages_holding(std::size_t bytes, unsigned page_shift) {
  return static_cast<std::uint32_t>(((bytes - 1) >> page_shift) + 1);
}

/// How a set of some class is cut.
struct SetShape {
  std::uint16_t page_count = 0;
  std::uint16_t blocks = 0;

  bool operator==(const SetShape&) const = default;
  [[nodiscard]] Pages pages() const { return {page_count}; }

  /// As many blocks as fit into so many pages, 256 at most, up to 64, in as few pages as hold them. No block fits: no blocks.
  [[nodiscard]] static SetShape fit(std::size_t block_bytes, Pages pages, unsigned page_shift);
  /// The shape that the sets of a class aim at in a heap of so many pages: of `set_blocks` blocks. A set takes no more than a
  /// 128th of the heap, unless a block needs more.
  [[nodiscard]] static SetShape full(std::size_t block_bytes, std::size_t set_blocks, std::uint64_t heap_pages,
                                     unsigned page_shift);
  /// The shortest whose tail is small, of those that are not much longer than a block.
  [[nodiscard]] static SetShape least(std::size_t block_bytes, std::uint64_t heap_pages, unsigned page_shift);
  /// That, or a longer one that takes no more than a 2048th of the heap.
  [[nodiscard]] static SetShape snug(std::size_t block_bytes, std::uint64_t heap_pages, unsigned page_shift);
};

/// The bits of so many blocks, 1 to 64.
[[nodiscard]] constexpr std::uint64_t all_blocks(std::uint32_t blocks) { return ~std::uint64_t{0} >> (max_set_blocks - blocks); }

[[nodiscard]] inline std::uint64_t free_blocks(const Page& set) { return all_blocks(set.block_count) & ~set.word; }

/// Whether these free blocks of a set are enough to turn to it, although there is room for another: one, and a 16th of it.
[[nodiscard]] inline bool are_enough(std::uint64_t blocks, const Page& set) {
  constexpr unsigned share_shift = 4;
  return blocks != 0 && bit_count(blocks) >= unsigned{set.block_count} >> share_shift;
}

/// What blocks of so many bytes are aligned to: as their size is even, as far as a run of pages is aligned.
[[nodiscard]] constexpr std::size_t alignment_of(std::size_t block_bytes, unsigned page_shift) {
  const std::size_t even = lowest_bit(block_bytes);
  const std::size_t page_bytes = std::size_t{1} << page_shift;
  return even < page_bytes ? even : page_bytes;
}

/// What the fast paths touch of a slab: one cache line.
struct alignas(64) SlabFront {
  std::uint64_t offered = 0;  // blocks of the current set to hand out, one bit each
  Page* current = nullptr;    // the current set
  Address current_start = 0;  // the address of its first block
  Layouts layouts;            // that route here
  std::uint32_t block_bytes = 0;
  std::uint32_t alignment = 1;      // of every block
  ExactDivisor divisor;             // block_bytes
  std::uint64_t deallocations = 0;  // but for those that the recent set counts (see RecentSet)

  bool operator==(const SlabFront&) const = default;
  /// Whether a request of this alignment, if it routes here, is served here: a power of two that every block honours.
  [[nodiscard]] bool serves(std::size_t align) const { return ((align - 1) & (align | alignment)) == 0; }
  /// Whether every request that routes here is served here: if not, frees take a longer way where the layout is not looked up in
  /// the routing table.
  [[nodiscard]] bool serves_all() const { return layouts.last_count != 0; }
  /// Whether a request of this layout routes here and is served here, be it all or not.
  [[nodiscard]] bool has_slowly(std::size_t size, std::size_t align) const {
    return last_byte(size, align) - layouts.least_last < block_bytes - layouts.least_last && serves(align);
  }
  /// The first of the blocks offered, of which there must be one.
  [[nodiscard]] void* hand_out();
};
static_assert(sizeof(SlabFront) == 64, "fronts are found by a shift");

/// Which of the fronts that stand together is of no slab: it offers nothing, and no set names it.
inline constexpr std::size_t no_slab = 0;

/// `hand_out` of the front that `front()` is, for each access.
template <typename Front>
[[gnu::always_inline]] inline void* hand_out_of(std::uint64_t blocks, Front front) {
  const std::uint64_t left = blocks & (blocks - 1);
  front().offered = left;
  front().current->word |= blocks ^ left;
  // Not std::countr_zero: where the compiler does not see that there is a block, that asks for it again.
  const auto within = static_cast<std::uint32_t>(__builtin_ctzll(blocks)) * front().block_bytes;
  return reinterpret_cast<void*>(within + front().current_start);
}

inline void* SlabFront::hand_out() {
  return hand_out_of(offered, [this]() -> SlabFront& { return *this; });
}

class Slab {
 public:
  /// `below` is what blocks of the class below have, 0 if there is none; `front_line` is what sets name the front by.
  Slab(SlabFront& front, std::uint8_t front_line, std::uint8_t index, std::size_t block_bytes, std::size_t below,
       unsigned page_shift);

  /// Fits the sets that will be carved to a heap of the size that it has now; `set_blocks` is what they aim at, 0: snug.
  void reshape(const Regions& regions, std::size_t set_blocks);

  /// Makes the front offer a block: of the current set again, of a listed one, or of a new one. False: there is no memory, and
  /// nothing has changed.
  [[nodiscard]] bool refill(PageAllocator& pages);
  /// What `refill` does where enough of the current set is free again; false: nothing.
  [[nodiscard]] bool offer_again();
  /// What it does where that is not so, and enough of the first listed one is; false: nothing.
  [[nodiscard]] bool turn_to_listed(PageAllocator& pages);
  /// What it does where neither is so, if there is room, and a run kept that is as long as the next set; false: nothing.
  [[nodiscard]] bool carve_kept(PageAllocator& pages);
  /// What it does where none of these is so.
  [[nodiscard]] bool turn_to_other(PageAllocator& pages);
  /// Frees a block in use of a set; `page` is the descriptor of its head.
  void put(PageAllocator& pages, PageNumber set, Page& page, std::size_t block);
  /// Moves a set to where it belongs after a free that left its word without a bit, or that went by no front.
  void settle(PageAllocator& pages, PageNumber set, Page& page);
  /// Where it is empty: keeps it if the slab has no other free block, and gives it back otherwise.
  void settle_empty(PageAllocator& pages, PageNumber set, Page& page);
  /// Lists a set that was full, and is not current.
  void list(PageAllocator& pages, PageNumber set, Page& page);
  /// Gives the empty set kept back, if there is one, to the page layer.
  void release_kept(PageAllocator& pages);
  /// Forgets every set, all blocks counted as freed. The caller gives the runs back.
  void forget_all();

  /// Whether the constructor and `reshape`, so called, left both slab and front like this. Follows nothing that it has not
  /// checked.
  [[nodiscard]] bool is_as_made(const SlabFront& front, std::uint8_t front_line, std::uint8_t index, std::size_t below,
                                const Regions& regions, std::size_t set_blocks) const;
  bool operator==(const Slab&) const = default;

  [[nodiscard]] const SlabFront& front() const { return *front_; }
  [[nodiscard]] std::size_t block_bytes() const { return front_->block_bytes; }
  [[nodiscard]] std::size_t alignment() const { return front_->alignment; }
  [[nodiscard]] std::uint64_t allocations() const { return offered_blocks_ - bit_count(front_->offered); }
  [[nodiscard]] std::uint64_t total_blocks() const { return total_blocks_; }
  [[nodiscard]] std::uint32_t set_count() const { return sets_; }
  [[nodiscard]] Pages pages() const { return pages_; }
  [[nodiscard]] std::uint32_t listed() const { return listed_; }
  [[nodiscard]] PageNumber current() const { return current_number_; }
  [[nodiscard]] const Regions::List& list() const { return partial_; }
  /// The run of a set of this slab.
  [[nodiscard]] Run run_of(PageNumber set, const Page& page, unsigned page_shift) const;

 private:
  [[nodiscard]] std::uint64_t free_in_current() const { return current_number_ == no_page ? 0 : free_blocks(*front_->current); }
  void offer(std::uint64_t blocks, unsigned count);
  void make_current(const PageAllocator& pages, PageNumber set);
  void make_current(PageNumber set, Page& page, Address start);
  void leave_full(PageAllocator& pages, Page& page);
  void leave_current(PageAllocator& pages);
  void drop_current();
  [[nodiscard]] PageNumber take_listed(PageAllocator& pages);
  void lead_to(PageNumber first_listed);
  [[nodiscard]] SetShape next_shape(const PageAllocator& pages) const;
  [[nodiscard]] SetShape snug_shape(const PageAllocator& pages) const;
  [[nodiscard]] bool grow(PageAllocator& pages);
  void carve(PageAllocator& pages, Region& region, Page& page, Run run, std::uint32_t blocks);
  void release(PageAllocator& pages, PageNumber set, Page& page);
  [[gnu::noinline]] void leave_empty(PageAllocator& pages, PageNumber set, Page& page);
  [[gnu::noinline]] void keep_empty(PageAllocator& pages, PageNumber set, Page& page);

  SlabFront* front_;
  std::uint64_t offered_blocks_ = 0;  // how many were ever offered
  std::uint64_t total_blocks_ = 0;
  // In such an order that compilers do not add to two neighbours at once, for which they have to be put together first.
  std::uint32_t sets_ = 0;
  PageNumber current_number_ = no_page;
  Pages pages_;
  Regions::List partial_;
  std::uint32_t carved_pages_ = 0;  // ever; it may wrap around, and only begins anew
  std::uint32_t listed_ = 0;
  SetShape least_shape_;  // that the first sets aim at,
  SetShape most_shape_;   // and the last
  std::uint8_t index_;
  std::uint8_t front_line_;
};

inline Run Slab::run_of(PageNumber set, const Page& page, unsigned page_shift) const {
  return {set, {pages_holding(std::size_t{page.block_count} * front_->block_bytes, page_shift)}};
}

/// `count` is that of the blocks.
inline void Slab::offer(std::uint64_t blocks, unsigned count) {
  offered_blocks_ += count;
  front_->offered = blocks;
}

/// Offers nothing of it yet.
inline void Slab::make_current(PageNumber set, Page& page, Address start) {
  front_->current = &page;
  front_->current_start = start;
  current_number_ = set;
  page.next = partial_.first;
}

inline void Slab::make_current(const PageAllocator& pages, PageNumber set) {
  const Region& region = pages.regions().of(set);
  Page& page = region.page(set);
  make_current(set, page, pages.regions().address(region, set));
  const std::uint64_t blocks = free_blocks(page);
  offer(blocks, bit_count(blocks));
}

/// Says in the current set's descriptor which is the first listed set, for the fast path.
inline void Slab::lead_to(PageNumber first_listed) {
  if (current_number_ != no_page) front_->current->next = first_listed;
}

/// At the end of the list a set gathers more free blocks before it becomes current; at the front it would fill up and come back
/// all the time.
inline void Slab::list(PageAllocator& pages, PageNumber set, Page& page) {
  page.front = front_line_;
  ++listed_;
  if (partial_.empty()) lead_to(set);
  pages.regions().push_back(partial_, set);
}

/// A full set that is not current has no front; so its next free takes the slow path, which lists it.
inline void Slab::leave_full(PageAllocator& pages, Page& page) {
  page.front = no_front;
  pages.recent().end_if(page, front_->deallocations);
}

[[gnu::always_inline]] inline bool Slab::offer_again() {
  const std::uint64_t again = free_in_current();
  if (again == 0 || !are_enough(again, *front_->current)) return false;
  offer(again, bit_count(again));
  return true;
}

[[gnu::always_inline]] inline bool Slab::turn_to_listed(PageAllocator& pages) {
  const PageNumber next = partial_.first;
  if (next == no_page) return false;
  Regions& regions = pages.regions();
  const Region& region = regions.of(next);
  Page& page = region.page(next);
  const std::uint64_t blocks = free_blocks(page);
  if (!are_enough(blocks, page)) return false;
  if (free_in_current() != 0) {
    regions.replace_first(partial_, current_number_);
  } else {
    regions.unlink(partial_, next);
    --listed_;
    if (current_number_ != no_page) leave_full(pages, *front_->current);
  }
  make_current(next, page, regions.address(region, next));
  offer(blocks, bit_count(blocks));
  return true;
}

/// Puts the current set, of which nothing is offered any more, to where it belongs.
inline void Slab::leave_current(PageAllocator& pages) {
  const PageNumber set = current_number_;
  if (set == no_page) return;
  current_number_ = no_page;
  Page& page = *front_->current;
  if (page.word == all_blocks(page.block_count)) {
    leave_full(pages, page);
  } else {
    list(pages, set, page);
  }
}

/// The shape of the next set.
[[gnu::always_inline]] inline SetShape Slab::next_shape(const PageAllocator& pages) const {
  return least_shape_ == most_shape_ ? most_shape_ : snug_shape(pages);
}

/// Makes a run current as a new set of so many blocks.
[[gnu::always_inline]] inline void Slab::carve(PageAllocator& pages, Region& region, Page& page, Run run, std::uint32_t blocks) {
  leave_current(pages);
  page.word = 0;
  page.kind = PageKind::set;
  page.class_index = index_;
  page.block_count = static_cast<std::uint8_t>(blocks);
  page.front = front_line_;
  region.mark_distances(run);
  total_blocks_ += blocks;
  pages_ += run.pages;
  carved_pages_ += run.pages.count;
  ++sets_;
  make_current(run.first, page, pages.regions().address(region, run.first));
  offer(all_blocks(blocks), blocks);
}

[[gnu::always_inline]] inline bool Slab::carve_kept(PageAllocator& pages) {
  if (!pages.is_roomy()) return false;
  const SetShape shape = next_shape(pages);
  if (!pages.cache().has(shape.page_count)) return false;
  const PageNumber head = pages.cache().last_of(shape.pages());
  Region& region = pages.regions().of(head);
  Page& page = region.page(head);
  pages.take_kept(shape.pages(), page);
  carve(pages, region, page, {head, shape.pages()}, shape.blocks);
  return true;
}

[[gnu::always_inline]] inline void Slab::release(PageAllocator& pages, PageNumber set, Page& page) {
  const Run run = run_of(set, page, pages.regions().page_shift());
  total_blocks_ -= page.block_count;
  pages_ -= run.pages;
  --sets_;
  page.word = run.pages.count;
  page.block_count = 0;
  page.front = no_front;
  page.class_index = 0;
  pages.recent().end_if(page, front_->deallocations);
  pages.give(run.first, run.pages, page);
}

[[gnu::always_inline]] inline void Slab::settle_empty(PageAllocator& pages, PageNumber set, Page& page) {
  if (set == current_number_) [[unlikely]]
    return leave_empty(pages, set, page);
  if (page.front != no_front) {  // a set of one block goes from full to empty without being listed
    pages.regions().unlink(partial_, set);
    --listed_;
    lead_to(partial_.first);
  }
  if (free_in_current() == 0) [[unlikely]]
    return keep_empty(pages, set, page);
  release(pages, set, page);
}

inline void Slab::settle(PageAllocator& pages, PageNumber set, Page& page) {
  if (page.word == 0) {
    settle_empty(pages, set, page);
  } else if (page.front == no_front) {
    list(pages, set, page);
  }
}

inline void Slab::put(PageAllocator& pages, PageNumber set, Page& page, std::size_t block) {
  page.word &= ~(std::uint64_t{1} << block);
  ++front_->deallocations;
  settle(pages, set, page);
}

static_assert(sizeof(void*) != 8 || sizeof(Slab) == 64, "small heaps have no page to spare");

}  // namespace slabheap
