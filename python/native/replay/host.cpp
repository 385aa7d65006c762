// Replays a program on the malloc of its own process, which is that of the system or of whatever library was preloaded, and says
// what it took. A process of its own, so that nothing else counts, and so that a library that crashes takes nothing with it.
//
// Usage: slabheap-replay-host TASK FILE_NUMBER STEPS SLOTS ROWS PEAK_EVENT HUGE_PAGES. The tasks and what there is to say of huge
// pages stand in host_protocol.hpp; ROWS is the number of samples or windows. It takes memory from the kernel only, and the same
// addresses each time.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "replay/account.hpp"
#include "replay/host_protocol.hpp"
#include "replay/mapped_steps.hpp"
#include "replay/process_malloc.hpp"

using namespace slabheap::replay;

namespace {

/// Zeroed memory of the kernel's, resident from the start.
void* map_resident(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) _exit(host_no_memory);
  return memory;
}

/// The anonymous memory of this process that is resident, in bytes.
std::uint64_t anonymous_bytes() {
  static char text[4096];
  static const int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
  const ssize_t length = pread(file, text, sizeof text - 1, 0);
  if (length <= 0) _exit(host_no_figures);
  text[length] = '\0';
  const char* line = std::strstr(text, "\nAnonymous:");
  if (line == nullptr) _exit(host_no_figures);
  return std::strtoull(line + std::strlen("\nAnonymous:"), nullptr, 10) * 1024;
}

void write_all(const void* bytes, std::size_t count) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = write(STDOUT_FILENO, next, count);
    if (written <= 0) _exit(host_no_reader);
    next += written;
    count -= static_cast<std::size_t>(written);
  }
}

/// What there is to do.
struct Task {
  const ProcessMalloc& allocator;
  const MappedSteps& steps;
  Slot* slots;
  std::uint64_t slot_count;
  std::uint64_t rows;
  std::uint64_t peak_event;
};

template <typename Row>
Row* rows_of(std::uint64_t count) {
  return static_cast<Row*>(map_resident(count * sizeof(Row)));
}

template <typename Row>
void write_answer(const HostAnswer& answer, const Row* rows) {
  write_all(&answer, sizeof answer);
  write_all(rows, answer.rows * sizeof(Row));
}

void measure(const Task& task) {
  auto* timeline = rows_of<Sample>(task.rows + 1);
  Sample at_peak{};
  Account account;
  HostAnswer answer{};
  const std::uint64_t before = anonymous_bytes();
  const auto sample = [&](std::uint64_t event) {
    const std::uint64_t now = anonymous_bytes();
    const std::uint64_t held = now > before ? now - before : 0;
    answer.peak_held = std::max(answer.peak_held, held);
    return account.sample(event, task.steps.begin()[event].time, held);
  };
  for (std::uint64_t event = 0; event < task.steps.count(); ++event) {
    account.measure(task.allocator, task.steps.begin()[event], task.slots);
    if (event == task.peak_event) at_peak = sample(event);
    while (answer.rows < task.rows && event == spread_event(answer.rows, task.rows, task.steps.count())) {
      timeline[answer.rows++] = sample(event);
    }
  }
  if (!account.is_whole()) _exit(host_no_memory);
  const Peaks peaks = account.peaks();
  timeline[answer.rows++] = at_peak;
  answer.failures = account.failures();
  answer.peak_used = peaks.used;
  answer.peak_slack = peaks.slack;
  answer.peak_live_pages = peaks.live_pages;
  write_answer(answer, timeline);
}

void warm_up(const Task& task) {
  task.steps.in_stretches([&](std::uint64_t first, std::uint64_t count) {
    (void)replay_steps(task.allocator, task.steps.begin() + first, task.steps.begin() + first + count, task.slots);
  });
  free_live(task.allocator, task.slots, task.slot_count);
}

void time(const Task& task) {
  auto* seconds = rows_of<double>(task.steps.stretches());
  HostAnswer answer{};
  task.steps.in_stretches([&](std::uint64_t first, std::uint64_t count) {
    const double start = seconds_now();
    (void)replay_steps(task.allocator, task.steps.begin() + first, task.steps.begin() + first + count, task.slots);
    seconds[answer.rows++] = seconds_now() - start;
  });
  write_answer(answer, seconds);
}

void measure_costs(const Task& task) {
  auto* windows = rows_of<CostWindow>(task.rows);
  CostMeter meter{windows, task.rows, task.steps.count()};
  task.steps.in_stretches([&](std::uint64_t first, std::uint64_t count) {
    meter.replay(task.allocator, task.steps.begin(), first, first + count, task.slots);
  });
  HostAnswer answer{};
  answer.rows = task.rows;
  answer.cost_clock = meter.cost_clock();
  write_answer(answer, windows);
}

/// Starts this program over without randomized addresses, so that two replays of a program are alike.
void settle_addresses(char** arguments) {
  const int current = personality(0xffffffff);
  if (current == -1 || (current & ADDR_NO_RANDOMIZE) != 0) return;
  if (personality(static_cast<unsigned long>(current) | ADDR_NO_RANDOMIZE) == -1) return;
  execv("/proc/self/exe", arguments);
}

std::uint64_t number_of(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace

int main(int count, char** arguments) {
  if (count != 8) return host_usage;
  settle_addresses(arguments);
  if (arguments[7][0] == host_unwanted) (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  const MappedSteps steps{std::atoi(arguments[2]), number_of(arguments[3])};
  if (!steps.is_mapped()) return host_no_program;
  const ProcessMalloc allocator{std::getenv("LD_PRELOAD") != nullptr};
  if (!allocator.is_whole()) return host_no_malloc;
  const std::uint64_t slot_count = number_of(arguments[4]);
  const Task task{allocator, steps, rows_of<Slot>(slot_count), slot_count, number_of(arguments[5]), number_of(arguments[6])};
  switch (arguments[1][0]) {
    case host_measure: measure(task); return 0;
    case host_warm: warm_up(task); [[fallthrough]];
    case host_time: time(task); return 0;
    case host_cost: measure_costs(task); return 0;
    default: return host_usage;
  }
}
