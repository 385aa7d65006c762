#include "slabheap/core/exact_divisor.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

#include "slabheap/core/limits.hpp"

using slabheap::ExactDivisor;
using slabheap::Quotient;

namespace {

/// Whether the quotient is exact if and only if it should be, and right then.
bool is_right(std::uint32_t divisor, std::size_t offset) {
  const Quotient quotient = ExactDivisor{divisor}.divide(offset);
  const bool is_exact = offset % divisor == 0 && offset / divisor < slabheap::max_set_blocks;
  return quotient.exact == is_exact && (!is_exact || quotient.value == offset / divisor);
}

}  // namespace

TEST_CASE("an exact divisor tells the offsets of blocks from all around them, for every block size") {
  std::size_t wrong = 0;
  for (std::uint32_t divisor = slabheap::min_block_bytes; divisor <= slabheap::max_block_bytes; ++divisor) {
    for (std::size_t block = 0; block <= slabheap::max_set_blocks + 1; ++block) {
      for (const std::size_t offset : {block * divisor, block * divisor + 1, (block + 1) * divisor - 1}) {
        wrong += is_right(divisor, offset) ? 0 : 1;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("an exact divisor tells the offsets that a page's distance from its head allows, for some block sizes") {
  constexpr std::size_t most = std::size_t{256} * slabheap::max_page_bytes;
  constexpr std::size_t step = 61;  // a prime, so that it meets every remainder
  for (const std::uint32_t divisor : {8U, 9U, 24U, 63U, 64U, 1000U, 4095U, 4096U, 65535U, 65536U}) {
    std::size_t wrong = 0;
    for (std::size_t offset = 0; offset < most; offset += step) wrong += is_right(divisor, offset) ? 0 : 1;
    CHECK(wrong == 0);
  }
}

TEST_CASE("an exact divisor takes the largest offsets of 32 bits for no block's") {
  for (const std::uint32_t divisor : {8U, 9U, 63U, 64U, 4095U, 4096U, 65535U, 65536U}) {
    for (std::uint32_t before = 0; before < 2 * divisor; ++before) REQUIRE(is_right(divisor, 0xffff'ffffU - before));
  }
}
