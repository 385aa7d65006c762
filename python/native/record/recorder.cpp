// The allocation functions of a program that runs with this library preloaded: each calls the one it stands in front of, and
// records the call.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "record/log.hpp"
#include "record/real.hpp"

using slabheap::record::add;
using slabheap::record::early_bytes;
using slabheap::record::early_memory;
using slabheap::record::is_early;
using slabheap::record::next_sequence;
using slabheap::record::RawOperation;
using slabheap::record::real;

namespace {

constexpr std::size_t natural_align = alignof(std::max_align_t);

/// Records a block that was just received.
void* received(void* block, RawOperation operation, std::size_t size, std::size_t align) {
  if (block != nullptr) add(next_sequence(), operation, block, size, align);
  return block;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

void* malloc(std::size_t size) {
  const auto* functions = real();
  if (functions == nullptr) return early_memory(size);
  return received(functions->malloc(size), RawOperation::allocate, size, natural_align);
}

void* calloc(std::size_t count, std::size_t size) {
  const auto* functions = real();
  std::size_t bytes = 0;
  if (functions == nullptr) return __builtin_mul_overflow(count, size, &bytes) ? nullptr : early_memory(bytes);
  return received(functions->calloc(count, size), RawOperation::allocate_zeroed, count * size, natural_align);
}

void free(void* block) {
  if (block == nullptr || is_early(block)) return;
  const auto* functions = real();
  if (functions == nullptr) return;
  const int error = errno;
  add(next_sequence(), RawOperation::free, block, 0, 1);
  errno = error;
  functions->free(block);
}

void* realloc(void* block, std::size_t size) {
  if (block == nullptr) return malloc(size);
  if (is_early(block)) {
    void* moved = malloc(size);
    if (moved != nullptr) std::memcpy(moved, block, std::min(size, early_bytes(block)));
    return moved;
  }
  const auto* functions = real();
  if (functions == nullptr) return nullptr;
  if (size == 0) {
    free(block);
    return nullptr;
  }
  add(next_sequence(), RawOperation::reallocate_begin, block, size, natural_align);
  void* moved = functions->realloc(block, size);
  add(next_sequence(), RawOperation::reallocate_end, moved != nullptr ? moved : block, moved != nullptr ? size : 0,
      natural_align);
  return moved;
}

void* reallocarray(void* block, std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(block, bytes);
}

void* memalign(std::size_t align, std::size_t size) {
  const auto* functions = real();
  if (functions == nullptr) return nullptr;
  return received(functions->memalign(align, size), RawOperation::allocate, size, align);
}

void* aligned_alloc(std::size_t align, std::size_t size) {
  const auto* functions = real();
  if (functions == nullptr) return nullptr;
  return received(functions->aligned_alloc(align, size), RawOperation::allocate, size, align);
}

int posix_memalign(void** result, std::size_t align, std::size_t size) {
  const auto* functions = real();
  if (functions == nullptr) return ENOMEM;
  const int error = functions->posix_memalign(result, align, size);
  if (error == 0) (void)received(*result, RawOperation::allocate, size, align);
  return error;
}

void* valloc(std::size_t size) { return memalign(static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), size); }

void* pvalloc(std::size_t size) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::size_t end = 0;
  if (__builtin_add_overflow(size, page - 1, &end)) {
    errno = ENOMEM;
    return nullptr;
  }
  return memalign(page, end & ~(page - 1));
}

}  // extern "C"
#pragma GCC visibility pop
