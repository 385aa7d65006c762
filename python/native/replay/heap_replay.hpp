// The replay of a program on a slabheap heap, in this process.
#pragma once

#include <functional>
#include <vector>

#include "replay/loop.hpp"
#include "replay/mapped_steps.hpp"
#include "replay/program.hpp"
#include "replay/sample.hpp"
#include "slabheap/slabheap.h"

namespace slabheap::replay {

/// A heap could not be made.
struct HeapNotMade {
  HeapStatus status;
  std::size_t bytes;
};

/// Called now and then with the number of steps that are done; false ends the replay.
using Progress = std::function<bool(std::uint64_t done)>;

/// The occupancy of a size class at a sample.
struct Occupancy {
  std::uint64_t total_blocks;
  std::uint64_t used_blocks;
};

struct HeapReplay {
  Account account;
  std::uint64_t peak_held = 0;
  std::vector<Sample> timeline;
  std::vector<Occupancy> occupancy;             // of each sample, a value for each class
  std::vector<std::vector<HeapRun>> snapshots;  // the runs after each of the events asked for
  HeapStats stats{};                            // at the end
  std::vector<HeapClassStats> classes;          // at the end
  std::vector<double> seconds;                  // of each timed replay
};

/// What to replay, and how often.
struct HeapReplayRequest {
  HeapOptions options;
  std::uint64_t samples;
  std::vector<std::uint64_t> snapshot_events;  // ascending
  unsigned repeats;
};

/// Replays the program once measured and `repeats` times timed, each on a heap of its own. Throws HeapNotMade. Ended by
/// `progress`, it returns what there is.
[[nodiscard]] HeapReplay replay_on_heap(const Program& program, const HeapReplayRequest& request, const Progress& progress);

}  // namespace slabheap::replay
