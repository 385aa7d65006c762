// An event of a trace, as a row of a NumPy array. slabheap/events.py has the same layout as a dtype; the module compares them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabheap::trace {

enum class Operation : std::uint8_t { allocate, allocate_zeroed, reallocate, free };

struct Event {
  std::uint64_t time;   // nanoseconds since the trace began
  std::uint64_t block;  // blocks are numbered from 0 in order of their allocation; a number is never used again
  std::uint64_t size;   // bytes asked for; 0 for a free
  std::uint32_t align;  // a power of two; 1 for a free or a reallocation
  std::uint32_t thread;
  std::uint32_t tag;
  Operation operation;
  std::uint8_t unused[3];  // 0, so that the same events are the same bytes
};
static_assert(sizeof(Event) == 40 && offsetof(Event, operation) == 36);

}  // namespace slabheap::trace
