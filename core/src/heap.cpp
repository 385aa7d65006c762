// Creation, routing, and allocation where the fast path ends.
#include "slabheap/core/heap.hpp"

#include <new>

#include "slabheap/core/memory.hpp"

namespace slabheap {
namespace {

constexpr unsigned max_page_shift = std::countr_zero(max_page_bytes);

static_assert(ExactDivisor::quotients == max_set_blocks, "an exact quotient is a bit of a set's word");

/// The least of so many classes whose blocks, `bytes_of(index)` long, hold a request with this last byte; how many there are if
/// there is none.
template <typename BytesOf>
std::size_t class_holding(std::size_t last, std::size_t count, BytesOf bytes_of) {
  std::size_t first = 0;
  while (count > 0) {
    const std::size_t half = count / 2;
    if (bytes_of(first + half) > last) {
      count = half;
    } else {
      first += half + 1;
      count -= half + 1;
    }
  }
  return first;
}

/// What the routing table says of a granule: the front of the class that serves all its requests, or that of none. A request that
/// is aligned to more than 8 bytes ends with a granule, on a multiple of its alignment.
std::size_t front_of_granule(const Configuration& configuration, std::size_t granule) {
  const std::size_t first = granule << granule_shift;
  const std::size_t end = first + (std::size_t{1} << granule_shift);
  const std::size_t index =
      class_holding(first, configuration.class_count, [&](std::size_t i) { return configuration.classes[i]; });
  const std::size_t bytes = configuration.classes[index];
  return bytes >= end && alignment_of(bytes, configuration.page_shift) >= lowest_bit(end) ? index + 1 : no_slab;
}

}  // namespace

std::size_t Heap::own_bytes(const Configuration& configuration) {
  const std::size_t fronts = (configuration.class_count + 1) * sizeof(SlabFront);
  const std::size_t slabs = round_up(configuration.class_count * sizeof(Slab), alignof(std::max_align_t));
  const std::size_t layer = PageAllocator::layer_bytes(configuration.pages);
  return sizeof(Heap) + table_bytes(configuration.routed_bytes) + fronts + slabs + layer;
}

Heap::Heap(const Configuration& configuration, const Options& options)
    : routed_bytes_{configuration.routed_bytes},
      page_shift_{static_cast<std::uint8_t>(configuration.page_shift)},
      class_count_{static_cast<std::uint8_t>(configuration.class_count)},
      set_blocks_{static_cast<std::uint8_t>(configuration.set_blocks)},
      fronts_{reinterpret_cast<SlabFront*>(reinterpret_cast<std::byte*>(this) + distance_of(no_slab))},
      pages_{configuration.page_shift, configuration.pages, configuration.has_cache,
             reinterpret_cast<std::byte*>(this) + own_bytes(configuration) - PageAllocator::layer_bytes(configuration.pages)},
      hooks_{options.hooks},
      owner_{options.owner} {
  make_slabs(configuration);
}

void Heap::make_slabs(const Configuration& configuration) {
  new (fronts()) SlabFront{};
  std::size_t below = 0;
  for (std::uint8_t index = 0; index < class_count_; ++index) {
    const std::size_t bytes = configuration.classes[index];
    auto& front = *new (fronts() + index + 1) SlabFront{};
    new (slabs() + index) Slab{front, front_line(front), index, bytes, below, configuration.page_shift};
    below = bytes;
  }
  for (std::size_t granule = 0; granule < routed_bytes_ >> granule_shift; ++granule) {
    table()[granule] = distance_of(front_of_granule(configuration, granule));
  }
}

/// How far behind the heap a front begins.
std::uint16_t Heap::distance_of(std::size_t front) const {
  static_assert((sizeof(Heap) + table_bytes(most_routed_bytes)) / sizeof(SlabFront) + max_classes <= 0xff,
                "a byte says in which line the last front is");
  return static_cast<std::uint16_t>(sizeof(Heap) + table_bytes(routed_bytes_) + front * sizeof(SlabFront));
}

/// Whether all that was made for good, in front of the first region and in it, is as it was. Until then, validation trusts no
/// more than the pointers to the regions.
bool Heap::is_as_made() const {
  const auto heap = reinterpret_cast<Address>(this);
  if (routed_bytes_ > most_routed_bytes || reinterpret_cast<Address>(fronts_) != heap + distance_of(no_slab)) return false;
  const auto slabs_end = reinterpret_cast<Address>(slabs() + class_count_);
  if (class_count_ > max_classes || page_shift_ > max_page_shift || slabs_end > reinterpret_cast<Address>(regions().first()))
    return false;
  std::size_t classes[max_classes];
  for (std::size_t i = 0; i < class_count_; ++i) classes[i] = fronts()[i + 1].block_bytes;
  Options options;
  options.classes = classes;
  options.class_count = class_count_;
  options.set_blocks = set_blocks_;
  options.page_bytes = std::size_t{1} << page_shift_;
  options.pages = pages_.kind();
  options.has_pages = true;
  if (problem_of(options) != nullptr) return false;
  Configuration configuration = configuration_of(options, 0);
  if (!is_routed_end(routed_bytes_, classes[class_count_ - 1])) return false;
  configuration.routed_bytes = routed_bytes_;
  return pages_.is_as_made(heap, own_bytes(configuration), page_shift_) && has_slabs_as_made(configuration) &&
         looks_at_a_region();
}

bool Heap::has_slabs_as_made(const Configuration& configuration) const {
  if (fronts()[no_slab] != SlabFront{}) return false;
  std::size_t below = 0;
  for (std::uint8_t index = 0; index < class_count_; ++index) {
    const SlabFront& front = fronts()[index + 1];
    if (!slabs()[index].is_as_made(front, front_line(front), index, below, regions(), set_blocks_)) return false;
    below = configuration.classes[index];
  }
  for (std::size_t granule = 0; granule < routed_bytes_ >> granule_shift; ++granule) {
    if (table()[granule] != distance_of(front_of_granule(configuration, granule))) return false;
  }
  return true;
}

Heap::Created Heap::create(Span memory, const Options& options, bool is_zero, std::uint32_t tag) {
  if (problem_of(options) != nullptr || memory.bytes > ~memory.start) return {nullptr, Status::invalid_argument};
  const Configuration configuration = configuration_of(options, memory.bytes);
  if (memory.bytes >> configuration.page_shift > max_region_pages) return {nullptr, Status::invalid_argument};
  const std::size_t extra = own_bytes(configuration);
  const MetadataNeed need = PageAllocator::first_need(extra, configuration.page_shift, configuration.pages);
  const RegionPlan plan = RegionPlan::make(memory, need);
  if (plan.page_count == 0) return {nullptr, Status::too_small};

  auto* heap = new (reinterpret_cast<void*>(plan.metadata)) Heap{configuration, options};
  const Status status = heap->pages_.add(memory, plan, need, is_zero, tag);
  if (status != Status::ok) return {nullptr, status};
  heap->look_at(heap->regions().by_address(0));
  heap->reshape();
  return {heap, Status::ok};
}

Status Heap::add_memory(Span memory, bool is_zero, std::uint32_t tag) {
  if (memory.start == 0 || memory.bytes > ~memory.start) return Status::invalid_argument;
  if (memory.bytes >> page_shift_ > max_region_pages) return Status::invalid_argument;
  const MetadataNeed need = pages_.next_need();
  const RegionPlan plan = RegionPlan::make(memory, need);
  if (plan.page_count == 0) return Status::too_small;
  const Status status = pages_.add(memory, plan, need, is_zero, tag);
  if (status == Status::ok) reshape();
  return status;
}

/// Fits the sets of every slab to the size of the heap.
void Heap::reshape() {
  for (std::size_t i = 0; i < class_count_; ++i) slabs()[i].reshape(regions(), set_blocks_);
}

/// What the table says of a granule.
std::size_t Heap::routed_front(std::size_t granule) const {
  return (table()[granule] - std::size_t{distance_of(no_slab)}) / sizeof(SlabFront);
}

/// The least class whose blocks hold a request with this last byte, which is in the largest.
std::size_t Heap::route(std::size_t last) const {
  if (last < routed_bytes_) {
    const std::size_t granule = last >> granule_shift;
    std::size_t front = routed_front(granule);
    // If it is passed by for some alignment that a request may have, what is before it is not.
    if (front == no_slab && granule != 0) front = routed_front(granule - 1);
    if (front != no_slab && fronts()[front].block_bytes > last) return front - 1;
  }
  return class_holding(last, class_count_, [this](std::size_t i) -> std::size_t { return fronts()[i + 1].block_bytes; });
}

/// The least class whose blocks hold the size and honour the alignment; `no_class` if the request goes to whole pages.
std::size_t Heap::class_for(std::size_t size, std::size_t align) const {
  const std::size_t last = last_byte(size == 0 ? 1 : size, align);
  if (last >= largest_class()) return no_class;
  std::size_t index = route(last);
  while (index < class_count_ && !slabs()[index].front().serves(align)) ++index;
  return index < class_count_ ? index : no_class;
}

std::size_t Heap::usable_size(std::size_t size, std::size_t align) const {
  if (!is_valid(size, align)) return 0;
  const std::size_t index = class_for(size, align);
  return index != no_class ? slabs()[index].block_bytes() : regions().pages_for(size) << page_shift_;
}

void* Heap::allocate_large(std::size_t size, std::size_t align) {
  const std::size_t count = regions().pages_for(size);
  const std::size_t alignment = regions().pages_for(align);
  if (count > max_region_pages || alignment > max_region_pages) return nullptr;
  const PageNumber head =
      large_.take(pages_, {static_cast<std::uint32_t>(count)}, {static_cast<std::uint32_t>(alignment)}, is_routed_whole());
  return head == no_page ? nullptr : reinterpret_cast<void*>(regions().address(head));
}

/// A block of a class, or a large one if there is `no_class`.
[[gnu::always_inline]] inline void* Heap::allocate_in(std::size_t index, std::size_t size, std::size_t align) {
  if (index == no_class) return allocate_large(size, align);
  SlabFront& front = fronts()[index + 1];
  return front.offered != 0 || slabs()[index].refill(pages_) ? front.hand_out() : nullptr;
}

void* Heap::allocate_again(std::size_t size, std::size_t align) {
  const std::size_t index = class_for(size, align);
  return attempt_again(size, align, [=, this] { return allocate_in(index, size, align); });
}

/// A request beyond what the table routes: larger than every class, or that no class is aligned enough for, or for nothing; or of
/// a class that lies beyond the table, in a heap where no run is marked for this way.
void* Heap::allocate_kept(std::size_t size, std::size_t align) {
  const std::size_t count = ((size - 1) >> page_shift_) + 1;
  const bool is_page_aligned = ((align - 1) & (align | (std::size_t{1} << page_shift_))) == 0;
  if (!is_page_aligned) [[unlikely]]
    return allocate_slowly(size, align);
  return large_.take_kept(pages_, count, [=, this] { return allocate_pages(size, align, count); });
}

/// The same, aligned to a page at the most, and no run of so many pages is kept. If they are few, the size is neither nothing nor
/// too much; and if no class lies beyond the table, the request is no class's.
void* Heap::allocate_pages(std::size_t size, std::size_t align, std::size_t count) {
  if (count > RunCache::max_run_pages || !is_routed_whole()) return allocate_slowly(size, align);
  void* block = allocate_large(size, align);
  return block != nullptr ? block : allocate_again(size, align);
}

/// What was just refilled; frees look there first.
[[gnu::always_inline]] inline void* Heap::hand_out_first(SlabFront& front) {
  look_first_in_current(front);
  return front.hand_out();
}

// By a front that has nothing left to offer. What is usual is a function of its own, which saves no register for what is not.
void* Heap::allocate_refilled(std::size_t size, std::size_t align, SlabFront& front) {
  if (&front == fronts()) return allocate_closely(size, align);
  Slab& slab = slab_of(front);
  if (slab.offer_again()) return hand_out_first(front);
  return slab.list().empty() ? allocate_carved(size, align, front) : allocate_turned(size, align, front);
}

/// Of a granule for which the table names no class: several share it, or one serves only some of its requests.
void* Heap::allocate_closely(std::size_t size, std::size_t align) {
  SlabFront& front = fronts()[route(last_byte(size, align)) + 1];
  if (!front.serves(align)) return allocate_slowly(size, align);
  return front.offered != 0 ? front.hand_out() : allocate_refilled(size, align, front);
}

void* Heap::allocate_turned(std::size_t size, std::size_t align, SlabFront& front) {
  return slab_of(front).turn_to_listed(pages_) ? hand_out_first(front) : allocate_carved(size, align, front);
}

void* Heap::allocate_carved(std::size_t size, std::size_t align, SlabFront& front) {
  return slab_of(front).carve_kept(pages_) ? hand_out_first(front) : allocate_otherwise(size, align, front);
}

void* Heap::allocate_otherwise(std::size_t size, std::size_t align, SlabFront& front) {
  return slab_of(front).turn_to_other(pages_) ? hand_out_first(front) : allocate_again(size, align);
}

/// What the fast path could not serve.
void* Heap::allocate_slowly(std::size_t size, std::size_t align) {
  const std::size_t index = class_for(size, align);  // no class serves what is no power of two
  if (index == no_class && !is_valid(size, align)) return nullptr;
  void* block = allocate_in(index, size, align);
  return block != nullptr ? block : allocate_again(size, align);
}

/// A block, whose place this is, if it can take a new size where it is, and otherwise a new one; null: there is no memory, or no
/// block any more.
void* Heap::resize_or_allocate(const Place& place, void* block, std::size_t new_size, std::size_t align) {
  if (place.status != Status::ok) return nullptr;
  return resize_in_place(place, new_size, align) ? block : allocate_in(class_for(new_size, align), new_size, align);
}

void* Heap::allocate_zeroed(std::size_t size, std::size_t align) {
  void* block = allocate(size, align);
  if (block != nullptr) zero_bytes(block, size);
  return block;
}

std::size_t Heap::release_kept() {
  const std::uint64_t used = pages_.used_pages();
  settle_recent();
  for (std::size_t i = 0; i < class_count_; ++i) slabs()[i].release_kept(pages_);
  pages_.empty_cache();
  return static_cast<std::size_t>(bytes_of(used - pages_.used_pages()));
}

void Heap::reset() {
  pages_.give_all([this](const Region& region, PageNumber head) { return run_at(region, head); });
  for (std::size_t i = 0; i < class_count_; ++i) slabs()[i].forget_all();
  large_.forget_all();
}

}  // namespace slabheap
