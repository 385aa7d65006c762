// The loop of a replay, the same for every allocator and for every purpose: timed, measured, or each call timed alone.
//
// An allocator has
//   void* allocate(std::size_t size, std::size_t align), allocate_zeroed, which may give null
//   void* reallocate(void* block, std::size_t old_size, std::size_t align, std::size_t size), null if the block stays as it was
//   void  deallocate(void* block, std::size_t size, std::size_t align)
//   void  free(void* block)
//   std::size_t usable(const void* block, std::size_t size, std::size_t align): what the block holds
#pragma once

#include <cstddef>
#include <cstdint>

#include "clock/ticks.hpp"
#include "replay/step.hpp"

namespace slabheap::replay {

/// A block in a slot. `size` is kept, beside what a step says, because a failed reallocation leaves the block with its old size.
struct Slot {
  void* block;
  std::uint64_t size;
};

[[nodiscard]] inline double seconds_now() { return 1e-9 * static_cast<double>(clock::monotonic_nanoseconds()); }

inline void touch(void* block, std::size_t size) {
  if (size != 0) *static_cast<volatile unsigned char*>(block) = 1;
}

/// One step: a call, made by `around(call)`, which returns what `call()` does, and one byte of a new block written. The number of
/// failures, 0 or 1.
template <typename Allocator, typename Around>
[[gnu::always_inline]] inline std::uint64_t do_step(Allocator& allocator, const Step& step, Slot& slot, const Around& around) {
  using trace::Operation;
  const std::size_t align = std::size_t{1} << step.align_shift;
  switch (step.operation) {
    case Operation::allocate:
    case Operation::allocate_zeroed:
      slot.block = step.operation == Operation::allocate ? around([&] { return allocator.allocate(step.size, align); })
                                                         : around([&] { return allocator.allocate_zeroed(step.size, align); });
      slot.size = step.size;
      if (slot.block == nullptr) return 1;
      touch(slot.block, step.size);
      return 0;
    case Operation::reallocate: {
      if (slot.block == nullptr) return 0;
      void* moved = around([&] { return allocator.reallocate(slot.block, slot.size, align, step.size); });
      if (moved == nullptr) return 1;
      slot = {moved, step.size};
      return 0;
    }
    case Operation::free:
      if (slot.block == nullptr) return 0;
      around([&]() -> void* { return allocator.deallocate(slot.block, slot.size, align), nullptr; });
      slot.block = nullptr;
  }
  return 0;
}

/// Nothing but the steps.
template <typename Allocator>
[[gnu::noinline]] std::uint64_t replay_steps(Allocator& allocator, const Step* step, const Step* end, Slot* slots) {
  std::uint64_t failures = 0;
  for (; step != end; ++step) failures += do_step(allocator, *step, slots[step->slot], [](auto call) { return call(); });
  return failures;
}

/// Frees what the last step left, so that the same allocator can take the steps again.
template <typename Allocator>
void free_live(Allocator& allocator, Slot* slots, std::uint64_t count) {
  for (Slot* slot = slots; slot != slots + count; ++slot) {
    if (slot->block != nullptr) allocator.free(slot->block);
    slot->block = nullptr;
  }
}

/// Where what is kept of a replay is taken: `count` events, evenly spread, the last one among them.
[[nodiscard]] inline std::uint64_t spread_event(std::uint64_t index, std::uint64_t count, std::uint64_t events) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(index + 1) * events / count) - 1;
}

}  // namespace slabheap::replay
