// The functions that the recorder stands in front of.
#pragma once

#include <cstddef>

namespace slabheap::record {

struct Real {
  void* (*malloc)(std::size_t);
  void* (*calloc)(std::size_t, std::size_t);
  void* (*realloc)(void*, std::size_t);
  void (*free)(void*);
  void* (*memalign)(std::size_t, std::size_t);
  void* (*aligned_alloc)(std::size_t, std::size_t);
  int (*posix_memalign)(void**, std::size_t, std::size_t);
};

/// The functions, or null while they are being looked up: the lookup itself may ask for memory, which then comes from
/// `early_memory`.
[[nodiscard]] const Real* real();

/// Zeroed memory of which nothing is ever taken back; null if there is no more.
[[nodiscard]] void* early_memory(std::size_t bytes);
[[nodiscard]] bool is_early(const void* block);
/// How many bytes were asked for when this was allocated.
[[nodiscard]] std::size_t early_bytes(const void* block);

}  // namespace slabheap::record
