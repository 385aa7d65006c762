// Units of the heap: pages are counted and numbered in types of their own, so that a count is never taken for a number.
//
// A page number is unique within a heap, over all of its regions. Within a region, numbers are congruent to addresses: a page
// whose number is a multiple of 2^k lies at an address that is a multiple of 2^k pages, for every 2^k up to 2^26 and up to the
// region's size. So natural alignment of numbers is natural alignment of memory, and the buddy of a run is an XOR away.
#pragma once

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace slabheap {

using Address = std::uintptr_t;

/// A count of pages.
struct Pages {
  std::uint32_t count = 0;

  auto operator<=>(const Pages&) const = default;
  constexpr Pages operator+(Pages other) const { return {count + other.count}; }
  constexpr Pages operator-(Pages other) const { return {count - other.count}; }
  constexpr Pages& operator+=(Pages other) { return *this = *this + other; }
  constexpr Pages& operator-=(Pages other) { return *this = *this - other; }
};

/// The number of one page of a heap.
struct PageNumber {
  std::uint32_t value = 0;

  auto operator<=>(const PageNumber&) const = default;
  constexpr PageNumber operator+(Pages pages) const { return {value + pages.count}; }
  constexpr PageNumber operator-(Pages pages) const { return {value - pages.count}; }
  constexpr Pages operator-(PageNumber other) const { return {value - other.value}; }
};

/// Stands where there is no page: the end of a list, the result of a search that failed.
inline constexpr PageNumber no_page{0xffff'ffff};

/// Consecutive pages of one region.
struct Run {
  PageNumber first = no_page;
  Pages pages;

  auto operator<=>(const Run&) const = default;
  [[nodiscard]] constexpr PageNumber end() const { return first + pages; }
  [[nodiscard]] constexpr bool holds(PageNumber page) const { return page >= first && page < end(); }
};

[[nodiscard]] constexpr bool is_power_of_two(std::size_t value) { return value != 0 && (value & (value - 1)) == 0; }

/// The least multiple of `alignment`, a power of two, that is not below `value`. The caller sees to it that it fits.
template <typename Unsigned>
[[nodiscard]] constexpr Unsigned round_up(Unsigned value, std::size_t alignment) {
  return static_cast<Unsigned>((value + (alignment - 1)) & ~static_cast<Unsigned>(alignment - 1));
}

/// The greatest multiple of `alignment`, a power of two, that is not above `value`.
template <typename Unsigned>
[[nodiscard]] constexpr Unsigned round_down(Unsigned value, std::size_t alignment) {
  return static_cast<Unsigned>(value & ~static_cast<Unsigned>(alignment - 1));
}

/// The largest power of two that divides `value`, which is not zero.
template <typename Unsigned>
[[nodiscard]] constexpr Unsigned lowest_bit(Unsigned value) {
  return static_cast<Unsigned>(value & (~value + 1));
}

/// How many bits are set. Not std::popcount: on a processor without the instruction that is a call of the compiler's runtime.
/// Source: H. S. Warren, "Hacker's Delight", section 5-1.
[[nodiscard]] constexpr unsigned bit_count(std::uint64_t word) {
  word -= word >> 1 & 0x5555'5555'5555'5555;
  word = (word & 0x3333'3333'3333'3333) + (word >> 2 & 0x3333'3333'3333'3333);
  word = (word + (word >> 4)) & 0x0f0f'0f0f'0f0f'0f0f;
  return static_cast<unsigned>(word * 0x0101'0101'0101'0101 >> 56);
}

/// A word without one of its bits, and whether it had that.
struct Cleared {
  std::uint64_t word;
  bool had_bit;
};

/// `bit` is below 64.
[[nodiscard]] [[gnu::always_inline]] inline Cleared clear_bit(std::uint64_t word, std::uint64_t bit) {
#if defined(__x86_64__)
  // One instruction does both; compilers find two.
  bool had_bit;
  __asm__("btrq %2, %0" : "+r"(word), "=@ccc"(had_bit) : "r"(bit));
  return {word, had_bit};
#else
  return {word & ~(std::uint64_t{1} << bit), (word >> bit & 1) != 0};
#endif
}

/// The value, which the compiler then has at this place, and neither computes anew nor remembers where it came from.
[[nodiscard]] [[gnu::always_inline]] inline std::size_t at_hand(std::size_t value) {
  __asm__("" : "+r"(value));
  return value;
}

/// The distance of what is accessed several times, for one access: where an address may be a sum of two registers, each then adds
/// for itself, at no cost, and none waits for a sum that all share.
[[nodiscard]] [[gnu::always_inline]] inline std::size_t for_one_access(std::size_t distance) {
#if defined(__x86_64__)
  return at_hand(distance);
#else
  return distance;
#endif
}

/// log2 of the least power of two that is not below `count`, which is not zero.
[[nodiscard]] constexpr unsigned order_for(Pages pages) { return static_cast<unsigned>(std::bit_width(pages.count - 1)); }

}  // namespace slabheap
