// Memory for a heap under test: of any misalignment, and with a rim on both sides that tells whether anything was written
// outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace slabheap::test {

class Memory {
 public:
  static constexpr std::size_t alignment = std::size_t{1} << 24;

  /// `bytes` bytes, `misalignment` behind a multiple of `alignment`, filled with rubbish.
  explicit Memory(std::size_t bytes, std::size_t misalignment = 0)
      : bytes_{bytes},
        all_{static_cast<unsigned char*>(
            ::operator new (rim + misalignment + bytes + rim + alignment, std::align_val_t{alignment}))},
        start_{all_ + alignment + misalignment} {
    std::memset(start_ - rim, rim_byte, rim + bytes_ + rim);
    std::memset(start_, 0xa5, bytes_);
  }
  ~Memory() { ::operator delete (all_, std::align_val_t{alignment}); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] void* start() const { return start_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// Whether nothing was written outside.
  [[nodiscard]] bool rim_is_whole() const {
    const std::vector<unsigned char> expected(rim, rim_byte);
    return std::memcmp(start_ - rim, expected.data(), rim) == 0 && std::memcmp(start_ + bytes_, expected.data(), rim) == 0;
  }

 private:
  static constexpr std::size_t rim = 4096;
  static constexpr unsigned char rim_byte = 0x5a;

  std::size_t bytes_;
  unsigned char* all_;
  unsigned char* start_;
};

}  // namespace slabheap::test
