// The replay of a program on a slabheap heap, in this process.
#pragma once

#include <functional>
#include <vector>

#include "replay/account.hpp"
#include "replay/costs.hpp"
#include "replay/mapped_steps.hpp"
#include "replay/program.hpp"
#include "slabheap/slabheap.h"

namespace slabheap::replay {

/// A heap could not be made, or a region of it.
struct HeapNotMade {
  HeapStatus status;
  std::size_t bytes;
};

/// Called now and then with the number of steps that are done. What it throws ends the replay.
using Progress = std::function<void(std::uint64_t done)>;

/// The occupancy of a size class at a sample.
struct Occupancy {
  std::uint64_t total_blocks;
  std::uint64_t used_blocks;
};

/// What a heap says of itself at an event, and nobody else knows.
struct HeapMoment {
  Sample sample;
  std::uint64_t largest_free;
  std::vector<Occupancy> occupancy;  // a value for each class
};

struct HeapReplay {
  Peaks peaks{};
  std::uint64_t peak_held = 0;
  std::uint64_t peak_resident = 0;
  std::uint64_t failures = 0;
  std::uint64_t touched_pages = 0;
  std::vector<HeapMoment> timeline;
  std::vector<HeapMoment> at_peak;              // after the event of the peak of requested bytes; none of a program of nothing
  std::vector<std::vector<HeapRun>> snapshots;  // the runs after each of the events asked for
  HeapStats stats{};                            // at the end
  std::vector<HeapClassStats> classes;          // at the end
  std::vector<std::vector<double>> seconds;     // of each timed replay, of each stretch
  std::vector<CostWindow> costs;
  CostClock cost_clock{};
};

/// What to replay, and how often.
struct HeapReplayRequest {
  HeapOptions options;
  unsigned regions;  // that the bytes are divided among
  std::uint64_t samples;
  std::vector<std::uint64_t> snapshot_events;  // ascending
  unsigned repeats;
  bool is_warm;                // each timed replay follows another on the same heap
  std::uint64_t cost_windows;  // 0: costs are not measured
};

/// Replays the program once measured, `repeats` times timed, and once with each call timed, each on a heap of its own. Throws
/// HeapNotMade.
[[nodiscard]] HeapReplay replay_on_heap(const Program& program, const HeapReplayRequest& request, const Progress& progress);

}  // namespace slabheap::replay
