// The bytes of a fuzzer, taken off one by one; behind their end there are zeros.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace slabheap::fuzz {

class Stream {
 public:
  Stream(const std::uint8_t* data, std::size_t bytes) : left_{data, bytes} {}

  [[nodiscard]] bool empty() const { return left_.empty(); }

  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t first = left_.front();
    left_ = left_.subspan(1);
    return first;
  }

  /// The last byte, for what came to be asked later than the rest, which then means what it did.
  std::uint8_t last() {
    if (left_.empty()) return 0;
    const std::uint8_t last = left_.back();
    left_ = left_.first(left_.size() - 1);
    return last;
  }

  /// A little-endian number of so many bytes.
  std::size_t number(unsigned bytes) {
    std::size_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value |= static_cast<std::size_t>(byte()) << 8 * i;
    return value;
  }

  /// Small numbers mostly, as sizes are; now and then one at the edge of what there is.
  std::size_t size() {
    const std::uint8_t kind = byte();
    if (kind < 224) {
      const std::size_t power = std::size_t{1} << kind % 18;
      return power + number(2) % power;
    }
    const std::size_t power = std::size_t{1} << byte() % (8 * sizeof(std::size_t));
    return power + kind % 3 - 1;
  }

  /// A power of two mostly.
  std::size_t align() {
    const std::uint8_t kind = byte();
    if (kind < 240) return std::size_t{1} << kind % 18;
    return kind < 248 ? std::size_t{1} << byte() % (8 * sizeof(std::size_t)) : number(2);
  }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace slabheap::fuzz
