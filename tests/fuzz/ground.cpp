#include "fuzz/ground.hpp"

#include <cstring>
#include <new>

namespace slabheap::fuzz {
namespace {

constexpr unsigned char rubbish = 0xa5;
constexpr std::align_val_t alignment{std::size_t{1} << 24};

/// By comparison with rubbish, which is quicker than a look at each byte.
bool is_rubbish(const unsigned char* from, const unsigned char* to) {
  static const std::vector<unsigned char> expected(ground_bytes, rubbish);
  return std::memcmp(from, expected.data(), static_cast<std::size_t>(to - from)) == 0;
}

}  // namespace

test::Range ground() {
  static auto* const start = static_cast<unsigned char*>(::operator new(ground_bytes, alignment));
  return {start, ground_bytes};
}

void clear_ground() { std::memset(ground().start, rubbish, ground_bytes); }

bool is_untouched_outside(const std::vector<test::Range>& ranges) {
  const unsigned char* from = ground().start;
  for (const test::Range& range : ranges) {
    if (!is_rubbish(from, range.start)) return false;
    from = range.start + range.bytes;
  }
  return is_rubbish(from, ground().start + ground_bytes);
}

}  // namespace slabheap::fuzz
