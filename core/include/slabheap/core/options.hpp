// What a heap is created with. Every part of a preset can be chosen alone; zero stands for the preset's choice.
#pragma once

#include "slabheap/core/limits.hpp"
#include "slabheap/core/page_allocator.hpp"

namespace slabheap {

class Heap;

enum class Preset : std::uint32_t {
  classic,  ///< seven classes of 64 to 4096 bytes, sets of 64 blocks, pages of 4096 bytes, buddy
  compact,  ///< 27 classes of 16 to 4096 bytes, 58 from 8 MiB up; snug sets, pages of 1024 bytes, best fit
};

/// What the heap calls. Each may be null.
struct Hooks {
  /// Memory ran out for a request. May add memory; true asks for one more try.
  bool (*out_of_memory)(Heap& heap, std::size_t size, std::size_t align) = nullptr;
  /// A free was refused and counted.
  void (*refused_free)(const Heap& heap, const void* block, Status status) = nullptr;
};

/// Two words that the heap keeps for whoever made it and does not read.
struct Owner {
  void (*function)() = nullptr;
  void* context = nullptr;
};

struct Options {
  Preset preset = Preset::classic;
  const std::size_t* classes = nullptr;  ///< ascending block sizes; null: the preset's
  std::size_t class_count = 0;
  std::size_t set_blocks = 0;  ///< blocks that a set aims at, 1 to 64
  std::size_t page_bytes = 0;  ///< a power of two, 512 to 65536
  PageLayerKind pages = PageLayerKind::buddy;
  bool has_pages = false;  ///< whether `pages` counts, or the preset's page layer
  bool has_cache = true;   ///< whether freed runs are kept a while, see RunCache
  Hooks hooks;
  Owner owner;
};

/// Options with the preset filled in.
struct Configuration {
  const std::size_t* classes;
  std::size_t class_count;
  std::size_t set_blocks;  ///< 0: snug, see SetShape
  unsigned page_shift;
  PageLayerKind pages;
  bool has_cache;
  std::size_t routed_bytes;  ///< requests of up to so many bytes route by a table
};

/// Requests route by a table with an entry for each granule of so many bytes, if they are not larger than its end; the others,
/// and those whose granule several classes share, by a search.
inline constexpr unsigned granule_shift = 3;

/// Where that table ends at the latest.
inline constexpr std::size_t most_routed_bytes = 4096;

/// Whether it may end there: with the largest class, or before; sooner in a heap that was made of few bytes, and has few to
/// spare.
[[nodiscard]] bool is_routed_end(std::size_t routed_bytes, std::size_t largest_class);

/// What is wrong with the options, as a sentence without a full stop; null if nothing is.
[[nodiscard]] const char* problem_of(const Options& options);

/// The configuration of a heap that is made of so many bytes with options that have no problem.
[[nodiscard]] Configuration configuration_of(const Options& options, std::size_t bytes);

}  // namespace slabheap
