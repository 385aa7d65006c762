// What a request routes by, and which requests route to a class.
#pragma once

#include "slabheap/core/units.hpp"

namespace slabheap {

/// The last byte that a request wants if its size is rounded up to its alignment, a power of two: what it routes by. Of a request
/// for nothing, beyond every class.
[[nodiscard]] constexpr std::size_t last_byte(std::size_t size, std::size_t align) { return (size - 1) | (align - 1); }

/// The layouts of the requests that route to a class, if it serves all of them; otherwise none.
struct Layouts {
  std::size_t least_last = 0;  // the least last byte of such a request,
  std::size_t last_count = 0;  // and how many there are, if all such are served; otherwise 0

  bool operator==(const Layouts&) const = default;
  /// Whether a request with this last byte is one of these.
  [[nodiscard]] bool has_last(std::size_t last) const { return last - least_last < last_count; }
  /// Whether a request of this layout is one of these.
  [[nodiscard]] bool has(std::size_t size, std::size_t align) const {
    return has_last(last_byte(size, align)) && ((align - 1) & align) == 0;
  }
};

}  // namespace slabheap
