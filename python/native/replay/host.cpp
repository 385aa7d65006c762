// Replays a program on the malloc of its own process, which is that of the system or of whatever library was preloaded, and says
// what it took. A process of its own, so that nothing else counts, and so that a library that crashes takes nothing with it.
//
// Usage: slabheap-replay-host FILE_NUMBER STEPS SLOTS SAMPLES. With samples, the replay is measured; with 0, it is timed. It
// takes memory from the kernel only, and the same addresses each time.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "replay/host_protocol.hpp"
#include "replay/loop.hpp"
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

void measure(const ProcessMalloc& allocator, const MappedSteps& steps, Slot* slots, std::uint64_t samples) {
  auto* timeline = static_cast<Sample*>(map_resident(samples * sizeof(Sample)));
  Account account;
  HostAnswer answer{};
  const std::uint64_t before = anonymous_bytes();
  for (std::uint64_t event = 0; event < steps.count(); ++event) {
    measure_step(allocator, steps.begin()[event], slots, account);
    while (answer.samples < samples && event == sample_event(answer.samples, samples, steps.count())) {
      const std::uint64_t now = anonymous_bytes();
      const std::uint64_t held = now > before ? now - before : 0;
      timeline[answer.samples++] = {event, steps.begin()[event].time, account.requested, account.used, held};
      answer.peak_held = std::max(answer.peak_held, held);
    }
  }
  answer.failures = account.failures;
  answer.peak_used = account.peak_used;
  write_all(&answer, sizeof answer);
  write_all(timeline, answer.samples * sizeof(Sample));
}

void time(const ProcessMalloc& allocator, const MappedSteps& steps, Slot* slots) {
  HostAnswer answer{};
  (void)steps.in_stretches([&](std::uint64_t first, std::uint64_t count) {
    const double start = seconds_now();
    answer.failures += replay_steps(allocator, steps.begin() + first, steps.begin() + first + count, slots);
    answer.seconds += seconds_now() - start;
    return true;
  });
  write_all(&answer, sizeof answer);
}

/// Starts this program over without randomized addresses, so that two replays of a program are alike.
void settle_addresses(char** arguments) {
  const int current = personality(0xffffffff);
  if (current == -1 || (current & ADDR_NO_RANDOMIZE) != 0) return;
  if (personality(static_cast<unsigned long>(current) | ADDR_NO_RANDOMIZE) == -1) return;
  execv("/proc/self/exe", arguments);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return host_usage;
  settle_addresses(arguments);
  (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  const MappedSteps steps{std::atoi(arguments[1]), std::strtoull(arguments[2], nullptr, 10)};
  if (!steps.is_mapped()) return host_no_program;
  const ProcessMalloc allocator{std::getenv("LD_PRELOAD") != nullptr};
  if (!allocator.is_whole()) return host_no_malloc;
  auto* slots = static_cast<Slot*>(map_resident(std::strtoull(arguments[3], nullptr, 10) * sizeof(Slot)));
  const std::uint64_t samples = std::strtoull(arguments[4], nullptr, 10);
  if (samples != 0) {
    measure(allocator, steps, slots, samples);
  } else {
    time(allocator, steps, slots);
  }
  return 0;
}
