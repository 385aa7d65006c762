#include "slabheap/core/regions.hpp"

#include <new>

#include "slabheap/core/memory.hpp"

namespace slabheap {
namespace {

constexpr std::size_t metadata_alignment = 64;  // a cache line: the heap object comes first and its hot fields fill lines
constexpr std::size_t region_bytes = round_up(sizeof(Region), sizeof(Page));

/// What the page layer keeps of a region of so many pages.
std::size_t layer_bytes(const MetadataNeed& need, std::size_t page_count) {
  return round_up(need.layer_bytes(static_cast<std::uint32_t>(page_count)), sizeof(Page));
}

/// The number of whole pages in `room` bytes.
std::size_t whole_pages(std::size_t room, unsigned page_shift) {
  const std::size_t count = room >> page_shift;
  return count < max_region_pages ? count : max_region_pages;
}

/// No span of these bytes holds more pages: each costs its bytes and those of its descriptor.
std::size_t most_pages(Span span, const MetadataNeed& need) {
  const std::size_t fixed = need.extra + region_bytes;
  if (span.bytes <= fixed) return 0;
  const std::size_t count = (span.bytes - fixed) / ((std::size_t{1} << need.page_shift) + metadata_per_page);
  return count < max_region_pages ? count : max_region_pages;
}

/// The largest count, at most `most`, for which `fitting(count)` pages are enough. Fewer pages need no more metadata, so every
/// smaller count fits, too.
template <typename Fitting>
std::size_t largest_fitting(std::size_t most, Fitting fitting) {
  std::size_t least = 0;
  while (least < most) {
    const std::size_t middle = most - (most - least) / 2;
    if (fitting(middle) >= middle) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return least;
}

RegionPlan plan_metadata_first(Span span, const MetadataNeed& need) {
  const std::size_t page_bytes = std::size_t{1} << need.page_shift;
  const Address end = span.start + span.bytes;
  const Address metadata = round_up(span.start, metadata_alignment);
  if (metadata < span.start) return {};
  const auto pages_for = [&](std::size_t count) { return round_up(metadata + need.bytes(count), page_bytes); };
  const std::size_t count = largest_fitting(most_pages(span, need), [&](std::size_t tried) -> std::size_t {
    const Address pages = pages_for(tried);
    return pages >= metadata && pages < end ? whole_pages(end - pages, need.page_shift) : 0;
  });
  if (count == 0) return {};
  // A page may be too short for another with its descriptor: it is left over in front, for the end is what may be aligned.
  const Address pages = round_down(end, page_bytes) - (count << need.page_shift);
  return {pages, static_cast<std::uint32_t>(count), metadata, need.bytes(count)};
}

RegionPlan plan_pages_first(Span span, const MetadataNeed& need) {
  const Address end = span.start + span.bytes;
  const Address pages = round_up(span.start, std::size_t{1} << need.page_shift);
  if (pages < span.start || pages >= end) return {};
  const auto metadata_for = [&](std::size_t count) { return round_down(end - need.bytes(count), metadata_alignment); };
  const std::size_t count = largest_fitting(most_pages(span, need), [&](std::size_t tried) -> std::size_t {
    const Address metadata = metadata_for(tried);
    return metadata >= pages && metadata < end ? whole_pages(metadata - pages, need.page_shift) : 0;
  });
  if (count == 0) return {};
  return {pages, static_cast<std::uint32_t>(count), metadata_for(count), need.bytes(count)};
}

/// The distances of every set, so that they are copied and not counted.
struct Distances {
  HeadDistance values[max_set_pages]{};

  constexpr Distances() {
    for (std::uint32_t i = 0; i < max_set_pages; ++i) values[i] = static_cast<HeadDistance>(i);
  }
};
constexpr Distances distances_of_a_set;

}  // namespace

void Region::lay_out(const Region* place, const MetadataNeed& need) {
  const Address start = reinterpret_cast<Address>(place) + region_bytes;
  const Address arrays = start + slabheap::layer_bytes(need, page_count);
  pages_bytes = std::size_t{page_count} << need.page_shift;
  layer = reinterpret_cast<void*>(start);
  pages = reinterpret_cast<Page*>(arrays);
  previous = reinterpret_cast<PageNumber*>(pages + page_count);
  head_distances = reinterpret_cast<HeadDistance*>(previous + page_count);
  zeroth_address = pages_start - (Address{first.value} << need.page_shift);
  zeroth_descriptor = arrays - Address{first.value} * sizeof(Page);
}

/// What lies on the shorter side of the run counts as touched, too.
void Region::touch(Run run) {
  if (run.end() <= untouched_first || run.first >= untouched_end) return;
  const PageNumber lower = run.first > untouched_first ? run.first : untouched_first;
  const PageNumber upper = run.end() < untouched_end ? run.end() : untouched_end;
  if (lower - untouched_first <= untouched_end - upper) {
    untouched_first = upper;
  } else {
    untouched_end = lower;
  }
}

void Regions::push_back_among(List& list, PageNumber number) {
  push_back(list, number, [this](PageNumber any) -> Region& { return of(any); });
}

void Regions::unlink_among(List& list, PageNumber number) {
  unlink(list, number, [this](PageNumber any) -> Region& { return of(any); });
}

void Region::mark_distances(HeadDistance* distances, Pages pages) {
  copy_bytes(distances, distances_of_a_set.values, pages.count * sizeof(HeadDistance));
}

std::size_t MetadataNeed::bytes(std::size_t page_count) const {
  return extra + region_bytes + slabheap::layer_bytes(*this, page_count) + page_count * metadata_per_page;
}

RegionPlan RegionPlan::make(Span span, const MetadataNeed& need) {
  const RegionPlan front = plan_metadata_first(span, need);
  const RegionPlan back = plan_pages_first(span, need);
  return back.page_count > front.page_count ? back : front;
}

Status Regions::add(Span span, const RegionPlan& plan, const MetadataNeed& need, bool is_zero, std::uint32_t tag) {
  std::uint32_t place = count_;
  for (std::uint32_t i = count_; i-- > 0;) {
    if (by_address(i).given.overlaps(span)) return Status::overlap;
    if (by_address(i).given.start > span.start) place = i;
  }
  const PageNumber first = number_for(plan.pages, plan.page_count);
  if (count_ == max_regions || first == no_page) return Status::too_many_regions;

  if (!is_zero) zero_bytes(reinterpret_cast<void*>(plan.metadata + need.extra), plan.metadata_bytes - need.extra);
  auto* region = new (reinterpret_cast<void*>(plan.metadata + need.extra)) Region{};
  region->pages_start = plan.pages;
  region->page_count = plan.page_count;
  region->first = first;
  region->lay_out(region, need);
  region->tag = tag;
  region->fresh = region->end();
  region->untouched_first = first;
  region->untouched_end = region->end();
  region->longest_order = no_order;
  region->given = span;
  region->metadata_bytes = plan.metadata_bytes;

  if (count_ == 1) table_ = new (reinterpret_cast<void*>(plan.metadata)) Table{{first_}, {}, 0, {}};
  insert(region, place);
  page_count_ += plan.page_count;
  given_bytes_ += span.bytes;
  metadata_bytes_ += plan.metadata_bytes;
  return Status::ok;
}

/// Puts a region into its place in the order of addresses.
void Regions::insert(Region* region, std::uint32_t place) {
  if (count_ == 0) {
    first_ = region;
  } else {
    for (std::uint32_t i = count_; i > place; --i) table_->regions[i] = table_->regions[i - 1];
    table_->regions[place] = region;
  }
  if (++count_ == 1) return;
  note_orders();
  note_owners();
}

Regions::Chunks Regions::chunks_of(const Region& region) {
  return {region.first.value >> chunk_shift, (region.end() - Pages{1}).value >> chunk_shift};
}

/// Fills in whose each chunk of numbers is, as regions have other places now.
void Regions::note_owners() {
  for (std::uint8_t& owner : table_->chunk_owner) owner = no_region;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Chunks chunks = chunks_of(by_address(i));
    for (std::uint32_t chunk = chunks.first; chunk <= chunks.last; ++chunk)
      table_->chunk_owner[chunk] = static_cast<std::uint8_t>(i);
  }
}

/// Fills in the table's bits, likewise.
void Regions::note_orders() {
  table_->orders = 0;
  for (std::uint64_t& regions : table_->with_longest) regions = 0;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uint8_t order = by_address(i).longest_order;
    if (order == no_order) continue;
    table_->with_longest[order] |= std::uint64_t{1} << i;
    table_->orders |= std::uint32_t{1} << order;
  }
}

