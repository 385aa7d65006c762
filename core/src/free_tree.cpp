#include "slabheap/core/free_tree.hpp"

namespace slabheap {
namespace {

/// Words of a level above one of so many.
std::uint64_t words_above(std::uint64_t words) { return (words + 63) >> 6; }

}  // namespace

// Pages whose count is not above 2^k lie in at most two runs of order k. So the tree has two nodes of that order, twice as many
// of each order below, and the leaves start at the left end of the first.

std::size_t FreeTree::bytes_for(std::uint32_t page_count) {
  std::uint64_t words = words_above(std::uint64_t{2} << leaf_depth(page_count));
  std::uint64_t all_words = words;
  while (words > 1) all_words += words = words_above(words);
  return sizeof(FreeTree) + static_cast<std::size_t>(all_words) * sizeof(std::uint64_t);
}

FreeTree::FreeTree(Run pages) : depth_{leaf_depth(pages.pages.count)} {
  const std::uint64_t left_end = round_down(std::uint64_t{pages.first.value}, std::size_t{1} << (depth_ - 1));
  leaves_ = (std::uint64_t{1} << depth_) - left_end;
  std::uint64_t words = words_above(std::uint64_t{2} << depth_);
  std::uint64_t start = 0;
  for (std::uint32_t& level_start : level_starts_) {
    level_start = static_cast<std::uint32_t>(start);
    start += words;
    words = words_above(words);
  }
}

/// A word of the lowest level was clear, and is not any more.
void FreeTree::sum_up(std::uint64_t index) {
  for (unsigned level = 1; index != root; ++level) {
    const std::uint64_t above = index >> word_shift;
    std::uint64_t& word = words()[level_starts_[level] + above];
    const bool was_clear = word == 0;
    word |= bit_of(index);
    if (!was_clear) return;
    index = above;
  }
}

/// A word of the lowest level, with nodes of this order, is clear now.
void FreeTree::sum_down(std::uint64_t index, unsigned order) {
  for (unsigned level = 1;; ++level) {
    const std::uint64_t above = index >> word_shift;
    std::uint64_t& word = words()[level_starts_[level] + above];
    word &= ~bit_of(index);
    if (above == root) {
      if ((word & root_mask(depth_ - order)) == 0) orders_ &= ~(1U << order);
      return;
    }
    if (word != 0) return;
    index = above;
  }
}

PageNumber FreeTree::lowest(unsigned order) const {
  const unsigned depth = depth_ - order;
  unsigned level = root_level(depth);
  std::uint64_t node = static_cast<unsigned>(std::countr_zero(words()[level_starts_[level]] & root_mask(depth)));
  while (level-- > 0) {
    const std::uint64_t word = words()[level_starts_[level] + node];
    node = node << word_shift | static_cast<unsigned>(std::countr_zero(word));
  }
  return head_of(node, order);
}

std::uint64_t FreeTree::size_of(unsigned level) const {
  std::uint64_t words = words_above(std::uint64_t{2} << depth_);
  while (level-- > 0) words = words_above(words);
  return words;
}

std::uint64_t FreeTree::count() const {
  std::uint64_t sum = 0;
  const std::uint64_t size = size_of(0);
  for (std::uint64_t i = 0; i < size; ++i) sum += bit_count(words()[i]);
  return sum;
}

bool FreeTree::is_for(Run pages) const {
  const FreeTree made{pages};
  for (unsigned level = 0; level < level_count; ++level) {
    if (level_starts_[level] != made.level_starts_[level]) return false;
  }
  return leaves_ == made.leaves_ && depth_ == made.depth_;
}

bool FreeTree::sums_up() const {
  for (unsigned level = 1; level <= root_level(depth_); ++level) {
    const std::uint64_t* below = words() + level_starts_[level - 1];
    const std::uint64_t count = size_of(level - 1);
    for (std::uint64_t i = 0; i < round_up(count, 64); ++i) {
      // The first word is the root of what is in it: nothing above sums it up.
      const bool is_filled = i != 0 && i < count && below[i] != 0;
      if (((words()[level_starts_[level] + (i >> word_shift)] & bit_of(i)) != 0) != is_filled) return false;
    }
  }
  for (unsigned order = 0; order < order_count; ++order) {
    const unsigned depth = depth_ - order;
    const bool is_filled = order < depth_ && (words()[level_starts_[root_level(depth)]] & root_mask(depth)) != 0;
    if ((orders_ >> order & 1) != (is_filled ? 1U : 0U)) return false;
  }
  return true;
}

}  // namespace slabheap
