// Memory that heaps are put into, the same in every run of a target, so that an input does the same each time.
#pragma once

#include <cstdint>

#include "support/snapshot.hpp"

namespace slabheap::fuzz {

inline constexpr std::size_t ground_bytes = std::size_t{1} << 20;

/// All of it; it begins on a multiple of 16 MiB.
[[nodiscard]] test::Range ground();
/// Fills the ground with rubbish, as far as the last run may have used it.
void clear_ground();
/// Whether the ground outside of these ranges, which ascend, is still as it was cleared.
[[nodiscard]] bool is_untouched_outside(const std::vector<test::Range>& ranges);

}  // namespace slabheap::fuzz
