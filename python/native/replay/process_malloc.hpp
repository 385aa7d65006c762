// The malloc of this process, which is that of the system or of a library that was preloaded, as the loop wants it.
//
// A library may have malloc and free and nothing else. What it lacks is made of what it has, so that no block of its own ever
// meets a function of the system's.
#pragma once

#include <cstddef>
#include <cstdlib>

namespace slabheap::replay {

class ProcessMalloc {
 public:
  /// Looks the functions up. `is_preloaded`: a library is to have them.
  explicit ProcessMalloc(bool is_preloaded);

  /// Whether there are a malloc and a free, of one library; none of the system's if one was preloaded.
  [[nodiscard]] bool is_whole() const { return malloc_ != nullptr && free_ != nullptr; }

  void* allocate(std::size_t size, std::size_t align) const {
    return align <= natural_align ? malloc_(size) : allocate_aligned(size, align);
  }
  void* allocate_zeroed(std::size_t size, std::size_t align) const {
    return align <= natural_align && calloc_ != nullptr ? calloc_(1, size) : clear(allocate(size, align), size);
  }
  /// Of no more than natural alignment, as a program's realloc is.
  void* reallocate(void* block, std::size_t old_size, std::size_t /*align*/, std::size_t size) const {
    return realloc_ != nullptr ? realloc_(block, size != 0 ? size : 1) : move(block, old_size, size);
  }
  void deallocate(void* block, std::size_t /*size*/, std::size_t /*align*/) const { free_(block); }
  void free(void* block) const { free_(block); }
  [[nodiscard]] std::size_t usable(void* block, std::size_t size, std::size_t /*align*/) const {
    return usable_size_ != nullptr ? usable_size_(block) : size;
  }

 private:
  static constexpr std::size_t natural_align = alignof(std::max_align_t);

  void* allocate_aligned(std::size_t size, std::size_t align) const;
  static void* clear(void* block, std::size_t size);
  void* move(void* block, std::size_t old_size, std::size_t size) const;

  void* (*malloc_)(std::size_t) = nullptr;
  void (*free_)(void*) = nullptr;
  void* (*calloc_)(std::size_t, std::size_t) = nullptr;
  void* (*realloc_)(void*, std::size_t) = nullptr;
  int (*posix_memalign_)(void**, std::size_t, std::size_t) = nullptr;
  void* (*aligned_alloc_)(std::size_t, std::size_t) = nullptr;
  std::size_t (*usable_size_)(void*) = nullptr;
};

}  // namespace slabheap::replay
