// What a trace is compiled to for replay: calls on slots, with everything a call needs beside it, so that the loop that is timed
// looks nothing up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trace/event.hpp"

namespace slabheap::replay {

struct Step {
  std::uint64_t time;      // of the event, for the samples
  std::uint64_t size;      // asked for; 0 for a free
  std::uint64_t old_size;  // of the block that is reallocated or freed, as it was asked for
  std::uint32_t slot;      // where the block is kept
  trace::Operation operation;
  std::uint8_t align_shift;
};
static_assert(sizeof(Step) == 32);

}  // namespace slabheap::replay
