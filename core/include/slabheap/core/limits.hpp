// The ranges of everything that can be chosen.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabheap {

inline constexpr std::size_t max_classes = 128;
inline constexpr std::size_t min_block_bytes = 8;
inline constexpr std::size_t max_block_bytes = 65536;
inline constexpr std::size_t max_set_blocks = 64;  // the bits of a set's word
inline constexpr std::size_t min_page_bytes = 512;
inline constexpr std::size_t max_page_bytes = 65536;
inline constexpr std::uint32_t max_regions = 64;
inline constexpr std::uint32_t max_region_pages = std::uint32_t{1} << 31;

}  // namespace slabheap
