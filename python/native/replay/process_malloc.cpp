#include "replay/process_malloc.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>

namespace slabheap::replay {
namespace {

/// Where the library lies that a function of this name is found in; null if there is none.
const void* library_of(const char* name) {
  Dl_info found{};
  const void* function = dlsym(RTLD_DEFAULT, name);
  return function != nullptr && dladdr(function, &found) != 0 ? found.dli_fbase : nullptr;
}

template <typename Function>
void find(Function& function, const char* name, const void* library) {
  if (library_of(name) == library) function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

ProcessMalloc::ProcessMalloc(bool is_preloaded) {
  const void* library = library_of("malloc");
  if (library == nullptr || (is_preloaded && library == library_of("abort"))) return;
  find(malloc_, "malloc", library);
  find(free_, "free", library);
  find(calloc_, "calloc", library);
  find(realloc_, "realloc", library);
  find(posix_memalign_, "posix_memalign", library);
  find(aligned_alloc_, "aligned_alloc", library);
  find(usable_size_, "malloc_usable_size", library);
}

void* ProcessMalloc::allocate_aligned(std::size_t size, std::size_t align) const {
  void* block = nullptr;
  if (posix_memalign_ != nullptr) return posix_memalign_(&block, align, size) == 0 ? block : nullptr;
  const std::size_t whole = (size + align - 1) & ~(align - 1);  // as C11 wants it
  return aligned_alloc_ != nullptr ? aligned_alloc_(align, whole) : nullptr;
}

void* ProcessMalloc::clear(void* block, std::size_t size) { return block != nullptr ? std::memset(block, 0, size) : nullptr; }

void* ProcessMalloc::move(void* block, std::size_t old_size, std::size_t size) const {
  void* moved = malloc_(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(old_size, size));
  free_(block);
  return moved;
}

}  // namespace slabheap::replay
