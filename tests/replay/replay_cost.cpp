// Replays the events of a file by the replay engine and by a loop that is written by hand in C, in turn, and prints the seconds
// of each. Usage: replay_cost FILE ROUNDS, where FILE has the rows of an array of slabheap.EVENT
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "hand_written.h"
#include "replay/heap_replay.hpp"

namespace {

using slabheap::replay::MappedSteps;
using slabheap::replay::Program;
using slabheap::replay::seconds_now;
using slabheap::replay::Step;
using slabheap::trace::Event;

static_assert(sizeof(Step) == sizeof(step) && offsetof(Step, slot) == offsetof(step, slot) &&
              offsetof(Step, operation) == offsetof(step, operation) &&
              offsetof(Step, align_shift) == offsetof(step, align_shift));

constexpr std::size_t heap_bytes = std::size_t{1} << 30;

double seconds_of_engine(const Program& program) {
  HeapOptions options = heap_options_default();
  options.bytes = heap_bytes;
  const auto result = slabheap::replay::replay_on_heap(program, {options, 1, 1, {}, 1, false, 0}, [](std::uint64_t) {});
  double seconds = 0;
  for (const double stretch : result.seconds.front()) seconds += stretch;
  return result.failures == 0 ? seconds : -1;
}

double seconds_of_hand(const MappedSteps& steps, std::size_t slots) {
  Heap* heap = heap_new(nullptr, heap_bytes);
  std::vector<void*> blocks(slots);
  const double start = seconds_now();
  const std::size_t failures = hand_written(heap, reinterpret_cast<const step*>(steps.begin()), steps.count(), blocks.data());
  const double seconds = seconds_now() - start;
  heap_destroy(heap);
  return failures == 0 ? seconds : -1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  std::ifstream file{arguments[1], std::ios::binary};
  const std::vector<char> bytes{std::istreambuf_iterator<char>{file}, {}};
  Program program{""};
  program.append(reinterpret_cast<const Event*>(bytes.data()), bytes.size() / sizeof(Event));
  const MappedSteps steps{program.file(), program.compiler().events()};
  for (int round = 0; round < std::atoi(arguments[2]); ++round) {
    const double engine = seconds_of_engine(program), hand = seconds_of_hand(steps, program.compiler().slots());
    if (std::min(engine, hand) < 0) return 1;
    std::printf("%.9f %.9f\n", engine, hand);
  }
  return 0;
}
