// Division by a block size, and whether it leaves a remainder, by one multiplication.
//
// Source: D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation", Software: Practice and Experience 49(6), 2019:
// with c = ceil(2^64 / d), the quotient of n is the high word of c * n, and d divides n if and only if the low word is below c,
// for n and d below 2^32.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabheap {

struct Quotient {
  std::size_t value;
  bool exact;
};

class Reciprocal {
 public:
  /// Divides nothing: no quotient is exact.
  constexpr Reciprocal() = default;
  /// `divisor` is at least 2 and below 2^32.
  explicit constexpr Reciprocal(std::uint32_t divisor) : word_{of(divisor)} {}

  bool operator==(const Reciprocal&) const = default;

  /// `dividend` is below 2^32.
  [[nodiscard]] Quotient divide(std::size_t dividend) const {
#if defined(__x86_64__)
    // For a product of two words, GCC sets two more registers apart, and saves them, for nothing.
    std::uint64_t low = dividend;
    std::uint64_t high;
    __asm__("mulq %2" : "+a"(low), "=d"(high) : "r"(word_) : "cc");
    return {static_cast<std::size_t>(high), low < word_};
#elif defined(__SIZEOF_INT128__)
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(word_) * dividend;
    return {static_cast<std::size_t>(product >> 64), static_cast<std::uint64_t>(product) < word_};
#else
    if (word_ == 0) return {0, false};
    return {dividend / static_cast<std::uint32_t>(word_), dividend % static_cast<std::uint32_t>(word_) == 0};
#endif
  }

 private:
  static constexpr std::uint64_t of(std::uint32_t divisor) {
#ifdef __SIZEOF_INT128__
    return ~std::uint64_t{0} / divisor + 1;
#else
    return divisor;  // no product of two words: the processor divides
#endif
  }

  std::uint64_t word_ = 0;
};

}  // namespace slabheap
