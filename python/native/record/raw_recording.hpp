// What the recorder writes while a program runs: a file for each program image, cut into segments that threads fill on their own.
//
// Segments are shared mappings of the file, so what was recorded stays if the program is killed or replaces itself. The first one
// holds the header. Everything is in the byte order of the machine, which is the one that reads it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabheap::record {

inline constexpr std::uint64_t raw_magic = 0x3130'7761'7262'6c73;  // "slbraw01"
inline constexpr std::uint32_t segment_bytes = 1 << 16;
inline constexpr std::uint32_t command_bytes = 4096;
inline constexpr char folder_variable[] = "SLABHEAP_RECORD";  // the environment variable that says where files go

enum class RawOperation : std::uint8_t {
  allocate = 1,
  allocate_zeroed,
  free,
  reallocate_begin,  // the old address is given up
  reallocate_end,    // the new address is known; it is the old one again if there was no memory
};

/// One call. Sequence numbers are taken before memory is given up and after it is received, so that their order over all threads
/// agrees with the life of every address.
struct RawEvent {
  std::uint64_t sequence;
  std::uint64_t ticks;
  std::uint64_t address;
  std::uint64_t size : 48;
  std::uint64_t align_shift : 8;
  RawOperation operation;
};
static_assert(sizeof(RawEvent) == 32, "a record fills half a cache line");

inline constexpr std::size_t segment_head_bytes = 64;
inline constexpr std::uint32_t segment_capacity = (segment_bytes - segment_head_bytes) / sizeof(RawEvent);

struct RawSegment {
  std::uint32_t thread;  // as the kernel numbers it; 0 if the segment was never used
  std::uint32_t count;   // records that are complete
  alignas(segment_head_bytes) RawEvent events[segment_capacity];
};
static_assert(sizeof(RawSegment) == segment_bytes, "segments follow each other");

struct RawHeader {
  std::uint64_t magic;
  std::uint32_t process;
  std::uint32_t segments;  // handed out so far, besides the first
  std::uint64_t lost;      // calls that could not be recorded
  std::uint64_t start_ticks;
  std::uint64_t start_nanoseconds;  // CLOCK_MONOTONIC at start_ticks
  std::uint32_t command_length;
  char command[command_bytes];  // the arguments, each ended by a zero
};

}  // namespace slabheap::record
