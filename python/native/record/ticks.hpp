// A clock that is cheap to read: the processor's counter where there is one that all processors share, the kernel's clock
// elsewhere.
#pragma once

#include <time.h>

#include <cstdint>

namespace slabheap::record {

[[nodiscard]] inline std::uint64_t monotonic_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

[[nodiscard]] inline std::uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t count;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
  return count;
#else
  return monotonic_nanoseconds();
#endif
}

}  // namespace slabheap::record
