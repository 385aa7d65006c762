// One point of a timeline, as a row of a NumPy array, and as a host process sends it.
#pragma once

#include <cstdint>

namespace slabheap::replay {

struct Sample {
  std::uint64_t event;          // index of the event after which it was taken
  std::uint64_t time;           // of that event
  std::uint64_t requested;      // live bytes as asked for
  std::uint64_t used;           // live bytes as the allocator rounds them
  std::uint64_t held;           // bytes that nobody else can have
  std::uint64_t slack;          // bytes of live blocks beyond their requests
  std::uint64_t failures;       // requests so far that there was no memory for
  std::uint64_t live_pages;     // pages of 4096 bytes with a byte of a live block
  std::uint64_t touched_pages;  // pages of 4096 bytes that had one so far
};

}  // namespace slabheap::replay
