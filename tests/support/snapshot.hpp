// All bytes of a heap at one moment, to be compared with those of another, or brought back: a heap has no state elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace slabheap::test {

struct Range {
  unsigned char* start;
  std::size_t bytes;

  [[nodiscard]] bool holds(const void* address) const {
    return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(start) < bytes;
  }
};

class Snapshot {
 public:
  explicit Snapshot(const std::vector<Range>& memory) : memory_{memory} { take(); }

  void take();
  void restore() const;
  /// The bytes that differ by now, in order of address.
  [[nodiscard]] std::vector<unsigned char*> differences() const;
  /// Whether nothing differs but the word at `counter`, which is higher by `more`; counts as seen.
  [[nodiscard]] bool differs_by(std::uint64_t* counter, std::uint64_t more);
  /// The word that has grown by one since, which is all that differs.
  [[nodiscard]] std::uint64_t* grown_word() const;

 private:
  std::vector<Range> memory_;
  std::vector<std::vector<unsigned char>> copies_;
};

}  // namespace slabheap::test
