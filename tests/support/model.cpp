#include "support/model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

namespace slabheap::test {
namespace {

constexpr std::size_t most_metadata_of_a_small_region = 1024;

void* pointer(std::uintptr_t address) { return reinterpret_cast<void*>(address); }

std::size_t round_up_to(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

std::vector<HeapRun> runs_of(const ::Heap* heap) {
  std::vector<HeapRun> runs;
  const auto collect = [](void* context, const HeapRun* run) {
    static_cast<std::vector<HeapRun>*>(context)->push_back(*run);
    return true;
  };
  REQUIRE(heap_visit_runs(heap, collect, &runs) == HEAP_STATUS_OK);
  return runs;
}

bool is_clear(const HeapRun& run) { return run.used == 0; }

/// The lengths of the stretches of which one request could get each, by looking at them all. None goes over the edge of a region.
std::vector<std::size_t> clear_lengths(const std::vector<HeapRun>& runs, const std::vector<Range>& regions, HeapPageLayer layer,
                                       std::size_t page_bytes) {
  REQUIRE(page_bytes != 0);
  std::vector<std::size_t> lengths{0};
  std::uintptr_t start = 0;
  std::uintptr_t end = 0;
  const auto measure = [&] {
    if (layer == HEAP_PAGE_LAYER_BEST_FIT) {
      lengths.push_back(end - start);
      return;
    }
    for (std::size_t block = page_bytes; block <= end - start; block *= 2) {
      if (round_up_to(start, block) + block <= end) lengths.push_back(block);
    }
  };
  for (const HeapRun& run : runs) {
    if (!is_clear(run)) continue;
    const auto address = reinterpret_cast<std::uintptr_t>(run.start);
    const auto is_apart = [&](const Range& region) { return region.holds(pointer(address)) != region.holds(pointer(start)); };
    if (address != end || std::any_of(regions.begin(), regions.end(), is_apart)) {
      measure();
      start = address;
    }
    end = address + run.bytes;
  }
  measure();
  return lengths;
}

/// Whether a figure is the longest of these lengths. Best fit looks at no more than eight runs of a bin, four of which divide
/// the way from a power of two to the next: of more, it may be another run of that bin.
bool is_longest(std::size_t figure, const std::vector<std::size_t>& lengths, HeapPageLayer layer) {
  const std::size_t longest = *std::max_element(lengths.begin(), lengths.end());
  if (figure >= longest || layer != HEAP_PAGE_LAYER_BEST_FIT) return figure == longest;
  const std::size_t step = std::max<std::size_t>(std::bit_floor(longest) / 4, 1);
  const std::size_t least = longest / step * step;
  const auto near = std::count_if(lengths.begin(), lengths.end(), [&](std::size_t length) { return length >= least; });
  return near > 8 && figure >= least;
}

}  // namespace

Model::Model(const Setup& setup) : setup_{setup}, classes_{setup.classes} {
  for (const std::size_t bytes : setup.regions) {
    if (setup.is_mapped) {
      places_.push_back({nullptr, bytes});
      continue;
    }
    owned_.push_back(std::make_unique<Memory>(bytes, setup.misalignment));
    places_.push_back({static_cast<unsigned char*>(owned_.back()->start()), bytes});
  }
  open();
}

Model::Model(const Setup& setup, std::vector<Range> places) : setup_{setup}, classes_{setup.classes}, places_{std::move(places)} {
  open();
}

void Model::open() {
  HeapOptions options = setup_.options();
  options.memory = places_[0].start;
  options.bytes = places_[0].bytes;
  options.context = this;
  if (setup_.shortage != Shortage::unasked) {
    options.out_of_memory = [](void* context, ::Heap* heap, size_t size, size_t align) {
      return static_cast<Model*>(context)->help(heap, size, align);
    };
  }
  REQUIRE(heap_new_with(&options, &heap_) == HEAP_STATUS_OK);
  regions_.push_back(setup_.is_mapped ? place_of_mapping(options.bytes) : places_[0]);
  given_bytes_ = options.bytes;
  expected_ = heap_stats(heap_);
  if (!classes_.empty()) return;
  for (std::size_t i = 0; i < heap_class_count(heap_); ++i) {
    HeapClassStats stats;
    REQUIRE(heap_class_stats(heap_, i, &stats) == HEAP_STATUS_OK);
    classes_.push_back(stats.block_size);
  }
}

Model::~Model() {
  heap_destroy(heap_);
  for (const auto& memory : owned_) CHECK(memory->rim_is_whole());
}

/// Where the newest region lies, by the pages that none of the others has: mapped memory is as aligned as it is long, and less
/// than half of it comes before its pages.
Range Model::place_of_mapping(std::size_t bytes) const {
  for (const HeapRun& run : runs_of(heap_)) {
    if (std::any_of(regions_.begin(), regions_.end(), [&](const Range& region) { return region.holds(run.start); })) continue;
    const std::uintptr_t start = reinterpret_cast<std::uintptr_t>(run.start) & ~(std::bit_floor(bytes) - 1);
    return {static_cast<unsigned char*>(pointer(start)), bytes};
  }
  FAIL("the system gave no pages");
  return {};
}

/// Called by the heap when memory runs out.
bool Model::help(const ::Heap* heap, std::size_t size, std::size_t align) {
  ++shortages_;
  CHECK(heap == heap_);
  CHECK(size == asked_size_);
  CHECK(align == asked_align_);
  CHECK(heap_check(heap) == HEAP_STATUS_OK);
  if (setup_.shortage == Shortage::adds_region) return add_region();
  if (setup_.shortage == Shortage::fails) return false;
  trim();
  return true;
}

void Model::ask_for(std::size_t size, std::size_t align) {
  asked_size_ = size;
  asked_align_ = align;
  shortages_ = 0;
}

/// A request that fails was asked about once, others at the most.
void Model::check_helped(bool is_given) const {
  const std::size_t most = setup_.shortage == Shortage::unasked ? 0 : 1;
  CHECK(shortages_ <= most);
  if (!is_given) CHECK(shortages_ == most);
}

bool Model::add_region() {
  if (regions_.size() == places_.size()) return false;
  const Range place = places_[regions_.size()];
  const HeapStatus status = heap_add_memory(heap_, place.start, place.bytes);
  if (status == HEAP_STATUS_TOO_SMALL) {
    CHECK(place.bytes < 2 * setup_.page_size() + most_metadata_of_a_small_region);
    return false;
  }
  REQUIRE(status == HEAP_STATUS_OK);
  regions_.push_back(setup_.is_mapped ? place_of_mapping(place.bytes) : place);
  given_bytes_ += place.bytes;
  const HeapStats stats = heap_stats(heap_);
  CHECK(stats.region_count == regions_.size());
  CHECK(stats.total_bytes > expected_.total_bytes);
  CHECK(stats.metadata_bytes > expected_.metadata_bytes);
  expected_.region_count = stats.region_count;
  expected_.total_bytes = stats.total_bytes;
  expected_.metadata_bytes = stats.metadata_bytes;
  return true;
}

Model::Block Model::expected_block(std::size_t size, std::size_t align) const {
  for (const std::size_t bytes : classes_) {
    if (bytes >= size && bytes % align == 0 && align <= setup_.page_size()) return {size, align, bytes, false, 0};
  }
  return {size, align, round_up_to(std::max<std::size_t>(size, 1), setup_.page_size()), true, 0};
}

bool Model::is_request(std::size_t size, std::size_t align) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 2;
  return std::has_single_bit(align) && size <= most && align <= most;
}

HeapStatus Model::expected_status(std::uintptr_t address) const {
  if (address == 0) return HEAP_STATUS_OK;
  const auto behind = blocks_.upper_bound(address);
  if (behind != blocks_.begin()) {
    const auto& [start, block] = *std::prev(behind);
    if (start == address) return HEAP_STATUS_OK;
    if (address - start < block.held) return HEAP_STATUS_MISALIGNED;
  }
  const auto holds = [=](const Range& region) { return region.holds(pointer(address)); };
  return std::any_of(regions_.begin(), regions_.end(), holds) ? HEAP_STATUS_NOT_ALLOCATED : HEAP_STATUS_NOT_OWNED;
}

HeapStatus Model::expected_status(std::uintptr_t address, std::size_t size, std::size_t align) const {
  if (address != 0 && !std::has_single_bit(align)) return HEAP_STATUS_INVALID_ARGUMENT;
  const HeapStatus status = expected_status(address);
  return address == 0 || status != HEAP_STATUS_OK ? status : expected_status(address, blocks_.at(address), size, align);
}

HeapStatus Model::expected_status(std::uintptr_t address, const Block& own, std::size_t size, std::size_t align) const {
  if (!std::has_single_bit(align)) return HEAP_STATUS_INVALID_ARGUMENT;
  if (!is_request(size, align)) return HEAP_STATUS_WRONG_LAYOUT;
  const Block other = expected_block(size, align);
  const bool is_same = own.held == other.held && own.is_large == other.is_large;
  return is_same && (address % align == 0 || !own.is_large) ? HEAP_STATUS_OK : HEAP_STATUS_WRONG_LAYOUT;
}

std::size_t& Model::used_bytes_for(const Block& block) {
  return block.is_large ? expected_.buddy_used_bytes : expected_.slab_used_bytes;
}

void Model::insert(std::uintptr_t address, const Block& block) {
  // (I5) apart from its neighbours
  const auto next = blocks_.lower_bound(address);
  if (next != blocks_.end()) CHECK(address + block.held <= next->first);
  if (next != blocks_.begin()) CHECK(std::prev(next)->first + std::prev(next)->second.held <= address);
  CHECK(address % block.align == 0);
  std::memset(pointer(address), block.fill, block.held);
  blocks_.emplace(address, block);
  used_bytes_for(block) += block.held;
  ++expected_.live_blocks;
}

void Model::erase(std::uintptr_t address) {
  const Block block = blocks_.at(address);
  used_bytes_for(block) -= block.held;
  --expected_.live_blocks;
  blocks_.erase(address);
}

void Model::check_contents(std::uintptr_t address, const Block& block, std::size_t bytes) {
  const auto* contents = reinterpret_cast<const unsigned char*>(address);
  CHECK(std::all_of(contents, contents + bytes, [&](unsigned char byte) { return byte == block.fill; }));
}

std::uintptr_t Model::allocate(std::size_t size, std::size_t align, bool zeroed) {
  Block block = expected_block(size, align);
  const HeapUsableSize usable = heap_usable_size(heap_, size, align);
  CHECK(usable.min == size);
  CHECK(usable.max == block.held);
  ask_for(size, align);
  void* memory = zeroed ? heap_allocate_zeroed(heap_, size, align) : heap_allocate(heap_, size, align);
  check_helped(memory != nullptr);
  if (memory == nullptr) {
    ++expected_.failed_allocations;
    CHECK((block.held > heap_stats(heap_).largest_free_bytes || align > setup_.page_size()));
    return 0;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  if (zeroed) check_contents(address, block, size);
  ++expected_.allocations;
  block.fill = next_fill_++;
  insert(address, block);
  CHECK(heap_block_size(heap_, memory) == block.held);
  return address;
}

std::uintptr_t Model::reallocate(std::uintptr_t address, std::size_t new_size) {
  const Block block = blocks_.at(address);
  Block resized = expected_block(new_size, block.align);
  resized.fill = block.fill;
  ask_for(new_size, block.align);
  const auto moved =
      reinterpret_cast<std::uintptr_t>(heap_reallocate(heap_, pointer(address), block.size, block.align, new_size));
  check_helped(moved != 0);
  if (moved == 0) {
    ++expected_.failed_allocations;
    check_contents(address, block, block.held);
    return 0;
  }
  check_contents(moved, block, std::min(block.size, new_size));
  if (resized.held == block.held && resized.is_large == block.is_large) CHECK(moved == address);
  if (moved != address) {
    ++expected_.allocations;
    ++expected_.deallocations;
  }
  erase(address);
  insert(moved, resized);
  return moved;
}

void Model::deallocate(std::uintptr_t address) {
  const Block block = blocks_.at(address);
  check_contents(address, block, block.held);
  CHECK(heap_deallocate(heap_, pointer(address), block.size, block.align) == HEAP_STATUS_OK);
  ++expected_.deallocations;
  erase(address);
}

void Model::free(std::uintptr_t address) {
  check_contents(address, blocks_.at(address), blocks_.at(address).held);
  CHECK(heap_free(heap_, pointer(address)) == HEAP_STATUS_OK);
  ++expected_.deallocations;
  erase(address);
}

void Model::reset() {
  REQUIRE(heap_reset(heap_) == HEAP_STATUS_OK);
  expected_.deallocations += blocks_.size();
  while (!blocks_.empty()) erase(blocks_.begin()->first);
}

void Model::trim() {
  CHECK(heap_trim(heap_) <= heap_available_bytes(heap_));
  CHECK(heap_trim(heap_) == 0);
}

void Model::refuse(void* block, HeapStatus status) {
  CHECK(heap_free(heap_, block) == status);
  ++expected_.rejected_frees;
  check();
}

void Model::refuse(void* block, std::size_t size, std::size_t align, HeapStatus status) {
  CHECK(heap_deallocate(heap_, block, size, align) == status);
  ++expected_.rejected_frees;
  check();
}

void Model::refuse_reallocation(void* block, std::size_t size, std::size_t align, std::size_t new_size) {
  CHECK(heap_reallocate(heap_, block, size, align, new_size) == nullptr);
  ++expected_.rejected_frees;
  check();
}

void Model::check() const {
  CHECK(heap_check(heap_) == HEAP_STATUS_OK);
  check_statistics();
}

/// (I2), and every counter as the model expects it.
void Model::check_statistics() const {
  const HeapStats stats = heap_stats(heap_);
  CHECK(stats.slab_total_bytes + stats.buddy_total_bytes == stats.total_bytes);
  CHECK(stats.slab_used_bytes + stats.buddy_used_bytes == stats.used_bytes);
  CHECK(stats.total_bytes - stats.used_bytes == stats.available_bytes);
  CHECK(stats.total_bytes + stats.metadata_bytes <= given_bytes_);
  CHECK(stats.total_bytes == expected_.total_bytes);
  CHECK(stats.metadata_bytes == expected_.metadata_bytes);
  CHECK(stats.slab_used_bytes == expected_.slab_used_bytes);
  CHECK(stats.buddy_used_bytes == expected_.buddy_used_bytes);
  CHECK(stats.used_metadata_bytes <= stats.metadata_bytes);
  CHECK(stats.region_count == expected_.region_count);
  CHECK(stats.live_blocks == blocks_.size());
  CHECK(stats.allocations == expected_.allocations);
  CHECK(stats.deallocations == expected_.deallocations);
  CHECK(stats.failed_allocations == expected_.failed_allocations);
  CHECK(stats.rejected_frees == expected_.rejected_frees);
  CHECK(stats.peak_page_bytes >= stats.slab_total_bytes + stats.buddy_used_bytes);
  CHECK(heap_total_bytes(heap_) == stats.total_bytes);
  CHECK(heap_used_bytes(heap_) == stats.used_bytes);
  CHECK(heap_available_bytes(heap_) == stats.available_bytes);
  check_runs(stats);
}

/// (I1) The runs are all pages, and their used blocks are the model's.
void Model::check_runs(const HeapStats& stats) const {
  const std::vector<HeapRun> runs = runs_of(heap_);
  std::size_t all_bytes = 0;
  std::size_t set_bytes = 0;
  auto expected = blocks_.begin();
  for (const HeapRun& run : runs) {
    all_bytes += run.bytes;
    if (run.kind == HEAP_RUN_KIND_SET) set_bytes += run.bytes;
    for (std::uint64_t used = run.used; used != 0; used &= used - 1) {
      const auto block =
          reinterpret_cast<std::uintptr_t>(run.start) + static_cast<std::size_t>(std::countr_zero(used)) * run.block_size;
      REQUIRE(expected != blocks_.end());
      CHECK(expected->first == block);
      CHECK(expected->second.held == run.block_size);
      CHECK(expected->second.is_large == (run.kind == HEAP_RUN_KIND_LARGE));
      ++expected;
    }
  }
  CHECK(expected == blocks_.end());
  CHECK(all_bytes == stats.total_bytes);
  CHECK(set_bytes == stats.slab_total_bytes);
  CHECK(is_longest(stats.largest_free_bytes, clear_lengths(runs, regions_, setup_.layer(), setup_.page_size()), setup_.layer()));
}

}  // namespace slabheap::test
