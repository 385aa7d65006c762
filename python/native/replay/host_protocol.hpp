// Between the Python module and the process that replays on another allocator. The program's steps are inherited as an open file;
// the answer goes to standard output.
#pragma once

#include <cstdint>

#include "replay/costs.hpp"

namespace slabheap::replay {

/// What the host does, by its first argument.
enum HostTask : char {
  host_measure = 'm',  // answers with Samples, that of the peak last
  host_time = 't',     // answers with the seconds of each stretch, doubles
  host_warm = 'w',     // the same, of a second replay, when nothing of a first is live any more
  host_cost = 'c'      // answers with CostWindows
};

/// What the process makes of huge pages, by its last argument.
enum HostHugePages : char {
  host_unwanted = 'u',  // it has none, whatever the allocator and the system would do
  host_system = 's'     // it has what the allocator asks for and the system gives
};

/// What the host answers, followed by `rows` of what its task says. slabheap/hosting.py reads it.
struct HostAnswer {
  std::uint64_t rows;
  std::uint64_t failures;  // of a measured replay, like the next four
  std::uint64_t peak_used;
  std::uint64_t peak_slack;
  std::uint64_t peak_live_pages;
  std::uint64_t peak_held;
  CostClock cost_clock;  // of a replay whose costs were measured
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
