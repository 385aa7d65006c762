#include "slabheap/core/reciprocal.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

#include "slabheap/core/limits.hpp"

using slabheap::Quotient;
using slabheap::Reciprocal;

TEST_CASE("a reciprocal divides as division does, for every block size and the offsets around every block of a set") {
  std::size_t wrong = 0;
  for (std::uint32_t divisor = slabheap::min_block_bytes; divisor <= slabheap::max_block_bytes; ++divisor) {
    const Reciprocal reciprocal{divisor};
    for (std::size_t block = 0; block <= slabheap::max_set_blocks + 1; ++block) {
      for (const std::size_t offset : {block * divisor, block * divisor + 1, (block + 1) * divisor - 1}) {
        const Quotient quotient = reciprocal.divide(offset);
        wrong += quotient.value != offset / divisor || quotient.exact != (offset % divisor == 0) ? 1 : 0;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a reciprocal divides the largest offset that a page's distance from its head allows") {
  const std::size_t largest = 0xffff'ffff;
  for (const std::uint32_t divisor : {8U, 9U, 63U, 64U, 4095U, 4096U, 65535U, 65536U}) {
    for (std::size_t offset = largest; offset > largest - 2 * std::size_t{divisor}; --offset) {
      const Quotient quotient = Reciprocal{divisor}.divide(offset);
      REQUIRE(quotient.value == offset / divisor);
      REQUIRE(quotient.exact == (offset % divisor == 0));
    }
  }
}
