// Between the Python module and the process that replays on another allocator. The program's steps are inherited as an open file;
// the answer goes to standard output.
#pragma once

#include <cstdint>

#include "replay/sample.hpp"

namespace slabheap::replay {

/// What the host answers, followed by `samples` Samples. slabheap/replay.py reads it.
struct HostAnswer {
  std::uint64_t failures;
  std::uint64_t peak_used;  // of a measured replay, like the next two
  std::uint64_t peak_held;
  std::uint64_t samples;
  double seconds;  // of a timed replay
};

/// How a host ends that cannot answer.
enum HostExit : int {
  host_usage = 2,
  host_no_memory = 3,
  host_no_figures = 4,
  host_no_reader = 5,
  host_no_program = 6,
  host_no_malloc = 7
};

}  // namespace slabheap::replay
