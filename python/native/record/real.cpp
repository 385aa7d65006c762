#include "record/real.hpp"

#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <new>

namespace slabheap::record {
namespace {

enum class Lookup : int { not_begun, under_way, done };

std::atomic<Lookup> lookup{Lookup::not_begun};
Real functions;

/// In front of each early block.
struct alignas(16) EarlyHead {
  std::size_t bytes;
};

alignas(16) unsigned char early[32768];
std::atomic<std::size_t> early_used{0};

template <typename Function>
void find(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void find_all() {
  find(functions.malloc, "malloc");
  find(functions.calloc, "calloc");
  find(functions.realloc, "realloc");
  find(functions.free, "free");
  find(functions.memalign, "memalign");
  find(functions.aligned_alloc, "aligned_alloc");
  find(functions.posix_memalign, "posix_memalign");
}

}  // namespace

const Real* real() {
  if (lookup.load(std::memory_order_acquire) == Lookup::done) return &functions;
  Lookup expected = Lookup::not_begun;
  if (!lookup.compare_exchange_strong(expected, Lookup::under_way)) return nullptr;
  find_all();
  lookup.store(Lookup::done, std::memory_order_release);
  return &functions;
}

void* early_memory(std::size_t bytes) {
  if (bytes > sizeof early) return nullptr;
  const std::size_t taken = sizeof(EarlyHead) + ((bytes + 15) & ~std::size_t{15});
  std::size_t start = early_used.load();
  do {
    if (sizeof early - start < taken) return nullptr;
  } while (!early_used.compare_exchange_weak(start, start + taken));
  auto* head = new (early + start) EarlyHead{bytes};
  return head + 1;
}

bool is_early(const void* block) {
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  const auto start = reinterpret_cast<std::uintptr_t>(early);
  return address >= start && address < start + sizeof early;
}

std::size_t early_bytes(const void* block) { return (static_cast<const EarlyHead*>(block) - 1)->bytes; }

}  // namespace slabheap::record
