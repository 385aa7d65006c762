// Where the memory of regions comes from: the caller, or the OS. A region's tag remembers which, and what its heap makes of huge
// pages.
#pragma once

#include "os.hpp"
#include "slabheap/core/heap.hpp"

namespace slabheap {

/// The tag of a region: its lowest bit says whether it was mapped, the others are the heap's choice.
[[nodiscard]] constexpr std::uint32_t tag_of(bool is_mapped, os::HugePages huge_pages) {
  return static_cast<std::uint32_t>(huge_pages) << 1 | static_cast<std::uint32_t>(is_mapped);
}
[[nodiscard]] inline bool is_mapped(const Region& region) { return (region.tag & 1) != 0; }
[[nodiscard]] inline os::HugePages huge_pages_of(const Heap& heap) {
  return static_cast<os::HugePages>(heap.regions().first()->tag >> 1);
}

/// Beyond this, address space is too dear to be spent on alignment.
inline constexpr std::size_t max_map_alignment = std::size_t{1} << (sizeof(std::size_t) > 4 ? 40 : 26);

/// Calls `use(span, is_zero, tag)` with the caller's memory, or with so many mapped bytes if there is none; unmaps them unless
/// the answer is ok. Mapped memory is as aligned as it is long, so that a buddy allocator finds long runs in it, the same ones in
/// each run of a program.
template <typename Use>
[[nodiscard]] Status with_memory(void* memory, std::size_t bytes, os::HugePages huge_pages, Use use) {
  if (memory != nullptr) return use(Span{reinterpret_cast<Address>(memory), bytes}, false, tag_of(false, huge_pages));
  if (!os::can_map()) return Status::unsupported;
  if (bytes == 0) return Status::too_small;
  const std::size_t natural = std::bit_floor(bytes);
  void* mapping = os::map(bytes, natural < max_map_alignment ? natural : max_map_alignment, huge_pages);
  if (mapping == nullptr) return Status::out_of_memory;
  const Status status = use(Span{reinterpret_cast<Address>(mapping), bytes}, true, tag_of(true, huge_pages));
  if (status != Status::ok) os::unmap(mapping, bytes);
  return status;
}

/// Ends every mapping of the heap, and with them, if it lies in one, the heap.
void unmap_regions(Heap& heap);

/// See heap_trim().
[[nodiscard]] std::size_t trim(Heap& heap);

}  // namespace slabheap
