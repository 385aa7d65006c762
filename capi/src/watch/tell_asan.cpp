#include <sanitizer/asan_interface.h>

#include "tool.hpp"

namespace slabheap::tool {

void hide(const void* memory, std::size_t bytes) { __asan_poison_memory_region(memory, bytes); }

void show(const void* memory, std::size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }

void begin_block(void* block, std::size_t bytes) { show(block, bytes); }

void end_block(void* block, std::size_t held_bytes) { hide(block, held_bytes); }

// The sanitizer knows the blocks of its own allocator only.
void report_wrong_free(void* /*block*/) {}

}  // namespace slabheap::tool
