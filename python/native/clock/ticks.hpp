// A clock that is cheap to read: the processor's counter where there is one that all processors share, the kernel's clock
// elsewhere.
#pragma once

#include <time.h>

#include <cstdint>

namespace slabheap::clock {

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

/// The same, read after all that stands before it is done and before anything behind it begins: what lies between two readings
/// is what they time.
[[nodiscard]] inline std::uint64_t ordered_ticks() {
#if defined(__x86_64__)
  __builtin_ia32_lfence();
  const std::uint64_t now = ticks();
  __builtin_ia32_lfence();
  return now;
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
  return ticks();
#else
  return ticks();
#endif
}

}  // namespace slabheap::clock
