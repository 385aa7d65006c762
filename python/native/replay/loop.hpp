// The loop of a replay, the same for every allocator.
//
// An allocator has
//   void* allocate(std::size_t size, std::size_t align), allocate_zeroed, which may give null
//   void* reallocate(void* block, std::size_t old_size, std::size_t align, std::size_t size), null if the block stays as it was
//   void  deallocate(void* block, std::size_t size, std::size_t align)
//   std::size_t usable(const void* block, std::size_t size, std::size_t align): what the block holds
#pragma once

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "replay/step.hpp"

namespace slabheap::replay {

/// What is counted step by step.
struct Account {
  std::uint64_t requested = 0;
  std::uint64_t used = 0;
  std::uint64_t peak_requested = 0;
  std::uint64_t peak_used = 0;
  std::uint64_t failures = 0;
};

/// A block in a slot. `size` is kept, beside what a step says, because a failed reallocation leaves the block with its old size.
struct Slot {
  void* block;
  std::uint64_t size;
};

[[nodiscard]] inline double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

inline void touch(void* block, std::size_t size) {
  if (size != 0) *static_cast<volatile unsigned char*>(block) = 1;
}

/// Touches every OS page of a block, so that memory that is held shows as resident.
inline void touch_all(void* block, std::size_t from, std::size_t size) {
  auto* bytes = static_cast<volatile unsigned char*>(block);
  for (std::size_t offset = from; offset < size; offset += 4096) bytes[offset] = 1;
  if (size > from) bytes[size - 1] = 1;
}

/// The replay that is timed: calls, and one byte of each new block written.
template <typename Allocator>
[[gnu::noinline]] std::uint64_t replay_steps(Allocator& allocator, const Step* step, const Step* end, Slot* slots) {
  using trace::Operation;
  std::uint64_t failures = 0;
  for (; step != end; ++step) {
    Slot& slot = slots[step->slot];
    const std::size_t align = std::size_t{1} << step->align_shift;
    switch (step->operation) {
      case Operation::allocate:
      case Operation::allocate_zeroed:
        slot.block = step->operation == Operation::allocate ? allocator.allocate(step->size, align)
                                                            : allocator.allocate_zeroed(step->size, align);
        slot.size = step->size;
        if (slot.block == nullptr) {
          ++failures;
        } else {
          touch(slot.block, step->size);
        }
        break;
      case Operation::reallocate: {
        if (slot.block == nullptr) break;
        void* moved = allocator.reallocate(slot.block, slot.size, align, step->size);
        if (moved == nullptr) {
          ++failures;
          break;
        }
        slot = {moved, step->size};
        break;
      }
      case Operation::free:
        if (slot.block != nullptr) allocator.deallocate(slot.block, slot.size, align);
        slot.block = nullptr;
    }
  }
  return failures;
}

/// One step of the replay that is measured: every page of every block touched, and everything counted.
template <typename Allocator>
void measure_step(Allocator& allocator, const Step& step, Slot* slots, Account& account) {
  const std::size_t align = std::size_t{1} << step.align_shift;
  const auto usable = [&](const Slot& slot) {
    return slot.block != nullptr ? allocator.usable(slot.block, slot.size, align) : 0;
  };
  const Slot& slot = slots[step.slot];
  const std::size_t used_before = usable(slot);
  const std::size_t touched = slot.block != nullptr ? slot.size : 0;

  account.failures += replay_steps(allocator, &step, &step + 1, slots);
  if (slot.block != nullptr) touch_all(slot.block, std::min<std::size_t>(touched, slot.size), slot.size);
  account.requested += step.size - step.old_size;
  account.used += usable(slot) - used_before;
  account.peak_requested = std::max(account.peak_requested, account.requested);
  account.peak_used = std::max(account.peak_used, account.used);
}

/// Where samples of a replay are taken: `samples` events, evenly spread, the last one among them.
[[nodiscard]] inline std::uint64_t sample_event(std::uint64_t sample, std::uint64_t samples, std::uint64_t events) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(sample + 1) * events / samples) - 1;
}

}  // namespace slabheap::replay
