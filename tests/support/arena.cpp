#include <doctest/doctest.h>

#include "support/attack.hpp"
#include "support/free_memory.hpp"

namespace slabheap::test {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

unsigned char* bytes_at(std::uintptr_t address) { return reinterpret_cast<unsigned char*>(address); }

const char* name_of(Ground ground) {
  switch (ground) {
    case Ground::callers_memory: return "caller's memory";
    case Ground::mapped_memory: return "mapped memory";
    case Ground::second_region: return "second region";
  }
  return "";
}

}  // namespace

std::string Make::name() const {
  return std::string{preset == HEAP_PRESET_COMPACT ? "compact" : "classic"} +
         (layer == HEAP_PAGE_LAYER_BUDDY ? ", buddy, " : ", best fit, ") + name_of(ground) + ", " +
         std::to_string(attacked_bytes >> 10) + " KiB";
}

std::vector<Make> makes() {
  std::vector<Make> all;
  for (const HeapPageLayer layer : {HEAP_PAGE_LAYER_BUDDY, HEAP_PAGE_LAYER_BEST_FIT}) {
    for (const Ground ground : {Ground::callers_memory, Ground::mapped_memory, Ground::second_region}) {
      const bool is_second = ground == Ground::second_region;
      const std::size_t small = is_second ? 96 << 10 : 4 * mib;
      all.push_back({ground, HEAP_PRESET_CLASSIC, layer, small, 4 * mib});
      all.push_back({ground, HEAP_PRESET_COMPACT, layer, small, 4 * mib});
      all.push_back({ground, HEAP_PRESET_COMPACT, layer, 8 * mib, is_second ? 16 * mib : 8 * mib});
    }
    for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
      all.push_back({Ground::mapped_memory, preset, layer, 64 * mib, 64 * mib, true});
    }
  }
  return all;
}

Arena::Arena(const Make& make, HeapInvalidFree invalid_free) : make_{make} {
  HeapOptions options = heap_options_default();
  options.preset = make.preset;
  options.pages = make.layer;
  options.invalid_free = invalid_free;
  options.bytes = make.heap_bytes;
  const auto give = [&](std::size_t count) {
    owned_.push_back(std::make_unique<Memory>(count));
    memory_.push_back({static_cast<unsigned char*>(owned_.back()->start()), count});
    return memory_.back();
  };
  if (make.ground != Ground::mapped_memory) options.memory = give(make.heap_bytes).start;
  REQUIRE(heap_new_with(&options, &heap_) == HEAP_STATUS_OK);
  // Mapped memory is as aligned as it is long, and the heap lies in it.
  if (make.ground == Ground::mapped_memory)
    memory_.push_back({bytes_at(reinterpret_cast<std::uintptr_t>(heap_) & ~(make.heap_bytes - 1)), make.heap_bytes});
  if (make.ground == Ground::second_region) {
    const Range second = give(make.attacked_bytes);
    REQUIRE(heap_add_memory(heap_, second.start, second.bytes) == HEAP_STATUS_OK);
  }
  REQUIRE(attacked().bytes == make.attacked_bytes);
  REQUIRE(attacked().holds(runs().front().start));
}

std::vector<HeapRun> Arena::runs_in(const Range& region) const {
  struct Context {
    const Range& range;
    std::vector<HeapRun> runs;
  } context{region, {}};
  const auto collect = [](void* pointer, const HeapRun* run) {
    auto& found = *static_cast<Context*>(pointer);
    if (found.range.holds(run->start)) found.runs.push_back(*run);
    return true;
  };
  REQUIRE(heap_visit_runs(heap_, collect, &context) == HEAP_STATUS_OK);
  return context.runs;
}

std::vector<Range> Arena::pages() const {
  std::vector<Range> pages;
  for (const Range& region : memory_) {
    const std::vector<HeapRun> runs = runs_in(region);
    auto* start = static_cast<unsigned char*>(runs.front().start);
    const auto* end = static_cast<unsigned char*>(runs.back().start) + runs.back().bytes;
    pages.push_back({start, static_cast<std::size_t>(end - start)});
  }
  return pages;
}

std::vector<Range> Arena::metadata() const {
  std::vector<Range> metadata;
  const std::vector<Range> all_pages = pages();
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    const Range& region = memory_[i];
    unsigned char* behind = all_pages[i].start + all_pages[i].bytes;
    metadata.push_back({region.start, static_cast<std::size_t>(all_pages[i].start - region.start)});
    metadata.push_back({behind, static_cast<std::size_t>(region.start + region.bytes - behind)});
  }
  return metadata;
}

void Arena::clear() const {
  REQUIRE(heap_reset(heap_) == HEAP_STATUS_OK);
  if (memory_.size() == 1) return;
  for (void* block : take_free_memory(heap_)) {
    if (attacked().holds(block)) REQUIRE(heap_free(heap_, block) == HEAP_STATUS_OK);
  }
  (void)heap_trim(heap_);
}

void* Arena::place(std::size_t size, std::size_t align) const {
  void* block = heap_allocate(heap_, size, align);
  REQUIRE((block == nullptr || attacked().holds(block)));
  return block;
}

std::uint64_t* find_rejection_counter(const Arena& arena) {
  const Snapshot before{arena.metadata()};
  const std::uint64_t rejected = heap_stats(arena.heap()).rejected_frees;
  int outside = 0;
  REQUIRE(heap_free(arena.heap(), &outside) == HEAP_STATUS_NOT_OWNED);
  std::uint64_t* const counter = before.grown_word();
  REQUIRE(*counter == rejected + 1);
  REQUIRE(heap_stats(arena.heap()).rejected_frees == rejected + 1);
  return counter;
}

}  // namespace slabheap::test
