// The block sizes that a best list of classes may have, and the requests below each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "classes/best_classes.hpp"
#include "slabheap/slabheap.h"

namespace slabheap::classes {

[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t size, std::uint64_t align) {
  return (size + align - 1) & ~(align - 1);
}

/// The least block that serves a request.
[[nodiscard]] constexpr std::uint64_t least_block(const Requests& one, std::uint64_t align) {
  return round_up(one.size < HEAP_MIN_BLOCK_BYTES ? HEAP_MIN_BLOCK_BYTES : one.size, align);
}

struct Candidates {
  std::vector<std::uint64_t> aligns;  // that are asked for, ascending
  /// Ascending. A class that is larger than the largest request that it serves, rounded up to the largest alignment that it
  /// serves, could be smaller: so there are no others.
  std::vector<std::uint64_t> sizes;
  std::vector<std::uint64_t> below;                  // requests whose least block is at most sizes[i], of all alignments
  std::vector<std::vector<std::uint64_t>> below_of;  // the same of one alignment: below_of[alignment][i]
  std::size_t top = 0;                               // the first that holds every request, alignments aside

  /// Requests are to be rounded up to at least `coarsest`.
  Candidates(const std::vector<Requests>& requests, std::uint64_t largest, std::uint64_t coarsest = 1) {
    for (const Requests& one : requests) aligns.push_back(std::max(one.align, coarsest));
    keep_distinct(aligns);
    for (const Requests& one : requests) {
      for (const std::uint64_t align : aligns) {
        if (align >= one.align && least_block(one, align) <= largest) sizes.push_back(least_block(one, align));
      }
    }
    keep_distinct(sizes);
    below.resize(sizes.size());
    below_of.assign(aligns.size(), std::vector<std::uint64_t>(sizes.size()));
    for (const Requests& one : requests) {
      const std::uint64_t align = std::max(one.align, coarsest);
      const auto place =
          static_cast<std::size_t>(std::lower_bound(sizes.begin(), sizes.end(), least_block(one, align)) - sizes.begin());
      if (place == sizes.size()) continue;  // too large when rounded so coarsely
      const auto level = static_cast<std::size_t>(std::lower_bound(aligns.begin(), aligns.end(), align) - aligns.begin());
      below_of[level][place] += one.count;
      below[place] += one.count;
      top = std::max(top, place);
    }
    for (std::size_t i = 1; i < sizes.size(); ++i) {
      below[i] += below[i - 1];
      for (auto& of : below_of) of[i] += of[i - 1];
    }
  }

  /// How many of the alignments a block of this size has; they are the least ones.
  [[nodiscard]] std::size_t levels(std::size_t candidate) const {
    std::size_t count = 0;
    while (count < aligns.size() && sizes[candidate] % aligns[count] == 0) ++count;
    return count;
  }

 private:
  static void keep_distinct(std::vector<std::uint64_t>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
  }
};

}  // namespace slabheap::classes
