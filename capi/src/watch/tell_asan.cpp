#include <sanitizer/asan_interface.h>

#include "tool.hpp"

namespace slabheap::tool {

void hide(const void* memory, std::size_t bytes) { __asan_poison_memory_region(memory, bytes); }

void show(const void* memory, std::size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }

// Byte by byte and volatile, or a call of memcpy could stand here, which the sanitizer watches wherever it is called from.
__attribute__((no_sanitize("address"))) std::size_t read_hidden(const void* word) {
  const auto* from = static_cast<const volatile unsigned char*>(word);
  std::size_t value = 0;
  auto* to = reinterpret_cast<volatile unsigned char*>(&value);
  for (std::size_t i = 0; i < sizeof value; ++i) to[i] = from[i];
  return value;
}

void begin_block(void* block, std::size_t bytes) { show(block, bytes); }

void end_block(void* block, std::size_t held_bytes) { hide(block, held_bytes); }

// The sanitizer knows the blocks of its own allocator only.
void report_wrong_free(void* /*block*/) {}

}  // namespace slabheap::tool
