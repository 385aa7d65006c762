#include "memory_source.hpp"

#include "slabheap/core/heap_walks.hpp"

namespace slabheap {

void unmap_regions(Heap& heap) {
  // The list of regions lies in one of them, and is gone with it.
  Span mapped[max_regions];
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < heap.regions().count(); ++i) {
    const Region& region = heap.regions().by_address(i);
    if (is_mapped(region)) mapped[count++] = region.given;
  }
  for (std::uint32_t i = 0; i < count; ++i) os::unmap(reinterpret_cast<void*>(mapped[i].start), mapped[i].bytes);
}

std::size_t trim(Heap& heap) {
  const std::size_t kept_bytes = heap.release_kept();
  std::size_t given_back_bytes = 0;
  bool has_mapped = false;
  for (std::uint32_t i = 0; i < heap.regions().count(); ++i) has_mapped |= is_mapped(heap.regions().by_address(i));
  if (!has_mapped) return kept_bytes;
  heap.trim([&](const Region& region, Address start, std::size_t bytes) {
    return !is_mapped(region) || os::give_back(reinterpret_cast<void*>(start), bytes, given_back_bytes);
  });
  return given_back_bytes;
}

}  // namespace slabheap
