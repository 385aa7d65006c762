#include "slabheap/core/regions.hpp"

#include <new>

#include "slabheap/core/memory.hpp"

namespace slabheap {
namespace {

constexpr std::size_t metadata_alignment = 64;  // a cache line: the heap object comes first and its hot fields fill lines
constexpr std::size_t region_bytes = round_up(sizeof(Region), sizeof(Page));

constexpr std::size_t metadata_for(std::size_t extra, std::size_t page_count) {
  return extra + region_bytes + page_count * metadata_per_page;
}

/// The number of whole pages in `room` bytes.
std::size_t whole_pages(std::size_t room, unsigned page_shift) {
  const std::size_t count = room >> page_shift;
  return count < max_region_pages ? count : max_region_pages;
}

/// No span of these bytes holds more pages: each costs its bytes and its metadata.
std::size_t most_pages(Span span, std::size_t extra, unsigned page_shift) {
  const std::size_t fixed = metadata_for(extra, 0);
  if (span.bytes <= fixed) return 0;
  const std::size_t count = (span.bytes - fixed) / ((std::size_t{1} << page_shift) + metadata_per_page);
  return count < max_region_pages ? count : max_region_pages;
}

RegionPlan plan_metadata_first(Span span, std::size_t extra, unsigned page_shift) {
  const std::size_t page_bytes = std::size_t{1} << page_shift;
  const Address end = span.start + span.bytes;
  const Address metadata = round_up(span.start, metadata_alignment);
  if (metadata < span.start) return {};
  // Fewer pages need less metadata, so the first count that fits is the largest that does.
  for (std::size_t count = most_pages(span, extra, page_shift); count != 0;) {
    const std::size_t bytes = metadata_for(extra, count);
    const Address pages = round_up(metadata + bytes, page_bytes);
    const std::size_t fitting = pages >= metadata && pages < end ? whole_pages(end - pages, page_shift) : 0;
    if (fitting >= count) return {pages, static_cast<std::uint32_t>(count), metadata, bytes};
    count = fitting;
  }
  return {};
}

RegionPlan plan_pages_first(Span span, std::size_t extra, unsigned page_shift) {
  const Address end = span.start + span.bytes;
  const Address pages = round_up(span.start, std::size_t{1} << page_shift);
  if (pages < span.start || pages >= end) return {};
  for (std::size_t count = most_pages(span, extra, page_shift); count != 0; --count) {
    const std::size_t bytes = metadata_for(extra, count);
    const Address metadata = round_down(end - bytes, metadata_alignment);
    if (metadata >= pages && whole_pages(metadata - pages, page_shift) >= count) {
      return {pages, static_cast<std::uint32_t>(count), metadata, bytes};
    }
    // At most the alignment of the start and of the metadata is lost: two pages below the bound always fit.
  }
  return {};
}

}  // namespace

RegionPlan RegionPlan::make(Span span, std::size_t extra, unsigned page_shift) {
  const RegionPlan front = plan_metadata_first(span, extra, page_shift);
  const RegionPlan back = plan_pages_first(span, extra, page_shift);
  return back.page_count > front.page_count ? back : front;
}

Regions::Regions(unsigned page_shift) : page_shift_{page_shift} {
  for (Region*& region : regions_) region = nullptr;
  for (std::uint8_t& owner : chunk_owner_) owner = no_region;
}

Status Regions::add(Span span, const RegionPlan& plan, std::size_t extra, bool is_zero, std::uint32_t tag) {
  std::uint32_t place = count_;
  for (std::uint32_t i = count_; i-- > 0;) {
    if (by_address(i).given.overlaps(span)) return Status::overlap;
    if (by_address(i).given.start > span.start) place = i;
  }
  const PageNumber first = number_for(plan.pages, plan.page_count);
  if (count_ == max_regions || first == no_page) return Status::too_many_regions;

  if (!is_zero) zero_bytes(reinterpret_cast<void*>(plan.metadata + extra), plan.metadata_bytes - extra);
  auto* region = new (reinterpret_cast<void*>(plan.metadata + extra)) Region{};
  region->pages_start = plan.pages;
  region->pages_bytes = bytes({plan.page_count});
  region->pages = reinterpret_cast<Page*>(plan.metadata + extra + region_bytes);
  region->previous = reinterpret_cast<PageNumber*>(region->pages + plan.page_count);
  region->head_distances = reinterpret_cast<std::uint16_t*>(region->previous + plan.page_count);
  region->first = first;
  region->page_count = plan.page_count;
  region->tag = tag;
  region->given = span;
  region->metadata_bytes = plan.metadata_bytes;

  insert(region, place);
  page_count_ += plan.page_count;
  given_bytes_ += span.bytes;
  metadata_bytes_ += plan.metadata_bytes;
  return Status::ok;
}

/// Puts a region into its place in the order of addresses, and gives it the chunks of its numbers.
void Regions::insert(Region* region, std::uint32_t place) {
  for (std::uint32_t i = count_; i > place; --i) regions_[i] = regions_[i - 1];
  regions_[place] = region;
  ++count_;
  for (std::uint8_t& owner : chunk_owner_) owner = static_cast<std::uint8_t>(owner + (owner != no_region && owner >= place));
  const std::uint32_t last_chunk = (region->run().end() - Pages{1}).value >> chunk_shift;
  for (std::uint32_t chunk = region->first.value >> chunk_shift; chunk <= last_chunk; ++chunk) {
    chunk_owner_[chunk] = static_cast<std::uint8_t>(place);
  }
}

/// A number for the first page that is congruent to its address (see units.hpp), in chunks that no region uses; `no_page` if
/// there are none. Congruent up to a chunk at least, so that an alignment beyond the region's size is seen for what it is.
PageNumber Regions::number_for(Address pages, std::uint32_t page_count) const {
  const std::uint64_t chunk_pages = std::uint64_t{1} << chunk_shift;
  const std::uint64_t region_pages = std::uint64_t{1} << order_for({page_count});
  const std::uint64_t congruence = region_pages > chunk_pages ? region_pages : chunk_pages;
  const std::uint64_t offset = (pages >> page_shift_) & (congruence - 1);
  for (std::uint64_t start = 0; start + offset + page_count <= no_page.value; start += congruence) {
    const std::uint64_t first = start + offset;
    bool is_free = true;
    for (std::uint64_t chunk = first >> chunk_shift; chunk <= (first + page_count - 1) >> chunk_shift; ++chunk) {
      is_free = is_free && chunk_owner_[chunk] == no_region;
    }
    if (is_free) return {static_cast<std::uint32_t>(first)};
  }
  return no_page;
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
  const std::uint8_t owner = chunk_owner_[number.value >> chunk_shift];
  return owner < count_ && regions_[owner]->run().holds(number);
}

std::uint64_t Regions::untouched_pages() const {
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i < count_; ++i) count += by_address(i).page_count - by_address(i).touched;
  return count;
}

std::size_t Regions::pages_for(std::size_t bytes) const { return bytes == 0 ? 1 : ((bytes - 1) >> page_shift_) + 1; }

Address Regions::address(PageNumber number) const {
  const Region& region = of(number);
  return region.pages_start + bytes(number - region.first);
}

PageNumber& Regions::previous_link(PageNumber number) const {
  Region& region = of(number);
  return region.previous[(number - region.first).count];
}

void Regions::push_back(List& list, PageNumber number) {
  if (list.empty()) {
    page(number).next = number;
    previous_link(number) = number;
    list.first = number;
    return;
  }
  const PageNumber last = previous_link(list.first);
  page(number).next = list.first;
  previous_link(number) = last;
  page(last).next = number;
  previous_link(list.first) = number;
}

void Regions::push_front(List& list, PageNumber number) {
  push_back(list, number);
  list.first = number;
}

void Regions::unlink(List& list, PageNumber number) {
  const PageNumber next = page(number).next;
  if (next == number) {
    list.first = no_page;
    return;
  }
  const PageNumber previous = previous_link(number);
  page(previous).next = next;
  previous_link(next) = previous;
  if (list.first == number) list.first = next;
}

}  // namespace slabheap
