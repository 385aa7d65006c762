#include <doctest/doctest.h>

#include "support/attack.hpp"

namespace slabheap::test {
namespace {

constexpr std::size_t first_region_bytes = 96 << 10;  // in front of a second region

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

Arena::Arena(Ground ground, HeapPreset preset, HeapPageLayer layer, HeapInvalidFree invalid_free)
    : name_{std::string{preset == HEAP_PRESET_COMPACT ? "compact" : "classic"} +
            (layer == HEAP_PAGE_LAYER_BUDDY ? ", buddy, " : ", best fit, ") + name_of(ground)} {
  HeapOptions options = heap_options_default();
  options.preset = preset;
  options.pages = layer;
  options.invalid_free = invalid_free;
  options.bytes = bytes;
  const auto give = [&](std::size_t count) {
    owned_.push_back(std::make_unique<Memory>(count));
    memory_.push_back({static_cast<unsigned char*>(owned_.back()->start()), count});
    return memory_.back();
  };
  if (ground != Ground::mapped_memory) {
    const Range first = give(ground == Ground::second_region ? first_region_bytes : bytes);
    options.memory = first.start;
    options.bytes = first.bytes;
  }
  REQUIRE(heap_new_with(&options, &heap_) == HEAP_STATUS_OK);
  // Mapped memory is as aligned as it is long, and the heap lies in it.
  if (ground == Ground::mapped_memory)
    memory_.push_back({bytes_at(reinterpret_cast<std::uintptr_t>(heap_) & ~(bytes - 1)), bytes});
  if (ground == Ground::second_region) {
    const Range second = give(bytes);
    REQUIRE(heap_add_memory(heap_, second.start, second.bytes) == HEAP_STATUS_OK);
  }
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

void* Arena::place(std::size_t size, std::size_t align) const {
  void* block = heap_allocate(heap_, size, align);
  while (block != nullptr && !attacked().holds(block)) block = heap_allocate(heap_, size, align);
  return block;
}

std::uint64_t* find_rejection_counter(const Arena& arena) {
  const Snapshot before{arena.memory()};
  const std::uint64_t rejected = heap_stats(arena.heap()).rejected_frees;
  int outside = 0;
  REQUIRE(heap_free(arena.heap(), &outside) == HEAP_STATUS_NOT_OWNED);
  std::uint64_t* const counter = before.grown_word();
  REQUIRE(*counter == rejected + 1);
  REQUIRE(heap_stats(arena.heap()).rejected_frees == rejected + 1);
  return counter;
}

}  // namespace slabheap::test
