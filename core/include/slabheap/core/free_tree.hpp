// Which naturally aligned runs of a region are free: one bit for each run that there can be, in the order of a binary tree. The
// node of a run of order k is its first page's leaf, shifted right by k; so a run's parent is its node halved, and its buddy the
// node with the last bit flipped.
//
// The bits are summed up in words of 64: bit i of a level says whether word i of the level below is not zero. So the lowest free
// run of an order is found by as many bit scans as there are levels, and no memory is touched but near the runs.
//
// Bound: a set or cleared bit changes at most one word a level; there are at most 6 levels.
#pragma once

#include "slabheap/core/units.hpp"

namespace slabheap {

using TreeNode = std::uint64_t;

class FreeTree {
 public:
  static constexpr unsigned order_count = 32;  // orders 0 to 31: a region has at most 2^31 pages

  /// What a tree for so many pages takes.
  [[nodiscard]] static std::size_t bytes_for(std::uint32_t page_count);
  /// A tree for these pages, without a free run. The memory behind it, `bytes_for` with the tree itself, is zero.
  explicit FreeTree(Run pages);

  [[nodiscard]] TreeNode node_of(PageNumber head, unsigned order) const { return (leaves_ + head.value) >> order; }
  [[nodiscard]] PageNumber head_of(TreeNode node, unsigned order) const {
    return {static_cast<std::uint32_t>((node << order) - leaves_)};
  }
  [[nodiscard]] bool has(TreeNode node) const { return (words()[node >> 6] >> (node & 63) & 1) != 0; }
  void set(TreeNode node, unsigned order);
  void clear(TreeNode node, unsigned order);
  /// Bit k: there is a free run of order k.
  [[nodiscard]] std::uint32_t orders() const { return orders_; }
  /// The first page of the lowest free run of an order that there is.
  [[nodiscard]] PageNumber lowest(unsigned order) const;
  /// How many bits are set.
  [[nodiscard]] std::uint64_t count() const;
  /// Whether this is a tree for these pages: then no step of it leads out of its memory.
  [[nodiscard]] bool is_for(Run pages) const;
  /// Whether every summary says what is below it. Like `count`, a look at every word.
  [[nodiscard]] bool sums_up() const;

 private:
  static constexpr unsigned level_count = 6;
  static constexpr unsigned word_shift = 6;
  static constexpr std::uint64_t root = 0;  // the index, in every level, of the word that no other sums up

  [[nodiscard]] static constexpr std::uint64_t bit_of(std::uint64_t index) { return std::uint64_t{1} << (index & 63); }
  void sum_up(std::uint64_t index);
  void sum_down(std::uint64_t index, unsigned order);

  /// How many levels above the first it takes until the nodes of a depth fit into one word.
  [[nodiscard]] static constexpr unsigned root_level(unsigned depth) { return depth * 43 >> 8; }  // depth / 6, up to 32
  /// Where they are in that word.
  [[nodiscard]] static constexpr std::uint64_t root_mask(unsigned depth) {
    return row_of(1U << (depth - word_shift * root_level(depth)));
  }
  /// The nodes of a depth in that word, by the first of them, which is as great as they are many: half a word at the most.
  [[nodiscard]] static constexpr std::uint64_t row_of(unsigned first) { return ((std::uint64_t{1} << first) - 1) << first; }
  [[nodiscard]] static constexpr unsigned leaf_depth(std::uint32_t page_count) { return order_for({page_count}) + 1; }

  [[nodiscard]] std::uint64_t* words() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  [[nodiscard]] const std::uint64_t* words() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
  /// The words of a level; the lowest has nodes, the others summaries.
  [[nodiscard]] std::uint64_t size_of(unsigned level) const;

  std::uint64_t leaves_;  // the node of page 0, if it had one
  std::uint32_t orders_ = 0;
  std::uint32_t depth_;                      // of the leaves
  std::uint32_t level_starts_[level_count];  // indices into the words
};

inline void FreeTree::set(TreeNode node, unsigned order) {
  orders_ |= 1U << order;
  std::uint64_t& word = words()[node >> word_shift];
  const bool was_clear = word == 0;
  word |= bit_of(node);
  if (was_clear) sum_up(node >> word_shift);
}

inline void FreeTree::clear(TreeNode node, unsigned order) {
  std::uint64_t& word = words()[node >> word_shift];
  word &= ~bit_of(node);
  if (node >> word_shift != root) {
    if (word == 0) sum_down(node >> word_shift, order);
  } else if ((word & row_of(1U << (depth_ - order))) == 0) {
    orders_ &= ~(1U << order);
  }
}

}  // namespace slabheap
