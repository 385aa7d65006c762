// The steps of a program, mapped for reading.
#pragma once

#include <cstdint>

#include "replay/step.hpp"

namespace slabheap::replay {

class MappedSteps {
 public:
  static constexpr std::uint64_t stretch = 1 << 16;  // steps

  /// Maps `count` steps of an open file.
  MappedSteps(int file, std::uint64_t count);
  ~MappedSteps();
  MappedSteps(const MappedSteps&) = delete;
  MappedSteps& operator=(const MappedSteps&) = delete;

  [[nodiscard]] bool is_mapped() const { return steps_ != nullptr || count_ == 0; }
  [[nodiscard]] const Step* begin() const { return steps_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t stretches() const { return (count_ + stretch - 1) / stretch; }

  /// Calls `run(first, count)` for one stretch of steps after another, each in memory by then, so that nobody is timed while it
  /// waits for them.
  template <typename Run>
  void in_stretches(Run run) const {
    for (std::uint64_t first = 0; first < count_; first += stretch) {
      const std::uint64_t count = count_ - first < stretch ? count_ - first : stretch;
      fetch(first, count);
      run(first, count);
    }
  }

 private:
  void fetch(std::uint64_t first, std::uint64_t count) const;

  const Step* steps_ = nullptr;
  std::uint64_t count_;
};

}  // namespace slabheap::replay
