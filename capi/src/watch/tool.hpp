// What a tool that watches memory is told. tell_asan.cpp tells AddressSanitizer, tell_valgrind.cpp memcheck.
#pragma once

#include <cstddef>

namespace slabheap::tool {

/// Nobody may touch this memory.
void hide(const void* memory, std::size_t bytes);
/// This memory may be used; what it holds counts as written.
void show(const void* memory, std::size_t bytes);
/// What a hidden word holds. It stays hidden, and threads may read it at the same time. It need not be aligned.
[[nodiscard]] std::size_t read_hidden(const void* word);
/// A block begins, of so many bytes that nobody has written yet. What lies around it is hidden.
void begin_block(void* block, std::size_t bytes);
/// A block ends, which held so many bytes with all that belongs to it.
void end_block(void* block, std::size_t held_bytes);
/// A free of this pointer was refused.
void report_wrong_free(void* block);

}  // namespace slabheap::tool