void Regions::set_longest_order(Region& region, std::uint8_t order) {
  const std::uint8_t before = region.longest_order;
  region.longest_order = order;
  if (count_ == 1 || order == before) return;
  const std::uint64_t bit = std::uint64_t{1} << table_->chunk_owner[region.first.value >> chunk_shift];
  if (before != no_order && (table_->with_longest[before] &= ~bit) == 0) table_->orders &= ~(std::uint32_t{1} << before);
  if (order == no_order) return;
  table_->with_longest[order] |= bit;
  table_->orders |= std::uint32_t{1} << order;
}

Region* Regions::with_order(unsigned order) const {
  if (count_ == 1) return first_->longest_order != no_order && first_->longest_order >= order ? first_ : nullptr;
  const std::uint32_t orders = table_->orders >> order;
  if (orders == 0) return nullptr;
  const std::uint64_t regions = table_->with_longest[order + static_cast<unsigned>(std::countr_zero(orders))];
  return table_->regions[std::countr_zero(regions)];
}

std::uint8_t Regions::longest_order() const {
  if (count_ == 1) return first_->longest_order;
  return table_->orders == 0 ? no_order : static_cast<std::uint8_t>(std::bit_width(table_->orders) - 1);
}

bool Regions::orders_are_noted() const {
  for (unsigned order = 0; count_ > 1 && order < order_count; ++order) {
    std::uint64_t regions = 0;
    for (std::uint32_t i = 0; i < count_; ++i) regions |= std::uint64_t{by_address(i).longest_order == order} << i;
    if (regions != table_->with_longest[order] || (table_->orders >> order & 1) != (regions != 0 ? 1U : 0U)) return false;
  }
  return true;
}

