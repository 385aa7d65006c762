// Whether a block size divides an offset, and how often, by one multiplication.
//
// Source: T. Granlund, P. L. Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994, section 9: for d = 2^k
// * o with an odd o, and i the inverse of o modulo 2^32, n * i modulo 2^32, rotated by k bits to the right, is the quotient of n
// if d divides it, and greater than every such quotient otherwise.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace slabheap {

struct Quotient {
  std::uint32_t value;
  bool exact;
};

class ExactDivisor {
 public:
  /// Quotients of this much and more are taken for inexact.
  static constexpr std::uint32_t quotients = 64;

  /// Divides nothing: of any dividend it says that it is exact, and zero. No set names a front with such a one.
  constexpr ExactDivisor() = default;
  /// `divisor` is at least 1, and `quotients` times it at most 2^32.
  explicit constexpr ExactDivisor(std::uint32_t divisor)
      : inverse_{inverse_of(divisor >> std::countr_zero(divisor))},
        shift_{static_cast<std::uint8_t>(std::countr_zero(divisor))} {}

  bool operator==(const ExactDivisor&) const = default;

  /// `dividend` is below 2^32.
  [[nodiscard]] Quotient divide(std::size_t dividend) const {
    const std::uint32_t value = std::rotr(static_cast<std::uint32_t>(dividend) * inverse_, shift_);
    return {value, value < quotients};
  }

 private:
  /// The inverse of an odd number modulo 2^32. Each step of Newton's method doubles the bits that are right, three at first.
  static constexpr std::uint32_t inverse_of(std::uint32_t odd) {
    std::uint32_t inverse = odd;
    for (unsigned right = 3; right < 32; right *= 2) inverse *= 2 - odd * inverse;
    return inverse;
  }

  std::uint32_t inverse_ = 0;
  std::uint8_t shift_ = 0;
};

}  // namespace slabheap
