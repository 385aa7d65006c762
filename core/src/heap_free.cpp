// Where a pointer leads, and what a free or a reallocation does with it.
#include "slabheap/core/heap.hpp"
#include "slabheap/core/memory.hpp"

namespace slabheap {

Run Heap::run_at(const Region& region, PageNumber head) const {
  const Page& page = region.page(head);
  if (page.kind == PageKind::set) return slabs()[page.class_index].run_of(head, page, page_shift_);
  return {head, {static_cast<std::uint32_t>(page.word)}};
}

/// A block of a set; `head` is its head.
Heap::Place Heap::place_in_set(Region& region, PageNumber head, Address address) const {
  const Page& page = region.page(head);
  const Slab& slab = slabs()[page.class_index];
  const std::size_t within = address - regions().address(head);
  const Quotient index = slab.front().divisor.divide(within);
  const std::size_t block = index.exact ? index.value : within / slab.block_bytes();
  Place place{Status::ok, &region, head, const_cast<Slab*>(&slab), block};
  if (block >= page.block_count || (page.word >> block & 1) == 0) {
    place.status = Status::not_allocated;
  } else if (!index.exact) {
    place.status = Status::misaligned;
  }
  return place;
}

Heap::Place Heap::place_of(Address address) const {
  Region* region = regions().find(address);
  if (region == nullptr) return {};
  Place place{Status::not_allocated, region, no_page, nullptr, 0};
  if (!region->holds_page(address)) return place;

  const auto offset = static_cast<std::uint32_t>((address - region->pages_start) >> page_shift_);
  const PageNumber page = region->first + Pages{offset};
  const PageNumber head = page - Pages{region->head_distances[offset]};
  // The distance is a hint: see whether the set is one, and reaches so far.
  if (region->page(head).block_count != 0 && run_at(*region, head).holds(page)) return place_in_set(*region, head, address);

  place.head = LargeBlocks::head_of(*region, page);
  if (place.head == no_page) return place;
  place.status = regions().address(place.head) == address ? Status::ok : Status::misaligned;
  return place;
}

bool Heap::has_layout(const Place& place, const void* block, std::size_t size, std::size_t align) const {
  if (place.slab != nullptr && place.slab->front().layouts.has(size, align)) return true;
  const std::size_t index = class_for(size, align);
  if (place.slab != nullptr) return is_of(index, *place.slab);
  const bool is_aligned = (reinterpret_cast<Address>(block) & (align - 1)) == 0;
  return index == no_class && is_aligned && regions().pages_for(size) == run_at(*place.region, place.head).pages.count;
}

std::size_t Heap::bytes_at(const Place& place) const {
  return place.slab != nullptr ? place.slab->block_bytes() : regions().bytes(run_at(*place.region, place.head).pages);
}

std::size_t Heap::block_size(const void* block) const {
  const Place place = place_of(reinterpret_cast<Address>(block));
  return place.status == Status::ok ? bytes_at(place) : 0;
}

/// The region that frees are looked for in first.
void Heap::look_at(Region& region) {
  look_first_in_none();
  view_start_ = region.pages_start;
  view_bytes_ = region.pages_bytes;
  view_pages_ = region.pages;
  view_head_distances_ = region.head_distances;
  view_first_ = region.first;
  pages_.recent().set = view_pages_;
}

bool Heap::looks_at_a_region() const {
  for (std::uint32_t i = 0; i < regions().count(); ++i) {
    const Region& region = regions().by_address(i);
    if (view_start_ != region.pages_start) continue;
    return view_bytes_ == region.pages_bytes && view_pages_ == region.pages && view_head_distances_ == region.head_distances &&
           view_first_ == region.first && is_recent_in(region);
  }
  return false;
}

/// Whether the recent set, if there is one, is a set of the region that has a front. If there is none, what frees look at is a
/// descriptor of the region all the same.
bool Heap::is_recent_in(const Region& region) const {
  const RecentSet& recent = pages_.recent();
  const std::size_t offset = reinterpret_cast<Address>(recent.set) - reinterpret_cast<Address>(region.pages);
  const std::size_t page = offset / sizeof(Page);
  if (page >= region.page_count || page * sizeof(Page) != offset) return false;
  if (recent.bytes == 0) return recent.freed == 0;
  const Page& set = *recent.set;
  const bool has_front = set.front > front_line(fronts()[no_slab]) && set.front <= front_line(fronts()[class_count_]);
  if (set.kind != PageKind::set || !has_front) return false;
  const SlabFront& front = front_of(set);
  return recent.start == region.pages_start + (page << page_shift_) &&
         recent.bytes == std::size_t{set.block_count} * front.block_bytes && recent.divisor == front.divisor &&
         recent.layouts == front.layouts;
}

Status Heap::refuse(const void* block, Status status) {
  ++rejected_frees_;
  if (hooks_.refused_free != nullptr) hooks_.refused_free(*this, block, status);
  return status;
}

/// Settles a set of the region looked at that is empty.
Status Heap::settle_empty(Page& set) {
  slabs()[set.class_index].settle_empty(pages_, view_number(set), set);
  return Status::ok;
}

/// Gives the recent set back if it is empty. Any other stays the recent one.
void Heap::settle_recent() {
  if (pages_.recent().set->word == 0) look_first_in_none();
}

/// Looks first in a set, of the region looked at, where a block was just freed.
Status Heap::look_next_in(Page& set) {
  look_first_in(set, view_start_of(set), front_of(set));
  return Status::ok;
}

Status Heap::free_at(const Place& place) {
  if (place.region->pages_start != view_start_) look_at(*place.region);
  if (place.slab == nullptr) {
    large_.give(pages_, place.head, place.region->page(place.head));
  } else {
    Page& set = place.region->page(place.head);
    place.slab->put(pages_, place.head, set, place.block);
    if (set.front != no_front) return look_next_in(set);  // otherwise it was empty, and is no set any more
  }
  return Status::ok;
}

/// The index, among the pages of the region looked at, of the one that a large block begins with at this address.
[[gnu::always_inline]] inline std::size_t Heap::large_block_at(Address address) const {
  const std::size_t offset = address - view_start_;
  const std::size_t page = offset >> page_shift_;
  const bool is_at_page = offset < view_bytes_ && page << page_shift_ == offset;
  return is_at_page && view_pages_[page].kind == PageKind::large ? page : no_index;
}

[[gnu::always_inline]] inline Status Heap::free_large(std::size_t page) {
  const PageNumber head = view_first_ + Pages{static_cast<std::uint32_t>(page)};
  return large_.give_kept(pages_, head, view_pages_[page]) ? Status::ok : free_large_otherwise(head, view_pages_[page]);
}

Status Heap::free_large_otherwise(PageNumber head, Page& page) {
  large_.give(pages_, head, page);
  return Status::ok;
}

/// Frees a block that is not in the recent set, with a layout that the table routes: to the front at this distance, of a slab
/// that serves it, or of none, which no set names.
Status Heap::deallocate_elsewhere(void* block, std::size_t size, std::size_t align, std::size_t distance) {
  const auto quickly = [ =, this ](Page & set, std::size_t within) __attribute__((always_inline)) {
    if (set.front * sizeof(SlabFront) != distance) [[unlikely]]
      return deallocate_otherwise(block, size, align, set);
    SlabFront& front = front_at(distance);
    return put_back(spot_in(set, within, front), [=, this, &front] { return deallocate_from(block, front); });
  };
  return in_view(block, quickly, [=, this] { return deallocate_slowly(block, size, align); });
}

/// The same, with a layout that the table does not route, or for which it names no class.
Status Heap::deallocate_unrouted(void* block, std::size_t size, std::size_t align) {
  const auto quickly = [ =, this ](Page & set, std::size_t within) __attribute__((always_inline)) {
    if (set.front == no_front || !front_of(set).layouts.has(size, align)) [[unlikely]]
      return deallocate_otherwise(block, size, align, set);
    SlabFront& front = front_of(set);
    return put_back(spot_in(set, within, front), [=, this, &front] { return deallocate_from(block, front); });
  };
  return in_view(block, quickly, [=, this] { return deallocate_slowly(block, size, align); });
}

Status Heap::free_elsewhere(void* block) {
  const auto quickly = [ =, this ](Page & set, std::size_t within) __attribute__((always_inline)) {
    if (set.front == no_front) [[unlikely]]
      return free_otherwise(block, set);
    return put_back(spot_in(set, within, front_of(set)), [=, this, &set] { return free_otherwise(block, set); });
  };
  return in_view(block, quickly, [=, this] { return free_slowly(block); });
}

/// Frees a block of the region looked at; `set` is where the fast path looked: the set is full, or holds no such block, or is
/// none.
Status Heap::free_otherwise(void* block, Page& set) {
  return free_in_set(set, reinterpret_cast<Address>(block), [=, this] {
    const std::size_t page = large_block_at(reinterpret_cast<Address>(block));
    return page != no_index ? free_large(page) : free_slowly(block);
  });
}

Status Heap::free_slowly(void* block) {
  if (block == nullptr) return Status::ok;
  const Place place = place_of(reinterpret_cast<Address>(block));
  return place.status == Status::ok ? free_at(place) : refuse(block, place.status);
}

/// With a layout that the table does not route: the fast path is that of a large block in the region looked at.
Status Heap::deallocate_large(void* block, std::size_t size, std::size_t align) {
  const auto address = reinterpret_cast<Address>(block);
  const std::size_t page = large_block_at(address);
  if (page == no_index) [[unlikely]]
    return deallocate_unrouted(block, size, align);
  // Aligned to a power of two: to zero, no address is.
  if (((align - 1) & (align | address)) != 0) [[unlikely]]
    return deallocate_slowly(block, size, align);
  const bool is_as_long = view_pages_[page].word == ((size - 1) >> page_shift_) + 1;
  const bool is_in_no_class = view_pages_[page].class_index == short_way || size > largest_class();
  return is_as_long && is_in_no_class ? free_large(page) : deallocate_slowly(block, size, align);
}

Status Heap::deallocate_slowly(void* block, std::size_t size, std::size_t align) {
  if (block == nullptr) return Status::ok;
  if (!is_power_of_two(align)) return refuse(block, Status::invalid_argument);
  const Place place = place_of(reinterpret_cast<Address>(block));
  if (place.status != Status::ok) return refuse(block, place.status);
  return has_layout(place, block, size, align) ? free_at(place) : refuse(block, Status::wrong_layout);
}

/// Frees a block whose layout does not lead to the front of `set`, where the fast path looked: the set is full, or holds no such
/// block, or is none; or the table names no class, since several share the granule or one does not serve all of it; or a smaller
/// class would hold the size but does not honour the alignment; or the layout is wrong.
Status Heap::deallocate_otherwise(void* block, std::size_t size, std::size_t align, Page& set) {
  if (set.block_count == 0) return deallocate_slowly(block, size, align);
  const SlabFront& front = fronts()[set.class_index + 1];
  if (!front.has_slowly(size, align)) return deallocate_passed_by(block, size, align, set);
  if (&front == &front_of(set) && front.serves_all()) return deallocate_unrouted(block, size, align);
  return free_in_set(set, reinterpret_cast<Address>(block), [=, this] { return deallocate_slowly(block, size, align); });
}

/// The same, of a set, where a smaller class would hold the size but does not honour the alignment; or the layout is wrong.
Status Heap::deallocate_passed_by(void* block, std::size_t size, std::size_t align, Page& set) {
  if (class_for(size, align) != set.class_index) return deallocate_slowly(block, size, align);
  return free_in_set(set, reinterpret_cast<Address>(block), [=, this] { return deallocate_slowly(block, size, align); });
}

/// Frees a block in use of a set, whose descriptor is in the region looked at. It is no such block, or this no set: what
/// `otherwise()` returns.
template <typename Otherwise>
[[gnu::always_inline]] inline Status Heap::free_in_set(Page& set, Address address, Otherwise otherwise) {
  if (set.block_count == 0) return otherwise();
  SlabFront& front = fronts()[set.class_index + 1];
  const Address start = view_start_of(set);
  const Quotient index = front.divisor.divide(address - start);
  if (!index.exact) return otherwise();
  const Cleared left = clear_bit(set.word, index.value);
  if (!left.had_bit) return otherwise();
  set.word = left.word;
  ++front.deallocations;
  if (left.word == 0) [[unlikely]]
    return settle_empty(set);
  look_first_in(set, start, front);
  if (set.front == no_front) slab_of(front).list(pages_, view_number(set), set);
  return Status::ok;
}

/// Frees a block with a layout that routes to the slab of this front.
Status Heap::deallocate_from(void* block, const SlabFront& front) {
  const Place place = place_of(reinterpret_cast<Address>(block));
  if (place.status != Status::ok) return refuse(block, place.status);
  const bool is_of_slab = place.slab != nullptr && &place.slab->front() == &front;
  return is_of_slab ? free_at(place) : refuse(block, Status::wrong_layout);
}

/// Whether the block could take the new size without moving, and now has it.
bool Heap::resize_in_place(const Place& place, std::size_t new_size, std::size_t align) {
  const std::size_t index = class_for(new_size, align);
  if (place.slab != nullptr) return is_of(index, *place.slab);
  const std::size_t count = regions().pages_for(new_size);
  if (index != no_class || count > max_region_pages) return false;
  settle_recent();  // it may lie behind the block
  return LargeBlocks::resize(pages_, place.head, {static_cast<std::uint32_t>(count)});
}

/// Moves what a block with this layout has into a new one, if there is one, and frees it.
void* Heap::move_to(void* moved, void* block, std::size_t size, std::size_t align, std::size_t new_size) {
  if (moved == nullptr) return nullptr;
  copy_bytes(moved, block, size < new_size ? size : new_size);
  (void)deallocate(block, size, align);
  return moved;
}

/// The fast path: a block of a set, in the region looked at.
void* Heap::reallocate(void* block, std::size_t size, std::size_t align, std::size_t new_size) {
  const auto slowly = [=, this] { return reallocate_slowly(block, size, align, new_size); };
  const auto quickly = [ =, this ](const Layouts& layouts, const Spot& spot) __attribute__((always_inline)) {
    if (!layouts.has(size, align)) [[unlikely]]
      return slowly();
    const std::size_t last = last_byte(new_size, align);
    const bool stays = layouts.has_last(last);
    // Where the table names no class, the one that serves the request may be the block's; and so may the least, for nothing.
    const bool is_routed = last < routed_bytes_ ? &front_for(last) != fronts() : new_size > largest_class();
    if (!stays && !is_routed) return slowly();
    const auto resized = [=, this](std::uint64_t) {
      return stays ? block : move_to(allocate(new_size, align), block, size, align, new_size);
    };
    return at_block(spot, resized, slowly);
  };
  const auto in_recent = [ =, this ](RecentSet & recent, std::size_t within) __attribute__((always_inline)) {
    return quickly(recent.layouts, spot_in(recent, within));
  };
  const auto in_set = [ =, this ](Page & set, std::size_t within) __attribute__((always_inline)) {
    if (set.front == no_front) [[unlikely]]
      return slowly();
    SlabFront& front = front_of(set);
    return quickly(front.layouts, spot_in(set, within, front));
  };
  return in_recent_set(
      block, in_recent, [ =, this ]() __attribute__((always_inline)) { return in_view(block, in_set, slowly); });
}

void* Heap::reallocate_slowly(void* block, std::size_t size, std::size_t align, std::size_t new_size) {
  if (block == nullptr) return allocate(new_size, align);
  const Place place = place_of(reinterpret_cast<Address>(block));
  Status status = place.status;
  if (!is_power_of_two(align)) status = Status::invalid_argument;
  if (status == Status::ok && !has_layout(place, block, size, align)) status = Status::wrong_layout;
  if (status != Status::ok) {
    (void)refuse(block, status);
    return nullptr;
  }
  if (!is_valid(new_size, align)) return nullptr;
  void* resized = resize_or_allocate(place, block, new_size, align);
  if (resized == nullptr) {
    // What is given up now may lie behind the block.
    resized = attempt_again(new_size, align, [=, this] {
      return resize_or_allocate(place_of(reinterpret_cast<Address>(block)), block, new_size, align);
    });
  }
  return resized == block ? block : move_to(resized, block, size, align, new_size);
}

}  // namespace slabheap