/// Up to how many pages numbers are congruent to addresses: a chunk at least, so that an alignment beyond the region's size is
/// seen for what it is.
std::uint64_t Regions::congruence_of(std::uint32_t page_count) {
  const std::uint64_t chunk_pages = std::uint64_t{1} << chunk_shift;
  const std::uint64_t region_pages = std::uint64_t{1} << order_for({page_count});
  return region_pages > chunk_pages ? region_pages : chunk_pages;
}

bool Regions::are_congruent_to(Pages alignment) const {
  if (alignment.count <= 1U << chunk_shift) return true;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Region& region = by_address(i);
    if ((((region.pages_start >> page_shift_) - region.first.value) & (alignment.count - 1)) != 0) return false;
  }
  return true;
}

/// A number for the first page that is congruent to its address (see units.hpp), in chunks that no region uses; `no_page` if
/// there are none.
PageNumber Regions::number_for(Address pages, std::uint32_t page_count) const {
  const std::uint64_t congruence = congruence_of(page_count);
  const std::uint64_t offset = (pages >> page_shift_) & (congruence - 1);
  for (std::uint64_t start = 0; start + offset + page_count <= no_page.value; start += congruence) {
    const std::uint64_t first = start + offset;
    const std::uint64_t first_chunk = first >> chunk_shift;
    const std::uint64_t last_chunk = (first + page_count - 1) >> chunk_shift;
    bool is_free = true;
    for (std::uint32_t i = 0; i < count_; ++i) {
      const Chunks chunks = chunks_of(by_address(i));
      is_free = is_free && (chunks.last < first_chunk || chunks.first > last_chunk);
    }
    if (is_free) return {static_cast<std::uint32_t>(first)};
  }
  return no_page;
}

