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

  /// How many levels above the first it takes until the nodes of a depth fit into one word.
  [[nodiscard]] static constexpr unsigned root_level(unsigned depth) { return depth * 43 >> 8; }  // depth / 6, up to 32
  /// Where they are in that word.
  [[nodiscard]] static constexpr std::uint64_t root_mask(unsigned depth) {
    const unsigned width = 1U << (depth - word_shift * root_level(depth));
    return ((std::uint64_t{1} << width) - 1) << width;
  }
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

}  // namespace slabheap
