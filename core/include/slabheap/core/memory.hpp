// The two operations on bytes that the heap needs. The compiler may turn them into calls of memcpy and memset, which every
// freestanding environment has to provide anyway; the core asks for no other symbol.
#pragma once

#include <cstddef>

namespace slabheap {

inline void copy_bytes(void* to, const void* from, std::size_t bytes) { __builtin_memcpy(to, from, bytes); }

inline void zero_bytes(void* memory, std::size_t bytes) { __builtin_memset(memory, 0, bytes); }

}  // namespace slabheap
