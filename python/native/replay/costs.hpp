// What each call of a replay costs, as histograms: by operation, and by windows of events, so that costs show over time.
//
// A call is timed by two readings of the processor's counter; what two readings with nothing between them take is measured before
// and taken off. A histogram has 32 buckets a doubling, so a bucket is at most a 32nd wide; counts below 64 have one each.
// Nothing is allocated while calls are timed, and one window's histograms fit in the first-level cache.
#pragma once

#include <algorithm>
#include <bit>
#include <numeric>

#include "clock/ticks.hpp"
#include "replay/loop.hpp"

namespace slabheap::replay {

inline constexpr unsigned cost_operations = 4;  // as many as trace::Operation has
inline constexpr unsigned cost_sub_bits = 5;
inline constexpr unsigned cost_most_bits = 40;  // of ticks; larger costs count as the largest that is told apart
inline constexpr unsigned cost_buckets = ((cost_most_bits - cost_sub_bits) << cost_sub_bits) + (1 << cost_sub_bits);

/// What calls cost from the event behind the last window's to `event`, by operation; a row of a NumPy array.
struct CostWindow {
  std::uint64_t event;
  std::uint64_t time;                  // of that event
  std::uint64_t sum[cost_operations];  // the readings' own cost is part of it, as a fraction of a tick cannot be taken off
  std::uint64_t most[cost_operations];
  std::uint32_t counts[cost_operations][cost_buckets];
};

[[nodiscard]] constexpr unsigned cost_bucket(std::uint64_t ticks) {
  constexpr std::uint64_t most = (std::uint64_t{1} << cost_most_bits) - 1;
  if (ticks > most) ticks = most;
  const unsigned bits = static_cast<unsigned>(std::bit_width(ticks));
  const unsigned shift = bits > cost_sub_bits + 1 ? bits - cost_sub_bits - 1 : 0;
  return (shift << cost_sub_bits) + static_cast<unsigned>(ticks >> shift);
}
static_assert(cost_bucket(63) == 63 && cost_bucket(64) == 64 && cost_bucket(65) == 64 && cost_bucket(66) == 65);
static_assert(cost_bucket(~std::uint64_t{0}) == cost_buckets - 1);

/// The least number of ticks in a bucket.
[[nodiscard]] constexpr std::uint64_t cost_least(unsigned bucket) {
  const unsigned shift = bucket >> (cost_sub_bits + 1) != 0 ? (bucket >> cost_sub_bits) - 1 : 0;
  return std::uint64_t{bucket - (shift << cost_sub_bits)} << shift;
}
static_assert(cost_least(63) == 63 && cost_least(64) == 64 && cost_least(65) == 66);

/// How the counter goes that costs are read from.
struct CostClock {
  double nanoseconds_per_tick;
  double reading_ticks;            // what two readings with nothing between them take; taken off each cost
  std::uint64_t resolution_ticks;  // the least that two costs differ by, but for a tick of rounding: counters may go in steps
};

/// Times every call of a replay, into windows that the caller provides, zeroed.
class CostMeter {
 public:
  CostMeter(CostWindow* windows, std::uint64_t count, std::uint64_t events) : windows_{windows}, count_{count}, events_{events} {
    start_window(0);
    time_readings();
    start_nanoseconds_ = clock::monotonic_nanoseconds();
    start_ticks_ = clock::ticks();
  }

  /// The steps from `first` to the one before `end`, which follow those before.
  template <typename Allocator>
  void replay(Allocator& allocator, const Step* steps, std::uint64_t first, std::uint64_t end, Slot* slots) {
    for (std::uint64_t event = first; event < end; ++event) {
      const Step& step = steps[event];
      (void)do_step(allocator, step, slots[step.slot], [&](auto call) {
        const std::uint64_t start = clock::ordered_ticks();
        void* block = call();
        add(static_cast<unsigned>(step.operation), clock::ordered_ticks() - start);
        return block;
      });
      if (event == window_end_) finish_window(step.time);
    }
  }

  [[nodiscard]] CostClock cost_clock() const {
    // The longer it goes, the better is the ratio known: a millisecond at the least.
    std::uint64_t nanoseconds = 0;
    while (nanoseconds < 1'000'000) nanoseconds = clock::monotonic_nanoseconds() - start_nanoseconds_;
    const std::uint64_t ticks = clock::ticks() - start_ticks_;
    return {static_cast<double>(nanoseconds) / static_cast<double>(ticks), reading_ticks_, resolution_ticks_};
  }

 private:
  /// The mean of what readings take: where the counter goes in large steps, no single one is right. The dearest are
  /// interruptions.
  void time_readings() {
    constexpr unsigned all = 4096, counted = all - all / 16;
    std::uint64_t readings[all];
    for (std::uint64_t& reading : readings) {
      const std::uint64_t start = clock::ordered_ticks();
      reading = clock::ordered_ticks() - start;
    }
    std::sort(readings, readings + all);
    for (unsigned i = 1; i < counted; ++i) {
      const std::uint64_t step = readings[i] - readings[i - 1];
      if (step > 1 && (resolution_ticks_ == 1 || step < resolution_ticks_)) resolution_ticks_ = step;
    }
    reading_ticks_ = static_cast<double>(std::accumulate(readings, readings + counted, std::uint64_t{0})) / counted;
    taken_off_ = static_cast<std::uint64_t>(reading_ticks_ + 0.5);
  }

  void add(unsigned operation, std::uint64_t ticks) {
    const std::uint64_t cost = ticks > taken_off_ ? ticks - taken_off_ : 0;
    window_->sum[operation] += ticks;
    window_->most[operation] = std::max(window_->most[operation], cost);
    ++window_->counts[operation][cost_bucket(cost)];
  }

  void start_window(std::uint64_t index) {
    window_ = windows_ + index;
    window_end_ = index < count_ ? spread_event(index, count_, events_) : events_;
  }

  void finish_window(std::uint64_t time) {
    window_->event = window_end_;
    window_->time = time;
    start_window(static_cast<std::uint64_t>(window_ - windows_) + 1);
  }

  CostWindow* windows_;
  std::uint64_t count_;
  std::uint64_t events_;
  CostWindow* window_ = nullptr;
  std::uint64_t window_end_ = 0;
  double reading_ticks_ = 0;
  std::uint64_t taken_off_ = 0;  // reading_ticks_, rounded
  std::uint64_t resolution_ticks_ = 1;
  std::uint64_t start_nanoseconds_ = 0;
  std::uint64_t start_ticks_ = 0;
};

}  // namespace slabheap::replay