/// Nothing that the region says of itself is followed, only compared.
bool Regions::is_sound(const Region& region, const MetadataNeed& need) const {
  const std::uint32_t count = region.page_count;
  if (region.given.bytes > ~region.given.start || count == 0 || count > region.given.bytes >> page_shift_) return false;
  const Span pages{region.pages_start, bytes({count})};
  const Span metadata{reinterpret_cast<Address>(&region) - need.extra, need.bytes(count)};
  if (!region.given.holds(pages) || !region.given.holds(metadata) || pages.overlaps(metadata)) return false;
  if ((pages.start & (page_bytes() - 1)) != 0 || region.metadata_bytes != metadata.bytes) return false;
  if (region.first.value > no_page.value - count) return false;
  if ((((pages.start >> page_shift_) - region.first.value) & (congruence_of(count) - 1)) != 0) return false;
  Region own = region;
  own.lay_out(&region, need);
  return own == region && region.first <= region.untouched_first && region.untouched_first <= region.untouched_end &&
         region.untouched_end <= region.end();
}

/// Whether each chunk of numbers is that of the region whose pages have them.
bool Regions::numbers_are_owned() const {
  if (count_ == 1) return true;
  std::uint8_t owners[chunk_count];
  for (std::uint8_t& owner : owners) owner = no_region;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Chunks chunks = chunks_of(by_address(i));
    for (std::uint32_t chunk = chunks.first; chunk <= chunks.last; ++chunk) {
      if (owners[chunk] != no_region) return false;
      owners[chunk] = static_cast<std::uint8_t>(i);
    }
  }
  for (std::uint32_t chunk = 0; chunk < chunk_count; ++chunk) {
    if (owners[chunk] != table_->chunk_owner[chunk]) return false;
  }
  return true;
}

bool Regions::are_sound(Address heap, const MetadataNeed& need) const {
  if (page_shift_ != need.page_shift || count_ == 0 || count_ > max_regions || (count_ == 1) != (table_ == nullptr)) return false;
  if (reinterpret_cast<Address>(first_) != heap + need.extra) return false;
  const void* const behind_table = count_ == 1 ? nullptr : table_ + 1;
  bool has_first = false;
  bool has_table = count_ == 1;
  Address end = 0;
  std::uint64_t pages = 0;
  std::size_t given = 0;
  std::size_t metadata = 0;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Region* region = table_ == nullptr ? first_ : table_->regions[i];
    if (region == nullptr || region->given.start < end) return false;
    MetadataNeed own = need;
    if (region != first_) own.extra = region == behind_table ? sizeof(Table) : 0;
    has_first = has_first || region == first_;
    has_table = has_table || region == behind_table;
    if (!is_sound(*region, own)) return false;
    end = region->given.start + region->given.bytes;
    pages += region->page_count;
    given += region->given.bytes;
    metadata += region->metadata_bytes;
  }
  return has_first && has_table && numbers_are_owned() && pages == page_count_ && given == given_bytes_ &&
         metadata == metadata_bytes_;
}

Region* Regions::find(Address address) const {
  std::uint32_t low = 0;
  std::uint32_t high = count_;
  while (low < high) {
    const std::uint32_t middle = (low + high) / 2;
    if (by_address(middle).given.start <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0 || !by_address(low - 1).given.holds(address)) return nullptr;
  return &by_address(low - 1);
}

bool Regions::has(PageNumber number) const {
  if (table_ == nullptr) return first_->run().holds(number);
  const std::uint8_t owner = table_->chunk_owner[number.value >> chunk_shift];
  return owner < count_ && by_address(owner).run().holds(number);
}

std::uint64_t Regions::untouched_pages() const {
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i < count_; ++i) count += (by_address(i).untouched_end - by_address(i).untouched_first).count;
  return count;
}

}  // namespace slabheap
