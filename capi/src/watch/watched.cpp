#include "watched.hpp"

#include "slabheap/core/heap_walks.hpp"
#include "slabheap/core/memory.hpp"
#include "tool.hpp"

namespace slabheap::watched {
namespace {

constexpr std::size_t red_zone_bytes = 16;
static_assert(sizeof(std::size_t) <= red_zone_bytes, "the red zone holds the size that was asked for");

/// A size so large that no heap serves it stays as it is.
std::size_t widened(std::size_t size) { return size <= ~std::size_t{0} - red_zone_bytes ? size + red_zone_bytes : size; }

void* end_of(const void* block, std::size_t held_bytes) {
  return reinterpret_cast<void*>(reinterpret_cast<Address>(block) + held_bytes - sizeof(std::size_t));
}

void* begin(const Heap& heap, void* block, std::size_t size) {
  if (block == nullptr) return nullptr;
  void* end = end_of(block, heap.block_size(block));
  tool::show(end, sizeof size);
  copy_bytes(end, &size, sizeof size);
  tool::hide(end, sizeof size);
  tool::begin_block(block, size);
  return block;
}

Status end(void* block, std::size_t held_bytes, Status status) {
  if (block == nullptr) return status;
  if (status == Status::ok) {
    tool::end_block(block, held_bytes);
  } else if (status == Status::not_allocated) {
    tool::report_wrong_free(block);
  }
  return status;
}

void end_blocks(const Heap& heap) {
  heap.visit_blocks([](void* block, std::size_t held_bytes) {
    tool::end_block(block, held_bytes);
    return true;
  });
}

}  // namespace

void begin_region(Heap& heap, Address address) {
  const Region& region = *heap.regions().find(address);
  tool::hide(reinterpret_cast<void*>(region.pages_start), region.pages_bytes);
}

void end_regions(Heap& heap) {
  end_blocks(heap);
  for (std::uint32_t i = 0; i < heap.regions().count(); ++i) {
    const Region& region = heap.regions().by_address(i);
    tool::show(reinterpret_cast<void*>(region.pages_start), region.pages_bytes);
  }
}

void* allocate(Heap& heap, std::size_t size, std::size_t align) { return begin(heap, heap.allocate(widened(size), align), size); }

void* allocate_zeroed(Heap& heap, std::size_t size, std::size_t align) {
  void* block = allocate(heap, size, align);
  if (block != nullptr) zero_bytes(block, size);
  return block;
}

void* reallocate(Heap& heap, void* block, std::size_t size, std::size_t align, std::size_t new_size) {
  if (block == nullptr) return allocate(heap, new_size, align);
  // To its own size a block goes in place, if the layout is right; if not, that is the refusal.
  if (heap.reallocate(block, widened(size), align, widened(size)) == nullptr) return nullptr;
  const std::size_t own_size = block_size(heap, block);
  if (new_size == own_size) return block;
  void* moved = allocate(heap, new_size, align);
  if (moved == nullptr) return nullptr;
  copy_bytes(moved, block, own_size < new_size ? own_size : new_size);
  (void)free(heap, block);
  return moved;
}

Status deallocate(Heap& heap, void* block, std::size_t size, std::size_t align) {
  const std::size_t held_bytes = heap.block_size(block);
  return end(block, held_bytes, heap.deallocate(block, widened(size), align));
}

Status free(Heap& heap, void* block) {
  const std::size_t held_bytes = heap.block_size(block);
  return end(block, held_bytes, heap.free(block));
}

void reset(Heap& heap) {
  end_blocks(heap);
  heap.reset();
}

std::size_t usable_size(const Heap& heap, std::size_t size, std::size_t align) {
  return heap.usable_size(widened(size), align) != 0 ? size : 0;
}

std::size_t block_size(const Heap& heap, const void* block) {
  const std::size_t held_bytes = heap.block_size(block);
  return held_bytes != 0 ? requested_bytes(block, held_bytes) : 0;
}

std::size_t requested_bytes(const void* block, std::size_t held_bytes) { return tool::read_hidden(end_of(block, held_bytes)); }

}  // namespace slabheap::watched
